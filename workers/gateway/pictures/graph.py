"""The task graph of a run: a box for each task, below everything it needs, with a line from each need.

A state shows as a word, as a mark, by the border and by colour. A line is whole once the need is done and dashed until
then; a need that another one needs already has none. Where a box stands follows from names and needs only (`layers`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from workers.gateway.pictures.colours import style_of
from workers.gateway.pictures.layers import Layout, direct, laid_out
from workers.gateway.pictures.marks import LOOKS, look_of, marked, outline
from workers.gateway.pictures.markup import Frame, cut, escaped, lines_of, number, picture, tag, words
from workers.gateway.pictures.routes import BORDER, HIGH, WIDE, Grid, route

COLUMNS, NARROW_COLUMNS = 5, 2
"""Boxes side by side: on a desk, and on a phone, where two are read without zooming."""

NAMED = 5
"""The description names so many tasks of a state at most."""

LEGEND = "Whole line: the need is done. Dashed: not yet."

PADDING, NAME, SMALL = 12, 14, 13
TOLD = ("failed", "running", "repairing", "waiting for models", "waiting for budget")

RULES = """
.name{font-weight:600}
.small{font-size:13px}
.edge{stroke-width:1.5}
.open{stroke-dasharray:5 4}
.area{stroke-width:1.5}
.thick .area{stroke-width:3}
.dashed .area{stroke-dasharray:6 4}
.dotted .area{stroke-width:2.5;stroke-dasharray:0.1 6;stroke-linecap:round}
.mark{stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.solid{stroke-width:1}
.inner{stroke-width:1;fill:none}
"""
STYLE = style_of("graph", RULES)
"""What a page's stylesheet needs for graphs that are not alone."""


class TaskBox(NamedTuple):
    """A task as it is drawn. `state` is a word, one of `marks.LOOKS` where it is to have a look of its own.

    `note` stands behind the state, such as `try 2`.
    """

    task: str
    role: str
    state: str = "waiting"
    needs: tuple[str, ...] = ()
    note: str = ""


def graph(
    run: str, tasks: Sequence[TaskBox], columns: int = COLUMNS, before: Layout | None = None, frame: Frame | None = None
) -> str:
    """The picture, as SVG. Of two tasks of one name the later counts. Raises ValueError without a column.

    With `before`, the layout of the last picture, a task that has a place in the same layer keeps its column.
    """
    known = {task.task: task for task in tasks}
    layout = laid_out({name: task.needs for name, task in known.items()}, columns, before)
    grid = Grid(layout)
    parts = [*_lines(known, grid), *(_box(task, grid) for task in known.values())]
    high = grid.height
    if len(parts) > len(known):
        parts.append(words(cut(LEGEND, SMALL, grid.width - 2 * BORDER), BORDER, high, "soft small"))
        high += 20
    if not known:
        parts = [words("no tasks yet", grid.width / 2, grid.height / 2 + 5, "soft", "middle")]
    title = f"Task graph of run {run}"
    return picture(
        frame or Frame("graph"), "graph", grid.width, high, title, described(tuple(known.values())), STYLE, parts
    )


def described(tasks: Sequence[TaskBox]) -> str:
    """The graph in a few sentences: how many tasks are how far, and which ones need a look."""
    if not tasks:
        return "There are no tasks yet."
    counts = Counter(task.state for task in tasks)
    order = sorted(counts, key=lambda state: ([*LOOKS].index(state) if state in LOOKS else len(LOOKS), state))
    total = f"{len(tasks)} {'task' if len(tasks) == 1 else 'tasks'}"
    said = [f"{total}: {', '.join(f'{counts[state]} {state}' for state in order)}."]
    for state in TOLD:
        if names := [task.task for task in tasks if task.state == state]:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            said.append(f"{state.capitalize()}: {', '.join(names[:NAMED])}{more}.")
    return " ".join(said)


def _lines(tasks: Mapping[str, TaskBox], grid: Grid) -> Iterator[str]:
    """The lines, and a tip above each box that has one."""
    depths = {name: cell.layer for name, cell in grid.layout.cells.items()}
    for task, needs in direct({name: task.needs for name, task in tasks.items()}, depths).items():
        for need in needs:
            met = "edge" if tasks[need].state == "done" else "edge open"
            yield tag("path", class_=met, d=route(grid, need, task))
        if needs:
            x, y = grid.top(task)
            yield tag("path", class_="tip", d=f"M{number(x - 5)} {number(y - 9)}h10l-5 8z")


def _box(task: TaskBox, grid: Grid) -> str:
    """A box: the name on one line or two, the role, the state with its mark."""
    look, (x, y) = look_of(task.state), grid.corner(task.task)
    room = WIDE - 2 * PADDING
    name = lines_of(task.task, NAME * 1.06, room, 2) or ["?"]
    first = 22 if len(name) > 1 else 28
    parts = [tag("title", words_of(task)), tag("path", class_="area", d=outline(look.shape, x, y, WIDE, HIGH))]
    if look.shape == "double":
        parts.append(tag("path", class_="mark inner", d=outline("plain", x + 4, y + 4, WIDE - 8, HIGH - 8)))
    parts += [words(line, x + PADDING, y + first + 17 * place, "name") for place, line in enumerate(name)]
    below = y + first + 17 * len(name) + 2
    parts.append(words(cut(task.role, SMALL, room), x + PADDING, below, "soft small"))
    parts.append(marked(look.mark, x + PADDING + 6, y + HIGH - 16))
    state = f"{task.state} · {task.note}" if task.note else task.state
    parts.append(words(cut(state, SMALL, room - 20), x + PADDING + 20, y + HIGH - 11, "tone small"))
    return tag("g", *parts, class_=f"task {look.tone} {look.border}".rstrip(), data_task=task.task)


def words_of(task: TaskBox) -> str:
    """A task in one escaped line, for who points at it or whose name is cut."""
    from_what = f", needs {', '.join(task.needs)}" if task.needs else ""
    note = f" ({task.note})" if task.note else ""
    return escaped(f"{task.task}: {task.role}, {task.state}{note}{from_what}")
