"""How often experiments on prompts decide wrongly, and how soon rightly: simulations with the real bets and thresholds.

    python -m benchmarks.experiments [--runs 4000] [--seed 5] [--workers 2] [--json]

An outcome is a success or not, its task is assigned by a coin, and the evidence is looked at after every outcome. A run
has 1,000 outcomes (500 pairs at equal shares), or 2,000 where nothing is to be found. Promotion is judged alone: that a
rollback or a guard may end an experiment before only makes fewer false promotions. A rate is shown with its standard
error, and is held against its goal as it is. A failure that never arrives is a failure for the bets, as the fold makes
it one; for comparison they are dropped once.

The most that any test can do is that of one look after 500 pairs, at the same level (Neyman and Pearson): it is shown
beside what was found, and for success rates around ½ it is below 95 % itself.

The last figure takes facts into the fold, with all guards, in the order of the log and shuffled and doubled.
"""

import argparse
import json
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import repeat

from workers.prompting.experiments import spending
from workers.prompting.experiments.assignment import MILLION, arm_of
from workers.prompting.experiments.evidence import FOR_LARGE, FOR_LOSSES, PAIRS, Evidence
from workers.prompting.experiments.experiment import Assigned, Better, Experiment, Plan, Settled

SHORT, LONG = 1_000, 2_000
CANDIDATES = 20
ALMOST = 0.95
CHUNK = 50
FACTS_OF = 20_000


@dataclass(frozen=True)
class World:
    """What happens in a run: the rates of success and the candidate's share, by outcome. Of the candidate's failures
    the part `lost` never arrives; `dropped` is to leave these out, which is wrong, and else they are failures."""

    live: Sequence[float]
    candidate: Sequence[float]
    shares: Sequence[int]
    lost: float = 0.0
    dropped: bool = False


@dataclass(frozen=True)
class Figure:
    """One number of the table. `goal` is None for what is only shown."""

    name: str
    found: str
    goal: str | None = None
    met: bool | None = None


@dataclass(frozen=True)
class Found:
    """Of so many runs, in how many enough evidence was found, and after how many outcomes."""

    runs: int
    after: tuple[int, ...] = field(default=())

    @property
    def rate(self) -> float:
        return len(self.after) / self.runs

    @property
    def error(self) -> float:
        return math.sqrt(self.rate * (1 - self.rate) / self.runs)

    def median(self) -> float:
        """Of all runs; infinite if less than half of them found anything."""
        return statistics.median([*self.after, *repeat(math.inf, self.runs - len(self.after))])

    def __str__(self) -> str:
        return f"{self.rate:.2%} ± {self.error:.2%}"


