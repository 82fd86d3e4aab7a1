"""Whatever the order of facts, however often they come and whatever is missing or spoiled: the same view."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.v1.waits import TaskWaits
from workers.gateway.views import runs
from workers.gateway.views.calls import calls
from workers.gateway.views.facts import RunFacts, fold, take
from workers.gateway.views.run import RunView, view

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EMPTY = RunFacts("acme", "r")


def spoil(fact):
    return fact._replace(message=None, spoiled="it is no JSON")


def test_a_run_taken_fact_by_fact_is_the_run_read_at_once_at_every_step(history):
    state = EMPTY
    for n, fact in enumerate(history, 1):
        state = take(state, fact)
        assert view(state) == view(fold(EMPTY, history[:n])), fact.name


@SOME
@given(st.data())
def test_order_and_duplicates_do_not_matter(history, data):
    facts = data.draw(st.permutations([*history, *data.draw(st.lists(st.sampled_from(history), max_size=20))]))
    state = EMPTY
    for fact in facts:
        state = take(state, fact)
        view(state)  # what it remembers must not show in what comes later
    assert view(state) == view(fold(EMPTY, history))
    assert calls(state) == calls(fold(EMPTY, history))


@SOME
@given(st.data())
def test_facts_may_be_missing_or_spoiled_and_the_view_says_which_are(history, data):
    kept = data.draw(st.lists(st.sampled_from(history), unique_by=lambda fact: fact.sequence))
    marks = data.draw(st.lists(st.integers(0, 3), min_size=len(kept), max_size=len(kept)))
    facts = [fact if mark else spoil(fact) for fact, mark in zip(kept, marks, strict=True)]
    state = EMPTY
    for fact in facts:
        state = take(state, fact)
        view(state)
    seen = view(state)
    assert seen == view(fold(EMPTY, sorted(facts)))
    assert {one.name for one in seen.spoiled} == {fact.name for fact in facts if fact.message is None}
    assert RunView.model_validate_json(seen.model_dump_json()) == seen


@SOME
@given(st.data())
def test_the_list_of_runs_does_not_care_about_order_either(history, data):
    named = [runs.Named("acme", "r", fact) for fact in history]
    again = data.draw(st.permutations([*named, *named[:10]]))
    now = history[-1].at + timedelta(seconds=5)
    assert runs.view(runs.fold({}, again), now) == runs.view(runs.fold({}, named), now)


def test_of_two_facts_of_one_name_the_earlier_in_the_log_stays(make):
    first, second = make.facts(make.call("t", cost=1.0), make.call("t", cost=2.0))
    for facts in ((first, second), (second, first)):
        state = EMPTY
        for fact in facts:
            state = take(state, fact)
        assert view(state).cost.spent.cost_usd == 1.0


def test_a_subject_that_is_no_name_is_spoiled_and_nothing_more(make):
    seen = make.view("no-such-noun.x", "task.writer", "llm", "vote.b", "gate")
    assert [one.name for one in seen.spoiled] == ["no-such-noun.x", "task.writer", "llm", "vote.b", "gate"]


def test_spoiled_names_without_a_number_where_one_belongs_break_nothing(make):
    wait = TaskWaits(tenant="acme", run="r", role="writer", task="one", attempt=1, n=1, what="models")
    names = (
        "task.writer.one.x",
        "failure.one.x",
        "llm.one.1.x",
        "llm.one.x.1",
        "task.reviewer.vote-b--ann.x",
        "result.one",
    )
    for spoiled in names:
        seen = make.view("task.writer.one.1", wait, spoiled)
        assert spoiled in {one.name for one in seen.spoiled}
    assert [one.task for one in make.view("task.reviewer.vote-b--ann.x").graph.voting] == ["vote-b--ann"]
