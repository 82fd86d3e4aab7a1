"""A project on its way: each rule of the orchestrator, as a sentence."""

from dataclasses import replace

import pytest

from contracts.codec import decode, encode
from contracts.subjects import is_token, subject_of
from contracts.v1.budgets import Budget
from workers.orchestrator.decider import NOTHING, SetTimer, decide
from workers.orchestrator.run import Run, fold, fold_spoiled


def test_nothing_is_called_for_before_the_request(make):
    assert decide(Run("t", "r"), make.POLICY) == NOTHING
    assert decide(make.run(make.cancel(), make.planned()), make.POLICY) == NOTHING


def test_a_request_asks_the_project_manager_for_a_plan_with_its_deadlines(make):
    decision = decide(make.run(make.request()), make.POLICY)
    [command] = decision.messages
    assert (command.kind, command.task, command.objections) == ("plan_project", "plan", ())
    assert [role.name for role in command.roles] == [
        "architect",
        "backend_developer",
        "test_engineer",
        "infra_engineer",
        "writer",
    ]
    assert decision.timers == (SetTimer("run", 3_600), SetTimer("task-plan-1", 900))


def test_an_unsound_plan_goes_back_once_with_the_objections(make):
    said = make.said(make.run(make.request(), make.planned(make.plan(make.DESIGN, make.BUILD))))
    assert said.keys() == {"task.project_manager.plan-2.1"}
    assert said["task.project_manager.plan-2.1"].objections == (
        "the plan has no task for the test_engineer; a project needs one",
    )


def test_the_second_unsound_plan_fails_the_run(make):
    unsound = make.plan(make.DESIGN, make.BUILD)
    closed = make.end(make.request(), make.planned(unsound), make.planned(unsound, "plan-2"))
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "plan-2", "result.plan-2")
    assert closed.reason.endswith("the plan has no task for the test_engineer; a project needs one")


def test_the_second_plan_stands_when_it_is_sound(make):
    said = make.said(make.run(make.request(), make.planned(make.plan()), make.planned(name="plan-2")))
    assert said.keys() == {"task.architect.design.1"}


def test_modules_and_tests_go_out_together_once_the_design_is_there(make):
    asked = make.asking(make.request(), make.planned())
    said = make.said(make.run(*asked.facts.values(), make.proposed("api", "store")))
    assert said.keys() == {
        "task.backend_developer.build-api.1",
        "task.backend_developer.build-store.1",
        "task.test_engineer.tests.1",
    }
    assert said["task.backend_developer.build-store.1"].module.name == "store"


def test_what_needs_no_design_does_not_wait_for_one_and_what_needs_all_modules_waits_for_all(make):
    plan = make.project_plan(make.task("intro"), make.task("docs", needs=["build"]), make.task("after", needs=["docs"]))
    known = [make.request(), make.planned(plan)]
    assert make.said(make.run(*known)).keys() == {"task.architect.design.1", "task.writer.intro.1"}
    known += [make.proposed(), make.built("build-api")]
    assert "task.writer.docs.1" not in make.said(make.run(*known))
    docs = make.said(make.run(*known, make.built("build-store")))["task.writer.docs.1"]
    assert [given.task for given in docs.inputs] == ["build-api", "build-store"]


def test_a_module_that_is_done_is_not_held_up_by_another_that_is_tried_again(make):
    plan = make.project_plan(make.task("docs", needs=["tests"]))
    known = [make.request(), make.planned(plan), make.proposed(), make.failed("build-api"), make.tested()]
    said = make.said(make.asking(*known))
    assert said == {}
    assert make.asking(*known).facts.keys() > {"task.backend_developer.build-api.2", "task.writer.docs.1"}


def test_a_failed_attempt_is_tried_again_up_to_the_limit(make):
    known = [make.request(), make.failed("plan", 1)]
    assert make.said(make.run(*known)).keys() == {"task.project_manager.plan.2"}
    assert make.said(make.run(*known))["task.project_manager.plan.2"].attempt == 2
    known += [make.failed("plan", 2), make.failed("plan", 3, reason="still no luck")]
    closed = make.end(*known)
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "plan", "failure.plan.3")
    assert closed.reason == "task plan (project_manager) failed after 3 attempts: still no luck"


