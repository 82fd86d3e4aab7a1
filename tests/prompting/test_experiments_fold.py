"""Experiments as a fold: the same decision from the same facts, in whatever order and however often they come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.prompting.experiments.assignment import MILLION, arm_of
from workers.prompting.experiments.experiment import Assigned, Count, Experiment, Plan, Settled

PLAN = Plan(nth=1, shares=(MILLION // 5, MILLION // 2))


def history(tasks, live=0.7, candidate=0.7, plan=PLAN, seed=2, **more):
    """Facts of an experiment whose last three quarters are in its second epoch."""
    rng = random.Random(seed)
    for n in range(tasks):
        epoch = 0 if n < tasks // 4 else 1
        arm = arm_of("x", epoch, f"t{n}", plan.shares[epoch])
        yield Assigned(10 * n, f"t{n}", epoch, arm)
        yield settled(n, arm, rng.random() < (live if arm == "live" else candidate), rng, **more)


def settled(n, arm, won, rng, cost=(1, 1), latency=(1, 1), lost=0.0):
    mine = arm == "candidate"
    if mine and not won and rng.random() < lost:
        return Settled(10 * n + 400, f"t{n}", None)
    cost, latency = (round(one[mine] * rng.randrange(800, 1_200)) for one in (cost, latency))
    return Settled(10 * n + rng.randrange(1, 300), f"t{n}", won, cost, latency)


def ended(*args, **more):
    return Experiment(PLAN, history(*args, **more)).verdict()


def test_a_candidate_that_succeeds_more_often_is_promoted():
    assert ended(1_500, 0.6, 0.85) == ("promote", "success")


def test_a_candidate_that_succeeds_less_often_is_rolled_back():
    assert ended(1_500, 0.8, 0.5) == ("roll_back", "success")


def test_an_equal_one_goes_on():
    assert ended(1_500) == ("running", "")


@pytest.mark.parametrize(("dearer", "why"), [({"cost": (1, 1.6)}, "cost"), ({"latency": (1, 2)}, "latency")])
def test_a_candidate_that_costs_or_takes_too_much_is_rolled_back(dearer, why):
    assert ended(1_500, **dearer) == ("roll_back", why)


@pytest.mark.parametrize("dearer", [{"cost": (1, 1.1)}, {"latency": (1, 1.3)}, {"cost": (0, 0)}])
def test_it_may_cost_and_take_a_little_more(dearer):
    assert ended(1_500, **dearer) == ("running", "")


def test_without_guards_it_may_cost_and_take_what_it_likes():
    plan = Plan(1, PLAN.shares, dearer=None, slower=None)
    assert Experiment(plan, history(1_500, cost=(1, 9), latency=(1, 9))).verdict() == ("running", "")


@pytest.mark.parametrize("goal", ["cost", "latency"])
def test_a_candidate_that_is_to_cost_or_take_less_is_promoted_when_it_does(goal):
    plan = Plan(1, PLAN.shares, goal=goal)
    assert Experiment(plan, history(1_500, **{goal: (1, 0.8)})).verdict() == ("promote", goal)
    assert Experiment(plan, history(1_500)).verdict() == ("running", "")


def test_one_that_costs_less_and_succeeds_less_often_is_rolled_back():
    plan = Plan(1, PLAN.shares, goal="cost")
    assert Experiment(plan, history(1_500, 0.9, 0.6, cost=(1, 0.8))).verdict() == ("roll_back", "success")


def test_what_is_not_known_to_cost_less_is_not_promoted_for_it():
    facts = [one._replace(cost=None) if isinstance(one, Settled) else one for one in history(1_500)]
    assert Experiment(Plan(1, PLAN.shares, goal="cost"), facts).verdict() == ("running", "")


def test_failures_are_no_savings():
    cheap = [
        one._replace(cost=1) if isinstance(one, Settled) and not one.won else one for one in history(1_500, 0.7, 0.7)
    ]
    assert Experiment(Plan(1, PLAN.shares, goal="cost"), cheap).verdict() == ("running", "")


def test_an_experiment_without_a_decision_ends_with_its_last_outcome():
    decision = Experiment(Plan(1, PLAN.shares, most=90), history(200)).decide()
    assert decision[:2] == ("stopped", "length")
    assert decision.curve[-1].outcomes == 90


def test_a_decision_by_the_last_outcome_is_not_overruled_by_the_end():
    taken = Experiment(PLAN, history(1_500, 0.5, 0.95)).decide().curve[-1].outcomes
    decided = Experiment(Plan(1, PLAN.shares, most=taken), history(1_500, 0.5, 0.95)).verdict()
    assert decided == ("promote", "success")
    ended = Experiment(Plan(1, PLAN.shares, most=taken - 1), history(1_500, 0.5, 0.95)).verdict()
    assert ended == ("stopped", "length")


def test_failures_that_never_arrive_are_failures():
    facts = list(history(1_500, 0.5, 0.5, lost=0.2))
    decision = Experiment(PLAN, facts).decide()
    assert decision.candidate.missing > 20 and decision.live.missing == 0
    assert decision.verdict == "running"
    told = [one._replace(won=False) if one.won is None else one for one in facts if isinstance(one, Settled)]
    assert Experiment(PLAN, [*facts, *told]).decide()[:2] == decision[:2]


def test_where_tasks_of_an_arm_are_lost_before_they_are_counted_the_experiment_stops():
    facts = [one for one in history(6_000, 0.7, 0.9) if not (one.task.endswith("7") and arm(one.task) == "candidate")]
    facts = [one for one in facts if not (one.task.endswith("3") and arm(one.task) == "candidate")]
    plan = Plan(20, PLAN.shares)
    found = Experiment(plan, (one._replace(won=True) if isinstance(one, Settled) else one for one in facts))
    assert found.verdict() == ("stopped", "split")


def arm(task):
    return arm_of("x", 0 if int(task[1:]) < 1_500 else 1, task, PLAN.shares[0 if int(task[1:]) < 1_500 else 1])


@given(
    st.integers(0, 120),
    st.sampled_from([0.1, 0.7, 1.0]),
    st.sampled_from(["won", "cost", "latency"]),
    st.randoms(use_true_random=False),
)
def test_order_and_duplicates_change_nothing(tasks, candidate, goal, rng):
    facts, plan = list(history(tasks, 0.5, candidate, lost=0.3)), Plan(1, PLAN.shares, goal=goal, most=100)
    wanted = Experiment(plan, facts).decide()
    experiment = Experiment(plan)
    for fact in rng.sample(facts * 2, 2 * len(facts)):
        experiment.take(fact)
        if rng.random() < 0.1:
            experiment.verdict()
    assert experiment.decide() == wanted


def test_who_looks_after_every_fact_finds_the_same_as_who_looks_at_the_end():
    facts = sorted(history(300, 0.5, 0.9))
    experiment = Experiment(PLAN)
    for fact in facts:
        experiment.take(fact)
        experiment.verdict()
    assert experiment.decide() == Experiment(PLAN, facts).decide()
    assert experiment.decide().verdict == "promote"


def test_outcomes_are_taken_as_far_as_all_tasks_before_are_settled():
    facts = sorted(history(40))
    first = next(one for one in facts if isinstance(one, Settled) and one.task == "t3")
    experiment = Experiment(PLAN, (one for one in facts if one != first))
    assert experiment.decide().curve[-1].outcomes == 3
    experiment.take(first)
    assert experiment.decide() == Experiment(PLAN, facts).decide()


def test_an_outcome_after_the_deadline_changes_nothing():
    facts = [Assigned(1, "t", 1, "live"), Settled(5, "t", None)]
    experiment = Experiment(PLAN, [*facts, Settled(9, "t", True)])
    assert experiment.decide().live == Count(0, 0, 1)


def test_a_fact_that_belongs_before_those_taken_makes_it_count_anew():
    experiment = Experiment(PLAN, [Assigned(1, "t", 1, "live"), Settled(9, "t", None)])
    assert experiment.decide().live.missing == 1
    experiment.take(Settled(5, "t", True))
    assert experiment.decide().live == Count(1, 0, 0)
    experiment.take(Assigned(0, "t", 1, "candidate"))
    assert experiment.decide().candidate == Count(1, 0, 0)


def test_nothing_is_taken_after_the_decision():
    facts = sorted(history(1_500, 0.5, 0.95))
    decision = Experiment(PLAN, facts).decide()
    taken = decision.curve[-1].outcomes
    assert sum(decision.live) + sum(decision.candidate) == taken < 1_000
    assert decision == Experiment(PLAN, history(3_000, 0.5, 0.95)).decide() or taken > 375


def test_the_curve_has_a_point_for_every_ten_outcomes_and_the_last():
    assert [point.outcomes for point in Experiment(PLAN, history(34)).decide().curve] == [10, 20, 30, 34]
    assert Experiment(PLAN).decide().curve == ()


def test_a_later_candidate_needs_more_evidence():
    shown = [Experiment(Plan(nth, PLAN.shares), history(1_500, 0.6, 0.85)).decide().curve for nth in (1, 20)]
    assert shown[0][-1].outcomes < shown[1][-1].outcomes


def test_an_epoch_that_the_plan_does_not_know_is_refused():
    with pytest.raises(ValueError, match="epoch 2"):
        Experiment(PLAN, [Assigned(1, "t", 2, "live")])


def test_a_plan_of_no_outcomes_is_refused():
    with pytest.raises(ValueError, match="one or more"):
        Plan(1, PLAN.shares, most=0)


@pytest.mark.parametrize(("nth", "share"), [(0, 1), (1, MILLION + 1), (1, -1)])
def test_a_plan_that_can_not_be_is_refused(nth, share):
    with pytest.raises(ValueError, match=r"give some|first is 1"):
        Plan(nth, (share,))


def test_a_task_that_was_called_off_counts_for_nothing_and_holds_nothing_up():
    plan = Plan(1, (500_000,))
    facts = [Assigned(1, "a", 0, "live"), Assigned(2, "b", 0, "candidate"), Assigned(3, "c", 0, "candidate")]
    facts += [Settled(4, "a", True), Settled(5, "b", None, void=True), Settled(6, "c", True)]
    decided = Experiment(plan, facts).decide()
    assert (decided.live, decided.candidate) == (Count(1), Count(1))


def test_where_everything_costs_nothing_there_is_next_to_no_evidence_that_it_is_dearer():
    facts = [Assigned(n, f"t{n}", 0, "candidate" if n % 2 else "live") for n in range(1, 400)]
    facts += [Settled(1_000 + n, f"t{n}", True, cost=0, latency=0) for n in range(1, 400)]
    decided = Experiment(Plan(1, (500_000,)), facts).decide()
    seen = [abs(amount) for point in decided.curve for amount in (point.dearer, point.slower)]
    assert max(seen) < MILLION // 10
