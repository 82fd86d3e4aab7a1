"""Scales: where a value lies in a picture, which values stand beside an axis, and odds in words."""

import math
from typing import NamedTuple

MICRO = 1_000_000


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
