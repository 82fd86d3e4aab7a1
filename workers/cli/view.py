"""A run as it looks from outside: a pure fold of its facts.

`view_of` knows no clock and no order of arrival: facts are put in the order of the log, each counts once,
and times are those at which the log stored them. `now` comes in where something is still going on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from contracts.message import Message
from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import ballot_of
from contracts.v1.budgets import Budget
from contracts.v1.capsules import CapsulePacked
from contracts.v1.journal import ModelCalled
from contracts.v1.projects import Evidence
from contracts.v1.runs import CancelRequested, FieldError, RunClosed, RunRequested, Spent, Status
from contracts.v1.tasks import ProjectVerified, Task
from workers.cli.ballotview import BallotSeen, ballots_seen
from workers.cli.entries import Entry, ordered
from workers.cli.planned import needs_of, planned_tasks
from workers.cli.taskview import STUCK, TaskView, WaitView, facts_by_task, planned_state, seen, task_of

M = TypeVar("M", bound=Message)

RunState = Literal["unknown", "running", "cancelling"] | Status
"""`unknown` until a request or a task is seen."""


@dataclass(frozen=True)
class GateView:
    """A point where the run waits, and the answer once it is there."""

    gate: str
    question: str
    verdict: str = ""
    by: str = ""
    options: tuple[str, ...] = ()
    option: str = ""


@dataclass(frozen=True)
class RunView:
    """What is known of a run. `voting` are the tasks that ask voters, which stand behind the ballots. `budget`
    is that of the newest command; `spoiled` holds (name, reason) of facts that do not decode."""

    state: RunState = "unknown"
    idea: str = ""
    tasks: tuple[TaskView, ...] = ()
    voting: tuple[TaskView, ...] = ()
    ballots: tuple[BallotSeen, ...] = ()
    gates: tuple[GateView, ...] = ()
    spent: Spent = field(default_factory=Spent)
    budget: Budget | None = None
    evidence: Evidence | None = None
    evidence_at: str = ""
    capsule: CapsulePacked | None = None
    began: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    failed_task: str | None = None
    errors: tuple[FieldError, ...] = ()
    spoiled: tuple[tuple[str, str], ...] = ()

    @property
    def waits(self) -> tuple[WaitView, ...]:
        """The tasks that wait for budget now, where a person can help, then those that wait for models."""
        return tuple(
            sorted((task.wait for task in (*self.tasks, *self.voting) if task.wait), key=lambda wait: wait.what)
        )

    @property
    def standing(self) -> str:
        """The state in words: what the run waits for, when none of its tasks goes on meanwhile."""
        going_on = any(task.state in ("running", "repairing") for task in (*self.tasks, *self.voting))
        if self.state != "running" or going_on:
            return self.state
        if self.open_gates:
            return "waiting for a person"
        return STUCK[self.waits[0].what] if self.waits else self.state

    @property
    def is_only_ballots(self) -> bool:
        """Whether nobody has requested anything: ballots of their own stand in the log as runs without an end."""
        return bool(self.ballots) and not (self.idea or self.tasks or self.is_over)

    @property
    def open_gates(self) -> tuple[GateView, ...]:
        """The gates that nobody has answered; none once the run is over."""
        return () if self.is_over else tuple(gate for gate in self.gates if not gate.verdict)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.ended is not None

    def elapsed(self, now: datetime) -> timedelta:
        """From the first fact to the end, or to `now`."""
        return timedelta() if self.began is None else max(timedelta(), (self.ended or now) - self.began)


def view_of(entries: Iterable[Entry]) -> RunView:
    """The fold. Spoiled facts are listed and otherwise count only where their name alone says something."""
    facts = ordered(entries)
    request, closing = _first(facts, RunRequested), _first(facts, RunClosed)
    closed = _closing(facts)
    voting = [entry for entry in facts if _is_of_vote(entry)]
    return RunView(
        state=_state(facts, closing, closed is not None),
        idea=request.idea if request else "",
        tasks=_tasks([entry for entry in facts if not _is_of_vote(entry)], closed.at if closed else None),
        voting=_tasks(voting, closed.at if closed else None),
        ballots=ballots_seen(facts),
        gates=_gates(facts),
        spent=_spent(facts),
        budget=next((command.budget for command in reversed(_said(facts, Task))), None),
        evidence=(closing.evidence if closing else None) or _evidence(facts),
        evidence_at=closing.evidence_at if closing else "",
        capsule=_first(facts, CapsulePacked),
        began=facts[0].at if facts else None,
        ended=closed.at if closed else None,
        reason=closing.reason if closing else (f"run.closed is spoiled: {closed.spoiled}" if closed else ""),
        failed_task=closing.failed_task if closing else None,
        errors=closing.errors if closing else (),
        spoiled=tuple((entry.name, entry.spoiled) for entry in facts if entry.message is None),
    )


def _said(facts: Sequence[Entry], kind: type[M]) -> list[M]:
    return [entry.message for entry in facts if isinstance(entry.message, kind)]


def _first(facts: Sequence[Entry], kind: type[M]) -> M | None:
    return next(iter(_said(facts, kind)), None)


def _closing(facts: Sequence[Entry]) -> Entry | None:
    """The fact that ended the run; a spoiled one ends it as well, because its name is used up."""
    return next((entry for entry in facts if entry.name == "run.closed"), None)


def _state(facts: Sequence[Entry], closing: RunClosed | None, closed: bool) -> RunState:
    if closed:
        return closing.status if closing else "failed"
    if _first(facts, CancelRequested):
        return "cancelling"
    return "running" if facts else "unknown"


def _is_of_vote(entry: Entry) -> bool:
    """Whether a fact is of a task that asks a voter; such tasks are no part of the plan."""
    task = task_of(entry)
    return task is not None and ballot_of(task) is not None


def _tasks(facts: Sequence[Entry], closed: datetime | None) -> tuple[TaskView, ...]:
    planned, asked = planned_tasks(facts), facts_by_task(facts)
    needs = needs_of(facts, planned)
    known = {task: seen(task, about, needs[task], closed) for task, about in asked.items()}
    states = {task: view.state for task, view in known.items()}
    return tuple(
        known.get(task)
        or TaskView(task, planned[task].role, planned_state(needs[task], states, closed is not None), needs[task])
        for task in needs
    )


def _gates(facts: Sequence[Entry]) -> tuple[GateView, ...]:
    answers = {answer.gate: answer for answer in _said(facts, ApprovalGiven)}
    return tuple(
        GateView(gate.gate, gate.question, answer.verdict, answer.by, gate.options, answer.option or "")
        if (answer := answers.get(gate.gate))
        else GateView(gate.gate, gate.question, options=gate.options)
        for gate in _said(facts, GateOpened)
    )


def _spent(facts: Sequence[Entry]) -> Spent:
    """The sum of the journal; unknown cost as soon as the price of one call is unknown."""
    calls = _said(facts, ModelCalled)
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return Spent(
        calls=len(calls),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost_usd=sum(costs) if len(costs) == len(calls) else None,
    )


def _evidence(facts: Sequence[Entry]) -> Evidence | None:
    found = _said(facts, ProjectVerified)
    return found[-1].evidence if found else None
