"""The steps of a plan: which tasks there are, what each needs, and the command that asks for it.

Steps follow from the request, the plan and the chosen design alone, so they are made once for a run; only
their commands are made from what the run knows by then.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from contracts.v1.plans import Plan, PlannedTask, module_task
from contracts.v1.projects import Design, Module, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    Input,
    MadeFile,
    ModuleBuilt,
    Outcome,
    PerformTask,
    Task,
    TaskPerformed,
    TestsWritten,
    WriteTests,
)
from workers.orchestrator.plans import ARCHITECT, DEVELOPER, TEST_ENGINEER
from workers.orchestrator.run import Run


class Chosen(NamedTuple):
    """The design that a project is built by, and the task that made it."""

    task: str
    design: Design


@dataclass(frozen=True)
class Step:
    """A task of a run, and what its result must be.

    `command` makes attempt 1 of it; it is called only when all of `needs` have results.
    """

    name: str
    role: str
    needs: tuple[str, ...]
    report: type[Outcome]
    command: Callable[[Run], Task]
    deadline_s: int | None = None


def is_done(run: Run, step: Step) -> bool:
    """Whether the step has the result that it must have."""
    return run.result(step.name, step.report) is not None


def own_steps(request: RunRequested, plan: Plan) -> list[Step]:
    """The steps of a plan that the request brought along."""
    return [_performing(request, task, task.needs) for task in plan.tasks]


def project_steps(request: RunRequested, wanted: Requirements, plan: Plan, chosen: Chosen | None) -> list[Step]:
    """The steps of a project's plan. Before a design is chosen, only those that need no part of it."""
    held = {task.task for task in plan.tasks if task.each is not None or task.role == ARCHITECT}
    names = {task.task: _names(task, chosen) for task in plan.tasks}
    found: list[Step] = []
    for task in plan.tasks:
        needs = tuple(name for need in task.needs for name in names[need])
        match task.role:
            case role if role == ARCHITECT:
                found += [design_step(request, wanted, task, chosen.task, needs)] if chosen else []
            case _ if chosen is None and (task.role in (DEVELOPER, TEST_ENGINEER) or held & set(task.needs)):
                continue
            case role if role == DEVELOPER and chosen is not None:
                design = chosen.design
                found += [_building(request, wanted, design, task, module, needs) for module in design.modules]
            case role if role == TEST_ENGINEER and chosen is not None:
                found.append(_testing(request, wanted, chosen.design, task, needs))
            case _:
                found.append(_performing(request, task, needs))
    return found


def collisions(steps: Sequence[Step], design: Design) -> tuple[str, ...]:
    """What is wrong with a design for its plan: two modules of one name, or a module's task with a planned name."""
    modules = Counter(module.name for module in design.modules)
    found = [f"the design has {count} modules named {name}" for name, count in sorted(modules.items()) if count > 1]
    tasks = Counter(step.name for step in steps)
    return tuple(
        found or (f"{n} tasks of the plan come to be named {name}" for name, n in sorted(tasks.items()) if n > 1)
    )


def design_step(
    request: RunRequested,
    wanted: Requirements,
    task: PlannedTask,
    name: str,
    needs: tuple[str, ...],
    **more: Any,
) -> Step:
    """The step that asks the architect for a design under this name; `more` are fields of the command."""

    def command(_: Run) -> Task:
        return DesignSystem(**{**_given(request, task), "task": name}, requirements=wanted, **more)

    return Step(name, task.role, needs, DesignProposed, command, task.deadline_s)


def _building(
    request: RunRequested,
    wanted: Requirements,
    design: Design,
    task: PlannedTask,
    module: Module,
    needs: tuple[str, ...],
) -> Step:
    name = module_task(task.task, module.name)

    def command(_: Run) -> Task:
        given = {**_given(request, task), "task": name}
        return BuildModule(**given, requirements=wanted, design=design, module=module)

    return Step(name, task.role, needs, ModuleBuilt, command, task.deadline_s)


def _testing(
    request: RunRequested, wanted: Requirements, design: Design, task: PlannedTask, needs: tuple[str, ...]
) -> Step:
    def command(_: Run) -> Task:
        return WriteTests(**_given(request, task), requirements=wanted, design=design)

    return Step(task.task, task.role, needs, TestsWritten, command, task.deadline_s)


def _performing(request: RunRequested, task: PlannedTask, needs: tuple[str, ...]) -> Step:
    def command(run: Run) -> Task:
        inputs = tuple(_input(need, run.result(need, Outcome)) for need in dict.fromkeys(needs))
        return PerformTask(**_given(request, task), idea=request.idea, inputs=inputs)

    return Step(task.task, task.role, needs, TaskPerformed, command, task.deadline_s)


def _input(task: str, outcome: Outcome | None) -> Input:
    said = outcome.output if isinstance(outcome, TaskPerformed) else ""
    return Input(task=task, output=said, files=outcome.files if outcome else ())


def _given(request: RunRequested, task: PlannedTask) -> dict[str, Any]:
    return {
        "tenant": request.tenant,
        "run": request.run,
        "role": task.role,
        "task": task.task,
        "model": request.model,
        "instruction": task.instruction,
    }


def _names(task: PlannedTask, chosen: Chosen | None) -> tuple[str, ...]:
    if chosen is None:
        return (task.task,)
    if task.role == ARCHITECT:
        return (chosen.task,)
    return tuple(module_task(task.task, module.name) for module in chosen.design.modules) if task.each else (task.task,)


def files_after(run: Run, tasks: Sequence[str]) -> tuple[MadeFile, ...]:
    """The project's files by path once these tasks, in order, have written theirs; a later one replaces an earlier."""
    made: dict[str, MadeFile] = {}
    for task in tasks:
        outcome = run.result(task, Outcome)
        if outcome is None:
            continue
        for file in outcome.files:
            made[file.path] = MadeFile(
                path=file.path,
                sha256=file.sha256,
                size=file.size,
                task=outcome.task,
                attempt=outcome.attempt,
                calls=outcome.calls,
            )
    return tuple(made[path] for path in sorted(made))
