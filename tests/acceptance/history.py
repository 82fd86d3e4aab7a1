"""What must hold for the history of every run, whatever was killed meanwhile; read from the log alone."""

from collections import Counter, defaultdict
from typing import Any

from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import Outcome, Task


def check(facts: Any, status: str = "completed") -> None:
    """Complains with the fact that breaks a rule."""
    assert None not in [message for _, message in facts.said], "every fact decodes"
    assert [name for name, count in Counter(facts.names).items() if count > 1] == [], "a name is used once"
    [closed] = facts.of(RunClosed)
    assert closed.status == status, closed.reason
    _check_tasks(facts)
    _check_attempts(facts)
    _check_journal(facts)


def _check_tasks(facts: Any) -> None:
    asked = {task.task for task in facts.of(Task)}
    answered = Counter(result.task for result in facts.of(Outcome))
    assert answered == dict.fromkeys(asked, 1), "each task has one result"


def _check_attempts(facts: Any) -> None:
    """A new attempt comes after the failure of the one before it, and the numbers have no gap."""
    attempts = defaultdict(list)
    for task in facts.of(Task):
        attempts[task.task].append(task.attempt)
    place = {name: number for number, name in enumerate(facts.names)}
    for task in facts.of(Task):
        assert attempts[task.task] == list(range(1, len(attempts[task.task]) + 1)), task.task
        if task.attempt > 1:
            failure = f"failure.{task.task}.{task.attempt - 1}"
            assert place[failure] < place[f"task.{task.role}.{task.task}.{task.attempt}"]
    for failure in facts.of(TaskFailed):
        assert failure.attempt in attempts[failure.task], f"{failure.task} failed in an attempt that there was"


def _check_journal(facts: Any) -> None:
    """Calls of an attempt are numbered from 1 without a gap, and none was made for the same request again."""
    calls = defaultdict(list)
    for call in facts.of(ModelCalled):
        calls[call.task, call.attempt].append(call)
    for attempt, entries in calls.items():
        assert [call.n for call in entries] == list(range(1, len(entries) + 1)), attempt
        hashes = [call.request_sha256 for call in entries]
        assert len(set(hashes)) == len(hashes), f"{attempt}: a request is in the journal twice"
    for result in facts.of(Outcome):
        assert {call.entry for call in result.calls} <= set(facts.names), f"{result.task} cites what is in the journal"
