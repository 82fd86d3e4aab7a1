"""The list of runs: a row for each, folded from the same facts, without keeping them.

A row can be had from a run's request and end alone, as a list of many runs is read; then what it cost is what its end
says. More facts make it better: tasks, gates and costs of a run that goes on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from contracts.v1.ballots import ballot_of
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import CancelRequested, RunClosed, RunRequested, Spent
from workers.gateway.views.calls import NANOS
from workers.gateway.views.ends import RunState, end_of
from workers.gateway.views.facts import Seen, View, task_of

LONGEST_IDEA = 200
"""Characters of an idea in a row."""


class Named(NamedTuple):
    """A fact with the run that it is of."""

    tenant: str
    run: str
    fact: Seen


class RunRow(View):
    """A run in a list. `age_s` is as in `RunView`. `tasks_done` of `tasks` asked for so far have a result; those of
    voters are not among them. `open_gates` wait for a person. `only_ballots` is a run that nobody requested: ballots of
    their own stand in the log as runs without an end."""

    tenant: str
    run: str
    state: RunState
    idea: str = ""
    requested_by: str = ""
    began: datetime
    ended: datetime | None = None
    age_s: float | None = None
    deadline: datetime | None = None
    reason: str = ""
    spent: Spent = Spent()
    tasks: int = 0
    tasks_done: int = 0
    open_gates: tuple[str, ...] = ()
    only_ballots: bool = False
    spoiled: int = 0
    upto: int = 0


class RunsView(View):
    """The runs, the newest first."""

    runs: tuple[RunRow, ...] = ()


@dataclass(frozen=True)
class RowFacts:
    """What a row is made of. `seen` are the sequences taken; `ends` the run's own facts by name. Sums are in whole
    numbers, costs in nano-dollars, so that order does not matter."""

    began: datetime
    first: int
    upto: int = 0
    seen: frozenset[int] = frozenset()
    own: Mapping[str, Seen] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    gates: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    ballots: int = 0
    spoiled: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    nanos: int = 0
    unpriced: int = 0


Runs = Mapping[tuple[str, str], RowFacts]
"""By tenant and run. Treated as a value: `take` returns another one."""


def take(runs: Runs, named: Named) -> Runs:
    """The runs with this fact as well."""
    return fold(runs, (named,))


def fold(runs: Runs, facts: Iterable[Named]) -> Runs:
    """The runs with these facts as well, whatever their order and however often they come."""
    known = dict(runs)
    for tenant, run, fact in facts:
        row = known.get((tenant, run)) or RowFacts(fact.at, fact.sequence)
        if fact.sequence not in row.seen:
            known[tenant, run] = _with(row, fact)
    return known


def view(runs: Runs, now: datetime | None = None) -> RunsView:
    """The list; `now` is only needed for the age of runs that go on."""
    newest = sorted(runs.items(), key=lambda item: (-item[1].first, item[0]))
    return RunsView(runs=tuple(_row(tenant, run, row, now) for (tenant, run), row in newest))


def _with(row: RowFacts, fact: Seen) -> RowFacts:
    earlier = fact.sequence < row.first
    return replace(
        row,
        began=fact.at if earlier else row.began,
        first=min(row.first, fact.sequence),
        upto=max(row.upto, fact.sequence),
        seen=row.seen | {fact.sequence},
        spoiled=row.spoiled + (fact.message is None),
        **_changed(row, fact),
    )


def _changed(row: RowFacts, fact: Seen) -> dict[str, Any]:
    noun, *tokens = fact.tokens
    task = task_of(fact.name)
    of_plan = task is not None and ballot_of(task) is None
    new: dict[str, Any] = {}
    match noun:
        case "run":
            new = {"own": {**row.own, fact.name: fact}}
        case "task" if of_plan:
            new = {"asked": row.asked | {task}}
        case "result" if of_plan and fact.message is not None:
            new = {"done": row.done | {task}}
        case "gate":
            new = {"gates": row.gates | {tokens[0]}}
        case "approval":
            new = {"answers": row.answers | {tokens[0]}}
        case "ballot":
            new = {"ballots": row.ballots + 1}
        case "llm" if isinstance(fact.message, ModelCalled):
            new = _paid(row, fact.message)
    return new


def _paid(row: RowFacts, call: ModelCalled) -> dict[str, Any]:
    return {
        "calls": row.calls + 1,
        "tokens_in": row.tokens_in + call.input_tokens,
        "tokens_out": row.tokens_out + call.output_tokens,
        "nanos": row.nanos + round((call.cost_usd or 0.0) * NANOS),
        "unpriced": row.unpriced + (call.cost_usd is None),
    }


def _row(tenant: str, run: str, row: RowFacts, now: datetime | None) -> RunRow:
    asked, end = row.own.get("run.requested"), row.own.get("run.closed")
    request = asked.message if asked and isinstance(asked.message, RunRequested) else None
    until = end.at if end else now
    idea = request.idea if request else ""
    return RunRow(
        tenant=tenant,
        run=run,
        state=_state(row),
        idea=idea if len(idea) <= LONGEST_IDEA else f"{idea[: LONGEST_IDEA - 1]}…",
        requested_by=request.requested_by if request else "",
        began=row.began,
        ended=end.at if end else None,
        age_s=max(0.0, (until - row.began).total_seconds()) if until else None,
        deadline=asked.at + timedelta(seconds=request.deadline_s) if asked and request and request.deadline_s else None,
        reason=_reason(row),
        spent=_spent(row, end.message if end and isinstance(end.message, RunClosed) else None),
        tasks=len(row.asked),
        tasks_done=len(row.done & row.asked),
        open_gates=() if end else tuple(sorted(row.gates - row.answers)),
        only_ballots=row.ballots > 0 and asked is None and not row.asked and end is None,
        spoiled=row.spoiled,
        upto=row.upto,
    )


def _state(row: RowFacts) -> RunState:
    end = row.own.get("run.closed")
    if end is not None:
        return end_of(end).status
    return "cancelling" if "run.cancel" in row.own else "running"


def _reason(row: RowFacts) -> str:
    end, cancel = row.own.get("run.closed"), row.own.get("run.cancel")
    if end is not None:
        return end_of(end).reason
    return cancel.message.reason if cancel and isinstance(cancel.message, CancelRequested) else ""


def _spent(row: RowFacts, closed: RunClosed | None) -> Spent:
    """The sum of the journal, unless the end knows of more calls than were read."""
    if closed is not None and closed.spent.calls > row.calls:
        return closed.spent
    cost = None if row.unpriced else row.nanos / NANOS
    return Spent(calls=row.calls, input_tokens=row.tokens_in, output_tokens=row.tokens_out, cost_usd=cost)
