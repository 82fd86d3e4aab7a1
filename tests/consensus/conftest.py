"""Ballots and votes for the tests of consensus, and ways of voting at random."""

import random
from types import SimpleNamespace

import pytest

from contracts.v1.ballots import BallotOpened, Option, VoteCast
from workers.consensus.rules import RULES
from workers.consensus.tally import Cast

OPTIONS = ("a", "b", "c")


def ballot(rule: str = "majority", voters: int = 5, options: tuple = OPTIONS, **more) -> BallotOpened:
    """A ballot of v0, v1, … on options that are names or `Option`s."""
    made = tuple(one if isinstance(one, Option) else Option(option=one) for one in options)
    names = {"tenant": "t", "run": "r", "ballot": "x"}
    fields = {"question": "which?", "options": made, "electorate": tuple(f"v{n}" for n in range(voters)), "rule": rule}
    return BallotOpened(**{**names, **fields, **more})


def cast(sequence: int, voter: str, choice: str | None = None, **more) -> Cast:
    """A vote as the log holds it; `choice` may be anything."""
    vote = VoteCast(tenant="t", run="r", ballot="x", voter=voter, choice=choice, **more)
    return Cast(sequence, voter, vote)


def votes(text: str, start: int = 1) -> list[Cast]:
    """One letter a voter, in the order of the log: `-` abstains, `!` can't be read, `#` is refused."""
    made = {"-": lambda n: cast(n + start, f"v{n}"), "!": lambda n: Cast(n + start, f"v{n}", None)}
    made["#"] = lambda n: cast(n + start, f"v{n}", "a")._replace(refused="the signature is wrong")
    return [made[letter](n) if letter in made else cast(n + start, f"v{n}", letter) for n, letter in enumerate(text)]


def any_vote(rng: random.Random, sequence: int, voter: str, options: tuple = OPTIONS) -> Cast:
    """A vote with a preference of every sort, an abstention, or an invalid vote of any kind."""
    spoiled = rng.random()
    if spoiled < 0.1:
        return cast(sequence, voter)
    if spoiled < 0.25:
        return any_invalid_vote(rng, sequence, voter)
    approved = tuple(rng.sample(options, rng.randint(0, len(options))))
    ranking = tuple(rng.sample(options, rng.randint(1, len(options))))
    scores = {option: rng.randint(0, 10) for option in options}
    return cast(sequence, voter, rng.choice(options), approved=approved, ranking=ranking, scores=scores)


def any_invalid_vote(rng: random.Random, sequence: int, voter: str) -> Cast:
    """A vote that no rule counts, with whatever is wrong."""
    strange = [
        {"choice": "nothing-of-the-kind"},
        {"choice": "a", "approved": ("a", "nothing-of-the-kind")},
        {"choice": "a", "ranking": ("nothing-of-the-kind", "a")},
        {"choice": "a", "scores": {"a": 1, "nothing-of-the-kind": 2}},
    ]
    made = [Cast(sequence, voter, None), cast(sequence, voter, "a")._replace(refused="the signature is wrong")]
    return rng.choice([*made, *(cast(sequence, voter, **fields) for fields in strange)])


def any_ballot(rng: random.Random, rules=tuple(RULES), least: int = 1, most: int = 7, **more) -> BallotOpened:
    """A ballot with random rule, electorate, quorum, weights, vetoers, threshold, tie-breaks and policy."""
    voters = rng.randint(least, most)
    names = tuple(f"v{n}" for n in range(voters))
    fields = {
        "rule": rng.choice(rules),
        "quorum": rng.randint(1, voters),
        "weights": {name: rng.choice([0, 500_000, 1_000_000, 2_500_000]) for name in names},
        "vetoers": tuple(rng.sample(names, rng.randint(0, voters))),
        "threshold": rng.choice([(2, 3), (1, 2), (3, 5), (1, 3), (1, 1)]),
        "ahead_by": rng.randint(1, 3),
        "status_quo": rng.choice([None, "a", "b"]),
        "tie_order": tuple(rng.sample(("status_quo", "weight", "hash"), rng.randint(0, 3))),
        "no_quorum": rng.choice(["undecided", "escalate", "extend", "default"]),
        "extension_s": rng.choice([None, 60]),
        "default_option": rng.choice([None, "c"]),
    }
    return ballot(voters=voters, **{**fields, **more})


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers above, for tests that can't import this file."""
    return SimpleNamespace(
        ballot=ballot,
        cast=cast,
        votes=votes,
        any_vote=any_vote,
        any_invalid_vote=any_invalid_vote,
        any_ballot=any_ballot,
    )
