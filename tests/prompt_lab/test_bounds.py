"""The lower bound is the exact one: checked against published values, fractions, and what it promises."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.prompt_lab.bounds import ALPHA, at_least, lower_bound

SHARES = [n / 40 for n in range(1, 40)]


def exactly(successes, trials, share):
    return sum(comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, trials + 1))


@st.composite
def counts(draw, most=60):
    trials = draw(st.integers(1, most))
    return draw(st.integers(0, trials)), trials


@pytest.mark.parametrize(
    ("successes", "trials", "bound"),
    [(0, 50, 0.0), (50, 50, 0.941845), (20, 20, 0.860892), (18, 20, 0.717382), (1, 1, 0.05), (5, 10, 0.222441)],
)
def test_the_bound_is_the_one_of_the_tables(successes, trials, bound):
    assert lower_bound(successes, trials) == pytest.approx(bound, abs=1e-6)


def test_nothing_is_sure_before_the_first_trial():
    assert lower_bound(0, 0) == 0.0


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, -1)])
def test_counts_that_can_not_be_are_refused(successes, trials):
    with pytest.raises(ValueError, match="can't be"):
        lower_bound(successes, trials)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_a_chance_that_is_none_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha"):
        lower_bound(1, 2, alpha)


@given(counts())
def test_at_the_bound_so_many_successes_have_the_chance_that_was_asked_for(count):
    successes, trials = count
    if successes:
        assert float(exactly(successes, trials, Fraction(lower_bound(*count)))) == pytest.approx(ALPHA, rel=1e-9)


@given(counts(most=200))
def test_one_more_success_raises_the_bound_and_one_more_failure_lowers_it(count):
    successes, trials = count
    here = lower_bound(successes, trials)
    assert lower_bound(successes + 1, trials + 1) > here
    assert lower_bound(successes, trials + 1) <= here <= successes / trials


@pytest.mark.parametrize("trials", [1, 4, 20, 50])
def test_whatever_the_true_share_is_the_bound_lies_above_it_in_at_most_one_of_twenty(trials):
    bounds = [lower_bound(k, trials) for k in range(trials + 1)]
    for share in SHARES:
        chances = [comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)]
        assert sum(chance for bound, chance in zip(bounds, chances, strict=True) if bound > share) <= ALPHA + 1e-12


def test_thousands_of_trials_are_counted_exactly_and_fast():
    assert lower_bound(9_000, 10_000) == pytest.approx(0.894927, abs=1e-5)
    assert at_least(9_000, 10_000, lower_bound(9_000, 10_000)) == pytest.approx(ALPHA, rel=1e-6)
