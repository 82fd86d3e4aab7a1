"""The attempts at a task, and how they leave it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from contracts.v1.failures import TaskFailed
from contracts.v1.tasks import Outcome, ProjectVerified
from contracts.v1.waits import TaskWaits, WaitsFor
from workers.gateway.views.facts import Facts, Seen, View

State = Literal["queued", "working", "waiting", "failed", "done", "called_off"]
"""`queued` until it is asked for, or asked for again; `working` since then, whether or not a worker has it yet;
`waiting` for models or budget since a call could not be made; `failed` for good, or with red tests; `called_off`
because the run ended, or its ballot was decided, first."""


class WaitView(View):
    """What an attempt waits for now, and since when. `until` is when it is tried again, if that is known."""

    task: str
    what: WaitsFor
    reason: str
    since: datetime
    until: datetime | None = None


class AttemptView(View):
    """One try at a task. `error` and `reason` say why it failed, `retry` whether another one makes sense."""

    attempt: int
    asked_at: datetime | None = None
    ended_at: datetime | None = None
    state: State
    error: str = ""
    reason: str = ""
    retry: bool = False


def attempts_of(facts: Facts, over: Seen | None) -> tuple[AttemptView, ...]:
    """The attempts by number: those that were asked for, and those of which a failure tells."""
    asked = _numbered(facts, "task", 3)
    failed = _numbered(facts, "failure", 2)
    result = next((fact for fact in facts if fact.name.startswith("result.")), None)
    ended_by = _attempt_of(result, max(asked, default=1)) if result else 0
    return tuple(
        _attempt(n, asked.get(n), failed.get(n), result if n == ended_by else None, over)
        for n in sorted({*asked, *failed, *((ended_by,) if result else ())})
    )


def _numbered(facts: Iterable[Seen], noun: str, at: int) -> Mapping[int, Seen]:
    named = [(fact.tokens, fact) for fact in facts if fact.name.startswith(f"{noun}.")]
    return {int(tokens[at]): fact for tokens, fact in named if len(tokens) > at and tokens[at].isdecimal()}


def _attempt_of(result: Seen, newest: int) -> int:
    return result.message.attempt if isinstance(result.message, Outcome) else newest


def _attempt(n: int, asked: Seen | None, failed: Seen | None, result: Seen | None, over: Seen | None) -> AttemptView:
    asked_at = asked.at if asked else None
    if result is not None:
        state, note = _of_result(result)
        return AttemptView(attempt=n, asked_at=asked_at, ended_at=result.at, state=state, reason=note)
    if failed is not None:
        why = failed.message if isinstance(failed.message, TaskFailed) else None
        return AttemptView(
            attempt=n,
            asked_at=asked_at,
            ended_at=failed.at,
            state="failed",
            error=why.error if why else "spoiled",
            reason=why.reason if why else f"the stored failure can't be read: {failed.spoiled}",
            retry=why.retry if why else True,
        )
    if over is not None:
        return AttemptView(attempt=n, asked_at=asked_at, ended_at=over.at, state="called_off")
    return AttemptView(attempt=n, asked_at=asked_at, state="working")


def _of_result(result: Seen) -> tuple[State, str]:
    """How a result leaves its task; an empty note where there is nothing to say."""
    if result.message is None:
        return "failed", f"the stored result can't be read: {result.spoiled}"
    if not isinstance(result.message, ProjectVerified):
        return "done", ""
    seen = result.message.evidence
    if seen.passed:
        return "done", f"{seen.tests} tests passed"
    return "failed", seen.reason or f"{seen.failed} of {seen.tests} tests are red"


def wait_of(facts: Facts, attempts: tuple[AttemptView, ...]) -> WaitView | None:
    """What the attempt under way waits for: its newest wait, unless the call that waited has been made since."""
    if not attempts or attempts[-1].state != "working":
        return None
    now = attempts[-1].attempt
    waits = [(fact.at, fact.message) for fact in facts if isinstance(fact.message, TaskWaits)]
    mine = [(at, wait) for at, wait in waits if wait.attempt == now]
    if not mine:
        return None
    since, wait = mine[-1]
    calls = _numbered([fact for fact in facts if fact.name.startswith(f"llm.{wait.task}.{now}.")], "llm", 3)
    if max(calls, default=0) >= wait.n:
        return None
    return WaitView(task=wait.task, what=wait.what, reason=wait.reason, since=since, until=wait.until)


def standing_of(
    attempts: tuple[AttemptView, ...], wait: WaitView | None, result: Seen | None, over: Seen | None
) -> tuple[State, str]:
    """The state of the task, and a note on it."""
    if result is not None:
        return _of_result(result)
    if not attempts:
        return ("called_off" if over else "queued"), ""
    last = attempts[-1]
    if wait is not None:
        return "waiting", f"waits for {wait.what}" + (f": {wait.reason}" if wait.reason else "")
    if last.state == "failed":
        again = last.retry and over is None
        return ("queued" if again else "failed"), f"{last.error}: {last.reason}"
    if last.state == "working" and len(attempts) > 1:
        return "working", f"again after {attempts[-2].error}"
    return last.state, ""
