"""One run: state, age, deadline, budget, evidence, end."""

from datetime import timedelta

from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.runs import RunClosed, RunRequested
from workers.gateway.views.facts import RunFacts
from workers.gateway.views.run import view

IDS = {"tenant": "acme", "run": "r"}
REQUEST = RunRequested(**IDS, idea="write", requested_by="ann", deadline_s=60, budget=Budget(usd=2.0), model="sonnet")


def test_nothing_is_known_of_a_run_without_facts():
    seen = view(RunFacts("acme", "r"))
    assert (seen.state, seen.began, seen.age_s, seen.graph.nodes) == ("unknown", None, None, ())


def test_a_run_says_who_asked_until_when_and_what_it_may_spend(make):
    raised = BudgetRaised(**IDS, raise_id="more", usd=3.0, raised_by="bob")
    seen = make.view(REQUEST, raised, now=make.epoch + timedelta(seconds=31))
    assert (seen.idea, seen.requested_by, seen.model, seen.state) == ("write", "ann", "sonnet", "running")
    assert (seen.age_s, seen.deadline) == (30.0, make.epoch + timedelta(seconds=61))
    assert seen.budget.usd == 2.0 and [(one.usd, one.raised_by) for one in seen.raises] == [(3.0, "bob")]


def test_a_finished_run_has_evidence_a_capsule_and_an_age_that_does_not_grow(shown):
    seen = shown("repaired-1")
    assert (seen.state, seen.standing, seen.end.status) == ("completed", "completed", "completed")
    assert seen.age_s == (seen.end.at - seen.began).total_seconds() and seen.capsule.files > 0
    assert [(one.task, one.evidence.passed, one.is_newest) for one in seen.evidence] == [
        ("verify-1", False, False), ("verify-2", True, True),
    ]  # fmt: skip
    assert seen.requirements.criteria and seen.design.modules


def test_a_failed_run_says_which_task_and_where_to_look(shown):
    end = shown("hopeless").end
    assert (end.status, end.failed_task, end.evidence_at) == ("failed", "plan", "failure.plan.2")


def test_a_cancelled_run_says_who_wanted_it(shown):
    seen = shown("cancelled")
    assert (seen.state, seen.cancel.requested_by, seen.cancel.reason) == ("cancelled", "bob", "not needed")
    assert "called_off" in {one.state for one in seen.graph.nodes}


def test_an_end_that_cannot_be_read_ends_the_run_all_the_same(make):
    seen = make.view(REQUEST, "run.closed")
    assert (seen.state, seen.end.spoiled) == ("failed", "it is no JSON")
    assert make.view(REQUEST, "run.cancel").state == "cancelling"


def test_a_plan_of_ones_own_is_shown_without_a_project(shown):
    seen = shown("own")
    assert [(one.task, one.state) for one in seen.graph.nodes] == [
        ("ask", "done"), ("left", "done"), ("right", "done"), ("both", "done"),
    ]  # fmt: skip
    assert seen.graph.nodes[3].needs == ("left", "right") and seen.graph.nodes[3].output
    assert (seen.files, seen.ballots, seen.capsule) == ((), (), None)


def test_the_end_keeps_the_errors_of_a_refused_request(make):
    errors = [{"field": "plan", "message": "has a cycle"}]
    seen = make.view(REQUEST, RunClosed(**IDS, status="refused", errors=errors))
    assert [one.message for one in seen.end.errors] == ["has a cycle"]
