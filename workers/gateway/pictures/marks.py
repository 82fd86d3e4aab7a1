"""How a task's state looks without colour: the box's border and shape, and a mark that is drawn, not a letter."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from workers.gateway.pictures.markup import number, tag

Shape = Literal["round", "plain", "double", "cut"]
Mark = Literal["dots", "ring", "play", "wrench", "pause", "check", "cross", "bar"]


class Look(NamedTuple):
    """A state's look: tone of `colours`, class of the border, shape of the box, mark beside the word."""

    tone: str
    border: str
    shape: Shape
    mark: Mark


LOOKS: Mapping[str, Look] = {
    "done": Look("good", "", "plain", "check"),
    "running": Look("going", "thick", "double", "play"),
    "repairing": Look("mending", "thick", "double", "wrench"),
    "waiting for models": Look("stuck", "dotted", "round", "pause"),
    "waiting for budget": Look("stuck", "dotted", "round", "pause"),
    "failed": Look("bad", "thick", "cut", "cross"),
    "ready": Look("ready", "", "round", "ring"),
    "waiting": Look("quiet", "dashed", "round", "dots"),
    "stopped": Look("quiet", "dashed", "cut", "bar"),
}
"""A run's states of tasks, as everything else of Flotilla names them, in the order in which they are told."""


def look_of(state: str) -> Look:
    """The look of a state; one that is not known looks as if it waited, and its word says what it is."""
    return LOOKS.get(state, LOOKS["waiting"])


def outline(shape: Shape, x: float, y: float, wide: float, high: float) -> str:
    """The border of a box as a path."""
    if shape == "cut":
        c, w, h = 12.0, wide - 24, high - 24
        return f"M{number(x + c)} {number(y)}h{number(w)}l12 12v{number(h)}l-12 12h-{number(w)}l-12 -12v-{number(h)}z"
    if shape == "round":
        r, w, h = 12, wide - 24, high - 24
        return (
            f"M{number(x + r)} {number(y)}h{number(w)}a{r} {r} 0 0 1 {r} {r}v{number(h)}a{r} {r} 0 0 1 -{r} {r}"
            f"h-{number(w)}a{r} {r} 0 0 1 -{r} -{r}v-{number(h)}a{r} {r} 0 0 1 {r} -{r}z"
        )
    return f"M{number(x)} {number(y)}h{number(wide)}v{number(high)}h-{number(wide)}z"


_STROKES: Mapping[Mark, str] = {
    "check": "m-6 0l4 5l8 -10", "cross": "m-5 -5l10 10m0 -10l-10 10", "bar": "m-6 0h12", "pause": "m-3 -5v10m6 -10v10",
    "ring": "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", "dots": "m-5 0h0.1m4.9 0h0.1m4.9 0h0.1",
    "wrench": "m-5 5l6 -6m-1 -2a3.5 3.5 0 1 0 5 4", "play": "m-4 -5l9 5l-9 5z",
}  # fmt: skip


def marked(mark: Mark, x: float, y: float) -> str:
    """The mark around a point, 12 wide."""
    return tag("path", class_="solid" if mark == "play" else "mark", d=f"M{number(x)} {number(y)}{_STROKES[mark]}")
