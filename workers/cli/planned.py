"""Which tasks a run has and what each needs: from its plan where it says so, else from what came before."""

import re
from collections.abc import Mapping, Sequence

from contracts.v1.ballots import BallotOpened
from contracts.v1.plans import Plan, PlannedTask, module_task
from contracts.v1.projects import Design
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    Outcome,
    PlanProject,
    ProjectPlanned,
    Task,
    WriteTests,
)
from workers.cli.entries import Entry

_ANOTHER = re.compile(r"(.+)-[OR]\d")

Needs = dict[str, tuple[str, ...]]


def planned_tasks(entries: Sequence[Entry]) -> dict[str, PlannedTask]:
    """The tasks of the plan that holds, with those per module written out once there is a design."""
    plan = plan_of(entries)
    if plan is None:
        return {}
    chosen = _chosen(entries)
    return {task.task: task for planned in plan.tasks for task in _written_out(planned, plan, chosen)}


def _chosen(entries: Sequence[Entry]) -> DesignProposed | None:
    """The design that is built by: what the commands to build carry, else the only one that nobody votes on."""
    made = [entry.message for entry in entries if isinstance(entry.message, DesignProposed)]
    built = next((e.message.design for e in entries if isinstance(e.message, BuildModule | WriteTests)), None)
    if built is not None:
        return next((proposed for proposed in reversed(made) if proposed.design == built), next(iter(made), None))
    several = any(isinstance(entry.message, DesignSystem) and entry.message.alternatives > 1 for entry in entries)
    voted_on = {option.option for e in entries if isinstance(e.message, BallotOpened) for option in e.message.options}
    return next((one for one in made if not several and one.task not in voted_on), None)


def first_of(task: str, planned: Mapping[str, PlannedTask]) -> str | None:
    """The planned task of which this one makes another design (`design-O2`), or makes it anew (`design-R1`)."""
    found = _ANOTHER.fullmatch(task)
    return found[1] if found and found[1] in planned else None


def plan_of(entries: Sequence[Entry]) -> Plan | None:
    """The newest plan: the project manager's, or the one that the request brought along."""
    found: Plan | None = None
    for entry in entries:
        if isinstance(entry.message, RunRequested | ProjectPlanned) and entry.message.plan is not None:
            found = entry.message.plan
    return found


def _written_out(planned: PlannedTask, plan: Plan, chosen: DesignProposed | None) -> list[PlannedTask]:
    design = chosen.design if chosen else None
    each = {task.task for task in plan.tasks if task.each == "module"}
    own = {task.task: task for task in plan.tasks}
    by = chosen.task if chosen else ""
    meant = tuple(by if need == first_of(by, own) else need for need in planned.needs)
    needs = tuple(name for need in meant for name in _names(need, need in each, design))
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
        first = first_of(command.task, planned)
        if first is not None:
            needs[command.task] = needs[first]
    for _, command in commands:
        if command.task not in needs:
            needs[command.task] = _open_ends(entries, needs, _asked(commands, command.task))
    return needs


def _asked(commands: Sequence[tuple[int, Task]], task: str) -> int:
    return next(sequence for sequence, command in commands if command.task == task)


def _open_ends(entries: Sequence[Entry], needs: Needs, before: int) -> tuple[str, ...]:
    used = {need for names in needs.values() for need in names}
    results = (e.message.task for e in entries if e.sequence < before and isinstance(e.message, Outcome))
    others = {task: _ANOTHER.sub(r"\1", task) for task in needs if _ANOTHER.fullmatch(task)}
    designs = {name for task, first in others.items() if first in needs for name in (task, first)}
    return tuple(task for task in results if task in needs and task not in used | designs)
