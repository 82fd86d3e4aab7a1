"""What a model must answer to the project manager's questions."""

from contracts.v1.plans import PlannedTask, TeamMember
from contracts.v1.projects import Requirements
from workers.roles.reply import Reply


class PlanReply(Reply):
    """Requirements and a plan, or, for an idea that can't be planned, which part of it and what could be done instead."""

    understood: bool
    problem: str = ""
    suggestion: str = ""
    requirements: Requirements | None = None
    tasks: tuple[PlannedTask, ...] = ()
    team: tuple[TeamMember, ...] = ()
