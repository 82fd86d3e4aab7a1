"""The design is chosen by a ballot before anything is built by it."""

import json
from dataclasses import replace

import pytest

from contracts.codec import decode, encode
from contracts.subjects import subject_of
from contracts.v1.budgets import Budget
from workers.orchestrator.blueprint import Ballots, BallotTerms, Blueprint, Voter
from workers.orchestrator.decider import NOTHING, decide
from workers.orchestrator.run import fold, fold_spoiled

BUILDING = {
    "task.backend_developer.build-api.1",
    "task.backend_developer.build-store.1",
    "task.test_engineer.tests.1",
}


def _terms(**more):
    return BallotTerms(voters=(Voter(persona="security"), Voter(persona="user", target="claude")), **more)


def _policy(make, design=None, release=None, designs=1):
    blueprint = Blueprint(designs=designs, ballots=Ballots(design=design, release=release))
    return replace(make.VOTING, blueprint=blueprint)


def _opened(make, *facts, policy=None):
    return make.said(make.run(make.request(), make.planned(), *facts), policy or make.VOTING)["ballot.design"]


def _voting(make, *facts, policy=None):
    """A run whose ballot on the design is open, and what comes then."""
    policy = policy or make.VOTING
    run = make.run(make.request(), make.planned(), make.proposed())
    run = fold(run, decide(run, policy).messages)
    assert "ballot.design" in run.facts
    return make.said(fold(run, facts), policy)


def test_a_design_is_put_to_a_ballot_and_nothing_that_needs_it_goes_out_before(make):
    plan = make.project_plan(make.task("intro"), make.task("sketch", needs=["design"]))
    asked = make.asking(make.request(), make.planned(plan), policy=make.VOTING)
    assert "task.writer.intro.1" in asked.facts
    said = make.said(fold(asked, [make.proposed()]), make.VOTING)
    assert said.keys() == {"ballot.design"}
    assert decide(fold(fold(asked, [make.proposed()]), said.values()), make.VOTING) == NOTHING


def test_a_ballot_on_the_design_has_the_design_and_its_revision_as_options_and_the_requirements_as_context(make):
    opened = _opened(make, make.proposed("api", name="design"))
    assert [option.option for option in opened.options] == ["design", "revise"]
    assert json.loads(opened.options[0].text)["modules"][0]["name"] == "api"
    assert json.loads(opened.context)["requirements"]["title"] == "Notes"
    assert (opened.rule, opened.default_option, opened.opened_by) == ("approval", "design", "orchestrator")
    assert opened.electorate == tuple(one.voter for one in opened.panel) == ("correctness", "simplicity", "operations")
    assert decode(subject_of(opened), encode(opened)) == opened


def test_panelists_have_the_runs_target_or_their_own_with_its_family_and_the_runs_budget(make):
    policy = _policy(make, _terms(exclude_author=True))
    call = make.call("design").model_copy(update={"target": "gpt"})
    proposed = make.proposed().model_copy(update={"calls": (call,)})
    known = [make.request(budget=Budget(usd=2.0)), make.planned(), proposed]
    opened = make.said(make.run(*known), policy)["ballot.design"]
    assert [(one.voter, one.target, one.family) for one in opened.panel] == [
        ("security", "", "builtin"),
        ("user-claude", "claude", "anthropic"),
    ]
    assert (opened.exclude_families, opened.options[0].author, opened.budget) == (("openai",), "gpt", Budget(usd=2.0))


def test_an_author_whose_name_no_target_can_have_does_not_stop_the_ballot(make):
    call = make.call("design").model_copy(update={"target": "no target!"})
    assert _opened(make, make.proposed().model_copy(update={"calls": (call,)})).options[0].author == ""


def test_the_chosen_design_is_built(make):
    said = _voting(make, make.decided("design", "design"))
    assert said.keys() == BUILDING
    assert said["task.test_engineer.tests.1"].design == make.design("api", "store")


@pytest.mark.parametrize("asked", [3, None])
def test_alternatives_are_asked_for_at_once_and_each_says_which_it_is(make, asked):
    policy = make.VOTING if asked else make.THREE
    said = make.said(make.run(make.request(designs=asked), make.planned()), policy)
    assert [(one.task, one.alternative, one.alternatives) for one in said.values()] == [
        ("design", 1, 3),
        ("design-O2", 2, 3),
        ("design-O3", 3, 3),
    ]


def test_a_request_says_how_many_designs_there_are_whatever_the_blueprint_says(make):
    said = make.said(make.run(make.request(designs=1), make.planned()), make.THREE)
    assert said.keys() == {"task.architect.design.1"}


