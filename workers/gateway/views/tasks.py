"""The task graph of a run: what each task is, how it stands, what it made and what it cost."""

from datetime import datetime

from contracts.v1.ballots import ballot_of
from contracts.v1.plans import PlannedTask
from contracts.v1.projects import FileRef
from contracts.v1.prompts import PromptChosen
from contracts.v1.tasks import Outcome, Task
from workers.gateway.views.attempts import AttemptView, State, WaitView, attempts_of, standing_of, wait_of
from workers.gateway.views.calls import CallsTotal, CallView, of_task
from workers.gateway.views.facts import Facts, RunFacts, Seen, SpoiledView, View
from workers.gateway.views.shape import Shape, shape_of


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
    voting = tuple(sorted(voting, key=lambda node: (_asked_at(state, node.task), node.task)))
    return state.derived("graph", (*nodes, *voting, edges), lambda: GraphView(nodes=nodes, edges=edges, voting=voting))


def _edges(shape: Shape) -> tuple[EdgeView, ...]:
    return tuple(EdgeView(start=need, to=task) for task, needs in shape.needs.items() for need in dict.fromkeys(needs))


def _was_asked(facts: Facts) -> bool:
    return any(fact.name.startswith("task.") for fact in facts)


def _asked_at(state: RunFacts, task: str) -> int:
    return next(fact.sequence for fact in state.tasks[task] if fact.name.startswith("task."))


def _node(state: RunFacts, task: str, shape: Shape, over: Seen | None) -> NodeView:
    facts, needs, planned = state.tasks.get(task, ()), shape.needs.get(task, ()), shape.planned.get(task)
    over = state.names.get(f"result.{task}", over)
    return state.derived(
        f"node.{task}", (facts, needs, planned, over), lambda: node_of(state, task, needs, planned, over)
    )


def node_of(
    state: RunFacts, task: str, needs: tuple[str, ...], planned: PlannedTask | None, over: Seen | None
) -> NodeView:
    """A task from its facts, in the order of the log. `over` is the fact after which nothing more can come:
    its result, the end of its run, or the decision of its ballot."""
    facts = state.tasks.get(task, ())
    ballot, voter = ballot_of(task) or ("", "")
    commands = [fact.message for fact in facts if isinstance(fact.message, Task)]
    command = commands[-1] if commands else None
    attempts = attempts_of(facts, over)
    wait = wait_of(facts, attempts)
    if wait is not None:
        attempts = (*attempts[:-1], attempts[-1].model_copy(update={"state": "waiting"}))
    result = next((fact for fact in facts if fact.name.startswith("result.")), None)
    made = result.message if result and isinstance(result.message, Outcome) else None
    calls, cost = of_task(state, task)
    standing, note = standing_of(attempts, wait, result, over)
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
        cost=cost,
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
