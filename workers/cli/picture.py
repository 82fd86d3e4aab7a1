"""The picture of a run: head, task graph, ballots, foot. A function of the view, the time and the terminal's size."""

from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.cli.ballotline import on_one_line
from workers.cli.ballotview import BallotSeen
from workers.cli.ending import Hints, elapsed, gate_line, silence, spending, waiting, what_helps
from workers.cli.figures import count, plain, seconds
from workers.cli.graph import Branch, tree
from workers.cli.taskview import State, TaskView
from workers.cli.view import RunView

STATES: dict[State, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "ready": ("○", "default"),
    "running": ("●", "bold cyan"),
    "repairing": ("●", "bold yellow"),
    "waiting for models": ("◌", "bold yellow"),
    "waiting for budget": ("◌", "bold yellow"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "stopped": ("–", "dim"),
}
"""A mark and a style for each state; the word stands beside it, so that no meaning hangs on colour alone."""

SHORT_STATES: dict[State, str] = {"waiting for models": "no models", "waiting for budget": "no budget"}
"""Words that fit into the column; why a task waits stands below."""

RUN_STYLES = {
    "completed": "bold green",
    "failed": "bold red",
    "refused": "bold red",
    "cancelled": "bold yellow",
    "waiting for models": "bold yellow",
    "waiting for budget": "bold yellow",
    "waiting for a person": "bold yellow",
}
WIDE, MIDDLE = 100, 76
MOST_WAITS = 2
HIGH, REASON_LINES = 20, 3
ROOM_AROUND = 9
"""Lines that head, ballots, foot and the shell's prompt take besides the tasks."""


class Size(NamedTuple):
    """Columns and lines of the terminal."""

    width: int
    height: int


def picture(run: str, view: RunView, now: datetime, size: Size, hints: Hints | None = None) -> RenderableType:
    """The whole picture of a run, no wider and no higher than the terminal."""
    parts: list[RenderableType] = [_head(run, view), Text()]
    waits = [part for line in waiting(view, now, MOST_WAITS) for part in _few_lines(line, size)]
    helps = _whole(what_helps(view, hints or Hints.kept(run)), size.width)
    lower = len(waits) + len(helps)
    if view.tasks:
        parts += [_tasks(view, now, size._replace(height=size.height - lower)), Text()]
    parts += [_one_line(line, "bold yellow") for line in waits]
    parts += [_ballot(ballot) for ballot in view.ballots[-2:]]
    parts += [_one_line(gate_line(gate), "bold yellow") for gate in view.open_gates[-1:]]
    parts += [Text(line, "bold yellow", no_wrap=True) for line in helps]
    if hint := silence(view, now):
        parts.append(_one_line(hint, "yellow"))
    if not view.is_over:
        parts.append(_foot(view, now, size.width))
    return Group(*parts)


def _head(run: str, view: RunView) -> RenderableType:
    model = f"  on {plain(_only_model(view))}" if _only_model(view) else ""
    state = (view.standing, RUN_STYLES.get(view.standing, "cyan"))
    name = Text.assemble((run, "bold"), "  ", state, (model, "dim"), no_wrap=True, overflow="ellipsis")
    return Group(name, _one_line(view.idea or "waiting for the first fact", "dim"))


def _one_line(text: str, style: str) -> Text:
    """Text of others on one line, cut where the terminal ends."""
    return Text(plain(text), style, no_wrap=True, overflow="ellipsis")


def _few_lines(text: str, size: Size) -> list[str]:
    """Text of others in as many lines as there is room for; the rest of it is in `flotilla show`."""
    lines, most = wrap(plain(text), size.width, break_on_hyphens=False), REASON_LINES if size.height >= HIGH else 1
    return lines if len(lines) <= most else [*lines[: most - 1], " ".join(lines[most - 1 :])]


def _whole(text: str, width: int) -> list[str]:
    """Text of our own in lines: a command in it is to be copied, so nothing is cut, and it is broken only at blanks."""
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _only_model(view: RunView) -> str:
    """The one model that all tasks used; empty when there are none or several."""
    models = {task.model for task in view.tasks if task.model}
    return next(iter(models)) if len(models) == 1 else ""


def _tasks(view: RunView, now: datetime, size: Size) -> RenderableType:
    gap = 2 if size.width >= MIDDLE else 1
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim", expand=size.width >= WIDE)
    table.add_column("task", no_wrap=True, overflow="ellipsis", min_width=22)
    if size.width >= MIDDLE:
        table.add_column("role", no_wrap=True, overflow="ellipsis", min_width=17)
    table.add_column("state", no_wrap=True, width=11)
    table.add_column("try", justify="right", no_wrap=True, width=3)
    table.add_column("time", justify="right", no_wrap=True, width=11 if size.width >= MIDDLE else 10)
    table.add_column("calls", justify="right", no_wrap=True, width=5)
    if size.width >= WIDE:
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    known = {task.task: task for task in view.tasks}
    branches = tree({task.task: task.needs for task in view.tasks})
    shown, hidden = fitted([(branch, known[branch.task]) for branch in branches], size.height - ROOM_AROUND)
    for branch, task in shown:
        table.add_row(*_row(branch, task, now, size.width, not _only_model(view)))
    if hidden:
        table.add_row(Text(f"… {count(hidden, 'more task')} not shown", "dim"))
    return table


def _row(branch: Branch, task: TaskView, now: datetime, width: int, with_model: bool) -> list[Text]:
    mark, style = STATES[task.state]
    took = task.took(now)
    cells = [
        Text.assemble((branch.rails, "dim"), (task.task, style if task.state in ("running", "repairing") else "")),
        Text(f"{mark} {SHORT_STATES.get(task.state, task.state)}", style),
        Text(str(task.attempt or ""), "yellow" if task.attempt > 1 else ""),
        Text("" if took is None else seconds(took)),
        Text(str(task.calls or "")),
    ]
    if width >= MIDDLE:
        cells.insert(1, Text(task.role, "dim"))
    if width >= WIDE:
        cells.append(Text(_remark(branch, task, with_model), "dim"))
    return cells


def _remark(branch: Branch, task: TaskView, with_model: bool) -> str:
    """A note on how it went, else what came of it and from which model, else what it waits for."""
    if task.wait:
        return ""  # why is said below
    if task.note:
        return plain(task.note)
    if task.attempt:
        files = count(task.files, "file") if task.files else ""
        return " · ".join(part for part in (files, plain(task.model) if with_model else "") if part)
    return f"needs {', '.join(branch.joins)}" if branch.joins else ""


def fitted(rows: Sequence[tuple[Branch, TaskView]], room: int) -> tuple[Sequence[tuple[Branch, TaskView]], int]:
    """The rows that fit into `room` lines, and how many are left out: what is done goes first, what waits next."""
    left_out = len(rows) - max(3, room)
    if left_out <= 0:
        return rows, 0
    left_out += 1  # the line that says how many are hidden
    by_interest = sorted(range(len(rows)), key=lambda place: (_interest(rows[place][1].state), place))
    gone = set(by_interest[:left_out])
    return [row for place, row in enumerate(rows) if place not in gone], left_out


def _interest(state: State) -> int:
    return {"done": 0, "stopped": 1, "waiting": 1, "ready": 2}.get(state, 3)


def _ballot(ballot: BallotSeen) -> Text:
    return Text(on_one_line(ballot), "" if ballot.outcome else "cyan", no_wrap=True, overflow="ellipsis")


def _foot(view: RunView, now: datetime, width: int) -> Text:
    done = sum(task.state == "done" for task in view.tasks)
    parts = [elapsed(view, now), f"{done} of {count(len(view.tasks), 'task')} done", spending(view, width < MIDDLE)]
    if view.spoiled:
        parts.append(f"{count(len(view.spoiled), 'fact')} spoiled")
    return _one_line(" · ".join(parts), "dim")