def test_several_designs_are_voted_on_though_the_blueprint_has_no_ballot_and_one_is_not(make):
    policy = _policy(make)
    several = [make.request(designs=2), make.planned(), make.proposed(), make.proposed("a", name="design-O2")]
    assert make.said(make.run(*several), policy)["ballot.design"].rule == "approval"
    assert make.said(make.run(make.request(), *several[1:3]), policy).keys() == BUILDING


def test_identical_designs_have_the_same_content_and_others_have_not(make):
    names = {"design": ("a",), "design-O2": ("b",), "design-O3": ("a",)}
    opened = _opened(make, *(make.proposed(*parts, name=name) for name, parts in names.items()), policy=make.THREE)
    first, second, third, revise = opened.options
    assert (first.content == third.content, first.content == second.content, revise.content) == (True, False, None)


def test_everything_is_built_by_the_alternative_that_won_and_inputs_name_it(make):
    plan = make.project_plan(make.task("sketch", needs=["design"]))
    known = [make.request(designs=2), make.planned(plan), make.proposed("a"), make.proposed("b", name="design-O2")]
    run = make.run(*known)
    run = fold(run, decide(run, make.VOTING).messages)
    said = make.said(fold(run, [make.decided("design", "design-O2")]), make.VOTING)
    assert said.keys() == {"task.backend_developer.build-b.1", "task.test_engineer.tests.1", "task.writer.sketch.1"}
    assert said["task.backend_developer.build-b.1"].design == make.design("b")
    assert [given.task for given in said["task.writer.sketch.1"].inputs] == ["design-O2"]


def test_a_design_that_failed_is_left_out_and_the_run_fails_only_when_all_have(make):
    known = [make.request(), make.planned(), make.failed("design", retry=False), make.proposed(name="design-O3")]
    waiting = make.said(make.run(*known), make.THREE)
    assert waiting.keys() == {"task.architect.design-O2.1"}
    last = make.failed("design-O2", retry=False)
    opened = make.said(make.run(*known, last), make.THREE)["ballot.design"]
    assert [option.option for option in opened.options] == ["design-O3", "revise"]
    assert opened.default_option == "design-O3"
    run = make.run(*known[:3], last, make.failed("design-O3", retry=False))
    closed = make.said(run, make.THREE)["run.closed"]
    assert (closed.failed_task, closed.evidence_at) == ("design", "failure.design.1")


def test_a_design_that_the_plan_can_not_build_can_not_win_and_fails_the_run_when_there_is_no_other(make):
    bad = make.proposed("api", "api")
    opened = _opened(
        make, bad, make.proposed(name="design-O2"), make.proposed("x", name="design-O3"), policy=make.THREE
    )
    assert [option.eligible for option in opened.options] == [False, True, True, True]
    assert opened.default_option == "design-O2"
    closed = make.said(make.run(make.request(), make.planned(), bad), make.VOTING)["run.closed"]
    assert closed.reason.endswith("the design has 2 modules named api")


def test_a_design_that_voters_want_revised_is_made_once_more_with_their_objections_and_then_taken(make):
    decided = make.decided("design", "revise", a="revise", b="design", c="revise design", d="")
    said = _voting(make, decided)
    assert said.keys() == {"task.architect.design-R1.1"}
    assert said["task.architect.design-R1.1"].objections == ("a says why", "c says why")
    after = _voting(make, decided, make.proposed("new", name="design-R1"))
    assert after.keys() == {"task.backend_developer.build-new.1", "task.test_engineer.tests.1"}


def test_the_architect_is_told_that_nobody_said_why(make):
    said = _voting(make, make.decided("design", "revise"))
    assert said["task.architect.design-R1.1"].objections == ("another design is wanted; nobody said why",)


@pytest.mark.parametrize(("by", "how"), [("undecided", "stayed undecided"), ("refused", "was refused")])
def test_a_ballot_without_an_option_fails_the_run_and_says_so(make, by, how):
    closed = _voting(make, make.decided("design", None, by, "nobody came"))["run.closed"]
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "design", "decision.design")
    assert closed.reason == f"ballot design {how}: nobody came"


def test_a_decision_for_what_is_no_option_fails_the_run(make):
    closed = _voting(make, make.decided("design", "nonsense"))["run.closed"]
    assert closed.reason == "ballot design was decided for nonsense, which is none of its options"


