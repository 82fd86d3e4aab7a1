"""Evidence of experiments: what a player can win when there is nothing to find, by exact enumeration."""

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.prompting.experiments import spending
from workers.prompting.experiments.assignment import MILLION, arm_of
from workers.prompting.experiments.evidence import DIFFERENCE, FOR_LARGE, FOR_LOSSES, UNIT, Evidence, micro_nats
from workers.prompting.experiments.split import Split

HALF = MILLION // 2
KINDS = {"better": (FOR_LARGE, 500), "soon over": (FOR_LARGE, 2), "worse": (FOR_LOSSES, 0), "bold": ((DIFFERENCE,), 0)}
RAMP = (50_000, 50_000, 200_000, 500_000, 900_000)

kinds = pytest.mark.parametrize("kind", KINDS)
outcomes = st.lists(st.tuples(st.booleans(), st.integers(0, MILLION), st.booleans()), max_size=150)


def evidence(kind, enough=1_000):
    return Evidence(enough, *KINDS[kind])


def chance(candidate, share):
    return Fraction(share if candidate else MILLION - share, MILLION)


@kinds
@pytest.mark.parametrize("shares", [(HALF,) * 5, RAMP, RAMP[::-1]])
def test_whatever_happens_the_mean_of_the_wealth_over_all_ways_to_assign_is_at_most_one(kind, shares):
    for happened in product((False, True), repeat=len(shares)):
        mean = Fraction(0)
        for arms in product((False, True), repeat=len(shares)):
            one = evidence(kind)
            for arm, share, each in zip(arms, shares, happened, strict=True):
                one.see(arm, share, each)
            mean += one.wealth * math.prod(map(chance, arms, shares))
        assert UNIT * (1 - Fraction(1, 10**5)) < mean <= UNIT


@kinds
def test_the_mean_is_at_most_one_too_if_the_candidate_does_it_less_often_while_both_drift(kind):
    rates = [(Fraction(9, 10), Fraction(8, 10)), (Fraction(1, 2), Fraction(1, 2)), (Fraction(3, 10), Fraction(1, 10))]
    assert mean_wealth(kind, [(live, candidate) for live, candidate in rates]) < UNIT


def test_the_mean_grows_if_the_candidate_does_it_more_often():
    assert mean_wealth("better", [(Fraction(1, 2), Fraction(7, 10))] * 3) > UNIT


def mean_wealth(kind, rates, shares=(200_000, 500_000, 700_000)):
    total = Fraction(0)
    for way in product(product((False, True), repeat=2), repeat=len(rates)):
        one, likely = evidence(kind), Fraction(1)
        for (arm, happened), share, rate in zip(way, shares, rates, strict=True):
            one.see(arm, share, happened)
            likely *= chance(arm, share) * (rate[arm] if happened else 1 - rate[arm])
        total += likely * one.wealth
    return total


@pytest.mark.parametrize("kind", ["soon over", "bold", "worse"])
def test_looked_at_after_every_outcome_a_wealth_of_two_is_seen_in_at_most_half_of_all_ways(kind):
    happened = (True, False, True, True, False, True, False, True, True, True)
    found = 0
    for arms in product((False, True), repeat=len(happened)):
        one = evidence(kind, enough=2)
        found += any([one.see(arm, HALF, each) for arm, each in zip(arms, happened, strict=True)])
    assert 0 <= found <= 2 ** len(happened) // 2


@kinds
@given(seen=outcomes)
def test_wealth_is_never_negative_and_the_same_outcomes_find_the_same(kind, seen):
    one, other = evidence(kind), evidence(kind)
    for outcome in seen:
        assert one.see(*outcome) == other.see(*outcome) == one.found
        assert 0 <= one.wealth == other.wealth


@kinds
def test_nothing_is_learned_while_all_tasks_go_to_one_arm(kind):
    one = evidence(kind)
    before = one.wealth
    for n in range(20):
        one.see(n % 2 == 0, MILLION * (n % 2 == 0), n % 3 == 0)
    assert one.wealth == before


