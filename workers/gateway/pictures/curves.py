"""The curves of an experiment: what may be found, how much is enough, and how far it got."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from contracts.v1.prompts import ExperimentStarted
from workers.gateway.pictures.scale import MICRO
from workers.prompting.experiments import spending

BELOW = 3
"""A strip shows evidence against down to a third of what is enough for, in nats; what is lower lies on its floor."""

ABOVE = 1.12
"""A strip ends so far above what is enough, at least; a curve that goes further shows up to half as much again."""


class Curve(NamedTuple):
    """One thing that may be found: ln of the wealth in millionths after so many outcomes. `enough` is a wealth."""

    name: str
    then: str
    tone: str
    enough: int
    points: tuple[tuple[int, int], ...]
    high: bool = False

    @property
    def now(self) -> int:
        """ln of the wealth in millionths by now."""
        return self.points[-1][1] if self.points else 0

    @property
    def top(self) -> int:
        """What `now` must be, rounded as `now` is."""
        return round(math.log(self.enough) * MICRO)

    @property
    def is_enough(self) -> bool:
        """Whether it is found."""
        return self.now >= self.top

    @property
    def reached(self) -> tuple[int, int] | None:
        """The first point with enough: outcomes and evidence."""
        return next((point for point in self.points if point[1] >= self.top), None)

    @property
    def floor(self) -> int:
        """The lower border of its strip."""
        return -self.top // BELOW

    @property
    def ceiling(self) -> int:
        """The upper border of its strip."""
        highest = max((value for _, value in self.points), default=0)
        return max(round(self.top * ABOVE), min(highest, self.top * 3 // 2))


def curves_of(started: ExperimentStarted, points: Sequence[Sequence[int]]) -> list[Curve]:
    """The curves from points of outcomes, better, worse, dearer, slower, split. A guard that is off has none."""
    kinds = (
        ("better", "promote it", "good", spending.promotion(started.k), True, True),
        ("worse", "roll back", "bad", spending.ROLL_BACK, True, True),
        (_over(started.dearer, "dearer"), "roll back", "mending", spending.GUARD, False, started.dearer is not None),
        (_over(started.slower, "slower"), "roll back", "stuck", spending.GUARD, False, started.slower is not None),
        ("wrongly split", "stop", "going", spending.SPLIT, False, True),
    )
    ordered = sorted((max(0, point[0]), *point[1:]) for point in points)
    return [
        Curve(name, then, tone, enough, tuple((point[0], point[place]) for point in ordered), high)
        for place, (name, then, tone, enough, high, is_on) in enumerate(kinds, 1)
        if is_on
    ]


def _over(percent: int | None, word: str) -> str:
    return f"more than {percent} % {word}" if percent else word