@pytest.mark.parametrize(("name", "what"), [("decision.design", "decision of ballot"), ("ballot.design", "ballot")])
def test_a_ballot_whose_facts_can_not_be_read_fails_the_run(make, name, what):
    run = fold_spoiled(make.run(make.request(), make.planned(), make.proposed()), name)
    assert name == "decision.design" or decide(run, make.VOTING).messages == ()
    decided = [make.decided("design", "design")] if name == "ballot.design" else []
    closed = make.said(fold(run, decided), make.VOTING)["run.closed"]
    assert closed.reason == f"the stored {what} design does not validate"


ANSWERS = {
    "approve": ({"verdict": "approve"}, BUILDING, ()),
    "the option itself": ({"verdict": "reject", "option": "design"}, BUILDING, ()),
    "reject": ({"verdict": "reject", "comment": "too big"}, {"task.architect.design-R1.1"}, ("too big",)),
    "reject without a word": ({"verdict": "reject"}, {"task.architect.design-R1.1"}, ("a says why",)),
    "ask for changes": (
        {"verdict": "ask_for_changes", "changes": ("split it", "rename it"), "comment": "please"},
        {"task.architect.design-R1.1"},
        ("split it", "rename it", "please"),
    ),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_ballot_that_was_left_to_a_person_goes_on_with_the_answer(make, answer):
    given, wanted, objections = ANSWERS[answer]
    escalated = make.decided("design", None, "escalated", a="revise", b="design")
    assert _voting(make, escalated) == {}
    said = _voting(make, escalated, make.approved("design", **given))
    assert said.keys() == {*wanted, "outcome.design"}
    if objections:
        assert said["task.architect.design-R1.1"].objections == objections


def test_an_answer_that_names_no_option_fails_the_run(make):
    answer = make.approved("design", option="other")
    closed = _voting(make, make.decided("design", None, "escalated"), answer)["run.closed"]
    assert closed.evidence_at == "approval.design"
    assert closed.reason == (
        "ann took other at ballot design, which has design, revise; a ballot is answered once, so ask for a new run"
    )


def test_the_runs_deadline_names_a_ballot_that_was_open_or_waited_for_a_person(make):
    late = make.passed("run")
    assert " while ballot design was open; " in _voting(make, late)["run.closed"].reason
    closed = _voting(make, make.decided("design", None, "escalated"), late)["run.closed"]
    assert " while ballot design waited for a person; " in closed.reason
    assert closed.evidence_at == "decision.design"


@pytest.mark.parametrize("task", ["a--b", "a-", "an-architecture-for-it"])
def test_a_task_whose_name_no_ballot_can_have_is_voted_on_as_design(make, task):
    tasks = [make.task(task, "architect")]
    tasks += [make.task("build", "backend_developer", [task], each="module"), make.task("t", "test_engineer", [task])]
    run = make.run(make.request(), make.planned(make.plan(*tasks)), make.proposed(name=task))
    opened = make.said(run, make.VOTING)["ballot.design"]
    assert opened.options[0].option == task


def test_a_run_that_was_being_built_before_there_were_ballots_goes_on_without_one(make):
    asked = make.asking(make.request(), make.planned(), make.proposed())
    assert asked.facts.keys() >= BUILDING
    assert decide(asked, make.VOTING) == NOTHING
    assert decide(asked, make.THREE) == NOTHING


def test_a_ballot_that_is_open_is_heeded_though_the_blueprint_has_changed(make):
    known = [make.request(), make.planned(), *(make.proposed(name=f"design{n}") for n in ("", "-O2", "-O3"))]
    run = make.run(*known)
    run = fold(run, decide(run, make.THREE).messages)
    assert make.said(run, make.POLICY) == {}
    said = make.said(fold(run, [make.decided("design", "design-O2")]), make.POLICY)
    assert said.keys() == BUILDING


def test_the_largest_designs_make_a_ballot_that_the_bus_can_carry_and_voters_can_read(make):
    parts = [part.model_copy(update={"purpose": "\N{SNOWMAN}" * 20_000}) for part in make.design("a", "b").modules]
    big = make.design("a").model_copy(update={"modules": tuple(parts)})
    names = ["design", *(f"design-O{n}" for n in range(2, 10))]
    facts = [make.proposed(name=name).model_copy(update={"design": big}) for name in names]
    opened = make.said(make.run(make.request(designs=9), make.planned(), *facts), make.VOTING)["ballot.design"]
    assert len(encode(opened)) < 1_000_000
    assert all(json.loads(option.text)["modules"] for option in opened.options[:-1])


def test_a_vetoed_design_is_one_that_somebody_wants_revised(make):
    opened = _opened(make, make.proposed(), policy=_policy(make, _terms(rule="veto")))
    assert (opened.rule, opened.status_quo, opened.tie_order) == ("veto", "revise", ())
