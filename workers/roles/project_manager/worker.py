"""Project manager: turns an idea into requirements and a plan, or says which part of it can't be planned."""

from faststream import FastStream

from contracts.v1.plans import Plan
from contracts.v1.tasks import PerformTask, PlanProject, ProjectPlanned
from workers.roles.performing import PerformReply, performing
from workers.roles.project_manager.replies import PlanReply
from workers.runtime.bootstrap import role_app
from workers.runtime.errors import Impossible
from workers.runtime.role import Job, Role
from workers.runtime.toolkit import Toolkit


async def plan(task: PlanProject, tools: Toolkit) -> ProjectPlanned:
    """Ask for requirements and a plan; an idea that is not understood ends the task with the model's reason."""
    reply = await tools.ask(
        "project_manager/plan", reply=PlanReply, idea=task.idea, roles=task.roles, objections=task.objections
    )
    if not reply.understood:
        parts = (reply.problem.strip().rstrip(".;"), reply.suggestion.strip())
        raise Impossible("; ".join(part for part in parts if part))
    return tools.report(ProjectPlanned, requirements=reply.requirements, plan=Plan(tasks=reply.tasks, team=reply.team))


role = Role(
    name="project_manager",
    purpose="Turns an idea into requirements with acceptance criteria and a plan of tasks.",
    jobs=(Job(PlanProject, plan), Job(PerformTask, performing("project_manager/perform"))),
    replies=(PlanReply, PerformReply),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
