"""The weights of voters: learned from outcomes, drawn to the mean, in integers that are the same everywhere."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.consensus.reliability import LEAST, MOST, Record, learn, mean, strength, weight, weights
from workers.consensus.rules import ONE

seen_of = st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60)
records = st.integers(0, 400).flatmap(lambda seen: st.tuples(st.integers(0, seen), st.just(seen)))
means = st.integers(1, 4_000).flatmap(lambda seen: st.tuples(st.integers(0, seen), st.just(seen)))
strengths = st.integers(0, 100)


def test_observations_add_up_to_counts():
    assert learn([("a", True), ("b", False), ("a", False)]) == {"a": Record(1, 2), "b": Record(0, 1)}


@given(seen_of, st.integers(0, 60), st.randoms(use_true_random=False))
def test_neither_the_order_of_observations_matters_nor_in_how_many_parts_they_come(observed, cut, rng):
    shuffled = rng.sample(observed, len(observed))
    assert learn(shuffled[cut:], learn(shuffled[:cut])) == learn(observed)


def test_learning_leaves_what_was_known_as_it_was():
    known = {"a": Record(1, 1)}
    learn([("a", True)], known)
    assert known == {"a": Record(1, 1)}


@given(seen_of)
def test_the_mean_is_of_all_observations(observed):
    assert mean(learn(observed)) == Record(sum(right for _, right in observed) + 1, len(observed) + 2)


@given(records, st.integers(1, 15), st.none() | strengths)
def test_equal_voters_have_equal_weights(record, voters, fixed):
    names = [f"v{n}" for n in range(voters)]
    assert len(set(weights(dict.fromkeys(names, Record(*record)), names, fixed).values())) == 1


@given(records, means, strengths)
def test_who_is_right_more_often_never_has_less_weight(record, everybody, strength):
    right, seen = record
    if right < seen:
        assert weight(right + 1, seen, *everybody, strength) >= weight(right, seen, *everybody, strength)


@given(records, means, strengths)
def test_weights_are_integers_within_their_bounds(record, everybody, strength):
    found = weight(*record, *everybody, strength)
    assert isinstance(found, int)
    assert 0 <= found <= MOST


@given(st.integers(0, 1), means)
def test_few_observations_leave_a_voter_close_to_the_mean(right, everybody):
    def p_hat(record: Record) -> float:
        return 1 / (1 + math.exp(-weight(*record, *everybody, 30) / ONE))

    assert abs(p_hat(Record(right, 1)) - p_hat(Record(0, 0))) <= 1 / (30 + 1) + 1e-6


def test_many_observations_leave_the_mean_behind():
    assert weight(9_000, 10_000, 60, 100, 30) == pytest.approx(math.log(0.9 / 0.1) * ONE, rel=0.01)


@given(records, means, st.integers(1, 100))
def test_the_weight_is_the_log_odds_of_the_shrunk_rate(record, everybody, drawn):
    right, seen = record
    rate = (right + drawn * everybody[0] / everybody[1]) / (seen + drawn)
    wanted = MOST if rate > 0.99 else max(0.0, math.log(rate / (1 - rate)) * ONE) if rate > 0 else 0
    assert weight(*record, *everybody, drawn) == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize(
    ("right", "seen", "strength", "wanted"),
    [
        (0, 0, 30, 1_098_612), (10, 10, 30, 1_466_337), (8, 10, 0, 1_386_294), (10, 10, 0, MOST), (0, 10, 0, 0),
        (5, 10, 0, 0), (0, 0, 0, 1_098_612),
    ],
)  # fmt: skip
def test_weights_are_these_millionths_when_the_mean_is_three_of_four(right, seen, strength, wanted):
    assert weight(right, seen, 75, 100, strength) == wanted


def test_with_nothing_known_of_anybody_all_have_the_weight_of_one():
    assert weight(0, 0, 0, 0, 30) == ONE
    assert weights({}, ["a", "b"]) == {"a": ONE, "b": ONE}


def test_voters_that_may_well_be_alike_weigh_the_same():
    known = {"a": Record(8, 10), "b": Record(6, 10), "c": Record(7, 10)}
    assert strength(known) is None
    assert weights(known, ["a", "b", "c", "new"]) == dict.fromkeys(["a", "b", "c", "new"], ONE)


def test_one_right_vote_is_no_reason_to_trust_anybody_more():
    assert weights({"a": Record(1, 1), "b": Record(0, 1)}, ["a", "b"]) == {"a": ONE, "b": ONE}


def test_voters_that_surely_differ_get_weights_that_do():
    known = {"a": Record(80, 100), "b": Record(79, 100), "c": Record(40, 100)}
    found = weights(known, known)
    assert found["a"] > found["b"] > 0 == found["c"]


def _strength_by_floats(known):
    """The formula of the module, written a second time."""
    n, total = [one.seen for one in known.values()], sum(one.seen for one in known.values())
    m, k = sum(one.right for one in known.values()) / total, len(known)
    q = sum((one.right - one.seen * m) ** 2 / (one.seen * m * (1 - m)) for one in known.values())
    rho = (q - (k - 1) - math.sqrt(2 * (k - 1))) / (total - sum(each**2 for each in n) / total - (k - 1))
    return 1 / rho - 1


@given(
    st.lists(st.integers(2, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=9)
)
def test_the_strength_is_that_of_the_formula_rounded_up(counts):
    known = {f"v{n}": Record(*one) for n, one in enumerate(counts)}
    found = strength(known)
    if found is not None and found > LEAST:
        assert found == pytest.approx(_strength_by_floats(known), abs=1.01)


@given(st.integers(2, 9), st.floats(0.55, 0.9))
def test_voters_of_whom_much_is_known_are_drawn_together_little(voters, rate):
    known = {f"v{n}": Record(round((rate if n % 2 else 0.3) * 1_000), 1_000) for n in range(voters)}
    assert (drawn := strength(known)) is not None and drawn < 100


def test_if_nobody_deserves_any_weight_all_have_the_same_so_that_a_ballot_can_be_decided():
    assert weights({"a": Record(1, 10), "b": Record(0, 10)}, ["a", "b"]) == {"a": ONE, "b": ONE}


def test_a_voter_that_was_never_seen_has_the_mean_of_the_others():
    rng = random.Random(1)
    known = learn((voter, rng.random() < rate) for voter, rate in (("a", 0.9), ("b", 0.5)) for _ in range(100))
    assert weights(known, ["a", "new"])["new"] == weight(0, 0, *mean(known), 30)


@pytest.mark.parametrize("counts", [(2, 1, 1, 2), (-1, 1, 1, 2), (0, 0, 3, 2)])
def test_counts_that_can_not_be_are_refused(counts):
    with pytest.raises(ValueError, match="all together"):
        weight(*counts, 30)
