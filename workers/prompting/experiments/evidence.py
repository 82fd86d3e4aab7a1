"""Bets that the candidate does something more often than the live version, safe to look at after every outcome.

For one outcome let A be 1 if the task got the candidate and 0 if not, π the candidate's share then, y be 1 if the thing
happened and 0 if not, and p̂ the rate of y in both arms before. A player with wealth W bets the part d of it:

    W ← W·(1 + d·(A − π)·(y − p̂) / (p̂(1 − p̂)))           0 ≤ d < min(p̂, 1 − p̂)

If a task given to the candidate succeeds with the probability p_B and to the live version with p_A, whatever they are
at that moment, the factor's mean is 1 + d·π(1−π)·(p_B − p_A)/(p̂(1 − p̂)). With p_B ≤ p_A that is at most 1, for every
share and every p̂ and d that were fixed before. So W is a test supermartingale and P(W ever ≥ 1/α) ≤ α (Ville), however
the share is changed and however p_A and p_B drift together. No pairs are made, so none is broken by a change of share
and no outcome is thrown away; with π = ½ two outcomes tell as much as one pair.

It rests on the coin that assigns, as randomization tests do (Grünwald, Henzi and Lardy 2024, JASA 119, 1554–1565). With
the best d the factor is p_a(y)/p̄(y), the growth-optimal one of Turner, Ly and Grünwald 2024 (JSPI 230, 106116); betting
on bounded means is Waudby-Smith and Ramdas 2024 (JRSS B 86, 1–27). How much to bet is free. The wealth is split:

  fixed d    each as if the difference were d, for large effects and for as long as it takes
  goal       as much as makes it likeliest to have enough evidence within a planned number of pairs, and soon: the
             hedge of a barrier option (Browne 1999, Adv. Appl. Prob. 31, 551–577). For Brownian motion with
             the time R left, a player who holds the part m of the goal and follows it gets there with the chance
             m = 2Φ(−x), betting λ/√R with λ = 2φ(x)/m. The boundary in between is constant, that of O'Brien and
             Fleming 1979 (Biometrics 35, 549–556).

All numbers are integers and every rounding is down, against the player: wealth is at most what the formula says, and
the same everywhere.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isqrt

from workers.prompting.experiments.assignment import MILLION

UNIT = 1 << 64
"""A wealth of 1: what every process begins with."""

DIFFERENCE = 1 << 16
"""d = 1."""

FOR_LARGE = (DIFFERENCE * 6 // 100, DIFFERENCE * 20 // 100)
FOR_LOSSES = (DIFFERENCE * 10 // 100, DIFFERENCE * 20 // 100, DIFFERENCE * 35 // 100)

PAIRS = 500
"""What the goal is planned for: 1,000 outcomes at equal shares, more at others."""

_FOR_GOAL = 90  # percent of the wealth, if there is a goal
_MOST = DIFFERENCE * 15 // 16  # of min(p̂, 1−p̂): a bet never loses everything
_LAMBDA = (  # λ in thousandths at m = 1, 1/2, 1/4 …
    798, 1271, 1647, 1968, 2252, 2510, 2748, 2969, 3177, 3374, 3561, 3739, 3910, 4075, 4234, 4388, 4536, 4681,
)  # fmt: skip
_WHOLE = len(_LAMBDA) - 1  # bits of m
_DECIMAL = Context(prec=18, rounding=ROUND_HALF_EVEN)


class Evidence:
    """One process. It changes in place, because there are many outcomes; it is a fold of them in their order.

    `enough` is the wealth that it takes (1/α). Once there, it stays as it is. `pairs` plans the goal; 0 is no goal.
    """

    __slots__ = ("_fixed", "_goal", "_left", "_parts", "_seen", "_yes", "enough", "wealth")

    def __init__(self, enough: int, differences: Sequence[int], pairs: int = 0) -> None:
        self.enough = enough * UNIT
        self._goal = UNIT * _FOR_GOAL // 100 if pairs else 0
        self._fixed = tuple(differences)
        self._parts = [(UNIT - self._goal) // len(self._fixed)] * len(self._fixed)
        self._left = pairs * MILLION
        self._seen, self._yes = 2, 1  # Laplace: p̂ is never 0 or 1
        self.wealth = self._goal + sum(self._parts)

    @property
    def found(self) -> bool:
        return self.wealth >= self.enough

    def see(self, candidate: bool, share: int, happened: bool) -> bool:
        """Take one outcome; whether that is enough now. `share` in millionths is the one that the task was assigned by:
        with 0 or a million there was nothing to compare, and nothing is learned."""
        if self.wealth >= self.enough or not 0 < share < MILLION:
            return self.wealth >= self.enough
        seen, yes = self._seen, self._yes
        no = seen - yes
        most = min(yes, no) * _MOST // seen
        ahead = MILLION - share if candidate else -share
        # (A − π)(y − p̂)/(p̂(1−p̂)) in 2⁻²⁰: 1/p̂ if it happened, −1/(1−p̂) if not.
        luck = (ahead * seen << 20) // (MILLION * yes) if happened else (-ahead * seen << 20) // (MILLION * no)
        goal = self._goal
        if goal and self._left > 0:
            bet = min(self._bet(yes * no, seen * seen), most)
            self._goal = goal = goal + (goal * bet * luck >> 36)
        wealth, parts = goal, self._parts
        for at, difference in enumerate(self._fixed):
            parts[at] = part = parts[at] + (parts[at] * min(difference, most) * luck >> 36)
            wealth += part
        self.wealth = wealth
        self._left -= 2 * share * (MILLION - share) // MILLION
        self._seen, self._yes = seen + 1, yes + happened
        return wealth >= self.enough

    def _bet(self, variance: int, seen_square: int) -> int:
        """d = λ·v/√R, where a pair tells v/2: d = λ·√(2v / pairs left). Straight lines between the λ of the table."""
        held = (self._goal << _WHOLE) // (self.enough - self.wealth + self._goal)
        halvings = _WHOLE + 1 - held.bit_length()
        if halvings >= _WHOLE:
            hazard = _LAMBDA[-1]
        else:
            low, high = _LAMBDA[halvings], _LAMBDA[max(halvings - 1, 0)]
            hazard = low - ((low - high) * ((held << halvings) - (1 << _WHOLE)) >> _WHOLE)
        return hazard * isqrt((2 * MILLION * variance << 32) // (seen_square * self._left)) // 1000


def micro_nats(wealth: int) -> int:
    """ln of a wealth in millionths, rounded half to even: evidence that adds up, to be shown. 0 is none."""
    part = _DECIMAL.divide(Decimal(max(wealth, 1)), Decimal(UNIT))
    return int(_DECIMAL.multiply(_DECIMAL.ln(part), Decimal(MILLION)).to_integral_value(ROUND_HALF_EVEN))
