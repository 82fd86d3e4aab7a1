"""From the plan to the design that the project is built by.

    the architect's task, and its alternatives ─ ballot ─┬ a design ─────────────▶ chosen
                                                         └ revise ─ one more try ─▶ chosen

Without a ballot the first design is chosen as it came.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from contracts.v1.ballots import BallotOpened, Option
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import Design
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import DesignProposed, ProjectPlanned
from workers.orchestrator import ballots, endings
from workers.orchestrator.ballots import Question, Settled, WantedBallot
from workers.orchestrator.blueprint import LONGEST_VOTER, Ballots, BallotTerms
from workers.orchestrator.endings import Ending
from workers.orchestrator.plans import ARCHITECT, DEVELOPER, TEST_ENGINEER
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Chosen, Step, collisions, design_step, is_done, project_steps

REVISE = "revise"
MOST_DESIGNS = 9
LONGEST_BALLOT = 57 - LONGEST_VOTER
"""A voting task is named `vote-<ballot>--<voter>`, in 64 characters."""


def architects_task(plan: Plan) -> PlannedTask:
    """The task that makes the design; a sound plan has one."""
    return next(task for task in plan.tasks if task.role == ARCHITECT)


def design_ballot(plan: Plan) -> str:
    """The name of the ballot on the design: the architect's task, or `design` where that can't be a ballot's name."""
    name = architects_task(plan).task
    return name if len(name) <= LONGEST_BALLOT and "--" not in name and name == name.strip("-") else "design"


def steps_of(
    run: Run, request: RunRequested, planned: ProjectPlanned, chosen: Chosen | None, policy: Policy
) -> list[Step]:
    """The plan's steps, with a design or without, each with a deadline."""

    def made() -> list[Step]:
        steps = project_steps(request, planned.requirements, planned.plan, chosen)
        return [replace(step, deadline_s=step.deadline_s or policy.task_deadline_s) for step in steps]

    design = chosen.design if chosen else None
    return run.derived(f"steps.{chosen.task if chosen else ''}", (planned, design, policy), made)


def unbuildable(run: Run, steps: list[Step], chosen: Chosen, policy: Policy) -> Ending | None:
    """The end of a run whose design can't be built by its plan; `steps` are those with this design."""
    task, design = chosen
    wrong = run.derived(f"collisions.{task}", (steps,), lambda: collisions(steps, design))
    if not wrong and len(steps) > policy.max_tasks:
        wrong = (f"with {len(design.modules)} modules the plan has {len(steps)} tasks of {policy.max_tasks} allowed",)
    if not wrong:
        return None
    reason = f"the design of task {task} can't be built by the plan: {'; '.join(wrong)}"
    return Ending("failed", reason, failed_task=task, evidence_at=f"result.{run.current(task)}")


