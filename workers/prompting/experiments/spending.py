"""How much evidence is enough: a wealth of 1/α, as a process that begins with 1 gets there with a chance of at most α
if there is nothing to find (Ville 1939; Shafer 2021, JRSS A 184, 407–431).

A template's candidates share 5 % between them, for ever: the i-th has α_i = 1/√(720·i⁵), and all of them together
Σ α_i = ζ(5/2)/√720 = 0.049995: a union bound over a series that is fixed before, as in the alpha spending of Foster and
Stine 2008 (JRSS B 70, 429–444), without their earnings. The exponent 5/2 leaves the first candidate 3.7 %, where 2, the
usual 6α/(π²i²), leaves 3.0 %. In return the wealth that the twentieth needs is 3.6 times what it would be with 2.
"""

from math import isqrt

ROLL_BACK = 20
"""Enough to roll back: an equal candidate is rolled back with a chance of at most 5 %. Each candidate has that anew:
what it costs is a candidate, not a template."""

GUARD = 20
"""Enough to say that a candidate costs too much, or takes too long."""

SPLIT = 1_000
"""Enough to say that tasks were not split as planned: a fault of ours, so a false alarm is to be rare."""


def promotion(nth: int) -> int:
    """The wealth that promotes a template's `nth` candidate, counted from 1: 27, 152, 419, 859, 1500 …

    Raises ValueError if `nth` is below 1.
    """
    if nth < 1:
        raise ValueError(f"candidate number {nth}: the first is 1")
    return isqrt(720 * nth**5 - 1) + 1
