"""What a run now calls for: pure, and the same for every replica that knows the same facts.

Each message that is wanted has a name, and only those are said whose name is not yet in the log. So
replicas may all decide, a crash between two publishes is mended by deciding again, and new code that
reads an old run asks only for what is missing.

    request ─ plan ─ tasks of the plan ─ verify ─┬ green ─ review ─┬ fine ─ package ─ closed
                ▲ objections, once               └ red ─ repair ◀──┘ blocking
"""

from dataclasses import dataclass
from typing import NamedTuple

from contracts.message import Message
from contracts.subjects import address_of
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import FieldError, RunClosed, RunRequested
from contracts.v1.timers import DeadlinePassed
from workers.orchestrator import plans
from workers.orchestrator.pipeline import Ending, next_of_project
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run, fold
from workers.orchestrator.steps import Step, own_steps

RUN_DEADLINE = "run"


class SetTimer(NamedTuple):
    """A deadline that the broker is to keep: the timer's name and the seconds from now."""

    name: str
    delay_s: int


@dataclass(frozen=True)
class Decision:
    """Timers are set before the messages are said, so that no command is ever out without its deadline."""

    timers: tuple[SetTimer, ...] = ()
    messages: tuple[Message, ...] = ()


NOTHING = Decision()


def decide(run: Run, policy: Policy) -> Decision:
    """Return every message that this run now calls for and whose name is not yet in the log."""
    request = run.request
    if request is None or run.is_closed:
        return NOTHING
    if run.cancel is not None:
        return _close(run, Ending("cancelled", reason=run.cancel.reason or "a cancel was asked for"))
    if run.fact(f"timer.{RUN_DEADLINE}", DeadlinePassed):
        return _close(run, Ending("failed", reason="the run's deadline has passed; ask again with a longer deadline_s"))
    if request.plan is not None and (wrong := plans.objections_to_own(request.plan, policy)):
        return _refuse(run, wrong)
    wanted = next_of_project(run, request, policy) if request.plan is None else _next_of_own(run, request)
    return _close(run, wanted) if isinstance(wanted, Ending) else _ask_all(run, request, wanted, policy)


def _next_of_own(run: Run, request: RunRequested) -> list[Step] | Ending:
    assert request.plan is not None
    missing = [step for step in own_steps(run, request, request.plan) if not run.has_result(step.name)]
    return missing or Ending("completed", reason=f"all {len(request.plan.tasks)} tasks are done")


def _ask_all(run: Run, request: RunRequested, steps: list[Step], policy: Policy) -> Decision:
    timers: list[SetTimer] = []
    messages: list[Message] = []
    if not any(name.startswith("task.") for name in run.facts):
        timers.append(SetTimer(RUN_DEADLINE, request.deadline_s or policy.run_deadline_s))
    for step in steps:
        if not all(run.has_result(need) for need in step.needs):
            continue
        asked = _ask(run, step, policy)
        if isinstance(asked, Ending):
            return _close(run, asked)
        timers += asked.timers
        messages += asked.messages
    return Decision(tuple(timers), tuple(messages))


def _ask(run: Run, step: Step, policy: Policy) -> Decision | Ending:
    """The next attempt at a step, with the failure of the one before if its deadline has passed."""
    failures = run.failures(step.name)
    if failures and (not failures[-1].retry or len(failures) >= policy.max_attempts):
        return _failed(step, failures)
    name, attempt = run.current(step.name), len(failures) + 1
    timer = f"task-{name}-{attempt}"
    if run.fact(f"timer.{timer}", DeadlinePassed):
        late = _late(run, step, name, attempt)
        after = _ask(fold(run, [late]), step, policy)
        return after if isinstance(after, Ending) else Decision(after.timers, (late, *after.messages))
    if run.knows(f"task.{step.role}.{name}.{attempt}"):
        return NOTHING
    command = step.command()
    if (name, attempt) != (command.task, command.attempt):
        command = command.model_copy(update={"task": name, "attempt": attempt})
    timers = (SetTimer(timer, step.deadline_s),) if step.deadline_s else ()
    return Decision(timers, (command,))


def _late(run: Run, step: Step, name: str, attempt: int) -> TaskFailed:
    return TaskFailed(
        tenant=run.tenant,
        run=run.run,
        role=step.role,
        task=name,
        attempt=attempt,
        error="deadline",
        retry=True,
        reason=f"no result after {step.deadline_s} s; is a worker for {step.role} running?",
    )


def _failed(step: Step, failures: list[TaskFailed]) -> Ending:
    last = failures[-1]
    tries = "" if len(failures) == 1 else f" after {len(failures)} attempts"
    reason = f"task {step.name} ({step.role}) failed{tries}: {last.reason}"
    return Ending("failed", reason, failed_task=step.name, evidence_at=f"failure.{last.task}.{last.attempt}")


def _close(run: Run, ending: Ending) -> Decision:
    closed = RunClosed(
        tenant=run.tenant,
        run=run.run,
        status=ending.status,
        reason=ending.reason[:20_000],
        failed_task=ending.failed_task,
        evidence=ending.evidence,
        evidence_at=ending.evidence_at,
        capsule=ending.capsule,
        spent=run.spent(),
    )
    return Decision(messages=(closed,))


def _refuse(run: Run, wrong: tuple[str, ...]) -> Decision:
    errors = tuple(FieldError(field="plan", message=text) for text in wrong)
    reason = "the request's plan can't be carried out: " + "; ".join(wrong)
    closed = RunClosed(tenant=run.tenant, run=run.run, status="refused", reason=reason[:20_000], errors=errors)
    return Decision(messages=(closed,))


def name_of(message: Message) -> str:
    """The name of a message within its run."""
    return address_of(message).name
