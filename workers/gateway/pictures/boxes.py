"""The boxes of a run's graph, from what the gateway knows of its tasks, in the words that the command line uses too."""

from collections.abc import Collection

from workers.gateway.pictures.graph import TaskBox
from workers.gateway.views.tasks import GraphView, NodeView


def boxes_of(view: GraphView, voting: bool = False) -> tuple[TaskBox, ...]:
    """A box for each task, in order of appearance; those that ask voters only where wanted."""
    nodes = (*view.nodes, *view.voting) if voting else view.nodes
    done = {node.task for node in nodes if node.state == "done"}
    return tuple(TaskBox(node.task, node.role, _state(node, done), node.needs, _note(node)) for node in nodes)


def _state(node: NodeView, done: Collection[str]) -> str:
    match node.state:
        case "queued":
            return "ready" if all(need in done for need in node.needs) else "waiting"
        case "working":
            return "repairing" if node.asks_for == "repair_project" else "running"
        case "waiting":
            return f"waiting for {node.wait.what}" if node.wait else "waiting"
        case "called_off":
            return "stopped"
    return node.state


def _note(node: NodeView) -> str:
    tries = max((attempt.attempt for attempt in node.attempts), default=0)
    return f"try {tries}" if tries > 1 else ""
