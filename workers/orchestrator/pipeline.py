"""The way of a project through a run: which steps and ballots come next, or how it ends."""

from collections.abc import Sequence

from contracts.v1.ballots import OutcomeSeen
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import PlanProject, ProjectPlanned, Task
from workers.orchestrator import plans
from workers.orchestrator.ballots import WantedBallot
from workers.orchestrator.designing import Designing, design_ballot, steps_of, unbuildable
from workers.orchestrator.endings import Ending
from workers.orchestrator.outcomes import outcomes
from workers.orchestrator.policy import Policy
from workers.orchestrator.product import Product
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Chosen, Step, is_done


def next_of_project(run: Run, request: RunRequested, policy: Policy) -> Sequence[Step | WantedBallot] | Ending:
    """The steps that are not done yet of the stage that the run is in, and its ballot, or its end."""
    planned = _planned(run, request, policy)
    if not isinstance(planned, ProjectPlanned):
        return planned
    found = Designing(run, request, policy, planned).next()
    if isinstance(found, Ending):
        return found
    chosen = found if isinstance(found, Chosen) else None
    steps = steps_of(run, request, planned, chosen, policy)
    if chosen is not None and (wrong := unbuildable(run, steps, chosen, policy)):
        return wrong
    missing = [step for step in steps if not is_done(run, step)]
    if not isinstance(found, Chosen):
        return [*found, *missing]
    product = Product(run, request, policy, planned.requirements, found.design)
    return missing or product.next([step.name for step in steps])


def learned(run: Run, request: RunRequested, policy: Policy) -> tuple[OutcomeSeen, ...]:
    """What is known by now of the decisions of a project's ballots, and not yet said."""
    planned = _planned(run, request, policy)
    if not isinstance(planned, ProjectPlanned):
        return ()
    return outcomes(run, design_ballot(planned.plan), policy.max_repairs + 1)


def _planned(run: Run, request: RunRequested, policy: Policy) -> ProjectPlanned | list[Step] | Ending:
    """The plan that stands: the first, or the second if the first was not sound. There is no third."""
    objections: tuple[str, ...] = ()
    for name in ("plan", "plan-2"):
        planned = run.result(name, ProjectPlanned)
        if planned is None:
            return [_planning(request, policy, name, objections)]
        objections = _objections(run, name, planned, policy)
        if not objections:
            return planned
    reason = "the plan is not sound, nor was the one before: " + "; ".join(objections)
    return Ending("failed", reason, failed_task="plan-2", evidence_at=f"result.{run.current('plan-2')}")


def _objections(run: Run, name: str, planned: ProjectPlanned, policy: Policy) -> tuple[str, ...]:
    found = run.derived(f"objections.{name}", (planned, policy), lambda: plans.objections(planned.plan, policy))
    return tuple(text for _, text in found)


def _planning(request: RunRequested, policy: Policy, name: str, objections: tuple[str, ...]) -> Step:
    def command(_: Run) -> Task:
        return PlanProject(
            tenant=request.tenant,
            run=request.run,
            role="project_manager",
            task=name,
            model=request.model,
            idea=request.idea,
            roles=plans.offered(policy),
            objections=objections,
        )

    return Step(name, "project_manager", (), ProjectPlanned, command, policy.task_deadline_s)
