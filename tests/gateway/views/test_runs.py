"""The list of runs."""

from datetime import timedelta

import pytest

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, Option
from contracts.v1.runs import RunRequested
from workers.gateway.views import runs

IDS = {"tenant": "acme", "run": "r"}


def rows(facts, run="r", now=None):
    return runs.view(runs.fold({}, [runs.Named("acme", run, fact) for fact in facts]), now).runs


@pytest.mark.parametrize("name", ["cancelled", "designs", "flaky", "hopeless", "own", "repaired-1"])
def test_a_row_says_what_the_whole_view_says(name, recorded, shown):
    [row], seen = rows(recorded(name)), shown(name)
    assert (row.state, row.idea, row.reason, row.age_s) == (seen.state, seen.idea, seen.end.reason, seen.age_s)
    assert (row.began, row.ended, row.spent, row.upto) == (seen.began, seen.end.at, seen.cost.spent, seen.upto)
    asked = [one for one in seen.graph.nodes if one.attempts]
    red = [one for one in asked if one.asks_for == "verify_project" and one.state == "failed"]
    assert (row.tasks, row.tasks_done) == (len(asked), sum(one.state == "done" for one in asked) + len(red))


def test_request_and_end_alone_make_a_row_with_what_was_spent(recorded):
    facts = [fact for fact in recorded("repaired-1") if fact.name.startswith("run.")]
    [row] = rows(facts)
    assert len(facts) == 2 and row.state == "completed" and row.spent.calls == facts[1].message.spent.calls > 0


def test_the_newest_run_comes_first(make, recorded):
    known = runs.fold({}, [runs.Named("acme", name, fact) for name in ("own", "designs") for fact in recorded(name)])
    assert [row.run for row in runs.view(known).runs] == ["own", "designs"]


def test_a_run_that_goes_on_has_an_age_and_open_gates(make):
    facts = make.facts(
        RunRequested(**IDS, idea="x" * 300, requested_by="ann", deadline_s=60),
        GateOpened(**IDS, gate="a", question="?"), GateOpened(**IDS, gate="b", question="?"),
        ApprovalGiven(**IDS, gate="a", verdict="approve", by="bob"), "llm.t.1.1",
    )  # fmt: skip
    [row] = rows(facts, now=make.epoch + timedelta(seconds=11))
    assert (row.state, row.age_s, row.open_gates, row.spoiled) == ("running", 10.0, ("b",), 1)
    assert (len(row.idea), row.requested_by, row.deadline) == (200, "ann", make.epoch + timedelta(seconds=61))


def test_ballots_that_nobody_requested_a_run_for_are_marked(make):
    options = (Option(option="a"), Option(option="b"))
    ballot = BallotOpened(**IDS, ballot="b", question="?", options=options, electorate=("ann",))
    [row] = rows(make.facts(ballot))
    assert row.only_ballots
