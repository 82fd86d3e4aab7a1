"""How tasks went, read off the facts of their runs."""

from datetime import UTC, datetime

import pytest

from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.ballots import BallotOpened, CountedVote, DecisionMade, InvalidVote, Option, OutcomeSeen, VoteCast
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call, ModelCalled
from contracts.v1.plans import Plan
from contracts.v1.projects import Criterion, Evidence, Requirements
from contracts.v1.prompts import PromptChosen
from contracts.v1.runs import RunClosed, RunRequested, Spent
from contracts.v1.tasks import (
    PerformTask,
    ProjectPlanned,
    ProjectVerified,
    RepairProject,
    TaskPerformed,
)
from workers.prompt_lab.outcomes import Score, outcome_of, readable, template_tasks
from workers.runtime.ports import Stored

RUN = {"tenant": "acme", "run": "r1"}
WHO = {**RUN, "task": "design"}
CHOSEN = PromptChosen(
    **WHO, template="architect-design", prompt="architect/design", prompt_version="0" * 12, experiment=1, arm="live"
)


def asked(n=1, prompt="architect/design", attempt=1, **more):
    fields = {"role": "architect", "target": "m", "prompt_version": "0" * 12, "request_sha256": "0" * 64}
    fields |= {"input_tokens": 1, "output_tokens": 1, "cost_usd": 0.01}
    return ModelCalled(**WHO, n=n, attempt=attempt, prompt=prompt, **(fields | more))


def command(attempt=1):
    return PerformTask(**WHO, role="architect", idea="x", attempt=attempt)


def result(*calls, attempt=1):
    return TaskPerformed(**WHO, attempt=attempt, calls=tuple(call.cited() for call in calls))


def failed(attempt=1, retry=True):
    reason = "the answer did not fit"
    return TaskFailed(**WHO, role="architect", attempt=attempt, error="malformed_reply", retry=retry, reason=reason)


def verified(passed, tests=3, failed=0, task="verify-1"):
    seen = Evidence(passed=passed, tests=tests, failed=failed, level="none", duration_s=1.0, files_digest="0" * 64)
    return ProjectVerified(**RUN, task=task, evidence=seen)


def closed(status="completed", cost=0.5):
    return RunClosed(**RUN, status=status, spent=Spent(cost_usd=cost))


def told(*facts):
    """Facts a second apart."""
    return [(1_000.0 + n, fact) for n, fact in enumerate(facts)]


def won(*facts, metric="valid"):
    return outcome_of(told(*facts), CHOSEN, metric).won


def test_one_call_whose_reply_fits_is_a_success_with_its_cost_and_time():
    call = asked()
    score = outcome_of(told(command(), call, result(call)), CHOSEN, "valid")
    assert score == Score(True, 10_000, 2_000, "the first reply fits")


def test_a_task_without_a_result_is_not_known_to_have_gone_anyhow():
    assert outcome_of(told(command(), asked()), CHOSEN, "valid")[:1] == (None,)
    assert outcome_of([], CHOSEN, "valid")[:3] == (None, None, None)


@pytest.mark.parametrize("stop", ["end", "length"], ids=["mended", "continued"])
def test_a_reply_that_had_to_be_mended_or_continued_did_not_fit_at_the_first_try(stop):
    calls = [asked(stop=stop), asked(2, request_sha256="1" * 64)]
    score = outcome_of(told(command(), *calls, result(*calls)), CHOSEN, "valid")
    assert (score.won, score.why) == (False, "it took 2 calls of the template")


def test_a_second_attempt_is_no_first_try():
    again = asked(attempt=2)
    assert won(command(), failed(), command(2), again, result(again, attempt=2)) is False


def test_an_attempt_that_failed_is_lost_even_while_another_one_runs():
    assert won(command(), asked(), failed(), command(2)) is False


def test_the_cost_is_that_of_all_attempts():
    calls = [asked(), asked(attempt=2)]
    score = outcome_of(
        told(command(), calls[0], failed(), command(2), calls[1], result(calls[1], attempt=2)), CHOSEN, "cost"
    )
    assert score[:3] == (False, 20_000, 5_000)


