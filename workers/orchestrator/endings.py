"""How runs end: the reasons, and the one fact that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.message import Command, Message
from contracts.subjects import name_of
from contracts.v1.ballots import BallotOpened, DecisionMade
from contracts.v1.failures import TaskFailed
from contracts.v1.projects import Evidence
from contracts.v1.runs import FieldError, RunClosed, Status
from contracts.v1.tasks import Outcome
from contracts.v1.waits import WaitsFor
from workers.orchestrator.plans import Objection
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Step

HELPS: dict[WaitsFor, str] = {
    "budget": "raise it in time (`flotilla budget RUN --add USD`), or ask again with more of it or a longer deadline_s",
    "models": "see `flotilla models`, then ask again, with a longer deadline_s if need be",
}
OPENED_BY = "orchestrator"
"""Who opens the ballots of runs."""

LONGEST_REASON = 20_000
SHORT_REASON = 2_000


@dataclass(frozen=True)
class Ending:
    """How a run ends. `evidence_at` names the fact that shows why."""

    status: Status
    reason: str = ""
    failed_task: str | None = None
    evidence: Evidence | None = None
    evidence_at: str = ""
    capsule: str | None = None


LATE = "the run's deadline has passed"


def late(run: Run) -> Ending:
    """The run's deadline has passed; when a task was waiting by then, or a ballot was open, that is why."""
    waits = run.open_waits()
    if not waits:
        return _late_ballot(run) or Ending("failed", f"{LATE}; ask again with a longer deadline_s")
    wait, *others = waits
    besides = f" and {len(others)} more {'tasks' if len(others) > 1 else 'task'} waited" if others else ""
    why = f": {wait.reason[:SHORT_REASON]}" if wait.reason else ""
    return Ending(
        "failed",
        f"{LATE} while task {wait.task} waited for {wait.what}{besides}{why}; {HELPS[wait.what]}",
        failed_task=wait.task,
        evidence_at=name_of(wait),
    )


def _late_ballot(run: Run) -> Ending | None:
    """The run's deadline has passed while voters, or the person whom a ballot was left to, had not answered."""
    opened = (fact for _, fact in sorted(run.facts.items()) if isinstance(fact, BallotOpened))
    for ballot in [fact.ballot for fact in opened if fact.opened_by == OPENED_BY]:
        if not run.knows(f"decision.{ballot}"):
            advice = "is a worker for consensus running? Ask again, with a longer deadline_s if need be"
            reason = f"{LATE} while ballot {ballot} was open; {advice}"
            return Ending("failed", reason, evidence_at=f"ballot.{ballot}")
        decision = run.fact(f"decision.{ballot}", DecisionMade)
        if decision and decision.by == "escalated" and not run.knows(f"approval.{ballot}"):
            reason = (
                f"{LATE} while ballot {ballot} waited for a person; answer in time, or ask with a longer deadline_s"
            )
            return Ending("failed", reason, evidence_at=f"decision.{ballot}")
    return None


def of_step(run: Run, step: Step, policy: Policy) -> Ending | None:
    """The end that a step brings about; None while another attempt may mend what was wrong."""
    *burnt, _ = run.names(step.name)
    if len(burnt) >= policy.max_attempts:
        return spoiled(step, burnt)
    failures = run.failures(step.name, step.role)
    if failures and (not failures[-1].retry or len(failures) >= policy.max_attempts):
        return given_up(step, failures)
    return None


def given_up(step: Step, failures: Sequence[TaskFailed]) -> Ending:
    """The last failure of a task makes no sense to retry, or was one too many."""
    last = failures[-1]
    tries = "" if len(failures) == 1 else f" after {len(failures)} attempts"
    reason = f"task {step.name} ({step.role}) failed{tries}: {last.reason}"
    return Ending("failed", reason, failed_task=step.name, evidence_at=f"failure.{last.task}.{last.attempt}")


def spoiled(step: Step, burnt: Sequence[str]) -> Ending:
    """The results of a task don't validate, under any of its names."""
    reason = f"task {step.name} ({step.role}): {len(burnt)} stored results in a row do not validate"
    return Ending("failed", reason, failed_task=step.name, evidence_at=f"result.{burnt[-1]}")


def mistaken(run: Run, step: Step, found: Outcome) -> Ending:
    """A task has the result of another kind of task. Its name is taken, so no attempt can mend it."""
    said, wanted = type(found).__name__, step.report.__name__
    reason = f"task {step.name} ({step.role}) reported a {said}; only a {wanted} can be its result"
    return Ending("failed", reason, failed_task=step.name, evidence_at=f"result.{run.current(step.name)}")


def closed(run: Run, ending: Ending) -> RunClosed:
    """The end, with what the run has spent."""
    return RunClosed(
        tenant=run.tenant,
        run=run.run,
        status=ending.status,
        reason=ending.reason[:LONGEST_REASON],
        failed_task=ending.failed_task,
        evidence=ending.evidence,
        evidence_at=ending.evidence_at,
        capsule=ending.capsule,
        spent=run.spent(),
    )


def refused(run: Run, wrong: Sequence[Objection]) -> RunClosed:
    """The end of a run whose own plan can't be carried out; each error names the field."""
    errors = tuple(FieldError(field=f"plan.{field}", message=text) for field, text in wrong)
    reason = "the request's plan can't be carried out: " + "; ".join(text for _, text in wrong)
    return RunClosed(tenant=run.tenant, run=run.run, status="refused", reason=reason[:LONGEST_REASON], errors=errors)


def in_place_of(run: Run, message: Message, size: int) -> RunClosed:
    """The end that is said instead of a message whose `size` in bytes is more than the bus carries."""
    if isinstance(message, RunClosed):
        return _shortened(message)
    task = message.task if isinstance(message, Command) else None
    name = name_of(message)
    reason = f"the message {name} has {size} bytes, more than the bus carries; ask for less at once"
    return closed(run, Ending("failed", reason, failed_task=task))


def _shortened(end: RunClosed) -> RunClosed:
    shorter: dict[str, Any] = {"reason": end.reason[:SHORT_REASON], "errors": end.errors[:3]}
    if end.evidence is not None:
        cut = {"failures": (), "output": end.evidence.output[-SHORT_REASON:], "reason": "cut to fit the bus"}
        shorter["evidence"] = end.evidence.model_copy(update=cut)
    return end.model_copy(update=shorter)
