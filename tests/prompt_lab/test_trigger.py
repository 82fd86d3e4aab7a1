"""When a revision is tried, within which limits, and when an experiment follows."""

import pytest

from contracts.v1.budgets import Budget
from contracts.v1.orders import lab_order
from contracts.v1.prompts import (
    ExperimentEnded,
    ExperimentStarted,
    GateResult,
    ImprovementSet,
    LabelMoved,
    RevisionTried,
    VersionPushed,
)
from contracts.v1.runs import RunRequested
from workers.prompt_lab.gate import is_held_out
from workers.prompt_lab.trigger import (
    Trial,
    allowance,
    is_within,
    obstacle,
    run_of,
    untried,
    wanted_experiment,
    wants_revision,
)
from workers.prompting.errors import PromptConflict
from workers.prompting.history import Histories, Kept, Unread

OF = {"role": "architect", "name": "design"}
TEMPLATE, A, B, C = "architect/design", "a" * 12, "b" * 12, "c" * 12


def history(*facts):
    return Histories(Kept(n, float(n), fact) for n, fact in enumerate(facts, 1)).of("architect", "design")


def on(n=1, **limits):
    return ImprovementSet(**OF, n=n, on=True, **{"failures": 3, "usd_each": 1.0, "usd": 2.0, **limits})


def pushed(digest):
    return VersionPushed(**OF, digest=digest, content="text")


def tried(n, candidate=None, of=A, cost=0.5, gate=None):
    run = run_of(TEMPLATE, n)
    return RevisionTried(
        **OF, n=n, tenant="acme", run=run, of=of, candidate=candidate, cost_usd=cost, gate=gate, reason="because"
    )


PASSED = GateResult(cases=6, live=3, candidate=5, passed=True)
FAILED = GateResult(cases=6, live=3, candidate=2, passed=False)


def trials(lost, won, held_out=None, start=0):
    """So many trials, and as many of them held out as come; or all on one side."""
    found, n = [], start
    while len(found) < lost + won:
        n += 1
        if held_out is None or is_held_out(TEMPLATE, "acme", f"r{n}", "design") == held_out:
            found.append(Trial("acme", f"r{n}", "design", known=100 + n, won=len(found) >= lost))
    return found


MANY = trials(lost=10, won=20)


def wants(told, seen=MANY, since=0, live=A):
    return wants_revision(told, live, seen, since, "lab")


def test_enough_failures_call_for_one_run_with_one_order_and_what_it_may_spend():
    asked = wants(history(on(target="strong")))
    assert isinstance(asked, RunRequested)
    assert (asked.tenant, asked.run, asked.model) == ("lab", "improve-architect-design-1", "strong")
    assert asked.budget == Budget(usd=1.0)
    (task,) = asked.plan.tasks
    assert (task.role, task.task) == ("prompt_lab", "revise")
    order = lab_order(task.instruction)
    assert (order.kind, order.template, order.n) == ("revise_prompt", TEMPLATE, 1)


def test_the_same_history_asks_for_the_same_run_whoever_decides():
    assert wants(history(on())) == wants(history(on()))


def test_nobody_asks_before_it_is_switched_on_or_after_it_is_switched_off():
    assert wants(history()) is None
    assert wants(history(on(), ImprovementSet(**OF, n=2, on=False))) is None


def test_fewer_failures_than_it_takes_call_for_nothing():
    assert wants(history(on(failures=11))) is None
    assert wants(history(on(failures=10))) is not None


def test_only_what_became_known_since_the_attempt_before_counts():
    told = history(on(), tried(1))
    assert wants(told, since=max(trial.known for trial in MANY)) is None
    assert wants(told, since=0).run.endswith("-2")


def test_a_red_run_with_many_tasks_is_one_failure_where_the_run_is_what_counts():
    seen = [Trial("acme", "r1", f"module-{n}", 5, won=False) for n in range(30)]
    assert wants(history(on(metric="tests_green", failures=2)), seen) is None
    assert wants(history(on(metric="valid", failures=2)), seen) is not None


def test_an_outcome_that_nobody_knows_is_no_failure():
    assert wants(history(on()), [trial._replace(won=None) for trial in MANY]) is None


def test_it_waits_until_there_are_cases_for_the_gate_and_a_failure_to_learn_from():
    assert wants(history(on()), trials(5, 5, held_out=False)) is None
    assert wants(history(on()), trials(5, 5, held_out=True)) is None
    assert wants(history(on()), trials(5, 5, held_out=False) + trials(0, 4, held_out=True)) is not None


def test_no_attempt_begins_beyond_the_number_of_candidates_even_if_a_word_on_one_is_spoiled():
    assert wants(history(on(candidates=2), tried(1))) is not None
    assert wants(history(on(candidates=2), tried(1), tried(2))) is None
    spoiled = Unread(**OF, said="revision", tokens=("2",))
    assert "2 revisions were tried" in obstacle(history(on(candidates=2), tried(1), spoiled), A)