def test_a_call_that_was_cut_off_because_another_answered_first_is_no_second_try():
    calls = [asked(), asked(2, lost=True)]
    score = outcome_of(told(command(), *calls, result(*calls)), CHOSEN, "valid")
    assert (score.won, score.cost) == (True, 20_000)


def test_a_persona_of_the_template_is_the_template():
    call = asked(prompt="architect/design:security")
    assert won(command(), call, result(call)) is True


def test_a_refusal_that_became_a_result_is_no_reply():
    call = asked(stop="refusal")
    assert won(command(), call, result(call)) is False


def test_a_result_that_asked_nothing_or_asked_twice_is_no_success():
    calls = [asked(), asked(2)]
    assert won(command(), result()) is False
    assert won(command(), *calls, result(*calls)) is False


def test_calls_that_the_task_made_for_replays_are_not_its_own():
    call = asked()
    replayed = Call(
        entry="llm.design-a.1.1",
        target="m",
        prompt="architect/design",
        prompt_version="0" * 12,
        input_tokens=1,
        output_tokens=1,
        cost_usd=0.0,
    )
    done = result(call).model_copy(update={"calls": (call.cited(), replayed)})
    assert won(command(), call, done) is True


def test_a_cost_of_which_a_part_is_not_known_is_not_known():
    calls = [asked(), asked(2, lost=True, cost_usd=None)]
    assert outcome_of(told(command(), *calls, result(*calls)), CHOSEN, "cost")[:2] == (True, None)


def test_the_first_run_of_the_tests_counts_and_no_later_one():
    assert won(verified(False, failed=1), verified(True, task="verify-2"), metric="tests_green") is False
    assert won(verified(True), metric="tests_green") is True


@pytest.mark.parametrize("seen", [verified(True, tests=0), verified(True, failed=1), verified(False)])
def test_a_bare_word_that_tests_passed_is_not_believed(seen):
    assert won(seen, metric="tests_green") is False


def test_a_run_whose_tests_never_ran_is_not_known_to_be_green_or_red():
    assert won(closed("failed"), metric="tests_green") is None


def test_outcomes_of_a_run_cost_and_take_what_the_run_does():
    request = RunRequested(**RUN, idea="x")
    score = outcome_of(told(request, command(), asked(), verified(True), closed(cost=0.25)), CHOSEN, "tests_green")
    assert score[:3] == (True, 250_000, 4_000)
    assert outcome_of(told(request, verified(True)), CHOSEN, "tests_green")[:3] == (True, None, None)
    assert outcome_of(told(request, closed(cost=None)), CHOSEN, "no_repairs")[:3] == (True, None, 1_000)


def repair():
    wanted = Requirements(title="x", package="x", summary="x", criteria=(Criterion(id="AC-1", statement="x"),))
    design = {"package": "x", "summary": "", "modules": [{"name": "m", "purpose": "x", "files": ["m.py"]}]}
    return RepairProject(**RUN, role="backend_developer", task="repair-1", requirements=wanted, design=design, files=())


def test_a_run_without_a_repair_is_one_that_completed_without_one():
    assert won(closed(), metric="no_repairs") is True
    assert won(repair(), closed(), metric="no_repairs") is False
    assert won(repair(), metric="no_repairs") is False
    assert won(closed("failed"), metric="no_repairs") is False


@pytest.mark.parametrize("facts", [(), (closed("cancelled"),), (closed("refused"),)])
def test_a_run_that_was_stopped_tells_nothing_of_repairs(facts):
    assert won(*facts, metric="no_repairs") is None


OPENED = BallotOpened(
    **RUN,
    ballot="design",
    question="?",
    electorate=("ada", "bob"),
    options=(
        Option(option="design", content="1" * 64),
        Option(option="design-O2", content="2" * 64),
        Option(option="design-O3", content="1" * 64),
    ),
)


