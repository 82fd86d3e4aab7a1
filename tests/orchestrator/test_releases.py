"""A project is packed only when a ballot has released it; and what is learned of voters on the way."""

import json
from dataclasses import replace

import pytest

from workers.orchestrator.blueprint import Ballots, Blueprint
from workers.orchestrator.decider import NOTHING, decide
from workers.orchestrator.run import fold, fold_spoiled

PACKING = {"task.packager.package.1"}
REPAIRING = {"task.backend_developer.repair-1.1"}


@pytest.fixture
def policy(make):
    """A fleet that votes on releases only."""
    return replace(make.VOTING, blueprint=Blueprint(ballots=Ballots(design=None)))


def _green(make, n=1, *severities):
    return [make.verified(n, green=True), make.reviewed(n, *severities)]


def _voting(make, policy, *facts):
    run = make.run(*make.up_to_verify(), *_green(make))
    run = fold(run, decide(run, policy).messages)
    assert "ballot.release-1" in run.facts
    return fold(run, facts)


def test_what_is_green_and_not_blocked_is_put_to_a_ballot_with_its_evidence_and_findings(make, policy):
    said = make.said(make.run(*make.up_to_verify(), *_green(make, 1, "note")), policy)
    assert said.keys() == {"ballot.release-1"}
    opened = said["ballot.release-1"]
    release, repair = opened.options
    assert (release.option, repair.option, opened.status_quo) == ("release", "repair", "repair")
    assert (release.evidence.passed, len(release.files), repair.evidence) == (True, 3, None)
    assert json.loads(opened.context)["findings"][0]["message"] == "note thing"
    assert (opened.tie_order, opened.no_quorum, opened.rule) == (("status_quo",), "escalate", "majority")
    assert make.said(_voting(make, policy), policy) == {}


def test_red_or_blocked_is_repaired_without_a_ballot(make, policy):
    red = [*make.up_to_verify(), make.verified(1, green=False)]
    assert make.said(make.run(*red), policy).keys() == REPAIRING
    assert make.said(make.run(*make.up_to_verify(), *_green(make, 1, "blocking")), policy).keys() == REPAIRING


def test_what_is_released_is_packed_and_closes_as_ever(make, policy):
    run = _voting(make, policy, make.decided("release-1", "release", a="release"))
    assert make.said(run, policy).keys() == PACKING
    closed = make.said(fold(run, [make.packed()]), policy)["run.closed"]
    assert (closed.status, closed.reason, closed.evidence.passed) == ("completed", "3 tests pass", True)


def test_a_decision_waits_for_the_reports_of_those_who_were_counted_so_that_all_costs_are_known(make, policy):
    votes = {"correctness": "release", "security": "release"}
    run = _voting(make, policy, make.decided("release-1", "release", **votes))
    assert make.said(run, policy) == {}
    run = fold(run, [make.performed("vote-release-1--correctness")])
    assert make.said(run, policy) == {}
    failed = make.failed("vote-release-1--security", role="reviewer", retry=False)
    assert make.said(fold(run, [failed]), policy).keys() == PACKING
    assert make.said(fold(run, [make.performed("vote-release-1--security")]), policy).keys() == PACKING


def test_nobody_waits_for_the_report_of_a_panelist_who_voted_by_hand(make, policy):
    decided = make.decided("release-1", "release", correctness="release", security="release")
    by_hand = tuple(vote.model_copy(update={"task": None}) for vote in decided.counted)
    run = _voting(make, policy, decided.model_copy(update={"counted": by_hand}))
    assert make.said(run, policy).keys() == PACKING


def test_reasons_against_a_release_go_back_as_findings_of_a_repair(make, policy):
    run = _voting(make, policy, make.decided("release-1", "repair", a="repair", b="release", c="repair"))
    said = make.said(run, policy)
    assert said.keys() == REPAIRING
    command = said["task.backend_developer.repair-1.1"]
    assert [(one.severity, one.message) for one in command.findings] == [
        ("blocking", "a: a says why"),
        ("blocking", "c: c says why"),
    ]
    after = fold(run, [make.repaired(1), *_green(make, 2)])
    assert make.said(after, policy).keys() == {"ballot.release-2"}


def test_votes_against_the_last_round_fail_the_run_and_name_the_ballot(make, policy):
    once = replace(policy, max_repairs=0)
    run = _voting(make, once, make.decided("release-1", "repair", a="repair"))
    closed = make.said(run, once)["run.closed"]
    assert (closed.failed_task, closed.evidence_at) == ("review-1", "decision.release-1")
    assert closed.reason == "after 0 repairs reviewers still reject: a: a says why"
    assert closed.capsule is None


def test_a_repair_that_leaves_what_voters_rejected_points_at_the_ballot(make, policy):
    same = make.repaired(1).model_copy(update={"files": ()})
    run = _voting(make, policy, make.decided("release-1", "repair", a="repair"), same)
    closed = make.said(run, policy)["run.closed"]
    assert closed.reason.endswith("in which ballot release-1 wanted a repair; see decision.release-1")


