"""The rules of ballots: who leads, and that what is called certain is not changed by any votes that are missing."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.ballots import BallotOpened, Option
from workers.consensus.rules import RULES, Answer, Standing, UnknownRule, standing, votes_to_lead

A, B, C = "a", "b", "c"
EARLY = sorted(set(RULES) - {"ahead"})


def ballot(rule: str, voters: int = 5, options: tuple[str, ...] = (A, B, C), **more) -> BallotOpened:
    electorate = tuple(f"v{n}" for n in range(voters))
    made = tuple(Option(option=option) for option in options)
    fields = {"question": "which?", "options": made, "electorate": electorate, "rule": rule, "status_quo": A, **more}
    return BallotOpened(tenant="t", run="r", ballot="x", **fields)


def votes(text: str) -> list[Answer]:
    """One letter a voter; `-` abstains."""
    return [Answer(f"v{n}", None if letter == "-" else letter) for n, letter in enumerate(text)]


def after(asked: BallotOpened, answers: list[Answer]) -> Standing:
    answered = {answer.voter for answer in answers}
    missing = [voter for voter in asked.electorate if voter not in answered]
    return standing(asked, [option.option for option in asked.options], answers, missing)


@pytest.mark.parametrize(
    ("rule", "said", "leaders", "certain"),
    [
        ("majority", "aab", ("a",), False), ("majority", "aaa", ("a",), True), ("majority", "aabb-", ("a", "b"), True),
        ("majority", "aabbc", (), True), ("majority", "a----", ("a",), True), ("majority", "", (), False),
        ("majority", "aab--", ("a",), True), ("majority", "abc", (), False),
        ("supermajority", "aaab", ("a",), False), ("supermajority", "aaaab", ("a",), True),
        ("supermajority", "aabb", (), True), ("supermajority", "aaabb", (), True),
        ("unanimity", "aaaa", ("a",), False), ("unanimity", "aaaaa", ("a",), True), ("unanimity", "ab", (), True),
        ("unanimity", "aaaa-", ("a",), True),
        ("veto", "bbba", ("a",), True), ("veto", "bbbb", ("b",), False), ("veto", "bbbbb", ("b",), True),
        ("ahead", "bbb", ("b",), True), ("ahead", "ababb", ("b",), True), ("ahead", "abb", ("b",), False),
        ("approval", "aab", ("a",), False), ("approval", "aaa", ("a",), True),
        ("weighted", "aab", ("a",), False), ("weighted", "aaa", ("a",), True),
    ],
)  # fmt: skip
def test_who_leads_and_whether_that_is_certain(rule, said, leaders, certain):
    found = after(ballot(rule), votes(said))
    assert (found.leaders, found.certain) == (leaders, certain)


def test_weights_decide_by_millionths():
    asked = ballot("weighted", weights={"v0": 3_000_001, "v1": 1_000_000, "v2": 1_000_000, "v3": 1_000_000, "v4": 0})
    assert after(asked, votes("abbb")).leaders == ("a",)
    assert after(asked, votes("a")).certain


def test_a_vetoer_decides_at_once_and_the_others_can_not_veto():
    asked = ballot("veto", vetoers=("v4",))
    assert after(asked, votes("abbb")).certain is False
    assert after(asked, [*votes("abbb"), Answer("v4", A)]) == Standing(("a",), True, {A: 2, B: 3, C: 0})
    assert after(asked, [*votes("abbb"), Answer("v4", B)]).leaders == ("b",)


def test_approval_counts_every_option_that_a_voter_approves_of():
    said = [Answer("v0", approved=frozenset("ab")), Answer("v1", approved=frozenset("b")), Answer("v2", A)]
    assert after(ballot("approval", 3), said).counts == {A: 2, B: 2, C: 0}


def test_schulze_finds_the_winner_of_wikipedias_example():
    """45 voters, five candidates; the page's table of strongest paths makes E the winner."""
    groups = {"acbed": 5, "adecb": 5, "bedac": 8, "cabed": 3, "caebd": 7, "cbade": 2, "dceba": 7, "ebadc": 8}
    said = [
        Answer(f"v{n}", ranking=tuple(order)) for n, order in enumerate(o for o, k in groups.items() for _ in range(k))
    ]
    assert after(ballot("ranked", 45, tuple("abcde")), said).leaders == ("e",)


def test_scores_are_judged_by_their_lower_median():
    rows = [(9, 5, 0), (8, 5, 0), (0, 6, 10), (0, 6, 10)]
    said = [Answer(f"v{n}", scores=tuple(zip("abc", row, strict=True))) for n, row in enumerate(rows)]
    assert after(ballot("score", 4), said) == Standing(("b",), True, {A: 0, B: 5, C: 0})


