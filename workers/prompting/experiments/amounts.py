"""What tasks cost and take, compared by bets on one yardstick for both arms.

The bets are those of `evidence.py`, on "it was above the yardstick". The yardstick follows the median of what was seen
before, so it is fixed before each bet, and arms that cost the same are above it equally often, whatever they cost.
"""

from workers.prompting.experiments import spending
from workers.prompting.experiments.evidence import FOR_LOSSES, Evidence


class Yardstick:
    """An integer that follows the median of the amounts that it is shown, none of which is below 0.

    It does not go below 0 itself, so where everything costs nothing, nothing is ever above it.
    """

    __slots__ = ("_height",)

    def __init__(self) -> None:
        self._height: int | None = None

    def above(self, amount: int | None) -> bool | None:
        """Whether an amount is above it; an unknown one is. None for all up to the first that is known."""
        if self._height is None:
            self._height = amount
            return None
        above = amount is None or amount > self._height
        step = abs(self._height) // 16 + 1
        self._height = max(self._height + (step if above else -step), 0)
        return above


class Guard:
    """Bets that the candidate's numbers are more than `percent` above the live version's, by an integer yardstick."""

    __slots__ = ("_percent", "_yardstick", "evidence")

    def __init__(self, percent: int | None) -> None:
        self._percent = percent
        self._yardstick = Yardstick()
        self.evidence = Evidence(spending.GUARD, FOR_LOSSES)

    def see(self, candidate: bool, share: int, amount: int | None) -> bool:
        """Take one number; whether the candidate's are certainly too high now."""
        if self._percent is None:
            return False
        fair = None if amount is None else amount * 100_000 // (100 + self._percent if candidate else 100)
        above = self._yardstick.above(fair)
        return above is not None and self.evidence.see(candidate, share, above)