@pytest.mark.parametrize("by", ["undecided", "refused"])
def test_a_release_without_a_decision_fails_the_run(make, policy, by):
    closed = make.said(_voting(make, policy, make.decided("release-1", None, by, "why")), policy)["run.closed"]
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "review-1", "decision.release-1")
    assert closed.reason.startswith("ballot release-1 ")


def test_a_spoiled_ballot_on_a_release_waits_for_its_refusal_and_is_never_taken_for_a_release(make, policy):
    run = fold_spoiled(make.run(*make.up_to_verify(), *_green(make)), "ballot.release-1")
    assert make.said(run, policy) == {}
    closed = make.said(fold(run, [make.decided("release-1", "release")]), policy)["run.closed"]
    assert closed.status == "failed"


@pytest.mark.parametrize(
    ("given", "wanted", "finding"),
    [
        ({"verdict": "approve"}, PACKING, None),
        ({"verdict": "ask_for_changes", "option": "release"}, PACKING, None),
        ({"verdict": "reject", "comment": "too slow"}, REPAIRING, "ann: too slow"),
        ({"verdict": "ask_for_changes", "changes": ("add a button",)}, REPAIRING, "ann: add a button"),
        ({"verdict": "reject"}, REPAIRING, "approval.release-1 wants a repair; nobody said which"),
    ],
)
def test_a_release_that_was_left_to_a_person_goes_on_with_the_answer(make, policy, given, wanted, finding):
    run = _voting(make, policy, make.decided("release-1", None, "escalated"))
    assert make.said(run, policy) == {}
    said = make.said(fold(run, [make.approved("release-1", **given)]), policy)
    assert said.keys() == {*wanted, "outcome.release-1"}
    if finding:
        assert said["task.backend_developer.repair-1.1"].findings[0].message == finding


def test_a_run_that_was_being_packed_before_there_were_ballots_goes_on_without_one(make, policy):
    asked = make.asking(*make.up_to_verify(), *_green(make))
    assert decide(asked, policy) == NOTHING
    assert make.said(fold(asked, [make.packed()]), policy)["run.closed"].status == "completed"


def test_a_package_alone_releases_nothing(make, policy):
    said = make.said(make.run(*make.up_to_verify(), *_green(make), make.packed()), policy)
    assert said.keys() == {"ballot.release-1"}


def test_what_voting_cost_counts_into_what_the_run_has_spent(make, policy):
    call = make.call("vote-release-1--a", cost=0.25)
    voted = make.performed("vote-release-1--a", calls=(call,))
    run = _voting(make, policy, voted, make.decided("release-1", "release"), make.packed())
    assert make.said(run, policy)["run.closed"].spent.calls == 3


def _designed(make, option, *facts):
    known = make.up_to_verify()
    run = make.run(*known[:3])
    run = fold(run, decide(run, make.VOTING).messages)
    return fold(run, [*known[3:], make.decided("design", option, a="design", b="revise", c=""), *facts])


@pytest.mark.parametrize("green", [True, False])
def test_the_first_tests_say_whether_those_who_stood_for_the_design_were_right(make, green):
    said = make.said(_designed(make, "design", make.verified(1, green)), make.VOTING)
    outcome = said["outcome.design"]
    assert (outcome.option, outcome.right, outcome.evidence_at) == ("design", green, "result.verify-1")
    assert (outcome.voters_right, outcome.voters_wrong) == ((("a",), ()) if green else ((), ("a",)))
    assert outcome.by == "orchestrator"
    assert len(said) == 2


def test_an_outcome_is_said_before_the_end_that_comes_with_it(make):
    once = replace(make.VOTING, max_repairs=0)
    said = make.said(_designed(make, "design", make.verified(1, green=False)), once)
    assert list(said) == ["outcome.design", "run.closed"]


def test_a_revision_and_a_release_by_votes_prove_nothing(make, policy):
    revised = _designed(make, "revise", make.proposed(name="design-R1"), make.verified(1, green=True))
    assert "outcome.design" not in make.said(revised, make.VOTING)
    released = _voting(make, policy, make.decided("release-1", "release", a="release"))
    assert make.said(released, policy).keys() == PACKING


def test_a_persons_answer_says_which_voters_were_right_and_the_tests_do_not_say_it_again(make):
    known = make.up_to_verify()
    run = make.run(*known[:3])
    escalated = make.decided("design", None, "escalated", a="design", b="revise", c="")
    run = fold(run, [*decide(run, make.VOTING).messages, escalated, make.approved("design")])
    outcome = make.said(run, make.VOTING)["outcome.design"]
    assert (outcome.option, outcome.right, outcome.evidence_at) == ("design", True, "approval.design")
    assert (outcome.voters_right, outcome.voters_wrong) == (("a",), ("b",))
    after = fold(run, [outcome, *known[3:], make.verified(1, green=False)])
    assert make.said(after, make.VOTING).keys() == REPAIRING
