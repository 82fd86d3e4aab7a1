"""A run as the fold of its facts.

A fact is known by its name, and a name is used once, so the fold is a union: it does not care about
order, duplicates or which replica saw what first. A stored fact that does not validate is *spoiled*;
its name is burnt, and whatever needed it goes on under the next one (`design` → `design-s2`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from contracts.message import Message
from contracts.subjects import address_of
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.runs import CancelRequested, RunRequested, Spent
from contracts.v1.tasks import Outcome

F = TypeVar("F", bound=Message)


@dataclass(frozen=True)
class Run:
    """What is known of a run: its facts by name, the names that are taken, and those that are spoiled."""

    tenant: str
    run: str
    facts: Mapping[str, Message] = field(default_factory=dict)
    spoiled: frozenset[str] = frozenset()

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
    def cancel(self) -> CancelRequested | None:
        """The wish to stop."""
        return self.fact("run.cancel", CancelRequested)

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended."""
        return self.knows("run.closed")

    def current(self, task: str) -> str:
        """The name that a task goes under now: its own, or the next one when a result was spoiled."""
        name, n = task, 1
        while f"result.{name}" in self.spoiled:
            n += 1
            name = f"{task}-s{n}"
        return name

    def result(self, task: str, kind: type[F]) -> F | None:
        """The result of a task, followed over spoiled names."""
        return self.fact(f"result.{self.current(task)}", kind)

    def has_result(self, task: str) -> bool:
        """Whether there is a result of a task, of whatever kind."""
        return f"result.{self.current(task)}" in self.facts

    def failures(self, task: str) -> list[TaskFailed]:
        """The failures of a task under its current name, by attempt, without a gap; a spoiled one counts as one."""
        name = self.current(task)
        found: list[TaskFailed] = []
        while (failure := self._failure(name, len(found) + 1)) is not None:
            found.append(failure)
        return found

    def _failure(self, task: str, attempt: int) -> TaskFailed | None:
        name = f"failure.{task}.{attempt}"
        if name not in self.spoiled:
            return self.fact(name, TaskFailed)
        return TaskFailed(
            tenant=self.tenant, run=self.run, role="unknown", task=task, attempt=attempt,
            error="spoiled", retry=True, reason=f"the stored fact {name} does not validate",
        )  # fmt: skip

    def calls(self) -> tuple[Call, ...]:
        """Every journal entry that a result or failure cites, once, by name."""
        cited = {
            call.entry: call
            for fact in self.facts.values()
            if isinstance(fact, Outcome | TaskFailed)
            for call in fact.calls
        }
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
    new = {name: fact for fact in facts if not run.knows(name := address_of(fact).name)}
    return replace(run, facts={**run.facts, **new}) if new else run


def fold_spoiled(run: Run, name: str) -> Run:
    """The run with a name that the log holds without a valid fact."""
    return run if run.knows(name) else replace(run, spoiled=run.spoiled | {name})
