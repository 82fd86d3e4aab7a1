"""What speaks against a task's work, in sentences."""

import pytest
from pydantic import BaseModel, ConfigDict

from contracts.v1.ballots import BallotOpened, CountedVote, DecisionMade, Option
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.projects import CaseFailure, Evidence, Finding
from contracts.v1.tasks import CastVote, ProjectReviewed, ProjectVerified, TaskPerformed
from workers.prompt_lab.feedback import LONGEST, MOST, feedback_of

RUN = {"tenant": "acme", "run": "r1"}
WHO = {**RUN, "task": "t"}


class PlainReply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: int


REPLIES = {"PlainReply": PlainReply}


def called(said, n=1, stop="end", schema="PlainReply", question="0", **more):
    fields = {"attempt": 1, "prompt": "architect/design", "request_sha256": question * 64} | more
    return ModelCalled(
        **WHO,
        n=n,
        role="architect",
        target="m",
        prompt_version="0" * 12,
        input_tokens=1,
        output_tokens=1,
        completion=said,
        stop=stop,
        parameters={"reply_schema": schema} if schema else {},
        **fields,
    )


def of(*facts, task="t", replies=REPLIES):
    return feedback_of([(float(n), fact) for n, fact in enumerate(facts)], task, replies)


DONE = TaskPerformed(**WHO)


def evidence(passed, **more):
    return Evidence(passed=passed, tests=2, level="none", duration_s=1.0, files_digest="0" * 64, **more)


def decided(ballot, option, *counted):
    votes = tuple(CountedVote(voter=voter, options=(stands,), text=text) for voter, stands, text in counted)
    return DecisionMade(**RUN, ballot=ballot, option=option, counted=votes)


def test_nothing_speaks_against_work_that_went_well():
    green = ProjectVerified(**RUN, task="verify-1", evidence=evidence(True))
    assert of(called('{"answer": 1}'), DONE, green) == ()


def test_attempts_that_failed_say_why():
    failure = TaskFailed(**WHO, role="architect", attempt=1, error="malformed_reply", retry=True, reason="no\n  good")
    assert of(failure) == ("attempt 1 failed (malformed_reply): no good",)


def test_a_reply_that_does_not_fit_says_where_and_how():
    (said,) = of(called('{"answer": "many"}'), DONE)
    assert said.startswith("a reply to architect/design did not fit: answer: Input should be a valid integer")


def test_a_fence_and_thoughts_before_the_answer_are_no_faults():
    assert of(called('```json\n{"answer": 1}\n```'), called('{"reasoning": "hm", "answer": 1}', 2), DONE) == ()


def test_a_reply_of_the_right_shape_that_was_mended_all_the_same_is_told():
    (said,) = of(called('{"answer": 1}'), called('{"answer": 2}', 2, question="1"), DONE)
    assert "had to be mended" in said


@pytest.mark.parametrize("later", [{}, {"question": "1", "attempt": 2}, {"question": "1", "prompt": "architect/task"}])
def test_the_same_question_another_attempt_and_another_template_mend_nothing(later):
    assert of(called('{"answer": 1}'), called('{"answer": 2}', 2, **later), DONE) == ()


def test_who_answers_in_the_place_of_one_who_refused_mends_nothing():
    said = of(called("I can't", stop="refusal"), called('{"answer": 2}', 2, question="1"), DONE)
    assert said == ("the model would not answer: I can't",)


def test_of_an_answer_that_was_cut_off_and_mended_it_is_told_once_that_it_was_too_long():
    whole = (called('"b"}', 2, question="1", schema=""), called('{"answer": 2}', 3, question="2"))
    (said,) = of(called("{", stop="length"), *whole, DONE)
    assert "too long" in said


def test_refusals_and_cut_off_answers_are_told_and_calls_that_were_lost_are_not():
    said = of(
        called("I can't", stop="refusal"),
        called("{", 2, stop="length"),
        called("{", 3, question="1", schema=""),
        called("{", 4, lost=True),
    )
    assert said[0] == "the model would not answer: I can't"
    assert "too long" in said[1] and len(said) == 2


def test_a_reply_that_nobody_knows_the_shape_of_says_nothing():
    assert of(called("{", schema="OtherReply"), called("", 2)) == ()


def test_red_tests_after_the_task_are_told_by_case_and_only_of_their_first_run():
    red = evidence(False, failed=1, failures=(CaseFailure(case="test_x", message="1 != 2"),))
    again = evidence(False, failed=1, failures=(CaseFailure(case="test_y", message="3"),))
    first = ProjectVerified(**RUN, task="verify-1", evidence=red)
    assert of(DONE, first, ProjectVerified(**RUN, task="verify-2", evidence=again)) == (
        "the test test_x failed: 1 != 2",
    )
    assert of(first, DONE) == ()


def test_tests_that_could_not_run_are_told_with_the_reason():
    red = ProjectVerified(**RUN, task="verify-1", evidence=evidence(False, reason="no tests were found"))
    assert of(DONE, red) == ("the tests did not pass: no tests were found",)


def test_findings_are_told_if_they_block():
    found = (Finding(severity="blocking", path="a.py", message="leaks"), Finding(severity="minor", message="dull"))
    assert of(DONE, ProjectReviewed(**RUN, task="review-1", findings=found)) == ("a reviewer found in a.py: leaks",)


def test_voters_say_why_the_release_has_to_wait():
    decision = decided("release-1", "repair", ("ada", "repair", "it is slow"), ("bob", "release", "fine"))
    assert of(DONE, decision) == ("ada was for repair: it is slow",)
    assert of(DONE, decided("release-1", "release", ("ada", "repair", "it is slow"))) == ()


def test_those_who_took_another_design_say_why():
    opened = BallotOpened(
        **RUN, ballot="design", question="?", electorate=("ada",), options=(Option(option="t"), Option(option="t-O2"))
    )
    decision = decided("design", "t-O2", ("ada", "t-O2", "it is simpler"), ("bob", "t", "nicer"))
    assert of(opened, DONE, decision) == ("ada was for t-O2: it is simpler",)
    assert of(opened, decided("design", "t", ("ada", "t-O2", "it is simpler"))) == ()


def test_a_voter_who_lost_hears_who_won_and_why():
    asked = CastVote(**WHO, role="reviewer", ballot="design", voter="ada", question="?", options=(Option(option="x"),))
    decision = decided("design", "x", ("ada", "y", "mine"), ("bob", "x", "it is simpler"))
    assert of(asked, decision) == (
        "ballot design took x, and this voter was for y",
        "bob was for x: it is simpler",
    )
    assert of(asked, decided("design", "x", ("ada", "x", "mine"))) == ()


def test_sentences_are_short_and_not_too_many():
    failures = tuple(CaseFailure(case=f"test_{n}", message="x" * 2_000) for n in range(90))
    red = ProjectVerified(**RUN, task="verify-1", evidence=evidence(False, failed=90, failures=failures))
    said = of(DONE, red)
    assert len(said) == MOST and max(map(len, said)) == LONGEST
