"""A run that brings its own plan delivers its tasks' results."""

import pytest

from contracts.v1.tasks import Input, PerformTask
from workers.orchestrator.decider import SetTimer, decide
from workers.orchestrator.run import fold_spoiled


def test_ready_tasks_go_out_together_and_the_others_wait(make):
    plan = make.plan(make.task("a"), make.task("b"), make.task("c", needs=["a", "b"]))
    asked = make.asking(make.request(plan))
    assert make.said(make.run(make.request(plan))).keys() == {"task.writer.a.1", "task.writer.b.1"}
    assert make.said(make.run(*asked.facts.values(), make.performed("a"))) == {}
    assert make.said(make.run(*asked.facts.values(), make.performed("a"), make.performed("b"))).keys() == {
        "task.writer.c.1"
    }


def test_a_task_is_handed_what_the_tasks_that_it_needs_have_said(make):
    plan = make.plan(make.task("a"), make.task("b", needs=["a", "a"], instruction="go on"))
    file = make.file("a.txt")
    said = make.said(make.run(make.request(plan, model="m"), make.performed("a", "words", files=(file,))))
    command = said["task.writer.b.1"]
    assert command.inputs == (Input(task="a", output="words", files=(file,)),)
    assert (command.idea, command.instruction, command.model) == ("keep notes", "go on", "m")


def test_it_completes_without_a_capsule_when_all_tasks_are_done(make):
    closed = make.end(make.request(make.plan(make.task("a"))), make.performed("a", calls=(make.call("a"),)))
    assert (closed.status, closed.reason, closed.capsule) == ("completed", "its one task is done", None)
    assert closed.spent.calls == 1


@pytest.mark.parametrize("role", ["nobody", "sandbox"])
def test_a_role_that_can_not_have_the_task_refuses_the_run_and_names_the_field(make, role):
    text = f"is unknown or not to be planned; there are {', '.join(make.ROLES)}"
    closed = make.end(make.request(make.plan(make.task("a"), make.task("b", role))))
    assert closed.status == "refused"
    assert [(error.field, error.message) for error in closed.errors] == [
        ("plan.tasks.1.role", f"task b: role {role} {text}")
    ]
    assert closed.errors[0].message in closed.reason


def test_the_roles_of_a_project_do_tasks_of_a_plan_of_ones_own_as_any_other_role_does(make):
    plan = make.plan(make.task("a", "architect"), make.task("b", "reviewer", ["a"], instruction="weigh it"))
    asked = make.asking(make.request(plan), make.performed("a", "two ways"))
    command = asked.facts["task.reviewer.b.1"]
    assert isinstance(command, PerformTask)
    assert (command.instruction, command.inputs) == ("weigh it", (Input(task="a", output="two ways"),))
    closed = make.end(*asked.facts.values(), make.performed("b"))
    assert (closed.status, closed.capsule) == ("completed", None)


def test_a_refused_run_sets_no_timers(make):
    assert decide(make.run(make.request(make.plan())), make.POLICY).timers == ()


def test_the_largest_plan_full_of_mistakes_is_refused_in_a_message_that_the_bus_can_carry(make):
    needs = [f"{n:03}{'x' * 37}" for n in range(200)]
    closed = make.end(make.request(make.plan(*(make.task(f"t{n}", "nobody", needs) for n in range(200)))))
    assert closed.status == "refused"
    assert len(closed.model_dump_json()) < 50_000


def test_the_runs_deadline_is_set_with_the_first_command_only(make):
    plan = make.plan(make.task("a"), make.task("b", needs=["a"]))
    first = decide(make.run(make.request(plan, deadline_s=60)), make.POLICY)
    asked = make.asking(make.request(plan, deadline_s=60))
    second = decide(make.run(*asked.facts.values(), make.performed("a")), make.POLICY)
    assert first.timers == (SetTimer("run", 60),)
    assert (second.timers, len(second.messages)) == ((), 1)


def test_without_a_deadline_of_its_own_a_run_has_the_fleets(make):
    decision = decide(make.run(make.request(make.plan(make.task("a", deadline_s=7)))), make.POLICY)
    assert decision.timers == (SetTimer("run", 3_600), SetTimer("task-a-1", 7))


def test_a_spoiled_result_goes_on_under_the_next_name_and_what_needs_it_follows(make):
    plan = make.plan(make.task("a"), make.task("b", needs=["a"]))
    run = fold_spoiled(make.asking(make.request(plan)), "result.a")
    assert make.said(run).keys() == {"task.writer.a-S2.1"}
    after = fold_spoiled(make.run(make.request(plan), make.performed("a-S2", "again")), "result.a")
    assert make.said(after)["task.writer.b.1"].inputs == (Input(task="a", output="again"),)


def test_results_that_are_spoiled_again_and_again_fail_the_run(make):
    run = make.run(make.request(make.plan(make.task("a"))))
    for name in ("result.a", "result.a-S2", "result.a-S3"):
        run = fold_spoiled(run, name)
    closed = make.said(run)["run.closed"]
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "a", "result.a-S3")
    assert closed.reason == "task a (writer): 3 stored results in a row do not validate"


def test_a_command_that_is_spoiled_counts_as_a_failed_attempt(make):
    run = fold_spoiled(make.run(make.request(make.plan(make.task("a")))), "task.writer.a.1")
    said = make.said(run)
    assert said.keys() == {"failure.a.1"}
    assert said["failure.a.1"].reason == "the stored command task.writer.a.1 does not validate"


def test_the_longest_names_still_fit_into_every_token(make):
    long = "a" * 40
    run = fold_spoiled(make.run(make.request(make.plan(make.task(long, deadline_s=1)))), f"result.{long}")
    assert [timer.name for timer in decide(run, make.POLICY).timers] == ["run", f"task-{long}-S2-1"]


def test_deciding_again_sets_the_timers_of_every_attempt_that_is_out_and_says_nothing_twice(make):
    plan = make.plan(
        make.task("a", deadline_s=7), make.task("b", deadline_s=8), make.task("c", needs=["b"], deadline_s=9)
    )
    asked = make.asking(make.request(plan, deadline_s=60))
    run = make.run(*asked.facts.values(), make.performed("a"))
    assert decide(run, make.POLICY).timers == ()
    again = decide(run, make.POLICY, again=True)
    assert again.timers == (SetTimer("run", 60), SetTimer("task-b-1", 8))
    assert again.messages == ()


def test_deciding_again_sets_no_timer_of_a_run_that_is_over(make):
    closed = make.end(make.request(make.plan(make.task("a"))), make.performed("a"))
    run = make.run(make.request(make.plan(make.task("a"))), make.performed("a"), closed)
    assert decide(run, make.POLICY, again=True).timers == ()
