"""When a unit of an experiment is over, and what is said of it then. Pure.

    its task has ended              by that, where the outcome is the task's own
    its ballot is decided           the same for votes, in a run that is nothing but a ballot; a voter that was not
                                    heard was called off, and that counts for nothing
    the run is closed in time       by all facts of the run
    the time is over                by the facts up to then: what comes later is too late, whenever somebody looks
    else                            nothing yet

Time is that of the broker, which each fact has. So all who look find the same, and what they say is kept once.
"""

import hashlib

from contracts.message import Message
from contracts.v1.ballots import DecisionMade, VoteCast
from contracts.v1.failures import TaskFailed
from contracts.v1.prompts import Metric, OutcomeScored
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import CastVote, Outcome
from workers.prompt_lab.outcomes import Facts, outcome_of
from workers.prompt_lab.weighing import Pending, counted_as
from workers.prompting.template_history import ExperimentRecord

OF_TASKS: frozenset[Metric] = frozenset({"valid", "cost", "latency"})
"""Metrics that are known once the task has a result, or its first failure."""

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
    won, cost, latency, why = outcome_of(seen, pending.chosen, started.metric)
    void = is_called_off(seen, pending.chosen.task)
    known = void or (won is not None and _is_final(seen, started.metric))
    if not known and not is_overdue(record, pending, now) and not _has(seen, RunClosed):
        return None
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
        won=None if void else won,
        cost=cost,
        latency=latency,
        void=void,
        why="it was called off: its ballot was decided without it" if void else why,
    )


def is_called_off(facts: Facts, task: str) -> bool:
    """Whether the task was to answer a ballot that was decided before it did; it is not waited for then."""
    asked = next((fact for _, fact in facts if isinstance(fact, CastVote) and fact.task == task), None)
    if asked is None or not any(isinstance(one, DecisionMade) and one.ballot == asked.ballot for _, one in facts):
        return False
    answers = (VoteCast, Outcome, TaskFailed)
    return not any(isinstance(fact, answers) and fact.task == task for _, fact in facts)


def _is_final(facts: Facts, metric: Metric) -> bool:
    """Whether what is known of a task can't become another. Votes turn out right or wrong as long as a run goes on."""
    return metric in OF_TASKS or (metric == "votes_won" and not _has(facts, RunRequested))


def _has(facts: Facts, kind: type[Message]) -> bool:
    return any(isinstance(fact, kind) for _, fact in facts)


def due_at(record: ExperimentRecord, pending: Pending) -> float:
    """When the unit's timer is to fire: its time is over for sure then, although timers are cut to milliseconds."""
    return deadline_of(record, pending) + GRACE_S + 0.1


def timer_of(record: ExperimentRecord, pending: Pending) -> str:
    """The name of the timer of a unit within its run: `prompt-<k>-<digest of template and unit>`."""
    digest = hashlib.sha256(f"{record.id} {pending.unit}".encode()).hexdigest()
    return f"prompt-{record.k}-{digest[:16]}"
