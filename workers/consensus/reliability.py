"""How reliable voters are, learned from outcomes, and the weights that follow from it.

An observation is a voter and whether its vote turned out to be right, once the sandbox or a person knows. A fold counts
them; abstentions are no observations. Counts add up, so order does not matter; that each observation counts once is
the log's business.

A voter that is right with probability p deserves the weight ln(p/(1−p)), if voters err independently (Nitzan and
Paroush 1982, International Economic Review 23, 289–297; Shapley and Grofman 1984, Public Choice 43, 329–343). p is not
known, and from few observations its estimate is so coarse that equal weights do better. So each is drawn towards the
mean m of all voters by S imagined observations: the mean of a beta prior with the parameters S·m and S·(1−m), shrinkage
as in Efron and Morris 1975 (JASA 70, 311–319):

    p̂ = (right + S·m) / (seen + S)          m = (all right + 1) / (all seen + 2)

S is estimated from how much voters differ, as they do there. If k voters were alike, Q would be about k − 1, with a
standard deviation of √(2(k−1)), and it grows with what they differ by (moments of the beta-binomial distribution,
Kleinman 1973, JASA 68, 46–54):

    Q = Σ (rᵢ − nᵢ·m)² / (nᵢ·m·(1−m))       ρ = (Q − (k−1) − √(2(k−1))) / (N − Σnᵢ²/N − (k−1))       S = 1/ρ − 1

Only what is beyond one standard deviation counts as a difference. While nothing is, all voters weigh the same: weights
that follow chance cost more than they bring.

The odds p̂/(1−p̂) are a quotient of integers. Its logarithm is taken in decimal arithmetic, which is rounded the same on
every machine, and rounded to millionths, half to even. So all who count the same log find the same integers.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isqrt
from typing import NamedTuple

from workers.consensus.rules import ONE

LEAST = 2
"""The least S: however much voters differ, two observations of one are no proof of it."""

MOST = 4_595_120
"""The highest weight, ln 99 in millionths: nobody counts as surer than 99 times in 100."""

_DECIMAL = Context(prec=28, rounding=ROUND_HALF_EVEN)


class Record(NamedTuple):
    """How often a voter was seen to be right, of how often it was seen."""

    right: int = 0
    seen: int = 0


def learn(observations: Iterable[tuple[str, bool]], known: Mapping[str, Record] | None = None) -> dict[str, Record]:
    """Add observations of (voter, was right) to what is known; returns new counts by voter."""
    records = dict(known or {})
    for voter, was_right in observations:
        right, seen = records.get(voter, Record())
        records[voter] = Record(right + was_right, seen + 1)
    return records


def mean(records: Mapping[str, Record]) -> Record:
    """The mean that single voters are drawn to, as right of seen: all observations and, as nothing is certain, one
    right and one wrong (Laplace's rule of succession)."""
    return Record(sum(one.right for one in records.values()) + 1, sum(one.seen for one in records.values()) + 2)


def strength(records: Mapping[str, Record]) -> int | None:
    """S: how many observations of a voter weigh as much as what is known of all; None while voters may be alike."""
    of_each = [one for one in records.values() if one.seen]
    apart, right, seen = len(of_each) - 1, sum(one.right for one in of_each), sum(one.seen for one in of_each)
    if apart < 1 or right in (0, seen):
        return None
    far = (((one.right * seen - one.seen * right) ** 2, one.seen) for one in of_each)
    spread = sum(square * ONE // (of_one * right * (seen - right)) for square, of_one in far)
    beyond = spread - apart * ONE - isqrt(2 * apart * ONE * ONE)
    room = (seen - apart) * ONE - sum(one.seen**2 for one in of_each) * ONE // seen
    if beyond <= 0 or room <= 0:
        return None
    return max(LEAST, -((beyond - room) // beyond))


def weight(right: int, seen: int, mean_right: int, mean_seen: int, strength: int) -> int:
    """ln(p̂/(1−p̂)) in millionths, from 0 to `MOST`: one that is wrong more often than right has no weight, not a
    negative one, because being wrong is no way to be asked.

    `strength` is S; 0 takes the voter's own rate as it is, and a voter never seen then has the mean. With nothing seen
    of anybody it is `ONE`. Raises ValueError for counts that can't be.
    """
    ups, downs = _odds(right, seen, mean_right, mean_seen, strength)
    if not ups and not downs:
        return ONE
    if ups <= downs:
        return 0
    return MOST if downs == 0 else min(MOST, _micro_ln(ups, downs))


def drawn_rate(right: int, seen: int, mean_right: int, mean_seen: int, strength: int) -> float:
    """p̂, from 0 to 1, for people to read: weights are made of the integers. ½ with nothing seen of anybody.

    Raises ValueError for counts that can't be.
    """
    ups, downs = _odds(right, seen, mean_right, mean_seen, strength)
    return ups / (ups + downs) if ups or downs else 0.5


def weights(records: Mapping[str, Record], voters: Iterable[str], fixed: int | None = None) -> dict[str, int]:
    """The weights of a ballot's voters, by the S that `strength` finds, or by one that is fixed.

    While voters may be alike, or if nobody has any weight, all have `ONE`: a ballot without weight decides nothing.
    """
    drawn = strength(records) if fixed is None else fixed
    if drawn is None:
        return dict.fromkeys(voters, ONE)
    of_all = mean(records)
    found = {voter: weight(*records.get(voter, Record()), *of_all, drawn) for voter in voters}
    return found if any(found.values()) else dict.fromkeys(found, ONE)


def _odds(right: int, seen: int, mean_right: int, mean_seen: int, strength: int) -> tuple[int, int]:
    """Both sides of p̂ : (1−p̂), as integers; both are 0 with nothing seen of anybody."""
    if not (0 <= right <= seen and 0 <= mean_right <= mean_seen and strength >= 0):
        raise ValueError(f"{right} right of {seen}, all together {mean_right} of {mean_seen}, strength {strength}")
    drawn = max(strength, 1) if not seen else strength
    # Times mean_seen, so that they stay integers; with no mean the voter's own counts are all.
    scale = mean_seen or 1
    return right * scale + drawn * mean_right, (seen - right) * scale + drawn * (mean_seen - mean_right)


def _micro_ln(ups: int, downs: int) -> int:
    odds = _DECIMAL.divide(Decimal(ups), Decimal(downs))
    return int(_DECIMAL.multiply(_DECIMAL.ln(odds), Decimal(ONE)).to_integral_value(ROUND_HALF_EVEN))
