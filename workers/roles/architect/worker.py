"""Architect: turns requirements into a design that developers can build from, each module alone."""

from faststream import FastStream

from contracts.v1.tasks import DesignProposed, DesignSystem, PerformTask
from workers.roles.architect.replies import DesignReply
from workers.roles.performing import PerformReply, performing
from workers.runtime.bootstrap import role_app
from workers.runtime.role import Job, Role
from workers.runtime.sandbox_facts import sandbox_facts
from workers.runtime.toolkit import Toolkit


async def design(task: DesignSystem, tools: Toolkit) -> DesignProposed:
    """Ask for a design of the requirements and propose it."""
    reply = await tools.ask(
        "architect/design",
        reply=DesignReply,
        requirements=task.requirements,
        sandbox=sandbox_facts(),
        objections=task.objections,
        alternative={"number": task.alternative, "of": task.alternatives} if task.alternatives > 1 else None,
    )
    return tools.report(DesignProposed, design={"package": task.requirements.package, **dict(reply)})


role = Role(
    name="architect",
    purpose="Turns requirements into a design: modules with their interfaces, API, data model, decisions with reasons.",
    jobs=(Job(DesignSystem, design), Job(PerformTask, performing("architect/perform"))),
    replies=(DesignReply, PerformReply),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
