"""A run as the fold of its facts.

A fact is known by its name, and a name is used once, so the fold is a union: it does not care about
order, duplicates or which replica saw what first. A stored fact that does not validate is *spoiled*;
its name is burnt, and whatever needed it goes on under the next one (`design` → `design-S2`). Planned
names are in lower case, so no other task can ever have that name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from contracts.message import Message
from contracts.subjects import name_of
from contracts.v1.failures import FailureClass, TaskFailed
from contracts.v1.journal import Call
from contracts.v1.runs import CancelRequested, RunRequested, Spent
from contracts.v1.tasks import Outcome
from contracts.v1.waits import TaskWaits

F = TypeVar("F", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What is known of a run: its facts by name, and the names that are spoiled.

    `memo` belongs to `derived` alone; it is no part of the value.
    """

    tenant: str
    run: str
    facts: Mapping[str, Message] = field(default_factory=dict)
    spoiled: frozenset[str] = frozenset()
    memo: dict[str, tuple[tuple[object, ...], Any]] = field(default_factory=dict, compare=False, repr=False)

    def knows(self, name: str) -> bool:
        """Whether the log has this name, with whatever content."""
        return name in self.facts or name in self.spoiled

    def fact(self, name: str, kind: type[F]) -> F | None:
        """The fact of that name, if it is there and of that kind."""
        found = self.facts.get(name)
        return found if isinstance(found, kind) else None

    @property
    def request(self) -> RunRequested | None:
        """The request; a run without one has not begun."""
        return self.fact("run.requested", RunRequested)

    @property
    def cancel_wanted(self) -> str | None:
        """Why the run is to stop, if it is. Bytes that are no valid cancel wish the same: there is no second name."""
        cancel = self.fact("run.cancel", CancelRequested)
        return (cancel.reason if cancel else "") or "a cancel was asked for" if self.knows("run.cancel") else None

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended."""
        return self.knows("run.closed")

    def passed(self, timer: str) -> bool:
        """Whether a deadline has passed. A spoiled timer says so too: its name is all that there is to it."""
        return self.knows(f"timer.{timer}")

    def names(self, task: str) -> list[str]:
        """The names that a task has gone under; the last is the one that it goes under now."""
        found = [task]
        while self.spoiled and f"result.{found[-1]}" in self.spoiled:
            found.append(f"{task}-S{len(found) + 1}")
        return found

    def current(self, task: str) -> str:
        """The name that a task goes under now: its own, or the next one when a result was spoiled."""
        return self.names(task)[-1] if self.spoiled else task

    def result(self, task: str, kind: type[F]) -> F | None:
        """The result of a task, followed over spoiled names, if it is of that kind."""
        return self.fact(f"result.{self.current(task)}", kind)

    def has_result(self, task: str) -> bool:
        """Whether there is a result of a task, of whatever kind."""
        return f"result.{self.current(task)}" in self.facts

    def failures(self, task: str, role: str = "unknown") -> list[TaskFailed]:
        """The failures of a task under its current name, by attempt, without a gap; a spoiled one counts as one."""
        name = self.current(task)
        found: list[TaskFailed] = []
        while (failure := self._failure(name, role, len(found) + 1)) is not None:
            found.append(failure)
        return found

    def _failure(self, task: str, role: str, attempt: int) -> TaskFailed | None:
        name = f"failure.{task}.{attempt}"
        if name not in self.spoiled:
            return self.fact(name, TaskFailed)
        return self.failure(task, role, attempt, "spoiled", f"the stored fact {name} does not validate")

    def failure(self, task: str, role: str, attempt: int, error: FailureClass, reason: str) -> TaskFailed:
        """A failure that the orchestrator itself has seen; another attempt makes sense."""
        return TaskFailed(
            tenant=self.tenant, run=self.run, role=role, task=task, attempt=attempt,
            error=error, retry=True, reason=reason,
        )  # fmt: skip

    def has_asked(self, role: str) -> bool:
        """Whether any task was asked of a role."""
        return any(name.startswith(f"task.{role}.") for names in (self.facts, self.spoiled) for name in names)

    def has_waited(self, task: str, attempt: int) -> bool:
        """Whether an attempt has waited for models or for budget; `task` is the name that it goes under."""
        return (task, str(attempt)) in self.derived("waited", (self.facts, self.spoiled), self._waited)

    def _waited(self) -> frozenset[tuple[str, str]]:
        waits = (name.split(".") for names in (self.facts, self.spoiled) for name in names if name.startswith("wait."))
        return frozenset((task, attempt) for _, task, attempt, *_ in waits)

    def open_waits(self) -> list[TaskWaits]:
        """The last wait of each attempt that has neither a result nor a failure, by task; spoiled ones are left out.

        Whether it still waits can't be known here: the call that ended a wait is no fact of the fold.
        """
        waits = [fact for fact in self.facts.values() if isinstance(fact, TaskWaits) and not self._is_over(fact)]
        last = {
            wait.task: wait for wait in sorted(waits, key=lambda wait: (wait.attempt, wait.n, wait.what != "budget"))
        }
        return [last[task] for task in sorted(last)]

    def _is_over(self, wait: TaskWaits) -> bool:
        return self.knows(f"result.{wait.task}") or self.knows(f"failure.{wait.task}.{wait.attempt}")

    def derived(self, label: str, of: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` derives from the objects `of` alone, made once for them; folds hand it on."""
        kept = self.memo.get(label)
        if kept is None or any(was is not now for was, now in zip(kept[0], of, strict=True)):
            kept = self.memo[label] = (of, make())
        made: T = kept[1]
        return made

    def calls(self) -> tuple[Call, ...]:
        """Every journal entry that a result or failure cites, once, by name."""
        citing = (self.facts[name] for name in sorted(self.facts))
        cited = {call.entry: call for fact in citing if isinstance(fact, Outcome | TaskFailed) for call in fact.calls}
        return tuple(cited[entry] for entry in sorted(cited))

    def spent(self) -> Spent:
        """The sum over the cited journal entries."""
        calls = self.calls()
        costs = [call.cost_usd for call in calls]
        return Spent(
            calls=len(calls),
            input_tokens=sum(call.input_tokens for call in calls),
            output_tokens=sum(call.output_tokens for call in calls),
            cost_usd=None if None in costs else round(sum(cost for cost in costs if cost is not None), 9),
        )


def fold(run: Run, facts: Iterable[Message]) -> Run:
    """The run with these facts as well; the first fact of a name stays."""
    new: dict[str, Message] = {}
    for fact in facts:
        name = name_of(fact)
        if not run.knows(name):
            new.setdefault(name, fact)
    return Run(run.tenant, run.run, {**run.facts, **new}, run.spoiled, run.memo) if new else run


def fold_spoiled(run: Run, name: str) -> Run:
    """The run with a name that the log holds without a valid fact."""
    return run if run.knows(name) else replace(run, spoiled=run.spoiled | {name})