def test_what_makes_no_sense_to_retry_fails_the_run_at_once(make):
    closed = make.end(make.request(), make.failed("plan", retry=False, reason="the idea can't be read"))
    assert closed.reason == "task plan (project_manager) failed: the idea can't be read"
    assert closed.evidence_at == "failure.plan.1"


def test_a_late_result_of_an_earlier_attempt_counts(make):
    said = make.said(make.run(make.request(), make.failed("plan", 1), make.planned()))
    assert said.keys() == {"task.architect.design.1"}


def test_red_tests_go_back_to_the_developer_with_the_failing_output(make):
    known = [*make.up_to_verify(), make.verified(1, green=False, output="E assert 404")]
    command = make.said(make.run(*known))["task.backend_developer.repair-1.1"]
    assert (command.round, command.evidence.output, command.findings) == (1, "E assert 404", ())
    assert [ref.path for ref in command.files] == ["build-api.py", "build-store.py", "tests/test_it.py"]


def test_what_was_repaired_is_verified_again_with_the_repaired_files(make):
    known = [*make.up_to_verify(), make.verified(1, green=False), make.repaired(1)]
    command = make.said(make.run(*known))["task.sandbox.verify-2.1"]
    assert [ref.path for ref in command.files] == ["api.py", "build-api.py", "build-store.py", "tests/test_it.py"]


def test_after_three_repairs_the_run_fails_with_the_last_evidence(make):
    known = make.up_to_verify()
    for n in (1, 2, 3):
        known += [make.verified(n, green=False), make.repaired(n)]
        assert make.said(make.run(*known)).keys() == {f"task.sandbox.verify-{n + 1}.1"}
    closed = make.end(*known, make.verified(4, green=False, output="last"))
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "verify-4", "result.verify-4")
    assert closed.evidence.output == "last"
    assert closed.reason == "after 3 repairs the tests are still red: 1 of 3 fail, first test_a_note_is_kept"


def test_a_policy_without_repairs_ends_at_the_first_red_test(make):
    strict = replace(make.POLICY, max_repairs=0)
    assert make.end(*make.up_to_verify(), make.verified(1, green=False), policy=strict).failed_task == "verify-1"


@pytest.mark.parametrize("odd", [{"failed": 1}, {"tests": 0}])
def test_a_bare_passed_beside_a_red_test_or_without_tests_is_not_green(make, odd):
    verified = make.verified(1, green=True).model_copy(update={"evidence": make.evidence(True, **odd)})
    assert make.said(make.run(*make.up_to_verify(), verified)).keys() == {"task.backend_developer.repair-1.1"}


def test_a_blocking_finding_causes_a_repair_and_lesser_ones_do_not(make):
    known = [*make.up_to_verify(), make.verified(1, green=True)]
    assert make.said(make.run(*known)).keys() == {"task.reviewer.review-1.1"}
    blocked = make.said(make.run(*known, make.reviewed(1, "note", "blocking")))["task.backend_developer.repair-1.1"]
    assert [finding.severity for finding in blocked.findings] == ["blocking"]
    fine = make.said(make.run(*known, make.reviewed(1, "note", "major")))["task.packager.package.1"]
    assert [finding.severity for finding in fine.findings] == ["note", "major"]


def test_reviewers_that_still_block_after_the_last_repair_fail_the_run(make):
    once = replace(make.POLICY, max_repairs=1)
    known = [*make.up_to_verify(), make.verified(1, green=False), make.repaired(1)]
    closed = make.end(*known, make.verified(2, green=True), make.reviewed(2, "blocking"), policy=once)
    assert (closed.failed_task, closed.evidence_at) == ("review-2", "result.review-2")
    assert closed.reason == "after 1 repair reviewers still block: blocking thing"


def test_a_packed_project_completes_with_its_evidence_capsule_and_cost(make):
    known = [*make.up_to_verify(), make.verified(1, green=True), make.reviewed(1), make.packed()]
    closed = make.end(*known)
    assert (closed.status, closed.capsule, closed.evidence.passed) == ("completed", make.SHA, True)
    assert (closed.reason, closed.spent.calls, closed.spent.cost_usd) == ("3 tests pass", 2, 1.0)


def test_the_packager_is_told_who_made_each_file(make):
    known = [*make.up_to_verify(), make.verified(1, green=False), make.repaired(1)]
    known += [make.verified(2, green=True), make.reviewed(2)]
    command = make.said(make.run(*known))["task.packager.package.1"]
    assert {file.path: file.task for file in command.files}["api.py"] == "repair-1"
    assert [call.entry for call in command.calls] == ["llm.build-api.1.1", "llm.build-store.1.1"]


