"""Runs whose designs and releases are voted on by voters of many kinds: some refuse, some are slow, some are killed."""

import json
from collections import Counter

import pytest

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, OutcomeSeen, Panelist, VoteCast
from contracts.v1.budgets import Budget
from contracts.v1.capsules import CapsulePacked
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import BuildModule, CastVote, PackProject, RepairProject
from tests.fakes.panel import FakePanel, slowly
from tests.fakes.script import Play, refused
from workers.llm.ledger import run_key
from workers.llm.purse import Purse
from workers.packager.unpack import unpack, verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

IDEA = "Books have a title, a price and a unique ISBN. A review belongs to a book and has a text."
FAMILIES = {"a1": "alpha", "a2": "alpha", "b1": "beta", "v1": "one", "v2": "two", "v3": "three", "slow": "slow"}
RELEASE_VOTERS = ("correctness-v1", "security-v2", "user-v3")
BLUEPRINT = """
ballots:
  design:
    voters:
      - {persona: correctness, target: builtin}
      - {persona: simplicity, target: a1}
      - {persona: security, target: a2}
      - {persona: operations, target: b1}
    exclude_author: true
    distinct_families: true
  release:
    voters:
      - {persona: correctness, target: v1}
      - {persona: security, target: v2}
      - {persona: user, target: v3}
"""
NOTE = "Everything that is sent is stored in one SQLite file.\n"
MENDED = {"diagnosis": "What is stored was not said.", "files": [{"path": "SECURITY.md", "content": NOTE}]}


def reply(**fields):
    """An answer in the form that the schema has."""
    return Play(text=json.dumps(fields))


REFUSAL = refused()
MALFORMED = Play(text='{"choice": "release"')
OVER_LONG = reply(choice="release", rationale="very good " * 2_500)
ABSTAINING = {"v1": REFUSAL, "v2": MALFORMED, "v3": OVER_LONG}


@pytest.fixture(scope="module")
def panel():
    """The provider of all voters' models."""
    with FakePanel() as fake:
        fake.says["RepairReply"] = reply(**MENDED)
        yield fake


@pytest.fixture(scope="module")
def polled(outside, panel, tmp_path_factory):
    """A fleet whose voters are of several families."""
    folder = tmp_path_factory.mktemp("polled")
    models, blueprint = folder / "models.yaml", folder / "blueprint.yaml"
    targets = [
        f"  {name}: {{provider: compatible, model: {name}, base_url: '{panel.url}/v1', family: {family},"
        " price: {input: 1, output: 2}, capabilities: {json_schema: native, max_output_tokens: 8000}}"
        for name, family in FAMILIES.items()
    ]
    models.write_text("\n".join(["targets:", *targets, ""]))
    blueprint.write_text(BLUEPRINT)
    with outside.Fleet(folder, lease_s="2", models_file=str(models), blueprint=str(blueprint)) as fleet:
        yield fleet


def votes_on(facts, ballot):
    return {vote.voter: vote for vote in facts.of(VoteCast) if vote.ballot == ballot}


def decision_on(facts, ballot):
    [decision] = [decision for decision in facts.of(DecisionMade) if decision.ballot == ballot]
    return decision


def asked_on(facts, ballot):
    return [task.voter for task in facts.of(CastVote) if task.ballot == ballot]


@pytest.fixture(scope="module")
def three_designs(fleet, deliver):
    """A run of the built-in model that had three designs to choose from: what it delivered, and its facts."""
    made = deliver(fleet, IDEA, "--run-id", "three-designs", "--designs", "3")
    return made, fleet.facts("three-designs")


