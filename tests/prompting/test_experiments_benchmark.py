"""The benchmark of experiments: with few runs its table is complete, and its numbers are the same each time."""

import contextlib
import io
import json
import random

import pytest

from benchmarks import experiments


@pytest.fixture(scope="module")
def few():
    return lambda run: experiments.Found(2, tuple(experiments.chunk(run, ["1:0", "1:1"])))


@pytest.mark.slow
def test_the_whole_table_is_printed():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        experiments.main(["--runs", "2", "--workers", "1", "--json"])
    figures = json.loads(said.getvalue())
    assert len(figures) == 27
    assert all(one["met"] is not None for one in figures if one["goal"])


def test_every_goal_of_power_and_rollback_has_a_figure(few):
    figures = list(experiments.power(few))
    assert sum(one.goal == "≥ 95%" for one in figures) == 7
    assert sum(one.goal == "≤ 100 pairs" for one in figures) == 5


def test_a_goal_that_is_missed_is_said_to_be():
    figures = [experiments.Figure("a", "6%", "≤ 5%", False), experiments.Figure("b", "7%")]
    assert experiments.printed(figures) == "a  6%  ≤ 5%         MISSED\nb  7%"


def test_the_same_seed_finds_the_same(few):
    world = experiments.steady(0.5, 0.8, 300)
    found = [experiments.one_run(world, False, random.Random("1")) for _ in range(2)]
    assert found[0] == found[1] is not None


def test_one_look_at_the_end_finds_what_the_formula_of_two_proportions_says():
    assert experiments.one_look(0.5) == pytest.approx(0.919, abs=0.003)
    assert experiments.one_look(0.8) > 0.99


def test_failures_that_are_dropped_make_an_equal_candidate_look_better():
    equal = experiments.steady(0.5, 0.5, 2_000)
    dropped = experiments.World(equal.live, equal.candidate, equal.shares, lost=0.6, dropped=True)
    counted = experiments.World(equal.live, equal.candidate, equal.shares, lost=0.6)
    assert experiments.one_run(dropped, False, random.Random(3)) is not None
    assert experiments.one_run(counted, False, random.Random(3)) is None


def test_shuffled_and_doubled_facts_are_rebuilt_to_the_same():
    assert list(experiments.fold(300, random.Random(1)))[-1].met


def test_a_cheaper_candidate_is_promoted_for_its_cost_and_an_equal_one_is_not():
    assert experiments.cheaper_after(40, random.Random(1)) is not None
    assert experiments.cheaper_after(0, random.Random(1)) is None


def test_the_median_counts_runs_that_found_nothing():
    assert experiments.Found(3, (5, 9)).median() == 9
    assert experiments.Found(5, (5, 9)).median() == float("inf")
