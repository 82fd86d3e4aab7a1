"""Ballots of a run that somebody else had a hand in."""

import pytest

from contracts.v1.ballots import BallotOpened, DecisionMade, Option
from contracts.v1.tasks import DesignSystem
from workers.orchestrator.decider import decide
from workers.orchestrator.run import Run, fold, fold_spoiled


@pytest.fixture
def planned(make):
    """A run whose plan is there and whose architect has not been asked."""
    run = fold(Run("t", "r"), [make.request()])
    run = fold(run, decide(run, make.VOTING).messages)
    return fold(run, [make.planned(make.project_plan())])


def ballot(make, *options):
    """A ballot that takes the name of the run's own."""
    given = tuple(Option(option=option) for option in options)
    return BallotOpened(**make.IDS, ballot="design", question="?", options=given, electorate=("mallory",))


@pytest.mark.parametrize("option", ["design", "design-O2"])
def test_a_design_that_was_decided_for_before_it_was_made_is_made(make, planned, option):
    decided = DecisionMade(**make.IDS, ballot="design", option=option)
    run = fold(planned, [ballot(make, option, "revise"), decided])
    (asked,) = decide(run, make.VOTING).messages
    assert isinstance(asked, DesignSystem) and asked.task == option
    run = fold(run, [asked, make.proposed("api", name=option)])
    assert decide(run, make.VOTING).messages, "the run goes on"


@pytest.mark.parametrize("spoiled", ["decision.design", "ballot.design"])
def test_a_ballot_or_a_decision_that_nobody_can_read_ends_the_run_with_its_name(make, planned, spoiled):
    facts = [ballot(make, "design", "revise"), DecisionMade(**make.IDS, ballot="design", option="design")]
    run = planned
    for fact in facts:
        run = fold_spoiled(run, spoiled) if f"{fact.noun}.design" == spoiled else fold(run, [fact])
    (end,) = decide(run, make.VOTING).messages
    assert end.status == "failed" and "does not validate" in end.reason and end.evidence_at == "decision.design"


def test_a_decision_for_what_is_no_design_ends_the_run(make, planned):
    decided = DecisionMade(**make.IDS, ballot="design", option="mine")
    (end,) = decide(fold(planned, [ballot(make, "mine", "revise"), decided]), make.VOTING).messages
    assert end.status == "failed" and "mine" in end.reason
