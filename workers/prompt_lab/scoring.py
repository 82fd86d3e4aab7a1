"""When a unit of an experiment is over, and what is said of it then. Pure.

    the run is closed in time       by all facts of the run
    the time is over                by the facts up to then: what comes later is too late, whenever somebody looks
    else                            nothing yet

Time is that of the broker, which each fact has. So all who look find the same, and what they say is kept once.
"""

import hashlib

from contracts.v1.prompts import OutcomeScored
from contracts.v1.runs import RunClosed
from workers.prompt_lab.outcomes import Facts, outcome_of
from workers.prompt_lab.weighing import Pending, counted_as
from workers.prompting.template_history import ExperimentRecord

GRACE_S = 1.0
"""After a deadline, until it is taken for passed: facts that came in time are in the log by then."""


def deadline_of(record: ExperimentRecord, pending: Pending) -> float:
    """Until when the unit has an outcome, in seconds since 1970."""
    return pending.at + record.started.within_s


def is_overdue(record: ExperimentRecord, pending: Pending, now: float) -> bool:
    """Whether its time is over for sure."""
    return now >= deadline_of(record, pending) + GRACE_S


def scored(record: ExperimentRecord, pending: Pending, facts: Facts, now: float, by: str = "") -> OutcomeScored | None:
    """The outcome of a unit by the facts of its run; None while it may still have another."""
    deadline, started = deadline_of(record, pending), record.started
    seen = [(at, fact) for at, fact in facts if at <= deadline]
    if not any(isinstance(fact, RunClosed) for _, fact in seen) and not is_overdue(record, pending, now):
        return None
    won, cost, latency, why = outcome_of(seen, pending.chosen, started.metric)
    return OutcomeScored(
        role=started.role,
        name=started.name,
        by=by,
        k=started.k,
        tenant=pending.chosen.tenant,
        run=pending.chosen.run,
        task=counted_as(record, pending.chosen.task),
        epoch=pending.chosen.epoch,
        arm=pending.chosen.arm or "live",
        place=pending.place,
        won=won,
        cost=cost,
        latency=latency,
        why=why,
    )


def due_at(record: ExperimentRecord, pending: Pending) -> float:
    """When the unit's timer is to fire: its time is over for sure then, although timers are cut to milliseconds."""
    return deadline_of(record, pending) + GRACE_S + 0.1


def timer_of(record: ExperimentRecord, pending: Pending) -> str:
    """The name of the timer of a unit within its run: `prompt-<k>-<digest of template and unit>`."""
    digest = hashlib.sha256(f"{record.id} {pending.unit}".encode()).hexdigest()
    return f"prompt-{record.k}-{digest[:16]}"
