"""The task graph of a run: what each task is, how it stands, what it made and what it cost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from contracts.v1.ballots import ballot_of
from contracts.v1.failures import TaskFailed
from contracts.v1.plans import PlannedTask
from contracts.v1.projects import FileRef
from contracts.v1.prompts import PromptChosen
from contracts.v1.tasks import Outcome, ProjectVerified, Task
from contracts.v1.waits import TaskWaits, WaitsFor
from workers.gateway.views.calls import CallsTotal, CallView, calls_of, total
from workers.gateway.views.facts import Facts, RunFacts, Seen, SpoiledView, View
from workers.gateway.views.shape import Shape, shape_of

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


class PromptView(View):
    """The version of a template that the task was given. In an experiment `arm` says which side it is on."""

    prompt: str
    prompt_version: str
    attempt: int
    experiment: int = 0
    arm: str = ""


class NodeView(View):
    """A task. `asks_for` is the kind of its command; `model` is the target that was asked for, empty for the fleet's
    choice. `ballot` and `voter` are set for a task that asks a voter. `note` says in words what the state does not."""

    task: str
    role: str = ""
    asks_for: str = ""
    state: State = "queued"
    note: str = ""
    needs: tuple[str, ...] = ()
    instruction: str = ""
    model: str = ""
    deadline_s: int | None = None
    attempts: tuple[AttemptView, ...] = ()
    began: datetime | None = None
    ended: datetime | None = None
    wait: WaitView | None = None
    prompts: tuple[PromptView, ...] = ()
    calls: tuple[CallView, ...] = ()
    cost: CallsTotal = CallsTotal()
    files: tuple[FileRef, ...] = ()
    output: str = ""
    ballot: str = ""
    voter: str = ""
    spoiled: tuple[SpoiledView, ...] = ()


class EdgeView(View):
    """`to` needs the result of `start`."""

    start: str
    to: str


class GraphView(View):
    """The tasks in the order in which they came up, and what they need. `voting` are those that ask voters."""

    nodes: tuple[NodeView, ...] = ()
    edges: tuple[EdgeView, ...] = ()
    voting: tuple[NodeView, ...] = ()


def graph_of(state: RunFacts) -> GraphView:
    """The graph as it stands; a task of which no fact came is not looked at again."""
    shape = shape_of(state)
    closed = state.names.get("run.closed")
    nodes = tuple(_node(state, task, shape, closed) for task in shape.needs)
    voting = tuple(
        _node(state, task, shape, closed or state.names.get(f"decision.{asked[0]}"))
        for task in state.tasks
        if (asked := ballot_of(task)) is not None and _was_asked(state.tasks[task])
    )
    edges = state.derived("edges", (shape,), lambda: _edges(shape))
    voting = tuple(sorted(voting, key=lambda node: (node.attempts[0].asked_at or node.began or state.began, node.task)))
    return state.derived("graph", (*nodes, *voting, edges), lambda: GraphView(nodes=nodes, edges=edges, voting=voting))


def _edges(shape: Shape) -> tuple[EdgeView, ...]:
    return tuple(EdgeView(start=need, to=task) for task, needs in shape.needs.items() for need in dict.fromkeys(needs))


def _was_asked(facts: Facts) -> bool:
    return any(fact.name.startswith("task.") for fact in facts)


def _node(state: RunFacts, task: str, shape: Shape, over: Seen | None) -> NodeView:
    facts, needs, planned = state.tasks.get(task, ()), shape.needs.get(task, ()), shape.planned.get(task)
    return state.derived(
        f"node.{task}", (facts, needs, planned, over), lambda: node_of(task, facts, needs, planned, over)
    )


def node_of(
    task: str, facts: Facts, needs: tuple[str, ...], planned: PlannedTask | None, over: Seen | None
) -> NodeView:
    """A task from its facts, in the order of the log. `over` is the fact that ended its run, or its ballot."""
    ballot, voter = ballot_of(task) or ("", "")
    commands = [fact.message for fact in facts if isinstance(fact.message, Task)]
    command = commands[-1] if commands else None
    attempts = _attempts(facts, over)
    wait = _wait(facts, attempts)
    if wait is not None:
        attempts = (*attempts[:-1], attempts[-1].model_copy(update={"state": "waiting"}))
    result = next((fact for fact in facts if fact.name.startswith("result.")), None)
    made = result.message if result and isinstance(result.message, Outcome) else None
    calls = calls_of(facts)
    standing, note = _standing(attempts, wait, result, over)
    return NodeView(
        task=task,
        role=command.role if command else planned.role if planned else _role(facts),
        asks_for=str(getattr(command, "kind", "")),
        state=standing,
        note=note,
        needs=needs,
        instruction=(command.instruction if command else "") or (planned.instruction if planned else ""),
        model=command.model if command else "",
        deadline_s=command.deadline_s if command else planned.deadline_s if planned else None,
        attempts=attempts,
        began=attempts[0].asked_at if attempts else None,
        ended=result.at if result else attempts[-1].ended_at if attempts and standing != "queued" else None,
        wait=wait,
        prompts=_prompts(facts),
        calls=calls,
        cost=total(calls),
        files=made.files if made else (),
        output=str(getattr(made, "output", "")),
        ballot=ballot,
        voter=voter,
        spoiled=spoiled_among(facts),
    )


def spoiled_among(facts: Facts) -> tuple[SpoiledView, ...]:
    """Those of the facts that can't be read."""
    return tuple(
        SpoiledView(name=fact.name, sequence=fact.sequence, at=fact.at, reason=fact.spoiled)
        for fact in facts
        if fact.message is None
    )


def _role(facts: Facts) -> str:
    return next((fact.tokens[1] for fact in facts if fact.name.startswith("task.")), "")


def _prompts(facts: Facts) -> tuple[PromptView, ...]:
    chosen = [fact.message for fact in facts if isinstance(fact.message, PromptChosen)]
    return tuple(
        PromptView(
            prompt=one.prompt,
            prompt_version=one.prompt_version,
            attempt=one.attempt,
            experiment=one.experiment,
            arm=one.arm or "",
        )
        for one in chosen
    )


def _attempts(facts: Facts, over: Seen | None) -> tuple[AttemptView, ...]:
    """The attempts by number: those that were asked for, and those of which a failure tells."""
    asked = _numbered(facts, "task", 3)
    failed = _numbered(facts, "failure", 2)
    result = next((fact for fact in facts if fact.name.startswith("result.")), None)
    ended_by = _attempt_of(result, max(asked, default=1)) if result else 0
    return tuple(
        _attempt(n, asked.get(n), failed.get(n), result if n == ended_by else None, over)
        for n in sorted({*asked, *failed, *((ended_by,) if result else ())})
    )


def _numbered(facts: Facts, noun: str, at: int) -> Mapping[int, Seen]:
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


def _wait(facts: Facts, attempts: tuple[AttemptView, ...]) -> WaitView | None:
    """What the attempt under way waits for: its newest wait, unless the call that waited has been made since."""
    if not attempts or attempts[-1].state != "working":
        return None
    now = attempts[-1].attempt
    waits = [(fact.at, fact.message) for fact in facts if isinstance(fact.message, TaskWaits)]
    mine = [(at, wait) for at, wait in waits if wait.attempt == now]
    if not mine:
        return None
    since, wait = mine[-1]
    calls = [fact.tokens for fact in facts if fact.name.startswith("llm.")]
    if any(tokens[2] == str(now) and int(tokens[3]) >= wait.n for tokens in calls):
        return None
    return WaitView(task=wait.task, what=wait.what, reason=wait.reason, since=since, until=wait.until)


def _standing(
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
