"""The task graph as a tree that fits a terminal.

A task hangs below its immediate dominator: the last task that every way to it passes through. Parallel
branches become siblings, and the task that joins them stands beside them instead of deep below one of
them. Only branching indents: a chain goes straight down, so that a run with many repairs stays readable.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Needs = Mapping[str, Sequence[str]]


class Branch(NamedTuple):
    """A task with the lines that lead to it, e.g. `│ └ `. `joins` names its needs when the tree hides some."""

    task: str
    rails: str
    joins: tuple[str, ...] = ()


def tree(needs: Needs) -> tuple[Branch, ...]:
    """All tasks, each below its dominator, siblings in the order given. Needs that are unknown don't count."""
    parents = dominators(needs)
    children: dict[str | None, list[str]] = {}
    for task in needs:
        children.setdefault(parents[task], []).append(task)
    return tuple(_branches(None, children, "", needs))


def dominators(needs: Needs) -> dict[str, str | None]:
    """The immediate dominator of each task; None for the roots, for joins of roots, and inside of cycles."""
    found: dict[str, str | None] = {}
    for task in _sorted_by_needs(needs):
        known = [need for need in needs[task] if need in found]
        found[task] = _common_ancestor(known, found) if len(known) == len(_inside(needs, task)) else None
    return found


def _inside(needs: Needs, task: str) -> list[str]:
    return [need for need in needs[task] if need in needs and need != task]


def _sorted_by_needs(needs: Needs) -> list[str]:
    """Needs before what needs them; members of a cycle come last, so that a bad plan can be shown as well."""
    done: dict[str, None] = {}
    left = list(needs)
    while left:
        ready = [task for task in left if all(need in done for need in _inside(needs, task))]
        done.update(dict.fromkeys(ready or left))
        left = [task for task in left if task not in done]
    return list(done)


def _common_ancestor(tasks: Sequence[str], parents: Mapping[str, str | None]) -> str | None:
    if not tasks:
        return None
    lines = [_line(task, parents) for task in tasks]
    shared = [ancestor for ancestor in lines[0] if all(ancestor in line for line in lines[1:])]
    return shared[0] if shared else None


def _line(task: str, parents: Mapping[str, str | None]) -> list[str]:
    """The task and its dominators, nearest first."""
    line: list[str] = []
    step: str | None = task
    while step is not None:
        line.append(step)
        step = parents[step]
    return line


def _branches(
    parent: str | None, children: Mapping[str | None, Sequence[str]], rails: str, needs: Needs
) -> list[Branch]:
    drawn: list[Branch] = []
    siblings = children.get(parent, ())
    for place, task in enumerate(siblings):
        lead, follow = _rails(place, len(siblings))
        hidden = tuple(needs[task]) if any(need != parent for need in needs[task]) else ()
        drawn.append(Branch(task, rails + lead, hidden))
        drawn.extend(_branches(task, children, rails + follow, needs))
    return drawn


def _rails(place: int, siblings: int) -> tuple[str, str]:
    """The lines to a task and past it. What merely follows stands straight below."""
    if siblings == 1:
        return "", ""
    return ("└ ", "  ") if place == siblings - 1 else ("├ ", "│ ")
