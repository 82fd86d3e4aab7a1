"""What an experiment may find, how much evidence is enough for each, and how far it got: terminal and pages draw it."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from contracts.v1.prompts import ExperimentStarted
from workers.prompting.experiments import spending

MICRO = 1_000_000

BELOW = 3
"""A strip shows evidence against down to a third of what is enough for, in nats; what is lower lies on its floor."""

Key = Literal["better", "worse", "dearer", "slower", "split"]


class Curve(NamedTuple):
    """One thing that may be found: ln of the wealth in millionths after so many outcomes. `enough` is a wealth.

    `limit` is a guard's, in percent, if it is above 0. `high`: it decides on success, and its strip is higher.
    """

    key: Key
    then: str
    enough: int
    points: tuple[tuple[int, int], ...]
    high: bool = False
    limit: int = 0

    @property
    def name(self) -> str:
        """`better`, `25 % dearer`, `wrongly split`."""
        if self.limit:
            return f"{self.limit} % {self.key}"
        return "wrongly split" if self.key == "split" else self.key

    @property
    def now(self) -> int:
        """ln of the wealth in millionths by now."""
        return self.points[-1][1] if self.points else 0

    @property
    def top(self) -> int:
        """What `now` must be, rounded as `now` is."""
        return round(math.log(self.enough) * MICRO)

    @property
    def floor(self) -> int:
        """The lower border of its strip."""
        return -self.top // BELOW

    @property
    def is_enough(self) -> bool:
        """Whether it is found."""
        return self.now >= self.top

    @property
    def reached(self) -> tuple[int, int] | None:
        """The first point with enough: outcomes and evidence."""
        return next((point for point in self.points if point[1] >= self.top), None)


def curves_of(started: ExperimentStarted, points: Sequence[Sequence[int]]) -> list[Curve]:
    """The curves from points of outcomes, better, worse, dearer, slower, split. A guard that is off has none."""
    ordered = sorted((max(0, point[0]), *point[1:]) for point in points)
    better, worse, dearer, slower, split = (
        tuple((point[0], point[place]) for point in ordered) for place in range(1, 6)
    )
    found = [
        Curve("better", "promote", spending.promotion(started.k), better, high=True),
        Curve("worse", "roll back", spending.ROLL_BACK, worse, high=True),
    ]
    if started.dearer is not None:
        found.append(Curve("dearer", "roll back", spending.GUARD, dearer, limit=started.dearer))
    if started.slower is not None:
        found.append(Curve("slower", "roll back", spending.GUARD, slower, limit=started.slower))
    return [*found, Curve("split", "stop", spending.SPLIT, split)]


def odds(micro: int) -> str:
    """Evidence, ln in millionths, as odds: `27:1` for, `1:3.2` against, `1:1` for none."""
    if abs(micro) < MICRO // 20:
        return "1:1"
    against = _amount(abs(micro) / MICRO)
    return f"{against}:1" if micro > 0 else f"1:{against}"


def _amount(nats: float) -> str:
    if nats > math.log(99_999):
        powers = nats / math.log(10)
        return f"{10 ** (powers % 1):.1f}e{int(powers)}"
    amount = math.exp(nats)
    return f"{amount:.1f}" if amount < 9.95 else f"{amount:,.0f}"
