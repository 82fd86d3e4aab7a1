"""What votes buy: accuracy and cost of the rules of ballots on simulated voters, with the real rules, tally and waves.

    python -m benchmarks.votes [--ballots 15000] [--seed 4] [--json] [--picture FILE.svg]

Fifteen voters of accuracy .6 to .9 are asked in an order drawn for each ballot: all of them; in waves until a majority
is certain; in waves until one option leads by k. Weighted ballots ask all; their weights are learned from the 10, 50 or
200 ballots before, raw (the log-odds as seen) or shrunk, and are learned anew 100 times. All ways to decide meet the
same answers; ± is the standard error of the difference from the full majority. Of equals each is right by chance.

The cases of five voters are exact sums over the 32 ways to be right, averaged over histories that weights come from.
"""

import argparse
import itertools
import json
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import votes_picture
from benchmarks.voters import LETTERS, Answers, Workload
from contracts.v1.ballots import BallotOpened, Option, Panelist, VoteCast
from workers.consensus.reliability import Record, learn, weights
from workers.consensus.rules import Answer, standing
from workers.consensus.tally import Cast, tally
from workers.consensus.waves import next_wave

ACCURACIES = tuple(0.6 + 0.3 * n / 14 for n in range(15))
WORKLOADS = (
    Workload("independent errors", ACCURACIES),
    Workload("a second errs 40 % when one does", ACCURACIES, together=0.4),
    Workload("a second errs 60 % when one does", ACCURACIES, together=0.6),
    Workload("four options, 60 % the same wrong one", ACCURACIES, options=4, same=0.6),
)
CASES = {
    "5 x .6": (0.6,) * 5,
    "5 x .75": (0.75,) * 5,
    "5 x .9": (0.9,) * 5,
    ".8 .8 .8 .4 .4": (0.8, 0.8, 0.8, 0.4, 0.4),
}
PAST = (10, 50, 200)
KINDS = {"raw": 0, "shrunk": None}
LEADS = (2, 3, 4, 5, 6)
HISTORIES = 100


@dataclass(frozen=True)
class Row:
    """One way to decide: accuracy in percent, votes and waves a ballot, votes saved in percent, points against the full
    majority and their standard error."""

    name: str
    accuracy: float
    votes: float
    waves: float
    saved: float
    points: float
    error: float


@dataclass(frozen=True)
class Goal:
    """What was wanted, and what was found."""

    wanted: str
    found: str
    met: bool


@dataclass
class Seen:
    """Sums over the ballots of one way to decide. `credit` is 1 for right, ½ for a draw of two."""

    votes: int = 0
    waves: int = 0
    credits: list[float] = field(default_factory=list)


def opened(rule: str, voters: int, options: str, wave: int, ahead_by: int = 1) -> BallotOpened:
    """A ballot with a panel of all voters. Equals are told apart by hash, which is a fair coin here."""
    names = tuple(f"v{n}" for n in range(voters))
    return BallotOpened(
        tenant="bench", run="votes", ballot="x", question="which?", rule=rule, wave=wave, ahead_by=ahead_by,
        options=tuple(Option(option=option) for option in options), electorate=names, tie_order=("hash",),
        panel=tuple(Panelist(voter=name) for name in names),
    )  # fmt: skip


class Waves:
    """Asks a panel as the consensus worker does. What follows from the answers so far is worked out once."""

    def __init__(self, ballot: BallotOpened, options: str) -> None:
        self._ballot = ballot
        self._cast = [
            {letter: Cast(n + 1, name, _vote(name, letter)) for letter in options}
            for n, name in enumerate(ballot.electorate)
        ]
        self._known: dict[str, tuple[str | None, int]] = {}

    def decide(self, said: str) -> tuple[str | None, int, int]:
        """The winner, the votes asked for, and in how many waves."""
        asked = waves = 0
        while True:
            before = said[:asked]
            if before not in self._known:
                self._known[before] = self._next(before)
            option, size = self._known[before]
            if not size:
                return option, asked, waves
            asked, waves = asked + size, waves + 1

    def _next(self, said: str) -> tuple[str | None, int]:
        now = tally(self._ballot, [cast[letter] for cast, letter in zip(self._cast, said, strict=False)])
        return now.option, len(next_wave(self._ballot, now, self._ballot.electorate[: len(said)]))


