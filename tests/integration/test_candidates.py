"""Ballots over candidates: what voters are shown, what can win, and what voters weigh after they were wrong."""

import asyncio
import json
import re
import sys

import pytest

from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, OutcomeSeen, Panelist, VoteCast
from contracts.v1.projects import Evidence, FileRef
from contracts.v1.runs import RunRequested
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Play
from workers.consensus.worker import Consensus
from workers.fleet import services
from workers.roles.architect.worker import role as architect
from workers.roles.project_manager.worker import role as project_manager
from workers.roles.reviewer.worker import role as reviewer
from workers.runtime.bootstrap import role_service

TENANT = "acme"
CODE = {
    "crash": "raise SystemExit\n",
    "red": "def total(items): return 0\n",
    "sums": "def total(items): return sum(items)\n",
    "twin": "def total(items): return sum(items)\n",
    "loops": "def total(items):\n    all = 0\n    for item in items:\n        all += item\n    return all\n",
}
SEEN = {"crash": (0, 0), "red": (9, 4), "sums": (9, 0), "twin": (9, 0), "loops": (8, 0)}
"""Tests of each candidate, and how many of them failed."""


def choosing(option):
    """A reply to a ballot by majority."""
    return Play(text=json.dumps({"choice": option, "rationale": f"{option} does what is asked."}))


def vote(voter, choice, ballot="modules"):
    return VoteCast(tenant=TENANT, run=ballot, ballot=ballot, voter=voter, choice=choice)


async def candidate(ward, name):
    """An implementation with its file in the artifacts and what the sandbox saw of it."""
    content = CODE[name].encode()
    digest = await ward.bus.artifacts.put(content)
    tests, failed = SEEN[name]
    evidence = Evidence(
        passed=tests > 0 and not failed, tests=tests, failed=failed, level="landlock", duration_s=0.5,
        files_digest=digest, reason="" if tests else "the tests did not start",
    )  # fmt: skip
    file = FileRef(path="src/shop/total.py", sha256=digest, size=len(content))
    return Option(option=name, author=f"maker:{name}", content=digest, evidence=evidence, files=(file,))


@pytest.fixture
async def provider():
    """The provider of the voters' models."""
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def held(ward, provider, tmp_path):
    """Holds a ballot on the five candidates: three voters of the fleet with these answers, and two from outside."""
    models = tmp_path / "models.yaml"
    targets = [
        f"  {name}: {{provider: compatible, model: {name}, base_url: '{provider.url}/v1',"
        " capabilities: {json_schema: native}}\n"
        for name in ("m1", "m2", "m3")
    ]
    models.write_text("targets:\n" + "".join(targets))
    await ward.provision("reviewer")
    await ward.start(role_service(reviewer, ward.settings.model_copy(update={"models_file": models})))
    await ward.start(Consensus())

    async def hold(*plays):
        for n, play in enumerate(plays, 1):
            provider.script(play, play, model=f"m{n}")
        options = [await candidate(ward, name) for name in CODE]
        panel = tuple(Panelist(voter=f"p{n}", target=f"m{n}") for n in (1, 2, 3))
        ballot = BallotOpened(
            tenant=TENANT, run="modules", ballot="modules", question="Which module is built in?", options=options,
            electorate=("p1", "p2", "p3", "eve", "mallory"), panel=panel, quorum=3, deadline_s=60,
        )  # fmt: skip
        await ward.say(ballot)

    return hold


def shown(request):
    """The options as a voter was shown them, by name, and all the text."""
    text = "\n".join(message["content"] for message in request.body["messages"])
    [block] = re.findall(r'<data name="options">\n(.*)\n</data>', text)
    return {option["option"]: option for option in json.loads(block)}, text


async def test_voters_are_shown_what_can_win_once_each_with_its_evidence_and_its_files(ward, provider, held):
    await held(choosing("sums"), choosing("sums"), choosing("sums"))
    made = await ward.fact("modules", "decision.modules")
    assert isinstance(made, DecisionMade) and (made.option, made.votes, made.early) == ("sums", 3, True)
    assert sorted(request.model for request in provider.requests) == ["m1", "m2", "m3"]
    for request in provider.requests:
        options, text = shown(request)
        assert list(options) == ["sums", "loops"]
        assert {name: option["evidence"]["tests"] for name, option in options.items()} == {"sums": 9, "loops": 8}
        for name, option in options.items():
            assert [file["content"] for file in option["files"]] == [CODE[name]]
        assert CODE["red"] not in text and CODE["crash"] not in text
        assert "maker:" not in text, "nobody is told whose it is"


async def test_red_candidates_can_not_win_and_votes_for_identical_ones_are_votes_for_the_first(ward, held):
    await held(choosing("sums"), choosing("loops"), choosing("red"))
    for n in (1, 2, 3):
        await ward.fact("modules", f"vote.modules.p{n}")
    await ward.say(vote("mallory", "crash"), vote("eve", "twin"))
    made = await ward.fact("modules", "decision.modules")
    assert (made.option, made.by, made.counts) == ("sums", "rule", {"sums": 2, "loops": 1})
    assert {one.voter: one.options for one in made.counted}["eve"] == ("sums",)
    [invalid] = made.invalid
    assert invalid.voter == "mallory" and "no tests of it were run" in invalid.reason
    asked = await ward.fact("modules", "vote.modules.p3")
    assert asked.choice is None and "there is no option 'red'" in asked.because


