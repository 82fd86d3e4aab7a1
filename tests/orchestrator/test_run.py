"""A run is the fold of its facts, whatever their order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.runs import Spent
from workers.orchestrator.decider import decide
from workers.orchestrator.run import Run, fold, fold_spoiled


def _history(world, script, own):
    one = world.World(script, own=own, racing=True)
    one.close()
    return one.policy, list(one.log.items())


def _folded(world, history):
    run = Run("t", "r")
    for name, stored in history:
        run = fold_spoiled(run, name) if stored is world.SPOILED else fold(run, [stored])
    return run


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.integers(0, 200), st.randoms(use_true_random=False))
def test_order_and_duplicates_make_no_difference_to_a_run_or_its_decision(world, make, script, own, upto, rng):
    policy, history = _history(world, script, own)
    history = [fact for fact in history[:upto] if fact[0] != "run.closed"]
    mixed = [*history, *(rng.choice(history) for _ in history)]
    rng.shuffle(mixed)
    once, twice = _folded(world, history), _folded(world, mixed)
    assert once == twice
    assert decide(once, policy) == decide(twice, policy)


def test_the_first_fact_of_a_name_stays_within_one_fold_and_over_two(make):
    first, second = make.performed("a", "first"), make.performed("a", "second")
    run = fold(Run("t", "r"), [first, second])
    assert run.facts["result.a"] is first
    assert fold(run, [second]) is run
    assert fold_spoiled(run, "result.a") is run


def test_a_fold_leaves_the_run_before_as_it_was(make):
    before = make.run(make.request())
    fold(before, [make.cancel()])
    assert before.cancel_wanted is None


def test_a_spoiled_name_is_burnt_and_the_task_goes_on_under_the_next(make):
    run = fold_spoiled(fold_spoiled(Run("t", "r"), "result.a"), "result.a-S2")
    run = fold(run, [make.performed("a"), make.performed("a-S3")])
    assert run.current("a") == "a-S3"
    assert run.result("a", type(make.performed("a"))).task == "a-S3"


def test_failures_count_without_a_gap_and_a_spoiled_one_counts_as_one(make):
    run = fold_spoiled(make.run(make.failed("a", 1), make.failed("a", 4)), "failure.a.2")
    assert [(failure.attempt, failure.error) for failure in run.failures("a")] == [(1, "transient"), (2, "spoiled")]


def test_a_call_is_counted_once_however_many_facts_cite_it(make):
    failure = make.failed("a").model_copy(update={"calls": (make.call("a"), make.call("b"))})
    run = make.run(failure, make.performed("a", calls=(make.call("a"),)))
    assert run.spent() == Spent(calls=2, input_tokens=20, output_tokens=10, cost_usd=1.0)


def test_one_unknown_price_makes_the_cost_unknown(make):
    run = make.run(make.performed("a", calls=(make.call("a"), make.call("b", cost=None))))
    assert run.spent().cost_usd is None


@given(st.lists(st.floats(0, 1e3), max_size=20), st.randoms(use_true_random=False))
def test_the_cost_does_not_depend_on_who_saw_what_first(make, costs, rng):
    facts = [make.performed(f"t{n}", calls=(make.call(f"t{n}", cost),)) for n, cost in enumerate(costs)]
    mixed = rng.sample(facts, len(facts))
    assert make.run(*facts).spent() == make.run(*mixed).spent()


def test_what_is_derived_is_made_once_for_the_same_objects_and_anew_for_others(make):
    run, made = Run("t", "r"), []
    first, second = object(), object()
    for of in (first, first, second):
        run = fold(run, [make.performed(f"t{len(made)}")])
        run.derived("count", (of,), lambda: made.append(1) or len(made))
    assert len(made) == 2


def test_what_was_derived_is_no_part_of_the_value(make):
    run = make.run(make.request(make.plan(make.task("a"))))
    decide(run, make.POLICY)
    assert run == make.run(make.request(make.plan(make.task("a"))))
    assert "memo" not in repr(run)


@pytest.mark.parametrize("name", ["run.cancel", "timer.run", "run.closed"])
def test_a_spoiled_fact_whose_name_says_it_all_still_says_it(make, name):
    run = fold_spoiled(make.run(make.request()), name)
    assert (run.cancel_wanted is not None, run.passed("run"), run.is_closed) == (
        name == "run.cancel",
        name == "timer.run",
        name == "run.closed",
    )