def _vote(voter: str, option: str) -> VoteCast:
    return VoteCast(tenant="bench", run="votes", ballot="x", voter=voter, choice=option)


def answered(voters: Sequence[str], said: str) -> list[Answer]:
    """What the voters say, one letter each, as the rules read it."""
    return [Answer(voter, letter) for voter, letter in zip(voters, said, strict=True)]


def counted(ballot: BallotOpened, options: str, answers: list[Answer], right: str) -> float:
    """All votes counted: 1 if the right option leads alone, its chance in a draw among equals, else 0."""
    leaders = standing(ballot, options, answers, ()).leaders
    return 1 / len(leaders) if right in leaders else 0.0


def learned(past: Sequence[tuple[str, str]], voters: Sequence[str]) -> dict[str, dict[str, int]]:
    """Weights by their row's name, from the first 10, 50 and 200 of the ballots before."""
    found: dict[str, dict[str, int]] = {}
    known: dict[str, Record] = {}
    for before, count in itertools.pairwise((0, *PAST)):
        seen = (
            (voter, one == right) for right, said in past[before:count] for voter, one in zip(voters, said, strict=True)
        )
        known = learn(seen, known)
        for kind, fixed in KINDS.items():
            found[f"weighted, {kind}, {count} ballots"] = weights(known, voters, fixed)
    return dict(sorted(found.items(), key=lambda one: list(KINDS).index(one[0].split(", ")[1])))


