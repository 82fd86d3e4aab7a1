"""Stopping early against counting every vote, on a million random ballots."""

import itertools
import random
from collections.abc import Callable

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


def compare(made, rule: str, ballots: int, agree: float | None) -> tuple[int, int, int]:
    """How many ballots differ, how many votes were counted, how many cast.

    5 to 9 voters vote in one way of each ballot's own with the probability `agree`, and else at random; without it that
    is another for each ballot, from 0 to 1, and there may be 3 or 4 voters too.
    """
    rng, ways, least = random.Random(rule), preferences(rule), 3 if agree is None else 5
    counters = {}
    for voters in range(least, 10):
        weights = {f"v{n}": rng.randint(0, 3_000_000) for n in range(voters)}
        counters[voters] = counter(made.ballot(rule, voters, OPTIONS, weights=weights, status_quo="c"), ways)
    differ = counted = cast = 0
    for _ in range(ballots):
        voters, lean, towards = rng.randint(least, 9), agree or rng.random(), rng.randrange(1, len(ways))
        whole = tuple(towards if rng.random() < lean else int(rng.random() * len(ways)) for _ in range(voters))
        count = counters[voters]
        needed = next(n for n in range(voters + 1) if count(whole[:n]).certain)
        differ += count(whole[:needed]).leaders != count(whole).leaders
        counted, cast = counted + needed, cast + voters
    return differ, counted, cast


@pytest.mark.slow
@pytest.mark.parametrize(("agree", "least"), [(None, 0.20), (0.9, 0.30)])
def test_stopping_early_agrees_with_the_full_count_and_saves_votes(made, agree, least):
    """Half a million ballots each time. How much is saved depends on how much voters agree; see it with `-s`."""
    found = {rule: compare(made, rule, BALLOTS // 2 // len(RULES) + 1, agree) for rule in sorted(RULES)}
    for rule, (differ, counted, cast) in found.items():
        print(f"\n{rule:14}{differ:3} differences{1 - counted / cast:8.1%} of {cast} votes saved", end="")
    assert {rule: differ for rule, (differ, _, _) in found.items() if differ} == {}
    assert 1 - sum(counted for _, counted, _ in found.values()) / sum(cast for _, _, cast in found.values()) >= least