@pytest.mark.parametrize("spoil", [False, True])
def test_a_cancel_wins_over_everything_but_a_close(make, spoil):
    known = [*make.up_to_verify(), make.verified(1, green=True), make.reviewed(1), make.packed(), make.passed("run")]
    run = make.run(*known)
    run = fold_spoiled(run, "run.cancel") if spoil else fold(run, [make.cancel()])
    [closed] = decide(run, make.POLICY).messages
    assert (closed.status, closed.reason) == ("cancelled", "a cancel was asked for")
    assert decide(make.run(*known, make.cancel(), make.end(*known)), make.POLICY) == NOTHING


def test_a_cancel_says_its_own_reason(make):
    assert make.end(make.request(), make.cancel("wrong idea")).reason == "wrong idea"


@pytest.mark.parametrize("spoil", [False, True])
def test_the_runs_deadline_fails_it(make, spoil):
    run = make.run(make.request())
    run = fold_spoiled(run, "timer.run") if spoil else fold(run, [make.passed("run")])
    [closed] = decide(run, make.POLICY).messages
    assert closed.status == "failed"
    assert closed.reason == "the run's deadline has passed; ask again with a longer deadline_s"


@pytest.mark.parametrize("what", ["models", "budget"])
def test_the_runs_deadline_names_what_a_task_waited_for_and_what_helps(make, what):
    known = [make.request(), make.passed("run"), make.waits("plan", what=what, reason="nothing is left")]
    closed = make.end(*known)
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "plan", f"wait.plan.1.1.{what}")
    start, _, helps = closed.reason.partition("; ")
    assert start == f"the run's deadline has passed while task plan waited for {what}: nothing is left"
    assert ("flotilla budget RUN --add" if what == "budget" else "flotilla models") in helps
    assert "a longer deadline_s" in helps


def test_the_runs_deadline_names_the_newest_wait_and_counts_the_others(make):
    waits = [make.waits("tests"), make.waits("build-api", n=2, what="models"), make.waits("build-api", what="budget")]
    closed = make.end(make.request(), make.planned(), make.proposed(), make.passed("run"), *waits)
    assert " while task build-api waited for models and 1 more task waited; " in closed.reason


@pytest.mark.parametrize("end", ["result", "failure", "spoiled"])
def test_the_runs_deadline_does_not_blame_the_wait_of_an_attempt_that_is_over(make, end):
    run = make.run(make.request(), make.waits("plan"), make.passed("run"))
    ends = {"result": make.planned(), "failure": make.failed("plan")}
    run = fold(run, [ends[end]]) if end in ends else fold_spoiled(run, "result.plan")
    [closed] = decide(run, make.POLICY).messages
    assert closed.reason == "the run's deadline has passed; ask again with a longer deadline_s"


@pytest.mark.parametrize("spoil", [False, True])
def test_an_attempt_that_has_waited_has_no_deadline_of_its_own_any_more(make, spoil):
    run = make.asking(make.request(), make.passed("task-plan-1"))
    assert "failure.plan.1" in run.facts
    run = make.run(make.request(), make.passed("task-plan-1"))
    run = fold_spoiled(run, "wait.plan.1.2.models") if spoil else fold(run, [make.waits("plan", n=2)])
    assert make.said(run).keys() == {"task.project_manager.plan.1"}


def test_the_attempt_after_one_that_waited_has_its_deadline_again(make):
    known = [make.request(), make.waits("plan", 1), make.failed("plan", 1), make.passed("task-plan-2")]
    late = make.asking(*known)
    assert late.facts["failure.plan.2"].error == "deadline"


def test_the_wait_of_a_task_whose_name_begins_alike_is_another_ones(make):
    known = [make.request(), make.passed("task-plan-1"), make.waits("plan-2"), make.waits("plan", attempt=11)]
    assert "failure.plan.1" in make.asking(*known).facts


def test_a_wait_by_itself_calls_for_nothing(make):
    asked = make.asking(make.request())
    assert decide(fold(asked, [make.waits("plan")]), make.POLICY) == NOTHING


