"""Outcomes: what they teach of voters, once each, per tenant, in any order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.ballots import OutcomeSeen
from workers.consensus.outcomes import Known, VoterSeen, fold, voters_seen
from workers.consensus.reliability import Record
from workers.consensus.rules import ONE

VOTERS = ("ada", "bob", "eve")


def outcome(run: str, right: str = "", wrong: str = "", **more) -> OutcomeSeen:
    """Voters by their names, with blanks between."""
    fields = {"tenant": "t", "run": run, "ballot": "x", "option": "a", "right": True, **more}
    return OutcomeSeen(**fields, voters_right=tuple(right.split()), voters_wrong=tuple(wrong.split()))


def test_each_voter_that_an_outcome_names_was_seen_once():
    known = fold(Known("t"), [outcome("r1", "ada bob", "eve"), outcome("r2", "ada", "bob")])
    assert known.records == {"ada": Record(2, 2), "bob": Record(1, 2), "eve": Record(0, 1)}


def test_an_outcome_counts_once_and_is_known_by_run_and_ballot():
    once = fold(Known("t"), [outcome("r1", "ada"), outcome("r1", "ada")])
    assert fold(once, [outcome("r1", wrong="ada")]) == once
    assert fold(once, [outcome("r1", "ada", ballot="y"), outcome("r2", "ada")]).records == {"ada": Record(3, 3)}


def test_the_outcomes_of_another_tenant_say_nothing():
    assert fold(Known("t"), [outcome("r1", "ada", tenant="u")]) == Known("t")


def test_a_voter_named_twice_was_seen_once_and_one_called_both_right_and_wrong_not_at_all():
    assert fold(Known("t"), [outcome("r1", "ada ada bob", "bob")]).records == {"ada": Record(1, 1)}


NAMED = st.lists(st.sampled_from(VOTERS), max_size=3).map(" ".join)
OUTCOMES = st.lists(st.tuples(NAMED, NAMED), max_size=12).map(
    lambda said: [outcome(f"r{n}", right, wrong) for n, (right, wrong) in enumerate(said)]
)


@given(seen=OUTCOMES, rng=st.randoms(use_true_random=False))
def test_order_repetition_and_where_one_stops_and_goes_on_do_not_matter(seen, rng):
    whole = fold(Known("t"), seen)
    again = rng.sample(seen, len(seen)) + rng.choices(seen, k=3) if seen else []
    stop = rng.randint(0, len(again))
    assert fold(fold(Known("t"), again[:stop]), again[stop:]) == whole


def test_the_lines_say_the_own_rate_the_drawn_one_and_the_weight_that_follows():
    """m = 31/42 and S = 2: of 20 seen 10 right: (10+2m)/22, of 20 right in all: (20+2m)/22."""
    known = Known("t", {"bob": Record(10, 20), "ada": Record(20, 20)})
    assert voters_seen(known) == (
        VoterSeen("ada", 20, 20, 1.0, pytest.approx((20 + 62 / 42) / 22), 3_713_572),
        VoterSeen("bob", 10, 20, 0.5, pytest.approx((10 + 62 / 42) / 22), 86_634),
    )
    assert known.weights(["ada", "bob"]) == {"ada": 3_713_572, "bob": 86_634}


def test_a_voter_never_seen_weighs_as_the_mean_and_nobody_known_weighs_one():
    known = Known("t", {"ada": Record(40, 40), "bob": Record(20, 40)})
    assert known.weights(["new"]) == {"new": round(math.log(61 / 21) * ONE)}
    assert Known("t").weights(["new"]) == {"new": ONE}
    assert voters_seen(Known("t")) == ()


def test_the_heaviest_comes_first_and_equals_by_name():
    known = Known("t", {"eve": Record(1, 9), "bob": Record(9, 9), "ada": Record(9, 9), "joe": Record(0, 9)})
    assert [line.voter for line in voters_seen(known)] == ["ada", "bob", "eve", "joe"]
