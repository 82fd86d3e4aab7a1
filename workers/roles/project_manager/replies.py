"""What a model must answer to the project manager's questions."""

from typing import Self

from pydantic import model_validator

from contracts.v1.plans import PlannedTask, TeamMember
from contracts.v1.projects import Requirements
from workers.roles.reply import Reply


class PlanReply(Reply):
    """Requirements and a plan; for an idea that can't be planned, which part of it and what could be done instead."""

    understood: bool
    problem: str = ""
    suggestion: str = ""
    requirements: Requirements | None = None
    tasks: tuple[PlannedTask, ...] = ()
    team: tuple[TeamMember, ...] = ()

    @model_validator(mode="after")
    def _is_a_plan_or_a_reason(self) -> Self:
        if self.understood and (self.requirements is None or not self.tasks):
            raise ValueError("with 'understood' true, 'requirements' and at least one of 'tasks' must be there")
        if not self.understood and not self.problem.strip():
            raise ValueError("with 'understood' false, 'problem' must say which part of the idea can't be planned")
        return self
