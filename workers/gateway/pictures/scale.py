"""Scales: where a value lies in a picture, and which values stand beside an axis."""

import math
from typing import NamedTuple

from workers.prompting.evidence_curves import MICRO


class Scale(NamedTuple):
    """A straight scale: `low` lies at `start`, `high` at `end`. What lies outside is drawn on the nearer border."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: int) -> float:
        """Where a value lies."""
        if self.high <= self.low:
            return self.start
        inside = min(max(value, self.low), self.high)
        return self.start + (self.end - self.start) * ((inside - self.low) / (self.high - self.low))


def round_steps(most: int, wanted: int) -> tuple[int, ...]:
    """Whole numbers from 0 to at most `most` in steps of 1, 2 or 5 times a power of ten, about `wanted` of them."""
    if most < 1:
        return (0,)
    rough = max(1, -(-most // max(1, wanted)))
    power: int = 10 ** (len(str(rough)) - 1)
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return tuple(range(0, most + 1, step))


def tens(low: int, high: int) -> tuple[int, ...]:
    """The powers of ten as odds strictly between two pieces of evidence, each ln of the odds in millionths."""
    ten = math.log(10) * MICRO
    first, last = math.floor(low / ten) + 1, math.ceil(high / ten) - 1
    return tuple(round(power * ten) for power in range(max(first, -9), min(last, 9) + 1))
