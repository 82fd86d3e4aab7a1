"""Each objection to a plan is a sentence about a field that its author can act on."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.tasks import RoleBrief
from workers.orchestrator.decider import decide
from workers.orchestrator.plans import MOST_OBJECTIONS, objections, objections_to_own

KNOWN = "architect, backend_developer, test_engineer, infra_engineer, writer"


def _to_project(make, *tasks):
    return [tuple(found) for found in objections(make.plan(*tasks), make.POLICY)]


def _to_own(make, *tasks):
    return [tuple(found) for found in objections_to_own(make.plan(*tasks), make.POLICY)]


def _with(make, *names):
    """The policy of a fleet that has these roles as well."""
    more = tuple(RoleBrief(name=name, purpose="work") for name in names)
    return replace(make.POLICY, roles=(*make.POLICY.roles, *more))


def test_a_sound_plan_meets_no_objection(make):
    assert _to_project(make, make.DESIGN, make.BUILD, make.TESTS, make.task("docs", needs=["build", "tests"])) == []
    assert _to_own(make, make.task("a"), make.task("b", "infra_engineer", ["a"])) == []


def test_a_plan_without_tasks_is_no_plan(make):
    assert ("tasks", "the plan has no tasks") in _to_project(make)
    assert _to_own(make) == [("tasks", "the plan has no tasks")]


def test_a_plan_with_too_many_tasks_says_how_many_are_allowed(make):
    few = replace(make.POLICY, max_tasks=2)
    found = objections_to_own(make.plan(*(make.task(f"t{n}") for n in range(3))), few)
    assert [tuple(one) for one in found] == [("tasks", "the plan has 3 tasks; at most 2 are allowed")]


def test_a_name_may_be_planned_once(make):
    assert _to_own(make, make.task("a"), make.task("a")) == [("tasks", "task a is planned more than once")]


def test_a_need_must_be_in_the_plan_and_is_named_once(make):
    found = _to_own(make, make.task("a"), make.task("b", needs=["nowhere", "a", "nowhere"]))
    assert found == [("tasks.1.needs", "task b needs nowhere, which is not in the plan")]


def test_a_task_can_not_need_itself(make):
    assert _to_own(make, make.task("a", needs=["a"])) == [("tasks.0.needs", "task a needs itself")]


def test_a_circle_is_shown_from_task_to_need(make):
    rows = [("a", ["c"]), ("b", ["a"]), ("c", ["b"]), ("d", ["a"])]
    [(field, text)] = _to_own(make, *(make.task(name, needs=needs) for name, needs in rows))
    circle = text.removeprefix("the tasks wait for each other in a circle: ").split(" → ")
    assert field == "tasks"
    assert circle[0] == circle[-1]
    assert set(circle) == {"a", "b", "c"}
    assert all(need in dict(rows)[name] for name, need in pairwise(circle))


@pytest.mark.parametrize(
    "name",
    [
        "plan",
        "plan-2",
        "verify",
        "verify-1",
        "review-x",
        "repair-1",
        "package",
        "package-s",
        "vote-x",
        "ballot",
        "release-1",
    ],
)
def test_the_orchestrators_own_names_are_not_to_be_planned(make, name):
    text = f"task {name}: the name is the orchestrator's own; choose another"
    assert _to_own(make, make.task(name)) == [("tasks.0.task", text)]


@pytest.mark.parametrize("name", ["planner", "reviewed", "packages", "repairs"])
def test_names_that_only_begin_alike_are_free(make, name):
    assert _to_own(make, make.task(name)) == []


@pytest.mark.parametrize("role", ["nobody", "project_manager", "sandbox", "reviewer", "packager"])
def test_a_role_that_is_unknown_or_called_by_the_fleet_itself_is_answered_with_those_that_there_are(make, role):
    text = f"task a: role {role} is unknown or not to be planned; there are {KNOWN}"
    found = _to_project(make, make.DESIGN, make.BUILD, make.TESTS, make.task("a", role))
    assert found == [("tasks.3.role", text)]


@pytest.mark.parametrize(
    "role", ["project_manager", "architect", "backend_developer", "test_engineer", "reviewer", "writer", "prompt_lab"]
)
def test_a_plan_of_ones_own_may_name_every_role_that_does_as_it_is_told(make, role):
    found = objections_to_own(make.plan(make.task("a", role)), _with(make, "sandbox", "packager", "prompt_lab"))
    assert found == ()


@pytest.mark.parametrize("role", ["nobody", "sandbox", "packager"])
def test_a_role_that_an_own_plan_can_not_have_is_answered_with_those_that_it_can(make, role):
    [(_, text)] = objections_to_own(make.plan(make.task("a", role)), _with(make, "sandbox", "packager"))
    known = "project_manager, architect, backend_developer, test_engineer, reviewer, infra_engineer, writer"
    assert text == f"task a: role {role} is unknown or not to be planned; there are {known}"


def test_a_project_can_not_plan_the_prompt_lab_and_is_not_told_of_it(make):
    policy = _with(make, "prompt_lab")
    lab = make.task("a", "prompt_lab")
    [(field, text)] = objections(make.plan(make.DESIGN, make.BUILD, make.TESTS, lab), policy)
    assert field == "tasks.3.role"
    assert text == f"task a: role prompt_lab is unknown or not to be planned; there are {KNOWN}"
    command = decide(make.run(make.request()), policy).messages[0]
    assert ", ".join(role.name for role in command.roles) == KNOWN


def test_a_fleet_without_roles_for_own_plans_says_so(make):
    bare = replace(make.POLICY, roles=())
    [(_, text)] = objections_to_own(make.plan(make.task("a")), bare)
    assert text == "task a: role writer is unknown or not to be planned; there are none that are"


def test_a_plan_of_ones_own_has_no_modules(make):
    text = "task a: 'each' needs a design, and a plan of one's own has none"
    assert _to_own(make, make.task("a", each="module")) == [("tasks.0.each", text)]


@pytest.mark.parametrize("designs", [0, 2])
def test_a_project_needs_exactly_one_design(make, designs):
    tasks = [make.task(f"design{n}", "architect") for n in range(designs)]
    needs = [tasks[0].task] if tasks else []
    rest = [make.task("b", "backend_developer", needs, each="module"), make.task("t", "test_engineer", needs)]
    assert (
        "tasks",
        f"the plan has {designs} tasks for the architect; a project needs exactly one",
    ) in _to_project(make, *tasks, *rest)


def test_a_project_needs_a_developer_and_a_test_engineer(make):
    assert _to_project(make, make.DESIGN) == [
        ("tasks", "the plan has no task for the backend_developer; a project needs one"),
        ("tasks", "the plan has no task for the test_engineer; a project needs one"),
    ]


def test_the_developer_works_per_module_and_nobody_else_does(make):
    build = make.task("build", "backend_developer", ["design"])
    docs = make.task("docs", needs=["design"], each="module")
    assert _to_project(make, make.DESIGN, build, make.TESTS, docs) == [
        ("tasks.1.each", "task build: the backend_developer builds one module at a time; say each: module"),
        ("tasks.3.each", "task docs: only the backend_developer works per module"),
    ]


def test_developer_and_test_engineer_must_need_the_design(make):
    build, tests = make.BUILD.model_copy(update={"needs": ()}), make.TESTS.model_copy(update={"needs": ("build",)})
    assert _to_project(make, make.DESIGN, build, tests) == [
        ("tasks.1.needs", "task build must need the design"),
        ("tasks.2.needs", "task tests must need the design"),
    ]


def test_objections_are_few_enough_for_a_message_and_say_how_many_more_there_are(make):
    found = _to_own(make, *(make.task(f"t{n}", "nobody") for n in range(200)))
    assert len(found) == MOST_OBJECTIONS + 1
    assert found[-1] == ("tasks", "and 180 more objections; see to these first")


NAMES = st.sampled_from(["a", "b", "design", "build", "tests", "plan-2", "x" * 40])
ROLES = st.sampled_from(["architect", "backend_developer", "test_engineer", "writer", "sandbox", "nobody"])
TASKS = st.lists(st.tuples(NAMES, ROLES, st.lists(NAMES, max_size=3), st.booleans()), max_size=6)


@given(TASKS)
def test_a_plan_without_objections_can_be_carried_out_to_its_end(make, rows):
    tasks = [make.task(name, role, needs, each="module" if each else None) for name, role, needs, each in rows]
    if objections_to_own(make.plan(*tasks), make.POLICY):
        return
    run, done = make.asking(make.request(make.plan(*tasks))), 0
    while not run.is_closed and done <= len(tasks):
        open_tasks = [fact.task for name, fact in run.facts.items() if name.startswith("task.")]
        run = make.asking(*run.facts.values(), *(make.performed(name) for name in open_tasks))
        done += 1
    assert run.facts["run.closed"].status == "completed"