async def test_what_a_deciding_vote_has_cost_is_in_the_log_before_the_decision(ward, held):
    """Who packs what a ballot released counts the calls of its voters, so their results must be there by then."""
    log = next(app for app in ward.apps if app.service.name == "reviewer").service.env.bus.log
    say = log.say

    async def acknowledged_late(message):
        said = await say(message)
        if isinstance(message, VoteCast):
            await ward.fact("modules", "decision.modules")
        return said

    log.say = acknowledged_late
    await held(choosing("sums"), choosing("sums"), choosing("sums"))
    await ward.fact("modules", "decision.modules")
    names = await ward.names("modules")
    results = {f"result.vote-modules--p{n}" for n in (1, 2, 3)}
    assert results <= set(names[: names.index("decision.modules")])


BLUEPRINT = "ballots: {design: {rule: weighted, voters: [correctness, simplicity, operations]}}\n"
VOTERS = ("simplicity", "correctness", "operations")


async def flotilla(ward, *arguments):
    """Run the command; returns what it said."""
    command = (sys.executable, "-m", "workers.cli", *arguments, "--nats", ward.server.url, "--tenant", TENANT)
    said = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(said.communicate(), 60)
    assert said.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.timeout(120)
async def test_a_voter_that_was_proved_wrong_weighs_less_in_the_next_weighted_ballot_of_a_run(ward, tmp_path):
    blueprint = tmp_path / "blueprint.yaml"
    blueprint.write_text(BLUEPRINT)
    settings = ward.settings.model_copy(update={"blueprint": blueprint, "tenant": TENANT})
    await ward.provision("project_manager", "architect")
    for service in (Consensus(), services()["orchestrator"](settings)):
        await ward.start(service)
    for role in (project_manager, architect):
        await ward.start(role_service(role, settings))
    for past in ("past-1", "past-2"):
        options = (Option(option="yes"), Option(option="no"))
        opened = BallotOpened(
            tenant=TENANT, run=past, ballot=past, question="?", options=options, electorate=VOTERS, deadline_s=60
        )
        await ward.say(opened, *(vote(voter, "no" if voter == "simplicity" else "yes", past) for voter in VOTERS))
        await ward.fact(past, f"decision.{past}")
    before = await _weights(ward, "before")
    assert len(set(before.values())) <= 1, "nothing is known of anybody yet"
    for past in ("past-1", "past-2"):
        await flotilla(ward, "ballot", "outcome", past, "--right", "yes")
        outcome = await ward.fact(past, f"outcome.{past}")
        assert isinstance(outcome, OutcomeSeen) and outcome.voters_wrong == ("simplicity",)
    after = await _weights(ward, "after")
    assert after["simplicity"] < after["correctness"] == after["operations"]


async def _weights(ward, run):
    """The weights of the ballot on the design of a new run."""
    await ward.say(RunRequested(tenant=TENANT, run=run, idea="Books have a title."))
    opened = await ward.fact(run, "ballot.design")
    assert isinstance(opened, BallotOpened) and opened.rule == "weighted"
    return opened.weights


class Dying(Consensus):
    """A consensus worker that never gets as far as to open a gate."""

    async def _say(self, message):
        if isinstance(message, GateOpened):
            await asyncio.Event().wait()
        return await super()._say(message)


def left_to_a_person(**more):
    return BallotOpened(
        tenant=TENANT, run="b", ballot="b", question="Is it?", options=(Option(option="yes"), Option(option="no")),
        electorate=("v1", "v2"), quorum=2, no_quorum="escalate", **more,
    )  # fmt: skip


async def _asked(ward):
    """What the gate is and offers, and how many decisions and gates there are in the end."""
    gate = await ward.fact("b", "gate.b")
    await ward.settled("consensus")
    names = await ward.names("b")
    return type(gate), gate.options, names.count("decision.b"), names.count("gate.b")


@pytest.mark.parametrize("deadline_s", [60, 1], ids=["by its last vote", "by its deadline"])
@pytest.mark.parametrize("others", [1, 3])
async def test_a_worker_that_dies_between_decision_and_gate_leaves_the_gate_to_another(ward, deadline_s, others):
    await ward.timekeeper()
    dying = await ward.start(Dying())
    await ward.say(left_to_a_person(deadline_s=deadline_s), vote("v1", "yes", "b"))
    if deadline_s > 1:
        await ward.say(vote("v2", "no", "b"))
    made = await ward.fact("b", "decision.b")
    assert (made.option, made.by) == (None, "escalated")
    assert "gate.b" not in await ward.names("b")
    await ward.crash(dying)
    for _ in range(others):
        await ward.start(Consensus())
    assert await _asked(ward) == (GateOpened, ("yes", "no"), 1, 1)


async def test_a_history_that_has_the_decision_and_no_gate_gets_its_gate(ward):
    await ward.say(
        left_to_a_person(deadline_s=60),
        vote("v1", "yes", "b"),
        vote("v2", "no", "b"),
        DecisionMade(tenant=TENANT, run="b", ballot="b", option=None, by="escalated", reason="yes and no are equal"),
    )
    for _ in range(3):
        await ward.start(Consensus())
    assert await _asked(ward) == (GateOpened, ("yes", "no"), 1, 1)