def measure(workload: Workload, ballots: int, rng: random.Random) -> list[Row]:
    """Every way to decide on the same answers."""
    answers, voters = Answers(workload, rng), len(workload.accuracies)
    options, enough = answers.options, voters // 2 + 1
    asking = {"majority in waves": Waves(opened("majority", voters, options, enough), options)}
    asking |= {f"ahead by {k}": Waves(opened("ahead", voters, options, k, k), options) for k in LEADS}
    full, weighted = opened("majority", voters, options, voters), opened("weighted", voters, options, voters)
    seen: dict[str, Seen] = {name: Seen() for name in ("full majority", *asking)}
    ballots_by_name: dict[str, BallotOpened] = {}
    for n in range(ballots):
        if n % max(1, ballots // HISTORIES) == 0:
            found = learned([answers.draw() for _ in range(max(PAST))], full.electorate)
            ballots_by_name = {name: weighted.model_copy(update={"weights": one}) for name, one in found.items()}
        right, said = answers.draw()
        every = answered(full.electorate, said)
        for name, ballot in {"full majority": full, **ballots_by_name}.items():
            _add(seen.setdefault(name, Seen()), counted(ballot, options, every, right), voters, 1)
        shuffled = "".join(rng.sample(said, voters))
        for name, waves in asking.items():
            option, votes, rounds = waves.decide(shuffled)
            _add(seen[name], float(option == right), votes, rounds)
    return [_row(name, one, seen["full majority"], voters) for name, one in seen.items()]


def _add(seen: Seen, credit: float, votes: int, waves: int) -> None:
    seen.credits.append(credit)
    seen.votes += votes
    seen.waves += waves


def _row(name: str, seen: Seen, full: Seen, voters: int) -> Row:
    count = len(seen.credits)
    apart = [one - other for one, other in zip(seen.credits, full.credits, strict=True)]
    error = statistics.pstdev(apart) / math.sqrt(count)
    votes = seen.votes / count
    right, points = 100 * statistics.fmean(seen.credits), 100 * statistics.fmean(apart)
    return Row(name, right, votes, seen.waves / count, 100 * (1 - votes / voters), points, 100 * error)


def case(accuracies: tuple[float, ...], histories: int, rng: random.Random) -> dict[str, float]:
    """Accuracy in percent by row, of a few voters who err independently."""
    voters, options = len(accuracies), LETTERS[:2]
    majority, weighted = opened("majority", voters, options, voters), opened("weighted", voters, options, voters)
    chances = [
        (
            answered(majority.electorate, "".join(said)),
            math.prod(p if one == "a" else 1 - p for p, one in zip(accuracies, said, strict=True)),
        )
        for said in itertools.product(options, repeat=voters)
    ]

    def accuracy(ballot: BallotOpened) -> float:
        return 100 * sum(chance * counted(ballot, options, answers, "a") for answers, chance in chances)

    found: dict[str, list[float]] = {"full majority": [accuracy(majority)]}
    for _ in range(histories):
        past = [("a", "".join("ab"[rng.random() >= p] for p in accuracies)) for _ in range(max(PAST))]
        for name, one in learned(past, majority.electorate).items():
            found.setdefault(name, []).append(accuracy(weighted.model_copy(update={"weights": one})))
    return {name: statistics.fmean(each) for name, each in found.items()}


def goals(tables: dict[str, list[Row]], cases: dict[str, dict[str, float]]) -> list[Goal]:
    """The issue's goals beside what was measured."""
    found = []
    for name, rows in tables.items():
        ahead = [row for row in rows if row.name.startswith("ahead")]
        able = [row for row in ahead if row.saved >= 50 and row.points >= -0.2]
        best = max(able or [row for row in ahead if row.saved >= 50] or ahead, key=lambda row: row.points)
        figures = f"{best.name}: {best.saved:.1f} % saved, {best.points:+.2f} ± {best.error:.2f} points"
        found.append(Goal(f"{name}: ahead by k saves 50 % at no more than 0.2 points", figures, bool(able)))
        waves = next(row for row in rows if row.name == "majority in waves")
        figures = f"{waves.saved:.1f} % saved, {waves.points:+.2f} points"
        found.append(
            Goal(f"{name}: waves save 30 % and change nothing", figures, waves.saved >= 30 and not waves.points)
        )
    for name, rates in cases.items():
        equal = len(set(CASES[name])) == 1
        least = -0.5 if equal else 8.0
        wanted = f"{name}: shrunk weights {'lose at most 0.5' if equal else 'win at least 8'} points"
        for count in PAST:
            points = rates[f"weighted, shrunk, {count} ballots"] - rates["full majority"]
            found.append(Goal(f"{wanted} ({count} past ballots)", f"{points:+.2f} points", points >= least))
    return found


def _print(tables: dict[str, list[Row]], cases: dict[str, dict[str, float]], judged: list[Goal]) -> None:
    for name, rows in tables.items():
        print(f"\n{name}\n{'':28}{'right':>8}{'points':>9}{'±':>6}{'votes':>8}{'saved':>8}{'waves':>7}")
        for row in rows:
            print(
                f"{row.name:28}{row.accuracy:7.2f}%{row.points:+9.2f}{row.error:6.2f}{row.votes:8.2f}"
                f"{row.saved:7.1f}%{row.waves:7.2f}"
            )
    print(f"\n{'five voters':28}" + "".join(f"{name:>16}" for name in cases))
    for row_name in next(iter(cases.values())):
        print(f"{row_name:28}" + "".join(f"{rates[row_name]:15.2f}%" for rates in cases.values()))
    print("\ngoals")
    for goal in judged:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.wanted}: {goal.found}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ballots", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args(argv)
    tables = {one.name: measure(one, chosen.ballots, random.Random(f"{chosen.seed} {one.name}")) for one in WORKLOADS}
    histories = max(1, min(3 * HISTORIES, chosen.ballots // 10))
    cases = {name: case(one, histories, random.Random(f"{chosen.seed} {name}")) for name, one in CASES.items()}
    judged = goals(tables, cases)
    if chosen.picture:
        points = {name: [(row.name, row.votes, row.accuracy) for row in rows] for name, rows in tables.items()}
        chosen.picture.parent.mkdir(parents=True, exist_ok=True)
        chosen.picture.write_text(votes_picture.draw(points), encoding="utf-8")
    if chosen.json:
        rows = {name: [asdict(row) for row in each] for name, each in tables.items()}
        print(json.dumps({"tables": rows, "cases": cases, "goals": [asdict(goal) for goal in judged]}, indent=2))
    else:
        _print(tables, cases, judged)


if __name__ == "__main__":
    main()
