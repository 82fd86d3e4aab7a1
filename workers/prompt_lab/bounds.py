"""How sure a share of successes is: the lower bound of Clopper and Pearson (1934), on one side.

With k successes of n it is the p at which k or more successes have the chance alpha: P(X >= k | n, p) = alpha, 0 for
k = 0, alpha^(1/n) for k = n. It is exact in the sense that, whatever the true share is, the bound lies above it with at
most the chance alpha.
"""

import math

ALPHA = 0.05
_HALVINGS = 60
"""Each halves the interval that the bound lies in; after these it is narrower than a float can tell."""


def lower_bound(successes: int, trials: int, alpha: float = ALPHA) -> float:
    """What the true share of successes is at least, with confidence 1 - `alpha`; 0 without trials.

    Raises `ValueError` when there are more successes than trials, or fewer than none.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials can't be")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}")
    if successes == 0:
        return 0.0
    if successes == trials:
        return float(alpha ** (1.0 / trials))
    low, high = 0.0, successes / trials
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if at_least(successes, trials, middle) <= alpha else (low, middle)
    return low


def at_least(successes: int, trials: int, share: float) -> float:
    """The chance of so many successes or more when each trial has the chance `share`, which is above 0 and below 1."""
    won, lost = math.log(share), math.log1p(-share)
    ways = math.lgamma(trials + 1)
    return math.fsum(
        math.exp(ways - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * won + (trials - k) * lost)
        for k in range(successes, trials + 1)
    )
