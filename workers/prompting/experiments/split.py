"""Whether tasks were split as they should have been: bets on which arm comes next, in both directions.

    W ← W·(1 + g·(A − π))          g = ±⅛, ±½, a quarter of the wealth on each

A is 1 for the candidate, π its share then. The factor's mean is 1 if the split is right, so the wealth reaches 1/α with
a chance of at most α, looked at after every task (as the sequential test of sample ratios of Lindon and Malek 2022,
NeurIPS 35, with bets instead of their Dirichlet mixture, because shares change). A wrong split means that one arm loses
tasks before they are counted: then no other number can be trusted.
"""

from workers.prompting.experiments.assignment import MILLION
from workers.prompting.experiments.evidence import UNIT

_SIXTEENTHS = (2, -2, 8, -8)


class Split:
    """One process; `enough` is the wealth that it takes (1/α)."""

    __slots__ = ("_parts", "enough", "wealth")

    def __init__(self, enough: int) -> None:
        self.enough = enough * UNIT
        self._parts = [UNIT // len(_SIXTEENTHS)] * len(_SIXTEENTHS)
        self.wealth = UNIT

    def see(self, candidate: bool, share: int) -> bool:
        """Take one assignment; whether it is certain enough now that the split is wrong."""
        if self.wealth < self.enough:
            ahead = MILLION - share if candidate else -share
            parts = self._parts
            for at, part in enumerate(_SIXTEENTHS):
                parts[at] += parts[at] * part * ahead // (16 * MILLION)
            self.wealth = sum(parts)
        return self.wealth >= self.enough
