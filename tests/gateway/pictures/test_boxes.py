"""What the gateway knows of tasks, as boxes of the picture."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from workers.gateway.pictures.boxes import boxes_of
from workers.gateway.pictures.graph import TaskBox, graph
from workers.gateway.pictures.marks import LOOKS
from workers.gateway.views.attempts import AttemptView, State, WaitView
from workers.gateway.views.tasks import GraphView, NodeView

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def box(**more: Any) -> TaskBox:
    plan = NodeView(task="plan", role="project_manager", state="done")
    return boxes_of(GraphView(nodes=(plan, NodeView(task="t", role="r", **more))))[-1]


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({"state": "queued", "needs": ("plan",)}, "ready"),
        ({"state": "queued", "needs": ("plan", "later")}, "waiting"),
        ({"state": "working"}, "running"),
        ({"state": "working", "asks_for": "repair_project"}, "repairing"),
        ({"state": "waiting", "wait": WaitView(task="t", what="models", reason="", since=SINCE)}, "waiting for models"),
        ({"state": "waiting", "wait": WaitView(task="t", what="budget", reason="", since=SINCE)}, "waiting for budget"),
        ({"state": "failed"}, "failed"),
        ({"state": "done"}, "done"),
        ({"state": "called_off"}, "stopped"),
    ],
)
def test_a_task_is_told_in_the_words_of_the_command_line(known: dict[str, Any], state: str) -> None:
    assert box(**known).state == state


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_that_the_gateway_knows_has_a_look(state: State) -> None:
    assert box(state=state).state in LOOKS


def test_a_second_try_is_noted() -> None:
    tries = tuple(AttemptView(attempt=n, state="failed") for n in (1, 2))
    assert box(state="working", attempts=tries).note == "try 2"
    assert box(state="working", attempts=tries[:1]).note == ""


def test_tasks_that_ask_voters_are_drawn_only_where_wanted() -> None:
    view = GraphView(nodes=(NodeView(task="a"),), voting=(NodeView(task="v", state="working"),))
    assert [found.task for found in boxes_of(view)] == ["a"]
    assert [found.task for found in boxes_of(view, voting=True)] == ["a", "v"]
    assert ">running</text>" in graph("r", boxes_of(view, voting=True))
