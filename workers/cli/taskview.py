"""What can be seen of a task from the facts of its run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.message import Message
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.tasks import Outcome, ProjectVerified, RepairProject, Task
from contracts.v1.waits import TaskWaits, WaitsFor
from workers.cli.entries import Entry
from workers.cli.figures import count

Going = Literal["running", "repairing"]
Stuck = Literal["waiting for models", "waiting for budget"]
State = Literal["waiting", "ready", "done", "failed", "stopped"] | Going | Stuck
"""`waiting` for other tasks; `ready` to be asked for (again); `running` since it was asked for, `repairing` when it
mends what tests or reviewers found; waiting for models or budget since a call could not be made; `failed` for good, or
red; `stopped` because the run ended first."""

STUCK: Mapping[WaitsFor, Stuck] = {"models": "waiting for models", "budget": "waiting for budget"}


@dataclass(frozen=True)
class WaitView:
    """A task that waits for models or for budget, `since` when. `until` is when it is tried again, if that is known."""

    task: str
    what: WaitsFor
    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class TaskView:
    """A task. `model` is the target that answered last; `note` says what a state alone does not, `wait` for what it
    waits now besides other tasks."""

    task: str
    role: str
    state: State = "waiting"
    needs: tuple[str, ...] = ()
    attempt: int = 0
    model: str = ""
    calls: int = 0
    files: int = 0
    began: datetime | None = None
    ended: datetime | None = None
    note: str = ""
    wait: WaitView | None = None

    def took(self, now: datetime) -> timedelta | None:
        """How long it has been worked on; None before it was asked for."""
        return None if self.began is None else max(timedelta(), (self.ended or now) - self.began)


@dataclass(frozen=True)
class TaskFacts:
    """The facts about one task, in order of the log."""

    commands: tuple[tuple[datetime, Task], ...] = ()
    failures: tuple[tuple[datetime, TaskFailed], ...] = ()
    result: tuple[datetime, Outcome] | None = None
    calls: tuple[ModelCalled, ...] = ()
    spoiled: datetime | None = None
    waits: tuple[tuple[datetime, TaskWaits], ...] = ()


def facts_by_task(entries: Sequence[Entry]) -> dict[str, TaskFacts]:
    """The facts of every task that has been asked for, by task, in the order in which they were asked for."""
    about: dict[str, list[Entry]] = {}
    for entry in entries:
        if (task := task_of(entry)) is not None:
            about.setdefault(task, []).append(entry)
    asked = dict.fromkeys(entry.message.task for entry in entries if isinstance(entry.message, Task))
    return {task: _facts_of(about[task]) for task in asked}


def task_of(entry: Entry) -> str | None:
    """The task that a fact is about, if it is about one; of spoiled facts only results tell."""
    if entry.message is None:
        return entry.name.removeprefix("result.") if entry.name.startswith("result.") else None
    task: str | None = getattr(entry.message, "task", None)
    return task


def _facts_of(entries: Sequence[Entry]) -> TaskFacts:
    mine = [(entry.at, entry.message) for entry in entries]
    results = [(at, fact) for at, fact in mine if isinstance(fact, Outcome)]
    burnt = [at for at, fact in mine if fact is None]
    return TaskFacts(
        commands=tuple((at, fact) for at, fact in mine if isinstance(fact, Task)),
        failures=tuple((at, fact) for at, fact in mine if isinstance(fact, TaskFailed)),
        result=results[0] if results else None,
        calls=tuple(fact for _, fact in mine if isinstance(fact, ModelCalled)),
        spoiled=burnt[0] if burnt else None,
        waits=tuple((at, fact) for at, fact in mine if isinstance(fact, TaskWaits)),
    )


def seen(task: str, facts: TaskFacts, needs: tuple[str, ...], closed: datetime | None) -> TaskView:
    """A task that has been asked for. `closed` is when the run ended, if it did."""
    began, command = facts.commands[-1]
    state, ended, note = _standing(facts, command, closed)
    wait = _waiting(facts, command) if ended is None else None
    return TaskView(
        task=task,
        role=command.role,
        state=STUCK[wait.what] if wait else state,
        needs=needs,
        attempt=command.attempt,
        model=facts.calls[-1].target if facts.calls else "",
        calls=len(facts.calls),
        files=len(facts.result[1].files) if facts.result else 0,
        began=began,
        ended=ended,
        note=wait.reason if wait else note,
        wait=wait,
    )


def _standing(facts: TaskFacts, command: Task, closed: datetime | None) -> tuple[State, datetime | None, str]:
    if facts.result is not None:
        ended, result = facts.result
        return _outcome(ended, result)
    if facts.spoiled is not None:
        return "failed", facts.spoiled, "the stored result is spoiled"
    failed = [(at, failure) for at, failure in facts.failures if failure.attempt == command.attempt]
    if failed:
        at, failure = failed[0]
        again = failure.retry and closed is None
        return ("ready" if again else "failed"), at, f"{failure.error}: {failure.reason}"
    if closed is not None:
        return "stopped", closed, ""
    return ("repairing" if isinstance(command, RepairProject) else "running"), None, _before(facts)


def _waiting(facts: TaskFacts, command: Task) -> WaitView | None:
    """What the attempt under way waits for: its newest wait, unless the call that waited has been made since."""
    waits = [(at, wait) for at, wait in facts.waits if wait.attempt == command.attempt]
    if not waits:
        return None
    since, wait = waits[-1]
    if any(call.attempt == wait.attempt and call.n >= wait.n for call in facts.calls):
        return None
    return WaitView(wait.task, wait.what, wait.reason, since, wait.until)


def _outcome(ended: datetime, result: Message) -> tuple[State, datetime, str]:
    if not isinstance(result, ProjectVerified):
        return "done", ended, ""
    evidence = result.evidence
    if evidence.passed:
        return "done", ended, f"{count(evidence.tests, 'test')} passed"
    return "failed", ended, evidence.reason or f"{evidence.failed} of {count(evidence.tests, 'test')} red"


def _before(facts: TaskFacts) -> str:
    """What became of the attempt before, while the next one is under way."""
    return f"again after {facts.failures[-1][1].error}" if facts.failures else ""


def planned_state(needs: Sequence[str], states: Mapping[str, State], closed: bool) -> State:
    """The state of a task that nobody has asked for yet."""
    if closed:
        return "stopped"
    return "ready" if all(states.get(need) == "done" for need in needs) else "waiting"
