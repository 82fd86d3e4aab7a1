"""Faults of the model are made good by retries and repairs, or end in a reason."""

import json

import pytest

from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import ProjectRepaired, ProjectVerified, Task

pytestmark = pytest.mark.slow

IDEA = "Books have a title, a price and a unique ISBN. A review belongs to a book and has a text."


@pytest.fixture
def ran(fleet):
    """Runs the idea with these faults; returns exit code, summary and facts."""

    def run(name, faults):
        said = fleet.flotilla("run", IDEA, "--run-id", name, "--model", f"builtin:{faults}", "--json")
        return said.returncode, json.loads(said.stdout.splitlines()[-1]), fleet.facts(name)

    return run


def test_wrong_code_is_found_by_its_tests_and_repaired(ran):
    """What a seed hits depends on every word of the prompts, so several are tried; each run has to be completed."""
    for seed in range(1, 6):
        code, summary, facts = ran(f"wrong-{seed}", f"wrong_code=0.4,seed={seed}")
        assert code == 0, f"seed {seed}: {summary['reason']}"
        seen, repairs, [closed] = facts.of(ProjectVerified), facts.of(ProjectRepaired), facts.of(RunClosed)
        assert seen[-1].evidence.passed and closed.evidence == seen[-1].evidence
        assert all(repair.diagnosis and repair.files for repair in repairs)
        assert len(repairs) <= 3
        if repairs:
            assert not seen[0].evidence.passed and seen[0].evidence.reason + str(seen[0].evidence.failures)
            break
    assert repairs, "at a rate of 0.4 a module, one of five projects is wrong at first"


def test_malformed_replies_are_asked_for_again(ran):
    """The built-in model makes the same fault for the same request, so a seed that hits twice fails the run."""
    for seed in range(1, 7):
        code, summary, facts = ran(f"malformed-{seed}", f"malformed=0.3,seed={seed}")
        assert all(failure.error == "malformed_reply" for failure in facts.of(TaskFailed))
        if code == 0:
            break
        assert "answer" in summary["reason"] and len(facts.of(TaskFailed)) in (2, 3)
    assert code == 0, "none of six seeds got through"
    assert [call for call in facts.of(ModelCalled) if call.n > 1], "a reply that did not fit got its repair turn"


def test_a_provider_that_fails_now_and_then_costs_tries_and_no_attempts(ran):
    code, summary, facts = ran("errors", "error=0.3,seed=2")
    assert code == 0, summary["reason"]
    tries = [tried for call in facts.of(ModelCalled) for tried in call.tries]
    assert tries and {tried.kind for tried in tries} == {"overloaded"}
    assert {task.attempt for task in facts.of(Task)} == {1} and not facts.of(TaskFailed)


def test_a_model_that_refuses_ends_the_run_with_its_name_and_its_words(ran):
    code, summary, facts = ran("refusal", "refusal=1.0")
    assert code == 1
    assert summary["status"] == "failed" and summary["failed_task"] == "plan"
    assert "builtin" in summary["reason"] and "refuse" in summary["reason"]
    [failure] = facts.of(TaskFailed)
    assert failure.error == "refused_by_model"
    assert len(facts.of(ModelCalled)) == 1


def test_a_model_that_there_is_not_ends_the_run_with_those_that_there_are(fleet):
    said = fleet.flotilla("run", IDEA, "--run-id", "nobody", "--model", "nobody:fast", "--json")
    summary = json.loads(said.stdout.splitlines()[-1])
    assert (said.returncode, summary["status"]) == (1, "failed")
    assert "nobody" in summary["reason"] and "builtin" in summary["reason"]