def test_one_of_three_designs_is_chosen_and_that_one_is_built(three_designs):
    _, facts = three_designs
    [opened] = [ballot for ballot in facts.of(BallotOpened) if ballot.ballot == "design"]
    assert [option.option for option in opened.options] == ["design", "design-O2", "design-O3", "revise"]
    chosen = decision_on(facts, "design").option
    designs = dict(facts.said)
    built = {task.design.model_dump_json() for task in facts.of(BuildModule)}
    assert chosen in ("design", "design-O2", "design-O3")
    assert built == {designs[f"result.{chosen}"].design.model_dump_json()}
    [packed] = facts.of(PackProject)
    assert packed.design == designs[f"result.{chosen}"].design


def test_what_the_first_tests_prove_of_the_voters_is_said_once_they_ran(three_designs):
    _, facts = three_designs
    [outcome] = [outcome for outcome in facts.of(OutcomeSeen) if outcome.ballot == "design"]
    decision = decision_on(facts, "design")
    assert (outcome.option, outcome.right) == (decision.option, True)
    assert outcome.voters_right == tuple(vote.voter for vote in decision.counted if decision.option in vote.options)
    assert facts.names.index("outcome.design") > facts.names.index("result.verify-1")


def test_its_capsule_is_whole_and_tells_of_the_calls_of_the_voters(three_designs, fleet, tmp_path):
    made, facts = three_designs
    [packed] = facts.of(CapsulePacked)
    archive = fleet.ask(lambda bus: bus.artifacts.get(packed.sha256))
    verify(archive, packed.sha256, packed.signature, packed.public_key)
    assert unpack(archive, tmp_path / "capsule").run == "three-designs"
    assert made.manifest["spent"]["calls"] == len([call for call in facts.of(ModelCalled) if call.task != "package"])


@pytest.fixture(scope="module")
def rejected(polled, panel):
    """A run that two voters wanted repaired once; its author is of a voter's family."""
    reasons = {"v1": "Nobody says what is stored.", "v2": "SECURITY.md is missing: say what is stored and where."}
    panel.says |= {model: reply(choice="repair", rationale=text) for model, text in reasons.items()}
    polled.request("rejected", IDEA, "a1")
    polled.until(lambda: "decision.release-1" in polled.facts("rejected").names, "the first release", 60.0)
    for model in reasons:
        del panel.says[model]
    return reasons, polled.closed("rejected")


def test_reasons_against_a_release_are_the_findings_of_the_repair_and_the_next_round_is_released(rejected, check):
    reasons, facts = rejected
    check(facts)
    assert decision_on(facts, "release-1").option == "repair"
    [repair] = facts.of(RepairProject)
    wanted = {f"correctness-v1: {reasons['v1']}", f"security-v2: {reasons['v2']}"}
    assert {finding.message for finding in repair.findings} == wanted
    assert {finding.severity for finding in repair.findings} == {"blocking"}
    assert decision_on(facts, "release-2").option == "release"
    [packed] = facts.of(PackProject)
    assert "SECURITY.md" in {file.path for file in packed.files}


def test_whoever_repairs_is_shown_the_reasons(rejected, panel):
    reasons, _ = rejected
    [shown] = [text for text in panel.shown("a1") if "You are a backend developer" in text and reasons["v1"] in text]
    assert reasons["v2"] in shown


def test_a_third_voter_is_not_asked_once_two_agree(rejected):
    _, facts = rejected
    for ballot in ("release-1", "release-2"):
        assert asked_on(facts, ballot) == list(RELEASE_VOTERS[:2])


def test_the_family_of_the_author_is_not_asked_and_each_family_is_asked_before_any_is_asked_twice(rejected, approved):
    _, of_alpha = rejected
    [terms] = [ballot for ballot in of_alpha.of(BallotOpened) if ballot.ballot == "design"]
    assert terms.exclude_families == ("alpha",)
    assert asked_on(of_alpha, "design") == ["correctness-builtin", "operations-b1"]
    of_builtin, _ = approved
    [terms] = [ballot for ballot in of_builtin.of(BallotOpened) if ballot.ballot == "design"]
    assert terms.exclude_families == ("builtin",)
    assert asked_on(of_builtin, "design") == ["simplicity-a1", "operations-b1"], "a2 is of the family of a1"