def test_commands_carry_their_steps_deadline_and_the_runs_budget(make):
    own = make.plan(make.task("a", deadline_s=7), make.task("b"))
    said = make.said(make.run(make.request(own, budget=Budget(usd=2.5))))
    assert [said[f"task.writer.{name}.1"].deadline_s for name in "ab"] == [7, None]
    assert {command.budget for command in said.values()} == {Budget(usd=2.5)}
    known = [make.request(), make.failed("plan")]
    assert make.said(make.run(*known))["task.project_manager.plan.2"].deadline_s == make.POLICY.task_deadline_s


@pytest.mark.parametrize(
    ("asked", "default", "merged"),
    [
        (None, (None, None), None),
        (Budget(), (None, None), None),
        (None, (5.0, 1_000), Budget(usd=5.0, tokens=1_000)),
        (Budget(usd=1.0), (5.0, 1_000), Budget(usd=1.0, tokens=1_000)),
        (Budget(tokens=0), (5.0, 1_000), Budget(usd=5.0, tokens=0)),
        (Budget(usd=0.0, tokens=2), (5.0, None), Budget(usd=0.0, tokens=2)),
    ],
)
def test_a_runs_budget_is_its_own_word_on_each_field_else_the_fleets(make, asked, default, merged):
    policy = replace(make.POLICY, run_budget_usd=default[0], run_budget_tokens=default[1])
    said = make.said(make.run(make.request(budget=asked)), policy)
    assert said["task.project_manager.plan.1"].budget == merged


def test_a_repair_that_changes_nothing_ends_the_run_and_points_at_what_was_seen_before(make):
    same = make.repaired(1).model_copy(update={"files": (make.file("build-api.py"),)})
    closed = make.end(*make.up_to_verify(), make.verified(1, green=False, output="first"), same)
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", "repair-1", "result.verify-1")
    assert closed.reason.startswith("repair-1 gave the same files again: round 2 as in round 1, in which the tests")
    assert closed.evidence.output == "first"


def test_a_repair_that_goes_back_to_an_earlier_round_ends_the_run(make):
    known = make.up_to_verify()
    for n, digit in ((1, "7"), (2, "8")):
        known += [make.verified(n, green=False, output=f"round {n}"), make.repaired(n, digit)]
    known += [make.verified(3, green=False)]
    assert make.said(make.run(*known, make.repaired(3, "9"))).keys() == {"task.sandbox.verify-4.1"}
    closed = make.end(*known, make.repaired(3, "7"))
    assert closed.reason.startswith("repair-3 gave the same files again: round 4 as in round 2")
    assert (closed.evidence.output, closed.evidence_at) == ("round 2", "result.verify-2")


def test_a_repair_that_leaves_what_reviewers_blocked_points_at_the_review(make):
    same = make.repaired(1).model_copy(update={"files": ()})
    closed = make.end(*make.up_to_verify(), make.verified(1, green=True), make.reviewed(1, "blocking"), same)
    assert closed.reason.endswith("in which reviewers blocked; see result.review-1")
    assert closed.evidence_at == "result.review-1"


def test_a_run_that_has_verified_the_same_files_twice_goes_on_from_there(make):
    same = make.repaired(1).model_copy(update={"files": ()})
    known = [*make.up_to_verify(), make.verified(1, green=False), same, make.verified(2, green=True)]
    assert make.said(make.run(*known)).keys() == {"task.reviewer.review-2.1"}


def test_a_tasks_deadline_is_its_failure_and_the_next_attempt_waits_for_that_to_be_known(make):
    late = make.asking(make.request(), make.passed("task-plan-1"))
    assert late.facts.keys() == {"run.requested", "timer.task-plan-1", "failure.plan.1"}
    assert late.facts["failure.plan.1"].error == "deadline"
    assert late.facts["failure.plan.1"].reason == "no result after 900 s; is a worker for project_manager running?"
    assert make.said(late).keys() == {"task.project_manager.plan.2"}


def test_a_deadline_passed_beside_a_failure_of_the_role_is_the_roles_failure(make):
    closed = make.end(make.request(), make.passed("task-plan-1"), make.failed("plan", retry=False))
    assert closed.reason == "task plan (project_manager) failed: no luck"


def test_the_deadline_of_the_last_attempt_fails_the_run_and_the_evidence_is_in_the_log(make):
    known = [make.request(), make.failed("plan", 1), make.failed("plan", 2), make.passed("task-plan-3")]
    late = make.asking(*known)
    closed = make.said(late)["run.closed"]
    assert closed.evidence_at == "failure.plan.3"
    assert closed.evidence_at in late.facts