def vote(**more):
    return VoteCast(**RUN, ballot="design", voter="ada", task="design", **more)


def decided(option, by="rule", counted=(), invalid=()):
    votes = tuple(CountedVote(voter=voter, options=options) for voter, options in counted)
    return DecisionMade(**RUN, ballot="design", option=option, by=by, counted=votes, invalid=invalid)


@pytest.mark.parametrize(
    ("option", "expected"), [("design", True), ("design-O3", True), ("design-O2", False), (None, False)]
)
def test_a_design_wins_if_it_or_an_identical_one_is_chosen(option, expected):
    assert won(OPENED, decided(option, "rule" if option else "undecided"), metric="votes_won") is expected


def test_a_design_that_a_person_takes_has_won():
    left = decided(None, "escalated")
    taken = OutcomeSeen(**RUN, ballot="design", option="design", right=True)
    assert won(OPENED, left, metric="votes_won") is None
    assert won(OPENED, left, taken, metric="votes_won") is True


def test_without_a_ballot_or_a_decision_nothing_is_won_or_lost():
    assert won(command(), metric="votes_won") is None
    assert won(OPENED, metric="votes_won") is None
    assert won(OPENED, decided(None, "refused"), metric="votes_won") is None


@pytest.mark.parametrize(("option", "expected"), [("design-O2", True), ("design", False)])
def test_a_vote_that_was_counted_wins_with_its_option(option, expected):
    facts = (OPENED, vote(choice="design-O2"), decided(option, counted=[("ada", ("design-O2",))]))
    assert won(*facts, metric="votes_won") is expected


def test_a_vote_that_came_too_late_is_judged_by_what_it_says():
    assert won(OPENED, decided("design"), vote(choice="design"), metric="votes_won") is True
    assert won(OPENED, decided("design"), vote(because="nothing fits"), metric="votes_won") is False


def test_an_invalid_vote_has_lost():
    invalid = (InvalidVote(voter="ada", reason="it has no signature"),)
    assert won(OPENED, vote(choice="design"), decided("design", invalid=invalid), metric="votes_won") is False


def test_what_a_vote_turned_out_to_be_counts_for_more_than_who_won():
    facts = (OPENED, vote(choice="design"), decided("design", counted=[("ada", ("design",))]))
    wrong = OutcomeSeen(**RUN, ballot="design", option="design", right=False, voters_wrong=("ada",))
    both = wrong.model_copy(update={"voters_right": ("ada",)})
    assert won(*facts, wrong, metric="votes_won") is False
    assert won(*facts, both, metric="votes_won") is True


def test_the_tasks_of_a_template_are_those_that_were_given_it_or_asked_with_it():
    other = asked().model_copy(update={"task": "design-O2", "prompt": "architect/design:user"})
    elsewhere = asked().model_copy(update={"task": "plan", "prompt": "project_manager/plan"})
    assert template_tasks(told(CHOSEN, other, elsewhere), "architect/design") == ("design", "design-O2")


def test_what_can_not_be_read_says_nothing():
    request, at = RunRequested(**RUN, idea="x"), datetime.fromtimestamp(5, UTC)
    stored = [
        Stored(1, at, subject_of(request), encode(request)),
        Stored(2, at, "flotilla.acme.r1.result.t", b"{}"),
        Stored(3, at, "flotilla.acme.r1.nonsense", b"{}"),
    ]
    assert readable(stored) == [(5.0, request)]


def test_a_reason_is_short_enough_for_the_fact():
    long = failed().model_copy(update={"reason": "x" * 9_000})
    assert len(outcome_of(told(long), CHOSEN, "valid").why) == 500


def test_a_plan_is_a_result_as_any_other():
    wanted = Requirements(title="x", package="x", summary="x", criteria=(Criterion(id="AC-1", statement="x"),))
    call = asked()
    planned = ProjectPlanned(**WHO, requirements=wanted, plan=Plan(tasks=()), calls=(call.cited(),))
    assert won(command(), call, planned) is True