def steady(live: float, candidate: float, outcomes: int, share: int = MILLION // 2) -> World:
    """Nothing changes during the run."""
    return World([live] * outcomes, [candidate] * outcomes, [share] * outcomes)


def ramped(first: float, last: float, gain: float = 0.0) -> World:
    """Shares of 5, 20 and 50 % while both arms drift from one rate to another."""
    rates = [first + (last - first) * n / (LONG - 1) for n in range(LONG)]
    shares = [50_000] * (LONG // 4) + [200_000] * (LONG // 4) + [500_000] * (LONG // 2)
    return World(rates, [rate + gain for rate in rates], shares)


def better(nth: int = 1) -> Evidence:
    return Evidence(spending.promotion(nth), FOR_LARGE, PAIRS)


def worse() -> Evidence:
    return Evidence(spending.ROLL_BACK, FOR_LOSSES)


def found_after(world: World, evidence: Evidence, rng: random.Random, losses: bool = False) -> int | None:
    """Outcomes until there is enough evidence; None if there never is. `losses` bets on failures."""
    drawn, see, kept = rng.random, evidence.see, not world.dropped
    for at, (live, candidate, share) in enumerate(zip(world.live, world.candidate, world.shares, strict=True), 1):
        mine = drawn() * MILLION < share
        won = drawn() < (candidate if mine else live)
        if mine and not won and world.lost and drawn() < world.lost and not kept:
            continue
        if see(mine, share, won is not losses):
            return at
    return None


def looked_at_often(world: World, rng: random.Random, threshold: float = 1.645) -> int | None:
    """What a test of two proportions (one-sided, p < .05) finds if it is looked at after every outcome."""
    seen, wins = [0, 0], [0, 0]
    for at, (live, candidate, share) in enumerate(zip(world.live, world.candidate, world.shares, strict=True), 1):
        mine = rng.random() * MILLION < share
        seen[mine] += 1
        wins[mine] += rng.random() < (candidate if mine else live)
        rate = sum(wins) / at
        if min(seen) >= 10 and 0 < rate < 1:
            error = math.sqrt(rate * (1 - rate) * (1 / seen[0] + 1 / seen[1]))
            if (wins[1] / seen[1] - wins[0] / seen[0]) / error > threshold:
                return at
    return None


def cheaper_after(saved: int, rng: random.Random) -> int | None:
    """Outcomes until a candidate that costs `saved` percent less is promoted for that; None if it never is. Costs are
    spread by half around their mean, and both arms succeed seven times of ten."""
    better = Better("cost", 1)
    for at in range(1, LONG + 1):
        mine = rng.random() < 0.5
        cost = rng.randrange(500, 1_500) * (100 - saved if mine else 100)
        if better.see(mine, MILLION // 2, Settled(at, "", rng.random() < 0.7, cost)):
            return at
    return None


def one_run(world: World, losses: bool, rng: random.Random) -> int | None:
    return found_after(world, worse() if losses else better(), rng, losses)


def one_lifetime(world: World, rng: random.Random) -> int | None:
    """The number of the first of 20 equal candidates that is promoted."""
    return next((n for n in range(1, CANDIDATES + 1) if found_after(world, better(n), rng) is not None), None)


Run = Callable[[random.Random], int | None]


def chunk(run: Run, seeds: Sequence[str]) -> list[int]:
    return [after for seed in seeds if (after := run(random.Random(seed))) is not None]


class Runs:
    """Runs in processes side by side. Each run has its own seed, so the number of processes changes nothing."""

    def __init__(self, runs: int, seed: int, pool: ProcessPoolExecutor) -> None:
        self._seeds = [f"{seed}:{n}" for n in range(runs)]
        self._pool = pool

    def __call__(self, run: Run) -> Found:
        chunks = [self._seeds[at : at + CHUNK] for at in range(0, len(self._seeds), CHUNK)]
        found = self._pool.map(chunk, repeat(run), chunks)
        return Found(len(self._seeds), tuple(after for each in found for after in each))


def false_promotions(runs: Runs) -> Iterator[Figure]:
    """Nothing is to be found; looked at after every outcome."""
    equal = steady(0.7, 0.7, LONG)
    lost = World(equal.live, equal.candidate, equal.shares, lost=0.2)
    dropped = World(equal.live, equal.candidate, equal.shares, lost=0.2, dropped=True)
    worlds = {
        "equal arms at .7": equal,
        "equal arms at .95, share 10 %": steady(0.95, 0.95, LONG, 100_000),
        "shares 5, 20, 50 %, both drift .9 to .4": ramped(0.9, 0.4),
        "shares 5, 20, 50 %, both drift .4 to .9": ramped(0.4, 0.9),
        "20 % of the candidate's failures never arrive": lost,
    }
    for name, world in worlds.items():
        yield at_most("false promotion: " + name, runs(partial(one_run, world, False)))
    yield at_most(
        "false promotion: 20 equal candidates, a lifetime", runs(partial(one_lifetime, steady(0.7, 0.7, SHORT)))
    )
    yield at_most("false promotion: equal arms, tried for cost", runs(partial(cheaper_after, 0)))
    yield at_most("false rollback: equal arms at .7", runs(partial(one_run, steady(0.7, 0.7, SHORT), True)))
    yield shown("  for comparison: those failures dropped", runs(partial(one_run, dropped, False)))
    yield shown("  for comparison: p < .05 after every outcome", runs(partial(looked_at_often, equal)))


def power(runs: Runs) -> Iterator[Figure]:
    """What is to be found, within 500 pairs, and how soon."""
    for live in (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85):
        found = runs(partial(one_run, steady(live, live + 0.1, SHORT), False))
        said = f"{found}, median {found.median() / 2:.0f} pairs (one look at the end: {one_look(live):.1%})"
        yield Figure(f"promotion: {live:.2f} to {live + 0.1:.2f}", said, f"≥ {ALMOST:.0%}", found.rate >= ALMOST)
    yield shown(
        "  shares 5, 20, 50 %, drift .6 to .8, +10 points", runs(partial(one_run, ramped(0.6, 0.8, 0.1), False))
    )
    saved = runs(partial(cheaper_after, 25))
    yield shown("  a quarter cheaper, tried for cost", saved, f", median {saved.median() / 2:.0f} pairs")
    for live in (0.9, 0.8, 0.7, 0.6, 0.5):
        found = runs(partial(one_run, steady(live, live - 0.2, SHORT), True))
        said = f"median {found.median() / 2:.0f} pairs, {found.rate:.1%} within 500"
        yield Figure(f"rollback: {live:.2f} to {live - 0.2:.2f}", said, "≤ 100 pairs", found.median() / 2 <= 100)


def one_look(live: float) -> float:
    """The power of the test of two proportions that looks once, after 500 pairs, at the first candidate's level."""
    normal = statistics.NormalDist()
    error = math.sqrt((live * (1 - live) + (live + 0.1) * (0.9 - live)) / PAIRS)
    return normal.cdf(0.1 / error - normal.inv_cdf(1 - 1 / spending.promotion(1)))


def at_most(name: str, found: Found) -> Figure:
    return Figure(name, str(found), "≤ 5%", found.rate <= 0.05)


def shown(name: str, found: Found, more: str = "") -> Figure:
    return Figure(name, f"{found}{more}")


def facts(tasks: int, rng: random.Random) -> list[Assigned | Settled]:
    """The log of an experiment with equal arms: two facts a task."""
    kept: list[Assigned | Settled] = []
    for n in range(tasks):
        task, arm = f"task-{n}", arm_of("bench", 0, f"task-{n}", MILLION // 2)
        won = None if rng.random() < 0.02 else rng.random() < 0.7
        kept.append(Assigned(2 * n, task, 0, arm))
        kept.append(Settled(2 * n + 1, task, won, rng.randrange(500, 1_500), rng.randrange(500, 1_500)))
    return kept


def fold(tasks: int, rng: random.Random) -> Iterator[Figure]:
    """How fast the fold is, the best of five, and that it finds the same from shuffled and doubled facts. An outcome is
    two facts, each doubled in the shuffled log; the curve of evidence is part of what is found."""
    plan = Plan(nth=3, shares=(MILLION // 2,))
    while True:
        known = facts(tasks, rng)
        decision = Experiment(plan, known).decide()
        if decision.verdict == "running":  # one that is decided would take fewer outcomes
            break
    shuffled = rng.sample(known * 2, 4 * tasks)
    for name, log in (("in the order of the log", known), ("shuffled and doubled", shuffled)):
        a_second = tasks / min(rebuilt_in(plan, log) for _ in range(5))
        yield Figure(f"outcomes a second, {name}", f"{a_second:,.0f}", "≥ 50,000", a_second >= 50_000)
    same = Experiment(plan, shuffled).decide() == decision
    yield Figure("rebuilt from shuffled and doubled facts", "identical" if same else "different", "identical", same)


def rebuilt_in(plan: Plan, log: Sequence[Assigned | Settled]) -> float:
    """Seconds from the facts to the decision with its curve."""
    began = time.perf_counter()
    Experiment(plan, log).decide()
    return time.perf_counter() - began


def measure(runs: int, seed: int, workers: int) -> list[Figure]:
    """All figures."""
    timed = list(fold(FACTS_OF if runs >= 1_000 else 2_000, random.Random(seed)))
    with ProcessPoolExecutor(workers) as pool:
        simulated = Runs(runs, seed, pool)
        return [*false_promotions(simulated), *power(simulated), *timed]


def printed(figures: Sequence[Figure]) -> str:
    """The table."""
    wide = max(len(one.name) for one in figures)
    found = max(len(one.found) for one in figures)
    lines = []
    for one in figures:
        goal = "" if one.goal is None else f"{one.goal:11}  {'met' if one.met else 'MISSED'}"
        lines.append(f"{one.name:{wide}}  {one.found:{found}}  {goal}".rstrip())
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4_000, help="for each figure")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    figures = measure(asked.runs, asked.seed, asked.workers)
    if asked.json:
        print(json.dumps([asdict(one) for one in figures], indent=2))
        return
    print(f"{asked.runs:,} runs a figure, seed {asked.seed}\n\n{printed(figures)}")


if __name__ == "__main__":
    main()