def test_a_deadline_of_a_task_that_is_done_changes_nothing(make):
    assert make.said(make.run(make.request(), make.planned(), make.passed("task-plan-1"))).keys() == {
        "task.architect.design.1"
    }


WRONG = {
    "plan": lambda make: [make.request(), make.performed("plan")],
    "design": lambda make: [make.request(), make.planned(), make.performed("design")],
    "build-api": lambda make: [make.request(), make.planned(), make.proposed(), make.tested("build-api")],
    "tests": lambda make: [make.request(), make.planned(), make.proposed(), make.proposed(name="tests")],
    "verify-1": lambda make: [*make.up_to_verify(), make.performed("verify-1")],
    "review-1": lambda make: [*make.up_to_verify(), make.verified(1, green=True), make.performed("review-1")],
    "repair-1": lambda make: [*make.up_to_verify(), make.verified(1, green=False), make.performed("repair-1")],
    "package": lambda make: [
        *make.up_to_verify(), make.verified(1, green=True), make.reviewed(1), make.tested("package"),
    ],
    "a": lambda make: [make.request(make.plan(make.task("a"))), make.proposed(name="a")],
}  # fmt: skip


@pytest.mark.parametrize("task", WRONG)
def test_a_result_of_the_wrong_kind_fails_the_run_and_names_the_task_and_what_was_found(make, task):
    facts = WRONG[task](make)
    closed = make.end(*facts)
    found = type(facts[-1]).__name__
    assert (closed.status, closed.failed_task, closed.evidence_at) == ("failed", task, f"result.{task}")
    assert f"task {task} (" in closed.reason
    assert f"reported a {found}; only a " in closed.reason


def test_a_result_of_a_task_that_the_plan_wrote_out_per_module_counts_for_none_of_them(make):
    plan = make.project_plan(make.task("docs", needs=["build"]))
    said = make.said(make.run(make.request(), make.planned(plan), make.built("build")))
    assert said.keys() == {"task.architect.design.1"}


def test_two_modules_of_one_name_fail_the_run(make):
    closed = make.end(make.request(), make.planned(), make.proposed("api", "store", "api"))
    assert (closed.failed_task, closed.evidence_at) == ("design", "result.design")
    assert closed.reason == "the design of task design can't be built by the plan: the design has 2 modules named api"


def test_a_module_whose_task_gets_a_planned_name_fails_the_run(make):
    plan = make.project_plan(make.task("build-api"))
    closed = make.end(make.request(), make.planned(plan), make.performed("build-api"), make.proposed("api"))
    assert closed.reason.endswith("2 tasks of the plan come to be named build-api")


def test_a_design_that_writes_a_plan_out_beyond_the_limit_fails_the_run(make):
    few = replace(make.POLICY, max_tasks=4)
    closed = make.end(make.request(), make.planned(), make.proposed("a", "b", "c"), policy=few)
    assert closed.reason.endswith("with 3 modules the plan has 5 tasks of 4 allowed")


def test_modules_with_the_longest_names_get_tasks_of_their_own_that_fit_everywhere(make):
    build = make.task("b" * 40, "backend_developer", ["design"], each="module", deadline_s=5)
    modules = ("x" * 48, "x" * 47 + "y")
    run = make.run(make.request(), make.planned(make.plan(make.DESIGN, build, make.TESTS)), make.proposed(*modules))
    first = decide(run, make.POLICY)
    run = fold_spoiled(fold(run, first.messages), f"result.{first.messages[0].task}")
    for decision in (first, decide(run, make.POLICY)):
        assert all(is_token(timer.name) for timer in decision.timers)
        assert all(decode(subject_of(message), encode(message)) == message for message in decision.messages)
    assert len({message.task for message in first.messages}) == 3


def test_a_reason_longer_than_a_message_may_have_is_cut(make):
    reasons = "x" * 20_000
    assert len(make.end(make.request(), make.failed("plan", retry=False, reason=reasons)).reason) == 20_000


def test_new_code_that_reads_an_old_run_asks_only_for_what_is_missing(make):
    asked = make.asking(make.request(), make.planned(), make.proposed())
    known = [fact for name, fact in asked.facts.items() if name != "task.test_engineer.tests.1"]
    assert make.said(make.run(*known)).keys() == {"task.test_engineer.tests.1"}
