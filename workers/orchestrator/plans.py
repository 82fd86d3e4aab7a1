"""Is a plan sound? Every objection is a sentence that its author can act on."""

from collections import Counter
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.tasks import RoleBrief
from workers.orchestrator.policy import Policy

ARCHITECT, DEVELOPER, TEST_ENGINEER = "architect", "backend_developer", "test_engineer"

BUILT_IN = frozenset({"project_manager", "sandbox", "reviewer", "packager"})
"""Roles that the orchestrator calls by itself in a project."""

NOT_IN_PROJECTS = BUILT_IN | {"prompt_lab"}
"""Roles that no plan for a project may name; the prompt lab works on prompts and on no project."""

NOT_IN_OWN = frozenset({"sandbox", "packager"})
"""Roles that do what a project needs and no task of one's own (decision 5)."""

RESERVED = ("plan", "verify", "review", "repair", "package", "vote", "ballot", "release")

MOST_OBJECTIONS = 20
"""More would help nobody, and the bus refuses large messages: a plan is small beside what it can raise."""


class Objection(NamedTuple):
    """What is wrong with which field of the plan, by its path."""

    field: str
    text: str


def offered(policy: Policy) -> tuple[RoleBrief, ...]:
    """The roles that a plan for a project may name."""
    return tuple(role for role in policy.roles if role.name not in NOT_IN_PROJECTS)


def objections(plan: Plan, policy: Policy) -> tuple[Objection, ...]:
    """What is wrong with a plan for a project; empty when nothing is."""
    allowed = [role.name for role in offered(policy)]
    return _shortened([*_unsound(plan, policy, allowed), *_incomplete(plan.tasks)])


def objections_to_own(plan: Plan, policy: Policy) -> tuple[Objection, ...]:
    """What is wrong with a plan that a request brings along: its tasks are instructions and deliver no project."""
    allowed = [role.name for role in policy.roles if role.name not in NOT_IN_OWN]
    found = _unsound(plan, policy, allowed)
    for n, task in enumerate(plan.tasks):
        if task.each is not None:
            text = f"task {task.task}: 'each' needs a design, and a plan of one's own has none"
            found.append(Objection(f"tasks.{n}.each", text))
    return _shortened(found)


def _shortened(found: list[Objection]) -> tuple[Objection, ...]:
    if len(found) <= MOST_OBJECTIONS:
        return tuple(found)
    more = Objection("tasks", f"and {len(found) - MOST_OBJECTIONS} more objections; see to these first")
    return (*found[:MOST_OBJECTIONS], more)


def _unsound(plan: Plan, policy: Policy, allowed: Sequence[str]) -> list[Objection]:
    if not plan.tasks:
        return [Objection("tasks", "the plan has no tasks")]
    if len(plan.tasks) > policy.max_tasks:
        text = f"the plan has {len(plan.tasks)} tasks; at most {policy.max_tasks} are allowed"
        return [Objection("tasks", text)]
    planned = Counter(task.task for task in plan.tasks)
    found = [
        Objection("tasks", f"task {name} is planned more than once") for name in sorted(planned) if planned[name] > 1
    ]
    for n, task in enumerate(plan.tasks):
        found += _wrong_with(f"tasks.{n}", task, planned, allowed)
    if not found and (circle := _circle(plan.tasks)):
        found.append(Objection("tasks", f"the tasks wait for each other in a circle: {circle}"))
    return found


def _wrong_with(field: str, task: PlannedTask, planned: Counter[str], allowed: Sequence[str]) -> list[Objection]:
    found = [
        Objection(f"{field}.needs", f"task {task.task} needs {need}, which is not in the plan")
        for need in dict.fromkeys(task.needs)
        if need not in planned and need != task.task
    ]
    if task.task in task.needs:
        found.append(Objection(f"{field}.needs", f"task {task.task} needs itself"))
    if task.task in RESERVED or task.task.startswith(tuple(f"{word}-" for word in RESERVED)):
        found.append(
            Objection(f"{field}.task", f"task {task.task}: the name is the orchestrator's own; choose another")
        )
    if task.role not in allowed:
        there = f"there are {', '.join(allowed) or 'none that are'}"
        text = f"task {task.task}: role {task.role} is unknown or not to be planned; {there}"
        found.append(Objection(f"{field}.role", text))
    return found


def _circle(tasks: Sequence[PlannedTask]) -> str:
    try:
        TopologicalSorter({task.task: task.needs for task in tasks}).prepare()
    except CycleError as error:
        return " → ".join(reversed(error.args[1]))
    return ""


def _incomplete(tasks: Sequence[PlannedTask]) -> list[Objection]:
    designs = {task.task for task in tasks if task.role == ARCHITECT}
    found = []
    count = sum(task.role == ARCHITECT for task in tasks)
    if count != 1:
        found.append(Objection("tasks", f"the plan has {count} tasks for the {ARCHITECT}; a project needs exactly one"))
    found += [
        Objection("tasks", f"the plan has no task for the {role}; a project needs one")
        for role in (DEVELOPER, TEST_ENGINEER)
        if all(task.role != role for task in tasks)
    ]
    for n, task in enumerate(tasks):
        found += _unfit(f"tasks.{n}", task, designs)
    return found


def _unfit(field: str, task: PlannedTask, designs: set[str]) -> list[Objection]:
    found = []
    if task.role == DEVELOPER and task.each is None:
        text = f"task {task.task}: the {DEVELOPER} builds one module at a time; say each: module"
        found.append(Objection(f"{field}.each", text))
    if task.each is not None and task.role != DEVELOPER:
        found.append(Objection(f"{field}.each", f"task {task.task}: only the {DEVELOPER} works per module"))
    if task.role in (DEVELOPER, TEST_ENGINEER) and not designs & set(task.needs):
        found.append(Objection(f"{field}.needs", f"task {task.task} must need the design"))
    return found
