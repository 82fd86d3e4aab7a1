"""Is a plan sound? Every objection is a sentence that its author can act on."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from contracts.v1.plans import Plan, PlannedTask
from workers.orchestrator.policy import Policy

ARCHITECT, DEVELOPER, TEST_ENGINEER = "architect", "backend_developer", "test_engineer"
BUILT_IN = frozenset({"project_manager", "sandbox", "reviewer", "packager"})
"""Roles that the orchestrator calls by itself."""

RESERVED = ("plan", "verify", "review", "repair", "package")


def objections(plan: Plan, policy: Policy) -> tuple[str, ...]:
    """What is wrong with a plan for a project; empty when nothing is."""
    return (*_unsound(plan, policy), *_incomplete(plan.tasks))


def objections_to_own(plan: Plan, policy: Policy) -> tuple[str, ...]:
    """What is wrong with a plan that a request brings along: its tasks are instructions and deliver no project."""
    makers = {ARCHITECT, DEVELOPER, TEST_ENGINEER}
    found = list(_unsound(plan, policy))
    for task in plan.tasks:
        if task.role in makers:
            found.append(f"task {task.task}: role {task.role} works from requirements; leave its planning to the fleet")
        if task.each is not None:
            found.append(f"task {task.task}: 'each' needs a design, and a plan of one's own has none")
    return tuple(found)


def _unsound(plan: Plan, policy: Policy) -> Sequence[str]:
    if not plan.tasks:
        return ["the plan has no tasks"]
    if len(plan.tasks) > policy.max_tasks:
        return [f"the plan has {len(plan.tasks)} tasks; at most {policy.max_tasks} are allowed"]
    names = [task.task for task in plan.tasks]
    found = [f"task {name} is planned more than once" for name in sorted({n for n in names if names.count(n) > 1})]
    for task in plan.tasks:
        found += _wrong_with(task, set(names), policy)
    if not found and (cycle := _cycle(plan.tasks)):
        found.append(f"the tasks wait for each other in a circle: {' → '.join(cycle)}")
    return found


def _wrong_with(task: PlannedTask, names: set[str], policy: Policy) -> list[str]:
    found = [
        f"task {task.task} needs {need}, which is not in the plan"
        for need in task.needs
        if need not in names and need != task.task
    ]
    if task.task in task.needs:
        found.append(f"task {task.task} needs itself")
    if task.task in RESERVED or task.task.startswith(tuple(f"{word}-" for word in RESERVED)):
        found.append(f"task {task.task}: the name is the orchestrator's own; choose another")
    known = [role.name for role in policy.roles if role.name not in BUILT_IN]
    if task.role not in known:
        found.append(
            f"task {task.task}: role {task.role} is unknown or not to be planned; there are {', '.join(known)}"
        )
    return found


def _cycle(tasks: Sequence[PlannedTask]) -> list[str]:
    try:
        TopologicalSorter({task.task: task.needs for task in tasks}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _incomplete(tasks: Sequence[PlannedTask]) -> list[str]:
    designs = [task.task for task in tasks if task.role == ARCHITECT]
    found = []
    if len(designs) != 1:
        found.append(f"the plan has {len(designs)} tasks for the {ARCHITECT}; a project needs exactly one")
    found += [
        f"the plan has no task for the {role}; a project needs one"
        for role in (DEVELOPER, TEST_ENGINEER)
        if all(task.role != role for task in tasks)
    ]
    for task in tasks:
        if task.role == DEVELOPER and task.each is None:
            found.append(f"task {task.task}: the {DEVELOPER} builds one module at a time; say each: module")
        elif task.each is not None and task.role != DEVELOPER:
            found.append(f"task {task.task}: only the {DEVELOPER} works per module")
        if task.role in (DEVELOPER, TEST_ENGINEER) and not set(designs) & set(task.needs):
            found.append(f"task {task.task} must need the design")
    return found
