"""Which tasks a run has and what each needs: from its plan where it says so, else from what came before.

A plan's task for each module is written out once the design is known. Of a design that is made more than once
(`design-O2`, `design-R1`) the one that is built by stands for the planned one; a task whose result is spoiled goes on
under its next name (`design-S2`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.v1.ballots import BallotOpened
from contracts.v1.plans import Plan, PlannedTask, module_task
from contracts.v1.projects import Design, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    Outcome,
    PlanProject,
    ProjectPlanned,
    WriteTests,
)
from workers.gateway.views.facts import Facts, RunFacts, task_of

_AGAIN = re.compile(r"(.+)-[ORS]\d+")

Needs = tuple[str, ...]
"""The tasks whose results a task needs."""


@dataclass(frozen=True)
class Shape:
    """The tasks of a run in the order in which they come up, and what each needs.

    `planned` are those of the plan that holds, written out; `plan` is None before there is one. `chosen` is the design
    that is built by, `requirements` are those of the plan.
    """

    needs: Mapping[str, Needs]
    planned: Mapping[str, PlannedTask]
    plan: Plan | None = None
    requirements: Requirements | None = None
    chosen: DesignProposed | None = None

    def in_order_of_writing(self, task: str) -> tuple[int, str]:
        """Sorts the tasks that write files: those of the plan first, in its order; then repairs, as their names go."""
        first = task if task in self.planned else first_of(task, self.planned)
        return (list(self.planned).index(first), task) if first else (len(self.planned), _padded(task))


def _padded(task: str) -> str:
    """Sorts `repair-10` behind `repair-9`."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), task)


def shape_of(state: RunFacts) -> Shape:
    """The shape of a run, made anew only when a fact came that it follows from; then what stayed the same is kept."""
    return state.derived("shape", (state.shape,), lambda: _shape(state))


def _shape(state: RunFacts) -> Shape:
    facts = state.shape
    plan, requirements = _plan(facts)
    chosen = _chosen(facts)
    spoiled = {fact.tokens[1] for fact in facts if fact.message is None and fact.name.startswith("result.")}
    planned = state.derived("planned", (plan, chosen), lambda: _planned(plan, chosen))
    needs = {task: tuple(_followed(need, spoiled) for need in of) for task, of in _needs(facts, planned).items()}
    return Shape(_as_before(state, needs), planned, plan, requirements, chosen)


def _as_before(state: RunFacts, needs: dict[str, Needs]) -> dict[str, Needs]:
    """The same needs, as the very tuples that they were before where they are equal, so that nodes are not remade."""
    kept = state.derived("needs", (), dict[tuple[str, Needs], Needs])
    return {task: kept.setdefault((task, of), of) for task, of in needs.items()}


def _planned(plan: Plan | None, chosen: DesignProposed | None) -> dict[str, PlannedTask]:
    own = {task.task: task for task in plan.tasks} if plan else {}
    return {task.task: task for one in own.values() for task in _written_out(one, own, chosen)}


def _plan(facts: Facts) -> tuple[Plan | None, Requirements | None]:
    """The newest plan: the project manager's, or the one that the request brought along."""
    plan, requirements = None, None
    for fact in facts:
        if isinstance(fact.message, RunRequested):
            plan = fact.message.plan or plan
        if isinstance(fact.message, ProjectPlanned):
            plan, requirements = fact.message.plan, fact.message.requirements
    return plan, requirements


def _chosen(facts: Facts) -> DesignProposed | None:
    """The design that is built by: what the commands to build carry, else the only one that nobody votes on."""
    made = [fact.message for fact in facts if isinstance(fact.message, DesignProposed)]
    built = next((f.message.design for f in facts if isinstance(f.message, BuildModule | WriteTests)), None)
    if built is not None and len(made) == 1:
        return made[0]
    if built is not None:
        return next((proposed for proposed in reversed(made) if proposed.design == built), next(iter(made), None))
    several = any(isinstance(fact.message, DesignSystem) and fact.message.alternatives > 1 for fact in facts)
    voted_on = {option.option for f in facts if isinstance(f.message, BallotOpened) for option in f.message.options}
    return next((one for one in made if not several and one.task not in voted_on), None)


def first_of(task: str, planned: Mapping[str, PlannedTask]) -> str | None:
    """The planned task of which this one makes another design, makes it anew, or is the next name; else None."""
    found = _AGAIN.fullmatch(task)
    while found and found[1] not in planned:
        found = _AGAIN.fullmatch(found[1])
    return found[1] if found else None


def _followed(task: str, spoiled: set[str]) -> str:
    name, n = task, 1
    while name in spoiled:
        n += 1
        name = f"{task}-S{n}"
    return name


def _written_out(
    planned: PlannedTask, own: Mapping[str, PlannedTask], chosen: DesignProposed | None
) -> list[PlannedTask]:
    design, by = (chosen.design, chosen.task) if chosen else (None, "")
    meant = tuple(by if need == first_of(by, own) else need for need in planned.needs)
    needs = tuple(name for need in meant for name in _names(own.get(need), need, design))
    return [planned.model_copy(update={"task": name, "needs": needs}) for name in _names(planned, planned.task, design)]


def _names(planned: PlannedTask | None, task: str, design: Design | None) -> list[str]:
    if planned is None or planned.each is None or design is None:
        return [task]
    return [module_task(task, module.name) for module in design.modules]


def _needs(facts: Facts, planned: Mapping[str, PlannedTask]) -> dict[str, Needs]:
    """What each task needs, in the order in which the tasks came up.

    A plan says so. A task outside of it (verifying, repairing, packing) follows from the results that were there when
    it was asked for and that nothing else had been built on.
    """
    asked: dict[str, int] = {}
    for fact in facts:
        if fact.name.startswith("task."):
            asked.setdefault(fact.tokens[2], fact.sequence)
    planners = tuple(dict.fromkeys(fact.message.task for fact in facts if isinstance(fact.message, PlanProject)))
    ended = [
        (fact.sequence, task) for fact in facts if isinstance(fact.message, Outcome) and (task := task_of(fact.name))
    ]
    needs: dict[str, Needs] = {}
    for task in planners:
        needs[task] = _open_ends(ended, needs, asked[task])
    for name, step in planned.items():
        needs[name] = step.needs or planners[-1:]
    for task in asked:
        first = first_of(task, planned)
        if first is not None:
            needs[task] = needs[first]
    for task, sequence in asked.items():
        if task not in needs:
            needs[task] = _open_ends(ended, needs, sequence)
    return needs


def _open_ends(ended: Sequence[tuple[int, str]], needs: Mapping[str, tuple[str, ...]], before: int) -> tuple[str, ...]:
    used = {need for names in needs.values() for need in names}
    again = {task: found[1] for task in needs if (found := _AGAIN.fullmatch(task))}
    used |= {name for task, first in again.items() if first in needs for name in (task, first)}
    return tuple(task for sequence, task in ended if sequence < before and task in needs and task not in used)