def test_equals_by_score_are_certain_when_no_missing_score_can_part_them():
    """Four of five said 3 of both: whatever the fifth says, it stays the median, and nothing reaches it."""
    rows = [tuple(zip("abc", (3, 3, 0), strict=True))] * 4
    said = [Answer(f"v{n}", scores=row) for n, row in enumerate(rows)]
    assert after(ballot("score"), said) == Standing(("a", "b"), True, {A: 3, B: 3, C: 0})
    assert after(ballot("score"), [*said[:3], Answer("v3", scores=((A, 3), (B, 4), (C, 0)))]).certain
    assert not after(ballot("score"), said[:2]).certain


@pytest.mark.parametrize(
    ("error_rate", "accuracy", "k"), [(0.01, 0.7, 6), (0.05, 0.8, 3), (0.001, 0.9, 4), (0.1, 0.9, 1)]
)
def test_the_votes_to_lead_follow_from_the_wanted_error_rate(error_rate, accuracy, k):
    assert votes_to_lead(error_rate, accuracy) == k


def test_a_rule_that_there_is_not_is_refused_by_name():
    with pytest.raises(UnknownRule, match=r"no rule 'coin'; there are ahead, approval"):
        after(ballot("coin"), [])


def preferences(rule: str) -> list[Answer]:
    """Every preference that one voter can have over three options, abstention included, for small worlds."""
    none = [Answer("")]
    if rule == "approval":
        return none + [
            Answer("", approved=frozenset(some)) for n in (1, 2) for some in itertools.combinations("abc", n)
        ]
    if rule == "ranked":
        return none + [Answer("", ranking=tuple(order)) for order in ("abc", "bca", "cab", "cba", "b")]
    if rule == "score":
        return none + [
            Answer("", scores=tuple(zip("abc", row, strict=True))) for row in ((10, 0, 0), (0, 10, 5), (5, 5, 10))
        ]
    return none + [Answer("", option) for option in "abc"]


@pytest.mark.parametrize("rule", EARLY)
@given(rng=st.randoms(use_true_random=False), voters=st.integers(2, 6))
@settings(max_examples=150, deadline=None)
def test_what_is_certain_no_missing_vote_can_change(rule, rng, voters):
    """All completions are tried where there are few, and a hundred random ones elsewhere."""
    asked = ballot(
        rule, voters, weights={f"v{n}": rng.choice([0, 500_000, 1_000_000, 2_500_000]) for n in range(voters)}
    )
    whole = [rng.choice(preferences(rule))._replace(voter=f"v{n}") for n in range(voters)]
    known = rng.randint(0, voters)
    now = after(asked, whole[:known])
    if not now.certain:
        return
    for _ in range(100):
        rest = [rng.choice(preferences(rule))._replace(voter=f"v{n}") for n in range(known, voters)]
        present = [answer for answer in rest if rng.random() < 0.8]
        assert (
            after(asked, [*whole[:known], *present, *(Answer(one.voter) for one in rest if one not in present)]).leaders
            == now.leaders
        )


@pytest.mark.parametrize("rule", sorted(set(EARLY) - {"ranked"}))
@given(rng=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_certainty_is_exact_with_one_or_two_votes_missing(rule, rng):
    """Where it is not certain, some way of voting changes the leaders."""
    voters, missing = rng.randint(3, 6), rng.randint(1, 2)
    asked = ballot(rule, voters)
    known = [rng.choice(preferences(rule))._replace(voter=f"v{n}") for n in range(voters - missing)]
    now = after(asked, known)
    ways = itertools.product(every(rule), repeat=missing)
    ends = {
        after(asked, [*known, *(one._replace(voter=f"v{voters - missing + n}") for n, one in enumerate(way))]).leaders
        for way in ways
    }
    assert now.certain == (ends == {now.leaders})


def every(rule: str) -> list[Answer]:
    """All preferences that matter for exactness."""
    if rule == "approval":
        return [Answer("")] + [
            Answer("", approved=frozenset(s)) for n in (1, 2, 3) for s in itertools.combinations("abc", n)
        ]
    if rule == "score":
        return [Answer("")] + [
            Answer("", scores=tuple(zip("abc", row, strict=True))) for row in itertools.product((0, 10), repeat=3)
        ]
    return preferences(rule)


def test_order_does_not_matter_but_for_the_first_to_be_ahead():
    rng = random.Random(3)
    for rule in EARLY:
        said = [rng.choice(preferences(rule))._replace(voter=f"v{n}") for n in range(7)]
        shuffled = rng.sample(said, len(said))
        assert after(ballot(rule, 7), said) == after(ballot(rule, 7), shuffled)