def test_the_wealth_is_that_of_the_formula():
    one, wealth, seen, yes = Evidence(10**6, (DIFFERENCE // 10,)), 1.0, 2, 1
    for n in range(200):
        candidate, happened, share = n % 3 == 0, n % 7 < 4, (0.3 if n < 100 else 0.6)
        rate, d = yes / seen, DIFFERENCE // 10 / DIFFERENCE
        d = min(d, 15 / 16 * min(rate, 1 - rate))
        wealth *= 1 + d * (candidate - share) * (happened - rate) / (rate * (1 - rate))
        one.see(candidate, round(share * MILLION), happened)
        seen, yes = seen + 1, yes + happened
    assert one.wealth / UNIT == pytest.approx(wealth, rel=1e-3)


def test_a_candidate_that_always_does_it_is_found_soon_and_then_nothing_changes():
    one = evidence("better", spending.promotion(1))
    taken = next(n for n in range(200) if one.see(n % 2 == 0, HALF, n % 2 == 0))
    assert taken < 60
    before = one.wealth
    assert one.see(False, HALF, True) and one.wealth == before >= one.enough


@given(st.integers(0, 10**30))
def test_micro_nats_are_the_logarithm_of_the_wealth(wealth):
    assert micro_nats(wealth) == pytest.approx(1e6 * math.log(max(wealth, 1) / UNIT), abs=1.5)


def test_all_candidates_that_a_template_ever_has_share_five_percent():
    spent = sum(Fraction(1, spending.promotion(n)) for n in range(1, 400))
    # What is left from 400 on is less than the integral of 1/√(720·x⁵) from 399.
    assert spent + Fraction(2, 3 * 26 * 399) <= Fraction(1, 20)
    assert [spending.promotion(n) for n in range(1, 6)] == [27, 152, 419, 859, 1500]


def test_there_is_no_candidate_before_the_first():
    with pytest.raises(ValueError, match="the first is 1"):
        spending.promotion(0)


@pytest.mark.parametrize("shares", [(HALF,) * 10, RAMP * 2])
def test_a_right_split_has_a_mean_wealth_of_at_most_one(shares):
    mean = Fraction(0)
    for arms in product((False, True), repeat=len(shares)):
        split = Split(spending.SPLIT)
        for arm, share in zip(arms, shares, strict=True):
            split.see(arm, share)
        mean += split.wealth * math.prod(map(chance, arms, shares))
    assert UNIT * (1 - Fraction(1, 10**12)) < mean <= UNIT


def tasks_to_find(every, share):
    split = Split(spending.SPLIT)
    return next((n for n in range(4_000) if split.see(n % every == 0, share)), None)


def test_a_wrong_split_is_found_and_a_right_one_is_not():
    assert tasks_to_find(5, 250_000) < 3_000
    assert tasks_to_find(2, 400_000) < 1_000
    assert tasks_to_find(5, 200_000) is None


def test_a_task_has_the_same_arm_each_time_and_arms_are_drawn_anew_in_each_epoch():
    arms = [[arm_of("e", epoch, f"t{n}", HALF) for n in range(2_000)] for epoch in (0, 0, 1)]
    assert arms[0] == arms[1]
    assert 900 < sum(one == other for one, other in zip(arms[0], arms[2], strict=True)) < 1_100


@given(st.text(), st.integers(0, 9), st.text(), st.integers(0, MILLION), st.integers(0, MILLION))
def test_a_larger_share_takes_no_task_from_the_candidate(experiment, epoch, task, one, other):
    if arm_of(experiment, epoch, task, min(one, other)) == "candidate":
        assert arm_of(experiment, epoch, task, max(one, other)) == "candidate"


def test_the_candidate_gets_its_share():
    assert {arm_of("e", 0, f"t{n}", 0) for n in range(50)} == {"live"}
    assert {arm_of("e", 0, f"t{n}", MILLION) for n in range(50)} == {"candidate"}
    assert 900 < sum(arm_of("e", 0, f"t{n}", 200_000) == "candidate" for n in range(5_000)) < 1_100


@pytest.mark.parametrize("share", [-1, MILLION + 1])
def test_a_share_that_can_not_be_is_refused(share):
    with pytest.raises(ValueError, match="millionths"):
        arm_of("e", 0, "t", share)