def test_an_attempt_may_spend_what_is_left_and_none_begins_when_nothing_is():
    assert wants(history(on(usd=1.2), tried(1, cost=0.5))).budget == Budget(usd=0.7)
    assert "cost 1.0000 USD" in obstacle(history(on(usd=1.0), tried(1), tried(2)), A)
    assert wants(history(on(usd=None, usd_each=None), tried(1, cost=None))).budget is None
    assert wants(history(on(usd=None, usd_each=None, tokens_each=9))).budget == Budget(tokens=9)


def test_with_no_money_at_all_only_what_is_free_may_be_asked():
    assert wants(history(on(usd=0.0))).budget == Budget(usd=0.0)
    assert wants(history(on(usd=0.0), tried(1, cost=0.0))).budget == Budget(usd=0.0)


@pytest.mark.parametrize(
    "unknown", [tried(1, cost=None), Unread(**OF, said="revision", tokens=("1",))], ids=["no price", "spoiled"]
)
def test_what_nobody_knows_the_cost_of_ends_the_spending_within_a_limit(unknown):
    assert "nobody knows what revision 1 cost" in obstacle(history(on(), unknown), A)


def test_templates_that_no_work_is_judged_by_are_never_revised():
    told = Histories([Kept(1, 1.0, ImprovementSet(role="prompt_lab", name="revise", n=1, on=True))])
    assert "not revised" in obstacle(told.of("prompt_lab", "revise"), A)


def test_none_begins_while_an_experiment_runs():
    running = ExperimentStarted(**OF, k=1, live=A, candidate=B)
    assert "experiment 1 runs" in obstacle(history(on(), pushed(A), pushed(B), running), A)


def test_no_budget_is_within_one_that_has_a_limit():
    assert is_within(Budget(usd=0.5), Budget(usd=1.0))
    assert not is_within(Budget(usd=1.5), Budget(usd=1.0))
    assert not is_within(None, Budget(usd=1.0))
    assert not is_within(Budget(usd=0.5), Budget(usd=1.0, tokens=10))
    assert is_within(None, None)
    assert not is_within(Budget(usd=1.0), allowance(history()))


def test_names_too_long_for_a_token_still_name_one_run_for_each_attempt():
    long = f"{'r' * 64}/{'n' * 64}"
    names = {run_of(long, n) for n in range(1, 5)} | {run_of(f"{'r' * 64}/{'m' * 64}", 1)}
    assert len(names) == 5
    assert all(len(name) <= 64 for name in names)


def ready(*more, gate=PASSED):
    return history(on(), pushed(A), pushed(B), tried(1, B, gate=gate), *more)


def test_a_candidate_that_has_passed_is_tried_by_the_settings_of_the_template():
    wanted = wanted_experiment(ready(ImprovementSet(**OF, n=2, on=True, metric="tests_green", share=200_000)), A)
    assert (wanted.k, wanted.live, wanted.candidate) == (1, A, B)
    assert (wanted.metric, wanted.share, wanted.reason) == ("tests_green", 200_000, "because")


def test_nothing_is_tried_that_did_not_pass_whatever_the_fact_says():
    assert wanted_experiment(ready(gate=FAILED), A) is None
    assert wanted_experiment(ready(gate=None), A) is None
    too_few = GateResult(cases=3, live=0, candidate=3, passed=True)
    assert wanted_experiment(ready(gate=too_few), A) is None
    worse = GateResult(cases=9, live=9, candidate=1, passed=True)
    assert wanted_experiment(ready(gate=worse), A) is None


def test_a_candidate_is_tried_once():
    started = ExperimentStarted(**OF, k=1, live=A, candidate=B)
    stopped = ExperimentEnded(**OF, k=1, verdict="stopped", why="by_hand")
    assert wanted_experiment(ready(started), A) is None
    assert wanted_experiment(ready(started, stopped), A) is None


def test_it_is_not_tried_beside_another_version_than_it_was_gated_against():
    moved = LabelMoved(**OF, n=1, label="live", to=C)
    assert wanted_experiment(ready(pushed(C), moved), C) is None


def test_it_waits_for_an_experiment_that_somebody_has_started_and_comes_after_it():
    running = ExperimentStarted(**OF, k=1, live=A, candidate=C)
    told = ready(pushed(C), running)
    assert wanted_experiment(told, A) is None
    ended = ExperimentEnded(**OF, k=1, verdict="rolled_back", why="success")
    assert wanted_experiment(ready(pushed(C), running, ended), A).k == 2


def test_one_that_waits_for_its_experiment_holds_up_the_next_revision():
    assert untried(ready(), A).candidate == B
    assert "waits for its experiment" in obstacle(ready(), A)


def test_switched_off_means_that_nothing_is_tried_any_more():
    assert wanted_experiment(ready(ImprovementSet(**OF, n=2, on=False)), A) is None


def test_a_share_that_leaves_nothing_to_compare_is_said_to_be_one():
    with pytest.raises(PromptConflict, match="100 %"):
        wanted_experiment(ready(ImprovementSet(**OF, n=2, on=True, share=1_000_000)), A)
