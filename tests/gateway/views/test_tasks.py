"""The task graph: which tasks there are, what each needs, how it stands and what it cost."""

import pytest

from contracts.v1.failures import TaskFailed
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.prompts import PromptChosen
from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from contracts.v1.tasks import DesignProposed, DesignSystem, PerformTask, TaskPerformed
from contracts.v1.waits import TaskWaits
from workers.cli import entries as command_line
from workers.cli.view import view_of

IDS = {"tenant": "acme", "run": "r"}
PLAN = Plan(tasks=(PlannedTask(task="one", role="writer"), PlannedTask(task="two", role="writer", needs=("one",))))
REQUEST = RunRequested(**IDS, idea="write", plan=PLAN)


def command(task="one", attempt=1, **more):
    return PerformTask(**IDS, role="writer", task=task, attempt=attempt, idea="write", **more)


def failure(attempt=1, retry=True, task="one"):
    return TaskFailed(
        **IDS, role="writer", task=task, attempt=attempt, error="malformed_reply", retry=retry, reason="no luck"
    )


def node(view, task="one"):
    return next(node for node in (*view.graph.nodes, *view.graph.voting) if node.task == task)


@pytest.mark.parametrize("name", ["cancelled", "designs", "flaky", "hopeless", "own", "repaired-1", "repaired-2"])
def test_tasks_needs_and_money_are_those_that_the_command_shows(name, stored, shown):
    told, seen = view_of([command_line.read(one) for one in stored(name)]), shown(name)
    assert [(one.task, one.role, one.needs) for one in told.tasks] == [
        (one.task, one.role, one.needs) for one in seen.graph.nodes
    ]
    assert {one.task for one in told.voting} == {one.task for one in seen.graph.voting}
    assert told.spent.calls == seen.cost.spent.calls and told.spent.input_tokens == seen.cost.spent.input_tokens
    assert (told.state, told.reason, told.ended) == (seen.state, seen.end.reason, seen.end.at)
    words = {"done": "done", "failed": "failed", "stopped": "called_off", "waiting": "queued", "ready": "queued"}
    assert {one.task: words[one.state] for one in told.tasks} == {one.task: one.state for one in seen.graph.nodes}


def test_every_edge_is_a_need_between_tasks_that_are_there(shown):
    graph = shown("repaired-1").graph
    names = {one.task for one in graph.nodes}
    assert graph.edges and {name for edge in graph.edges for name in (edge.start, edge.to)} <= names
    assert [(edge.start, edge.to) for edge in graph.edges if edge.to == "repair-1"] == [("verify-1", "repair-1")]


def test_a_planned_task_is_queued_until_it_is_asked_for_and_then_working(make):
    assert [one.state for one in make.view(REQUEST).graph.nodes] == ["queued", "queued"]
    seen = make.view(REQUEST, command(instruction="Write it.", model="sonnet"))
    assert (node(seen).state, node(seen).instruction, node(seen).model) == ("working", "Write it.", "sonnet")
    assert node(seen, "two").state == "queued" and node(seen, "two").needs == ("one",)


def test_a_failed_attempt_is_queued_again_when_another_makes_sense(make):
    again = node(make.view(REQUEST, command(), failure()))
    assert (again.state, again.note) == ("queued", "malformed_reply: no luck")
    assert [(one.attempt, one.state, one.error) for one in again.attempts] == [(1, "failed", "malformed_reply")]
    assert node(make.view(REQUEST, command(), failure(retry=False))).state == "failed"
    third = node(make.view(REQUEST, command(), failure(), command(attempt=2)))
    assert (third.state, third.note) == ("working", "again after malformed_reply")


def test_an_attempt_waits_until_the_call_that_waited_is_made(make):
    wait = TaskWaits(**IDS, role="writer", task="one", attempt=1, n=1, what="budget", reason="0.01 USD are left")
    seen = make.view(REQUEST, command(), wait)
    assert (node(seen).state, node(seen).attempts[0].state) == ("waiting", "waiting")
    assert [(one.task, one.what) for one in seen.waits] == [("one", "budget")] and seen.standing == "waiting for budget"
    gone = make.view(REQUEST, command(), wait, make.call("one"))
    assert (node(gone).state, gone.waits, gone.standing) == ("working", (), "running")


def test_what_is_not_done_when_the_run_ends_is_called_off(make):
    closed = RunClosed(**IDS, status="cancelled", reason="not needed")
    seen = make.view(REQUEST, command(), CancelRequested(**IDS, requested_by="bob"), closed)
    assert [one.state for one in seen.graph.nodes] == ["called_off", "called_off"]
    assert (seen.state, seen.cancel.requested_by, seen.end.reason) == ("cancelled", "bob", "not needed")


def test_a_task_has_its_calls_prompts_and_cost(make):
    chosen = PromptChosen(
        **IDS,
        task="one",
        template="writer-do",
        prompt="writer/do",
        prompt_version="a" * 12,
        experiment=2,
        arm="candidate",
    )
    call = make.call("one", n=2).model_copy(update={"prompt_version": "a" * 12})
    done = TaskPerformed(**IDS, task="one", output="It is written.", files=(make.file("a.txt"),))
    seen = node(make.view(REQUEST, command(), chosen, make.call("one"), call, done))
    assert [(one.entry, one.cost_usd, one.arm) for one in seen.calls] == [
        ("llm.one.1.1", 0.5, ""),
        ("llm.one.1.2", 0.5, "candidate"),
    ]
    assert (seen.cost.spent.calls, seen.cost.spent.cost_usd, seen.cost.spent.input_tokens) == (2, 1.0, 200)
    assert (seen.state, seen.output, [one.path for one in seen.files]) == ("done", "It is written.", ["a.txt"])
    assert [(one.prompt, one.experiment) for one in seen.prompts] == [("writer/do", 2)]


def test_a_call_of_unknown_price_makes_the_sum_unknown_and_keeps_the_known_part(make):
    cost = make.view(REQUEST, command(), make.call("one"), make.call("one", n=2, cost=None)).cost
    assert (cost.spent.cost_usd, cost.known_cost_usd, cost.unknown_costs) == (None, 0.5, 1)


def test_a_spoiled_call_is_listed_with_its_task_and_costs_nothing(make):
    seen = node(make.view(REQUEST, command(), "llm.one.1.1"))
    assert [(one.entry, one.spoiled) for one in seen.calls] == [("llm.one.1.1", "it is no JSON")]
    assert seen.cost.spent.calls == 0 and [one.name for one in seen.spoiled] == ["llm.one.1.1"]


def test_a_task_whose_result_is_spoiled_goes_on_under_its_next_name(make):
    plan = Plan(tasks=(PlannedTask(task="design", role="architect"),
                       PlannedTask(task="docs", role="writer", needs=("design",))))  # fmt: skip
    asked = DesignSystem(**IDS, role="architect", task="design", requirements=make.requirements)
    again = asked.model_copy(update={"task": "design-S2"})
    made = DesignProposed(**IDS, task="design-S2", design=make.design("store"))
    seen = make.view(RunRequested(**IDS, idea="write", plan=plan), asked, "result.design", again, made)
    states = {one.task: (one.state, one.needs) for one in seen.graph.nodes}
    assert states == {"design": ("failed", ()), "docs": ("queued", ("design-S2",)), "design-S2": ("done", ())}
