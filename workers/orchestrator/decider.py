"""What a run now calls for: pure, and the same for every replica that knows the same facts.

Each message that is wanted has a name, and only those are said whose name is not yet in the log. So
replicas may all decide, a crash between two publishes is mended by deciding again, and new code that
reads an old run asks only for what is missing.

    request ─ plan ─ design ─ ballot ─ tasks of the plan ─ verify ─┬ green ─ review ─┬ fine ─ ballot ─┬ package ─ closed
                ▲        ▲      │                           ▲      └ red ─ repair ◀──┴ blocking       │
                │        └──────┘ revise, once              └──────────────┘ ▲                        │
                └ objections, once                                           └────────────────────────┘ repair

A ballot is opened and then waited for: `decision.<ballot>` says what came of it, or `approval.<ballot>` when it was
left to a person. A blueprint can do without either of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from contracts.message import Message
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import Outcome
from workers.orchestrator import endings, plans
from workers.orchestrator.ballots import WantedBallot
from workers.orchestrator.endings import Ending
from workers.orchestrator.pipeline import learned, next_of_project
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Step, is_done, own_steps

RUN_DEADLINE = "run"


class SetTimer(NamedTuple):
    """A deadline that the broker is to keep: the timer's name and the seconds from now."""

    name: str
    delay_s: int


@dataclass(frozen=True)
class Decision:
    """The timers and the messages may go out at once, if the fact that called for them is acked only after both.

    A crash in between is mended by deciding `again`. A failure is said without what follows from it, because the log
    may have taken another one of that name; what follows is decided when the failure is back.
    """

    timers: tuple[SetTimer, ...] = ()
    messages: tuple[Message, ...] = ()


NOTHING = Decision()


def decide(run: Run, policy: Policy, again: bool = False) -> Decision:
    """Return every message that this run now calls for and whose name is not yet in the log.

    `again` is for a fact that was handed over before: whoever had it may have said the commands and no timers, so
    the timers of every attempt that is out are asked for once more. Those that stand must be left where they are.
    """
    request = run.request
    if request is None or run.is_closed:
        return NOTHING
    if (why := run.cancel_wanted) is not None:
        return _close(run, Ending("cancelled", why))
    if run.passed(RUN_DEADLINE):
        return _close(run, endings.late(run))
    if request.plan is not None and (wrong := _objections(run, request, policy)):
        return Decision(messages=(endings.refused(run, wrong),))
    if request.plan is not None:
        return _carry_on(run, request, _next_of_own(run, request), policy, again)
    news = learned(run, request, policy)
    decision = _carry_on(run, request, next_of_project(run, request, policy), policy, again)
    return replace(decision, messages=(*news, *decision.messages)) if news else decision


def _objections(run: Run, request: RunRequested, policy: Policy) -> tuple[plans.Objection, ...]:
    plan = request.plan
    return run.derived("objections", (plan, policy), lambda: plans.objections_to_own(plan, policy) if plan else ())


def _next_of_own(run: Run, request: RunRequested) -> list[Step] | Ending:
    plan = request.plan
    steps = run.derived("steps", (request,), lambda: own_steps(request, plan) if plan else [])
    missing = [step for step in steps if not is_done(run, step)]
    return missing or Ending(
        "completed", "its one task is done" if len(steps) == 1 else f"all {len(steps)} tasks are done"
    )


def _carry_on(
    run: Run, request: RunRequested, wanted: Sequence[Step | WantedBallot] | Ending, policy: Policy, again: bool
) -> Decision:
    return _close(run, wanted) if isinstance(wanted, Ending) else _ask_all(run, request, wanted, policy, again)


def _close(run: Run, ending: Ending) -> Decision:
    return Decision(messages=(endings.closed(run, ending),))


def _ask_all(
    run: Run, request: RunRequested, wanted: Sequence[Step | WantedBallot], policy: Policy, again: bool
) -> Decision:
    """Open every ballot, and ask for every step whose needs are met; a step that has a result all the same has one of
    the wrong kind."""
    steps = [step for step in wanted if isinstance(step, Step)]
    for step in steps:
        if (found := run.result(step.name, Outcome)) is not None:
            return _close(run, endings.mistaken(run, step, found))
    timers: list[SetTimer] = []
    messages: list[Message] = []
    if again or not any(name.startswith("task.") for names in (run.facts, run.spoiled) for name in names):
        timers.append(SetTimer(RUN_DEADLINE, request.deadline_s or policy.run_deadline_s))
    for step in steps:
        if not all(run.has_result(need) for need in step.needs):
            continue
        asked = _ask(run, request, step, policy, again)
        if asked.ending is not None:
            return _close(run, asked.ending)
        timers += asked.timers
        messages += asked.messages
    ballots = (one for one in wanted if isinstance(one, WantedBallot))
    messages += [one.opened() for one in ballots if not run.knows(f"ballot.{one.ballot}")]
    return Decision(tuple(timers), tuple(messages))


class _Asked(NamedTuple):
    timers: tuple[SetTimer, ...] = ()
    messages: tuple[Message, ...] = ()
    ending: Ending | None = None


def _ask(run: Run, request: RunRequested, step: Step, policy: Policy, again: bool) -> _Asked:
    """The next attempt at a step, or its end, or the failure of an attempt that nobody else will report."""
    if (ending := endings.of_step(run, step, policy)) is not None:
        return _Asked(ending=ending)
    name = run.current(step.name)
    attempt = len(run.failures(step.name, step.role)) + 1
    if (lost := _lost(run, step, name, attempt)) is not None:
        return _Asked(messages=(lost,))
    timers = (SetTimer(_timer(name, attempt), step.deadline_s),) if step.deadline_s else ()
    if f"task.{step.role}.{name}.{attempt}" in run.facts:
        return _Asked(timers if again else ())
    terms = {"deadline_s": step.deadline_s, "budget": policy.budget(request.budget)}
    return _Asked(timers, (step.command(run).model_copy(update={"task": name, "attempt": attempt, **terms}),))


def _timer(name: str, attempt: int) -> str:
    return f"task-{name}-{attempt}"


def _lost(run: Run, step: Step, name: str, attempt: int) -> TaskFailed | None:
    """The failure of an attempt whose deadline has passed, or whose command no worker can read.

    An attempt that has waited, for models or for budget, has no deadline of its own any more.
    """
    if run.passed(_timer(name, attempt)) and not run.has_waited(name, attempt):
        waited = f"after {step.deadline_s} s" if step.deadline_s else "when its deadline passed"
        reason = f"no result {waited}; is a worker for {step.role} running?"
        return run.failure(name, step.role, attempt, "deadline", reason)
    command = f"task.{step.role}.{name}.{attempt}"
    if command in run.spoiled:
        return run.failure(name, step.role, attempt, "spoiled", f"the stored command {command} does not validate")
    return None
