"""Simulated voters for `benchmarks/votes.py`: each is right with a probability of its own, and they err together.

A question has a hardness Z, the same for all who answer. A voter is right when √ρ·Z + √(1−ρ)·E falls below what its
accuracy says, with Z and its own E standard normal (a one-factor Gaussian copula: accuracies stay as they are whatever
ρ is). ρ is found from the wanted chance that a second voter errs when a first one did. Who errs falls for the most
tempting wrong option so often that two who err agree as often as wanted, and else for any of the others.
"""

import math
import random
from dataclasses import dataclass
from statistics import NormalDist

NORMAL = NormalDist()
GRID = [NORMAL.inv_cdf((n + 0.5) / 400) for n in range(400)]
LETTERS = "abcd"


@dataclass(frozen=True)
class Workload:
    """Questions and the voters that answer them. `together`: how often a second voter errs when a first one did (None:
    independently of it). `same`: how often two who err give the same answer; always with two options."""

    name: str
    accuracies: tuple[float, ...]
    together: float | None = None
    options: int = 2
    same: float = 1.0


class Answers:
    """Answers of a workload's voters, drawn from a seed. One letter a voter."""

    def __init__(self, workload: Workload, rng: random.Random) -> None:
        self.options = LETTERS[: workload.options]
        self._rng = rng
        self._limits = [NORMAL.inv_cdf(accuracy) for accuracy in workload.accuracies]
        rho = shared(workload)
        self._common, self._own = math.sqrt(rho), math.sqrt(1 - rho)
        self._tempted = tempted(workload)

    def draw(self) -> tuple[str, str]:
        """One question: the right option, and what all voters say in their order."""
        rng = self._rng
        right, tempting, *others = rng.sample(self.options, len(self.options))
        hard = self._common * rng.gauss(0, 1)
        said = [
            right
            if hard + self._own * rng.gauss(0, 1) < limit
            else tempting
            if not others or rng.random() < self._tempted
            else rng.choice(others)
            for limit in self._limits
        ]
        return right, "".join(said)


def shared(workload: Workload) -> float:
    """ρ, the share of the common cause in what makes voters err, by bisection."""
    if workload.together is None:
        return 0.0
    low, high = 0.0, 0.999
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if err_together(workload.accuracies, middle) < workload.together else (low, middle)
    return low


def err_together(accuracies: tuple[float, ...], rho: float) -> float:
    """The chance that another voter errs when one did, over all pairs."""
    limits = [NORMAL.inv_cdf(accuracy) for accuracy in accuracies]
    both = 0.0
    for hard in GRID:
        errs = [1 - NORMAL.cdf((limit - math.sqrt(rho) * hard) / math.sqrt(1 - rho)) for limit in limits]
        both += (sum(errs) ** 2 - sum(err * err for err in errs)) / len(GRID)
    return both / ((len(accuracies) - 1) * sum(1 - accuracy for accuracy in accuracies))


def tempted(workload: Workload) -> float:
    """t, how often who errs takes the tempting option: t² + (1−t)²/others is how often two who err agree."""
    others = workload.options - 2
    if not others:
        return 1.0
    root = 1 - (1 + others) * (1 - workload.same * others)
    return (1 + math.sqrt(max(0.0, root))) / (1 + others)
