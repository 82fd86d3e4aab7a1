"""The steps of a plan: which tasks there are, what each needs, and the command that asks for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import Design, Module, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    Input,
    MadeFile,
    Outcome,
    PerformTask,
    Task,
    TaskPerformed,
    WriteTests,
)
from workers.orchestrator.plans import ARCHITECT, DEVELOPER, TEST_ENGINEER
from workers.orchestrator.run import Run

LONGEST_NAME = 56
"""Characters of a task's name; leaves room in a token for the marks that are put around it."""


@dataclass(frozen=True)
class Step:
    """A task of a run. `command` makes attempt 1 of it; it is called only when all of `needs` have results."""

    name: str
    role: str
    needs: tuple[str, ...]
    command: Callable[[], Task]
    deadline_s: int | None = None


def own_steps(run: Run, request: RunRequested, plan: Plan) -> list[Step]:
    """The steps of a plan that the request brought along."""
    return [_performing(run, request, task, task.needs) for task in plan.tasks]


def project_steps(run: Run, request: RunRequested, requirements: Requirements, plan: Plan) -> list[Step]:
    """The steps of a project's plan. Before the design is there, a task per module stands for all of them."""
    design = design_of(run, plan)
    names = {task.task: _names(task, design) for task in plan.tasks}
    found: list[Step] = []
    for task in plan.tasks:
        needs = tuple(name for need in task.needs for name in names[need])
        match task.role:
            case _ if task.role == ARCHITECT:
                found.append(_designing(run, request, requirements, task, needs))
            case _ if task.role == DEVELOPER and design is not None:
                found += [
                    _building(run, request, requirements, design, task, module, needs) for module in design.modules
                ]
            case _ if task.role == TEST_ENGINEER and design is not None:
                found.append(_testing(run, request, requirements, design, task, needs))
            case _:
                found.append(_performing(run, request, task, needs))
    return found


def _designing(
    run: Run, request: RunRequested, wanted: Requirements, task: PlannedTask, needs: tuple[str, ...]
) -> Step:
    def command() -> Task:
        return DesignSystem(**_given(run, request, task), requirements=wanted)

    return Step(task.task, task.role, needs, command, task.deadline_s)


def _building(
    run: Run,
    request: RunRequested,
    wanted: Requirements,
    design: Design,
    task: PlannedTask,
    module: Module,
    needs: tuple[str, ...],
) -> Step:
    name = module_task(task.task, module.name)

    def command() -> Task:
        given = {**_given(run, request, task), "task": name}
        return BuildModule(**given, requirements=wanted, design=design, module=module)

    return Step(name, task.role, needs, command, task.deadline_s)


def _testing(
    run: Run, request: RunRequested, wanted: Requirements, design: Design, task: PlannedTask, needs: tuple[str, ...]
) -> Step:
    def command() -> Task:
        return WriteTests(**_given(run, request, task), requirements=wanted, design=design)

    return Step(task.task, task.role, needs, command, task.deadline_s)


def _performing(run: Run, request: RunRequested, task: PlannedTask, needs: tuple[str, ...]) -> Step:
    def command() -> Task:
        inputs = tuple(_input(need, run.result(need, Outcome)) for need in needs)
        return PerformTask(**_given(run, request, task), idea=request.idea, inputs=inputs)

    return Step(task.task, task.role, needs, command, task.deadline_s)


def _input(task: str, outcome: Outcome | None) -> Input:
    said = outcome.output if isinstance(outcome, TaskPerformed) else ""
    return Input(task=task, output=said, files=outcome.files if outcome else ())


def _given(run: Run, request: RunRequested, task: PlannedTask) -> dict[str, Any]:
    return {
        "tenant": run.tenant,
        "run": run.run,
        "role": task.role,
        "task": task.task,
        "model": request.model,
        "instruction": task.instruction,
    }


def module_task(task: str, module: str) -> str:
    """The name of a task for one module, short enough for a token and still one of its own."""
    name = f"{task}-{module}"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def _names(task: PlannedTask, design: Design | None) -> tuple[str, ...]:
    if task.each is None or design is None:
        return (task.task,)
    return tuple(module_task(task.task, module.name) for module in design.modules)


def design_of(run: Run, plan: Plan) -> Design | None:
    """The design that the plan's architect proposed, once it is there."""
    for task in plan.tasks:
        if task.role == ARCHITECT and (proposed := run.result(task.task, DesignProposed)):
            return proposed.design
    return None


def files_after(run: Run, tasks: Sequence[str]) -> tuple[MadeFile, ...]:
    """The project's files by path once these tasks, in order, have written theirs; a later one replaces an earlier."""
    made: dict[str, MadeFile] = {}
    for task in tasks:
        outcome = run.result(task, Outcome)
        if outcome is None:
            continue
        for file in outcome.files:
            made[file.path] = MadeFile(
                **file.model_dump(), task=outcome.task, attempt=outcome.attempt, calls=outcome.calls
            )
    return tuple(made[path] for path in sorted(made))