@dataclass(frozen=True)
class Designing:
    """A project whose plan stands and whose design is to be chosen."""

    run: Run
    request: RunRequested
    policy: Policy
    planned: ProjectPlanned

    def next(self) -> Chosen | Sequence[Step | WantedBallot] | Ending:
        """The design that was chosen; before, what it takes to choose one."""
        if ballots.is_known(self.run, design_ballot(self.planned.plan)):
            return self._after_ballot()
        terms = self._terms()
        if terms is None or self._is_being_built():
            first = self._step(self._task.task)
            return self._made(first.name) or [first]
        steps = self._alternatives()
        over = [endings.of_step(self.run, step, self.policy) for step in steps]
        waiting = [step for step, ended in zip(steps, over, strict=True) if not (ended or is_done(self.run, step))]
        if waiting:
            return waiting
        made = [found for step in steps if (found := self._made(step.name)) is not None]
        if not made:
            return over[0] or []
        wrong = {chosen.task: self._unbuildable(chosen) for chosen in made}
        if all(wrong.values()):
            return wrong[made[0].task] or []
        return [self._wanted_ballot(terms, made, [task for task, ending in wrong.items() if ending is None])]

    @property
    def _task(self) -> PlannedTask:
        return architects_task(self.planned.plan)

    @property
    def _designs(self) -> int:
        return self.request.designs or self.policy.blueprint.designs

    def _terms(self) -> BallotTerms | None:
        """How the ballot is held; several designs need one, whatever the blueprint says."""
        return self.policy.blueprint.ballots.design or (Ballots().design if self._designs > 1 else None)

    def _is_being_built(self) -> bool:
        """Whether work on the design has begun without a ballot: then it was chosen before there were ballots."""
        return self.run.has_asked(DEVELOPER) or self.run.has_asked(TEST_ENGINEER)

    def _alternatives(self) -> list[Step]:
        count, (first, *others) = self._designs, self._names()
        if count == 1:
            return [self._step(first)]
        names = (first, *others[: count - 1])
        return [self._step(name, alternative=n, alternatives=count) for n, name in enumerate(names, 1)]

    def _names(self) -> list[str]:
        task = self._task.task
        return [task, *(f"{task}-O{n}" for n in range(2, MOST_DESIGNS + 1))]

    def _step(self, name: str, **more: object) -> Step:
        task = self._task
        step = design_step(self.request, self.planned.requirements, task, name, task.needs, **more)
        return replace(step, deadline_s=step.deadline_s or self.policy.task_deadline_s)

    def _made(self, name: str) -> Chosen | None:
        proposed = self.run.result(name, DesignProposed)
        return Chosen(name, proposed.design) if proposed else None

    def _unbuildable(self, chosen: Chosen) -> Ending | None:
        steps = steps_of(self.run, self.request, self.planned, chosen, self.policy)
        return unbuildable(self.run, steps, chosen, self.policy)

    def _wanted_ballot(self, terms: BallotTerms, made: Sequence[Chosen], eligible: Sequence[str]) -> WantedBallot:
        ballot = design_ballot(self.planned.plan)

        def opened() -> BallotOpened:
            options = tuple(self._option(chosen, chosen.task in eligible) for chosen in made)
            outcomes = [proposed for one in made if (proposed := self.run.result(one.task, DesignProposed))]
            asked = Question(
                ballot=ballot,
                question=_question(len(eligible)),
                options=(*options, Option(option=REVISE, title="have the architect make another design")),
                context=ballots.as_text({"requirements": self.planned.requirements.model_dump(mode="json")}),
                default=eligible[0],
                status_quo=REVISE,
                authors=ballots.authors_of(outcomes),
            )
            return ballots.opened(self.request, self.policy, terms, asked)

        return WantedBallot(ballot, opened)

    def _option(self, chosen: Chosen, eligible: bool) -> Option:
        proposed = self.run.result(chosen.task, DesignProposed)
        authors = ballots.authors_of([proposed]) if proposed else ()
        return Option(
            option=chosen.task,
            title=f"build it by the design of task {chosen.task}",
            text=ballots.as_text(chosen.design.model_dump(mode="json")),
            content=_digest(chosen.design),
            author=authors[0] if authors else "",
            eligible=eligible,
        )

    def _after_ballot(self) -> Chosen | Sequence[Step | WantedBallot] | Ending:
        found = ballots.settled(self.run, design_ballot(self.planned.plan))
        if isinstance(found, Ending):
            return replace(found, failed_task=self._task.task)
        if found is None:
            return []
        if found.option == REVISE:
            return self._revised(found)
        if found.option not in self._names():
            reason = f"the ballot chose {found.option}, which is no design of task {self._task.task}"
            return Ending("failed", reason, failed_task=self._task.task, evidence_at=found.at)
        # A ballot of this name that was opened before there was any design leaves the chosen one to be made.
        return self._made(found.option) or [self._step(found.option)]

    def _revised(self, found: Settled) -> Chosen | Sequence[Step]:
        """The design that answers the objections; it is taken as it is."""
        name = f"{self._task.task}-R1"
        texts = tuple(text for _, text in found.because) or ("another design is wanted; nobody said why",)
        return self._made(name) or [self._step(name, objections=texts)]


def _question(designs: int) -> str:
    if designs == 1:
        return "Is the project to be built by this design? Or is the architect to revise it, for which reasons?"
    return f"By which of these {designs} designs is the project to be built? Or is another one needed, and why?"


def _digest(design: Design) -> str:
    """SHA-256 of the design as JSON with sorted keys and no spaces."""
    text = json.dumps(design.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