@pytest.fixture(scope="module")
def left_alone(polled, panel, rejected):
    """Two runs whose voters all abstain: `approved` and `sent-back`, which wait for a person by now."""
    panel.says |= ABSTAINING
    for run, model in (("approved", ""), ("sent-back", "a1")):
        polled.request(run, IDEA, model)
    for run in ("approved", "sent-back"):
        polled.until(lambda run=run: "gate.release-1" in polled.facts(run).names, "a gate is open", 60.0)
    for model in ABSTAINING:
        del panel.says[model]
    return {run: polled.flotilla("show", run).stdout for run in ("approved", "sent-back")}


@pytest.fixture(scope="module")
def approved(polled, left_alone):
    """The facts of a run that a person released, and what the command said."""
    said = polled.flotilla("approve", "approved", "release-1", "--yes", "--as", "ada")
    assert said.returncode == 0, said.stderr
    return polled.closed("approved"), said.stdout


def test_who_refuses_answers_in_no_form_or_too_long_abstains_with_the_reason(polled, left_alone):
    facts = polled.facts("sent-back")
    cast = votes_on(facts, "release-1")
    assert set(cast) == set(RELEASE_VOTERS)
    assert all(vote.choice is None for vote in cast.values())
    said = {voter: vote.because for voter, vote in cast.items()}
    assert "refused" in said["correctness-v1"] and "v1" in said["correctness-v1"]
    assert "did not fit" in said["security-v2"] and "JSON" in said["security-v2"]
    assert "did not fit" in said["user-v3"] and "20000" in said["user-v3"].replace(",", "")
    calls = Counter(call.target for call in facts.of(ModelCalled) if call.task.startswith("vote-release-1--"))
    assert calls == {"v1": 1, "v2": 2, "v3": 2}, "what does not fit is asked for once more, a refusal is not"


def test_without_any_preference_a_person_is_asked_and_the_command_is_named(polled, left_alone):
    decision = decision_on(polled.facts("sent-back"), "release-1")
    assert (decision.option, decision.by, decision.votes, decision.abstained) == (None, "escalated", 3, 3)
    for run, shown in left_alone.items():
        [gate] = polled.facts(run).of(GateOpened)
        assert gate.gate == "release-1" and gate.options == ("release", "repair")
        assert f"flotilla approve {run} release-1" in shown


def test_a_person_who_approves_lets_the_run_complete(approved, check):
    facts, said = approved
    check(facts)
    assert "release" in said
    [answer] = facts.of(ApprovalGiven)
    assert (answer.verdict, answer.by) == ("approve", "ada")
    assert facts.of(CapsulePacked) and not facts.of(RepairProject)
    [outcome] = [outcome for outcome in facts.of(OutcomeSeen) if outcome.ballot == "release-1"]
    assert (outcome.option, outcome.voters_right, outcome.voters_wrong) == ("release", (), ())


def test_a_person_who_rejects_has_it_repaired_for_their_reason(polled, left_alone, check):
    comment = "Say where the data is."
    said = polled.flotilla("approve", "sent-back", "release-1", "--reject", "--comment", comment, "--as", "ada")
    assert said.returncode == 0, said.stderr
    facts = polled.closed("sent-back")
    check(facts)
    [repair] = facts.of(RepairProject)
    assert [finding.message for finding in repair.findings] == [f"ada: {comment}"]
    assert decision_on(facts, "release-2").option == "release"


