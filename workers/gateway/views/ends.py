"""How a run stands and ends: its state, its end, the wish to stop, and what it was allowed to spend besides."""

from datetime import datetime
from typing import Literal

from contracts.v1.budgets import BudgetRaised
from contracts.v1.runs import CancelRequested, FieldError, RunClosed, Status
from workers.gateway.views.facts import RunFacts, Seen, View

RunState = Literal["unknown", "running", "cancelling"] | Status
"""`unknown` until a fact is seen."""


class EndView(View):
    """How the run ended, and why. `spoiled` says why the stored end can't be read; the run is over all the same."""

    status: Status
    at: datetime
    reason: str = ""
    failed_task: str | None = None
    errors: tuple[FieldError, ...] = ()
    evidence_at: str = ""
    spoiled: str = ""


class CancelView(View):
    """The wish to stop."""

    at: datetime
    reason: str = ""
    requested_by: str = ""


class RaiseView(View):
    """What somebody let the run spend besides its budget."""

    raise_id: str
    usd: float = 0.0
    tokens: int = 0
    raised_by: str = ""
    at: datetime


def state_of(state: RunFacts) -> RunState:
    """The state of the run; an end or a cancel that can't be read counts all the same, because its name is used up."""
    end = state.names.get("run.closed")
    if end is not None:
        return end_of(end).status
    if "run.cancel" in state.names:
        return "cancelling"
    return "running" if state.names else "unknown"


def end_of(fact: Seen) -> EndView:
    """The end, from `run.closed`."""
    closed = fact.message
    if not isinstance(closed, RunClosed):
        return EndView(
            status="failed", at=fact.at, reason=f"run.closed is spoiled: {fact.spoiled}", spoiled=fact.spoiled
        )
    return EndView(
        status=closed.status,
        at=fact.at,
        reason=closed.reason,
        failed_task=closed.failed_task,
        errors=closed.errors,
        evidence_at=closed.evidence_at,
    )


def cancel_of(fact: Seen | None) -> CancelView | None:
    """The wish, from `run.cancel` if that is there."""
    if fact is None:
        return None
    wish = fact.message if isinstance(fact.message, CancelRequested) else None
    return CancelView(
        at=fact.at, reason=wish.reason if wish else fact.spoiled, requested_by=wish.requested_by if wish else ""
    )


def raise_of(fact: Seen) -> RaiseView:
    """The raise that a fact says."""
    raised = fact.message
    assert isinstance(raised, BudgetRaised), "only raises are asked"
    return RaiseView(
        raise_id=raised.raise_id, usd=raised.usd, tokens=raised.tokens, raised_by=raised.raised_by, at=fact.at
    )
