"""Where the tasks of a graph stand: layers from above, each task below everything it needs.

A task's layer is the longest way to it. Within a layer tasks stand by the mean place of what they need (barycentres,
Sugiyama, Tagawa and Toda 1981), else in the order given. There is one sweep, downwards: what comes in below moves
nothing above it. A layer with more tasks than there are columns goes on in the next row. It is all a function of names
and needs, so a task that changes its state stays where it is; with the layout `before`, one that has a place keeps it.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

Needs = Mapping[str, Sequence[str]]


class Cell(NamedTuple):
    """A place: the layer, the row within the layer, the column."""

    layer: int
    row: int
    column: int


class Layout(NamedTuple):
    """All places. `rows` says how many rows each layer has."""

    columns: int
    cells: Mapping[str, Cell]
    rows: tuple[int, ...]

    def line(self, task: str) -> int:
        """The task's row, counted from the top of the picture."""
        cell = self.cells[task]
        return sum(self.rows[: cell.layer]) + cell.row


def laid_out(needs: Needs, columns: int, before: Layout | None = None) -> Layout:
    """A place for every task. Needs that are unknown don't count, nor does what would close a circle.

    Raises ValueError without a column.
    """
    if columns < 1:
        raise ValueError(f"{columns} columns: give 1 or more")
    depths = depths_of(needs)
    layers: list[list[str]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for task in needs:
        layers[depths[task]].append(task)
    cells: dict[str, Cell] = {}
    places: dict[str, float] = {}
    for depth, tasks in enumerate(layers):
        wanted = {
            task: _mean([places[need] for need in needs[task] if depths.get(need, depth) < depth]) for task in tasks
        }
        order = sorted(tasks, key=wanted.__getitem__)
        kept = _kept(tasks, depth, columns, before)
        found = _beside(order, kept, wanted, columns) if kept else _in_rows(order, columns)
        cells |= {task: Cell(depth, row, column) for task, (row, column) in found.items()}
        ranked = sorted(tasks, key=found.__getitem__)
        places |= {task: (place + 0.5) / len(ranked) for place, task in enumerate(ranked)}
    rows = tuple(max(cells[task].row for task in tasks) + 1 for tasks in layers)
    return Layout(columns, {task: cells[task] for task in needs}, rows)


def depths_of(needs: Needs) -> dict[str, int]:
    """Each task's layer: how many tasks the longest way to it has. A circle is opened at its task that comes first."""
    waits = {task: {need for need in wanted if need in needs and need != task} for task, wanted in needs.items()}
    follows: dict[str, list[str]] = {task: [] for task in needs}
    for task, wanted in waits.items():
        for need in sorted(wanted):
            follows[need].append(task)
    depths = dict.fromkeys(needs, 0)
    left, ready = dict.fromkeys(needs), [task for task in needs if not waits[task]]
    while left:
        task = ready.pop() if ready else next(iter(left))
        del left[task]
        for later in follows[task]:
            if later in left:
                depths[later] = max(depths[later], depths[task] + 1)
                waits[later].discard(task)
                if not waits[later]:
                    ready.append(later)
        ready = [task for task in ready if task in left]
    return depths


def above(task: str, needs: Needs, depths: Mapping[str, int]) -> list[str]:
    """What a task needs, each once, without what is unknown or would close a circle."""
    return [need for need in dict.fromkeys(needs[task]) if depths.get(need, depths[task]) < depths[task]]


def direct(needs: Needs, depths: Mapping[str, int]) -> dict[str, list[str]]:
    """What each task needs without what another of its needs needs already (the transitive reduction)."""
    behind: dict[str, int] = {}
    bits = {task: 1 << place for place, task in enumerate(needs)}
    found: dict[str, list[str]] = {}
    for task in sorted(needs, key=depths.__getitem__):
        wanted = above(task, needs, depths)
        further = reduce(or_, (behind[need] for need in wanted), 0)
        found[task] = [need for need in wanted if not further & bits[need]]
        behind[task] = reduce(or_, (bits[need] for need in wanted), further)
    return found


def _mean(places: Sequence[float]) -> float:
    return sum(places) / len(places) if places else 0.5


def _in_rows(order: Sequence[str], columns: int) -> dict[str, tuple[int, int]]:
    """Row after row from the left; the last one, where it isn't full, in the middle."""
    full = len(order) // columns * columns
    left = (columns - (len(order) - full)) // 2
    return {
        task: (place // columns, place % columns + (left if place >= full else 0)) for place, task in enumerate(order)
    }


def _kept(tasks: Sequence[str], depth: int, columns: int, before: Layout | None) -> dict[str, tuple[int, int]]:
    if before is None or before.columns != columns:
        return {}
    known = {task: before.cells[task] for task in tasks if task in before.cells}
    return {task: (cell.row, cell.column) for task, cell in known.items() if cell.layer == depth}


def _beside(
    order: Sequence[str], kept: Mapping[str, tuple[int, int]], wanted: Mapping[str, float], columns: int
) -> dict[str, tuple[int, int]]:
    """Those with a place keep it; each other one gets the free place nearest to its own, in the first row with one."""
    found = dict(kept)
    taken = set(kept.values())
    for task in (task for task in order if task not in kept):
        row = next(row for row in range(len(order)) if any((row, at) not in taken for at in range(columns)))
        free = [at for at in range(columns) if (row, at) not in taken]
        found[task] = (row, min(free, key=lambda at: (abs((at + 0.5) / columns - wanted[task]), at)))
        taken.add(found[task])
    return found
