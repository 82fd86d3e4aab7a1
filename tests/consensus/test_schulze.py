"""Schulze's method against another implementation of it: from the definition, by walking every simple path."""

import itertools
import random

import pytest

from workers.consensus.rules import Answer, standing


def winners(options: str, ballots: list[str]) -> set[str]:
    """Those that have, against every other, a path at least as strong as the one back.

    A path is as strong as its weakest link, a link is a pairwise win and as strong as its winning votes; no path is 0.
    """
    positions = [
        {option: row.index(option) if option in row else len(options) for option in options} for row in ballots
    ]

    def link(a: str, b: str) -> int:
        ahead, behind = sum(p[a] < p[b] for p in positions), sum(p[b] < p[a] for p in positions)
        return ahead if ahead > behind else 0

    links = {(a, b): link(a, b) for a, b in itertools.permutations(options, 2)}

    def strongest(a: str, b: str) -> int:
        others = [option for option in options if option not in (a, b)]
        between = itertools.chain.from_iterable(itertools.permutations(others, n) for n in range(len(others) + 1))
        return max(min(links[step] for step in itertools.pairwise((a, *via, b))) for via in between)

    paths = {pair: strongest(*pair) for pair in links}
    return {a for a in options if all(paths[a, b] >= paths[b, a] for b in options if b != a)}


def leaders(made, options: str, ballots: list[str]) -> set[str]:
    asked = made.ballot("ranked", len(ballots), tuple(options))
    said = [Answer(f"v{n}", ranking=tuple(row)) for n, row in enumerate(ballots)]
    return set(standing(asked, tuple(options), said, ()).leaders)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_it_finds_the_winners_that_the_definition_gives_on_random_profiles(made, size):
    """Rankings may be incomplete: what is not ranked is last, and equal."""
    rng, options = random.Random(size), "abcde"[:size]
    for _ in range(150):
        voters = rng.randint(1, 15)
        ballots = ["".join(rng.sample(options, rng.randint(1, size))) for _ in range(voters)]
        assert leaders(made, options, ballots) == winners(options, ballots)


def test_it_finds_them_where_majorities_go_in_circles(made):
    """Cycles are what the method is for; random profiles seldom have any."""
    rng, wheel, circles = random.Random(9), ["abcd", "bcda", "cdab", "dabc"], 0
    for _ in range(300):
        ballots = [rng.choice(wheel) if rng.random() < 0.8 else "".join(rng.sample("abcd", 4)) for _ in range(9)]
        found = winners("abcd", ballots)
        circles += all(
            any(2 * sum(row.index(b) < row.index(a) for row in ballots) > 9 for b in "abcd" if b != a) for a in "abcd"
        )
        assert leaders(made, "abcd", ballots) == found
    assert circles > 100
