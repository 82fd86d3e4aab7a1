"""Stopping early against counting every vote, on a million random ballots."""

import itertools
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from contracts.v1.ballots import BallotOpened
from workers.consensus.rules import RULES, Answer, Standing, standing

BALLOTS = 1_000_000
OPTIONS = ("a", "b", "c")


def preferences(rule: str) -> list[Answer]:
    """The ways of voting that are drawn from; the first one is an abstention."""
    none = Answer("")
    if rule == "approval":
        sets = itertools.chain.from_iterable(itertools.combinations(OPTIONS, n) for n in (1, 2))
        return [none, *(Answer("", approved=frozenset(some)) for some in sets)]
    if rule == "ranked":
        return [none, *(Answer("", ranking=tuple(order)) for order in ("abc", "bca", "cab", "cb"))]
    if rule == "score":
        rows = ((9, 2, 0), (0, 9, 5), (5, 4, 10), (3, 3, 3))
        return [none, *(Answer("", scores=tuple(zip(OPTIONS, row, strict=True))) for row in rows)]
    return [none, *(Answer("", option) for option in OPTIONS)]


def counter(asked: BallotOpened, ways: list[Answer]) -> Callable[[tuple[int, ...]], Standing]:
    """Counts the first votes, given as numbers of ways of voting; what was counted before is remembered."""
    seen: dict[tuple[int, ...], Standing] = {}

    def count(first: tuple[int, ...]) -> Standing:
        if first not in seen:
            answers = [ways[way]._replace(voter=voter) for voter, way in zip(asked.electorate, first, strict=False)]
            seen[first] = standing(asked, OPTIONS, answers, asked.electorate[len(first) :])
        return seen[first]

    return count


class Voters(NamedTuple):
    """How many there are, and how many of them agree: each votes in one way of the ballot's own with a probability that
    is drawn for each ballot, and else at random."""

    least: int
    most: int
    agree: tuple[float, float]
    share: float
    saved: float


ANYBODY = Voters(3, 9, (0.0, 1.0), share=0.45, saved=0.22)
AGREED = Voters(5, 9, (0.9, 0.9), share=0.45, saved=0.30)
GOOD = Voters(5, 15, (0.6, 0.9), share=0.1, saved=0.30)


def compare(made, rule: str, voters: Voters, ballots: int) -> tuple[int, int, int]:
    """How many ballots differ, how many votes were counted, how many cast."""
    rng, ways = random.Random(rule), preferences(rule)
    counters = {}
    for many in range(voters.least, voters.most + 1):
        weights = {f"v{n}": rng.randint(0, 3_000_000) for n in range(many)}
        counters[many] = counter(made.ballot(rule, many, OPTIONS, weights=weights, status_quo="c"), ways)
    differ = counted = cast = 0
    for _ in range(ballots):
        many, lean, towards = rng.randint(*voters[:2]), rng.uniform(*voters.agree), rng.randrange(1, len(ways))
        whole = tuple(towards if rng.random() < lean else int(rng.random() * len(ways)) for _ in range(many))
        count = counters[many]
        needed = next(n for n in range(many + 1) if count(whole[:n]).certain)
        differ += count(whole[:needed]).leaders != count(whole).leaders
        counted, cast = counted + needed, cast + many
    return differ, counted, cast


@pytest.mark.slow
@pytest.mark.parametrize("voters", [ANYBODY, AGREED, GOOD], ids=["anybody", "agreed", "good"])
def test_stopping_early_agrees_with_the_full_count_and_saves_votes(made, voters):
    """A million ballots in all. How much is saved depends on how much voters agree; see it with `-s`.

    Of anybody's opinions no count can save 30 %: certainty is exact but for `ranked`, so what is counted is needed.
    """
    many = int(BALLOTS * voters.share) // len(RULES) + 1
    found = {rule: compare(made, rule, voters, many) for rule in sorted(RULES)}
    for rule, (differ, counted, cast) in found.items():
        print(f"\n{rule:14}{differ:3} differences{1 - counted / cast:8.1%} of {cast} votes saved", end="")
    assert {rule: differ for rule, (differ, _, _) in found.items() if differ} == {}
    saved = 1 - sum(counted for _, counted, _ in found.values()) / sum(cast for _, _, cast in found.values())
    assert saved >= voters.saved
