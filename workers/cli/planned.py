"""Which tasks a run has and what each needs: from its plan where it says so, else from what came before."""

from collections.abc import Mapping, Sequence

from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import Design
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import DesignProposed, Outcome, PlanProject, ProjectPlanned, Task
from workers.cli.entries import Entry
from workers.orchestrator.steps import module_task

Needs = dict[str, tuple[str, ...]]


def planned_tasks(entries: Sequence[Entry]) -> dict[str, PlannedTask]:
    """The tasks of the plan that holds, with those per module written out once there is a design."""
    plan = plan_of(entries)
    if plan is None:
        return {}
    design = next((e.message.design for e in entries if isinstance(e.message, DesignProposed)), None)
    return {task.task: task for planned in plan.tasks for task in _written_out(planned, plan, design)}


def plan_of(entries: Sequence[Entry]) -> Plan | None:
    """The newest plan: the project manager's, or the one that the request brought along."""
    found: Plan | None = None
    for entry in entries:
        if isinstance(entry.message, RunRequested | ProjectPlanned) and entry.message.plan is not None:
            found = entry.message.plan
    return found


def _written_out(planned: PlannedTask, plan: Plan, design: Design | None) -> list[PlannedTask]:
    each = {task.task for task in plan.tasks if task.each == "module"}
    needs = tuple(name for need in planned.needs for name in _names(need, need in each, design))
    return [
        planned.model_copy(update={"task": name, "needs": needs})
        for name in _names(planned.task, planned.task in each, design)
    ]


def _names(task: str, each: bool, design: Design | None) -> list[str]:
    if not each or design is None:
        return [task]
    return [module_task(task, module.name) for module in design.modules]


def needs_of(entries: Sequence[Entry], planned: Mapping[str, PlannedTask]) -> Needs:
    """What each task needs, in the order in which the tasks came up.

    A plan says so. A task outside of it (verifying, repairing, packing) follows from the results that were
    there when it was asked for and that nothing else had been built on.
    """
    commands = [(entry.sequence, entry.message) for entry in entries if isinstance(entry.message, Task)]
    planners = tuple(dict.fromkeys(command.task for _, command in commands if isinstance(command, PlanProject)))
    needs: Needs = {}
    for task in planners:
        needs[task] = _open_ends(entries, needs, _asked(commands, task))
    for name, step in planned.items():
        needs[name] = step.needs or planners[-1:]
    for _, command in commands:
        if command.task not in needs:
            needs[command.task] = _open_ends(entries, needs, _asked(commands, command.task))
    return needs


def _asked(commands: Sequence[tuple[int, Task]], task: str) -> int:
    return next(sequence for sequence, command in commands if command.task == task)


def _open_ends(entries: Sequence[Entry], needs: Needs, before: int) -> tuple[str, ...]:
    used = {need for names in needs.values() for need in names}
    results = (e.message.task for e in entries if e.sequence < before and isinstance(e.message, Outcome))
    return tuple(task for task in results if task in needs and task not in used)