def test_a_reviewer_that_is_killed_while_it_votes_votes_once_and_is_paid_once(polled, panel, left_alone, check):
    panel.says["v1"] = slowly(1.5)
    before = len(panel.outcomes("v1"))
    request = RunRequested(tenant="default", run="killed", idea=IDEA, budget=Budget(usd=5.0))
    assert polled.ask(lambda bus: bus.log.say(request)).news
    polled.until(lambda: panel.outcomes("v1")[before:] == [""], "the voter is asked", 60.0)
    polled.kill("reviewer-1")
    polled.start("reviewer-1")
    facts = polled.closed("killed")
    del panel.says["v1"]
    check(facts)
    assert facts.names.count("vote.release-1.correctness-v1") == 1
    calls = [call for call in facts.of(ModelCalled) if call.target == "v1"]
    assert [(call.task, call.attempt, call.n) for call in calls] == [("vote-release-1--correctness-v1", 1, 1)]
    assert panel.outcomes("v1")[before:] == ["hung up", "answered"]
    record = polled.ask(lambda bus: bus.records("budgets").read(run_key("default", "killed")))
    book = Purse.decode(record)
    paid = sum(call.cost_usd for call in facts.of(ModelCalled))
    assert book.holds == () and book.spent.nanos == round(paid * 10**9) > 0


def voter(name):
    return Panelist(voter=name, persona="correctness", target=name, family=FAMILIES[name])


def hold(fleet, name, asked, others=(), **terms):
    """Open a ballot of its own."""
    ballot = BallotOpened(
        tenant="default", run=name, ballot=name, question="Is it to go out?", deadline_s=60,
        options=(Option(option="go"), Option(option="stay")), electorate=(*asked, *others),
        panel=tuple(map(voter, asked)), **terms,
    )  # fmt: skip
    assert fleet.ask(lambda bus: bus.log.say(ballot)).news


def dropped(fleet, panel, name):
    """Sees that the slow voter of a decided ballot is let go of for good, its call included; returns the facts."""
    fleet.until(lambda: panel.outcomes("slow")[-1] == "hung up", "the call is cut off", 5.0)
    fleet.until(lambda: fleet.settled("reviewer"), "the reviewer holds nothing")
    fleet.until(lambda: fleet.settled("consensus"), "the consensus worker holds nothing")
    facts = fleet.facts(name)
    assert f"task.reviewer.vote-{name}--slow.1" in facts.names
    gone = (f"vote.{name}.slow", f"result.vote-{name}--slow", f"failure.vote-{name}--slow.1")
    assert not set(gone) & set(facts.names)
    assert not [call for call in facts.of(ModelCalled) if call.target == "slow"]
    return facts


def test_a_slow_voter_is_cut_off_when_two_others_decide(polled, panel, rejected):
    panel.says["slow"] = slowly(30.0)
    before = len(panel.outcomes("slow"))
    hold(polled, "people", ("slow",), ("ada", "bob"))
    polled.until(lambda: panel.outcomes("slow")[before:] == [""], "the slow one is asked")
    for name in ("ada", "bob"):
        said = polled.flotilla("ballot", "vote", "people", "--as", name, "--choice", "go")
        assert said.returncode == 0, said.stderr
    polled.until(lambda: "decision.people" in polled.facts("people").names, "two of three decide")
    facts = dropped(polled, panel, "people")
    assert decision_on(facts, "people").option == "go"
    assert panel.outcomes("slow")[before:] == ["hung up"], "the task was not begun again"


def test_a_slow_voter_is_cut_off_when_two_of_its_wave_disagree_on_what_must_be_unanimous(polled, panel, rejected):
    panel.says |= {"slow": slowly(30.0), "b1": reply(choice="go", rationale="It works.")}
    panel.says["v3"] = reply(choice="stay", rationale="It does not.")
    hold(polled, "split", ("slow", "b1", "v3"), rule="unanimity", quorum=2)
    polled.until(lambda: "decision.split" in polled.facts("split").names, "no unanimity any more")
    facts = dropped(polled, panel, "split")
    for model in ("b1", "v3"):
        del panel.says[model]
    decision = decision_on(facts, "split")
    assert (decision.option, decision.by, decision.votes, decision.early) == (None, "undecided", 2, True)
