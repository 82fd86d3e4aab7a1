"""Plans: the directed acyclic graph of tasks that a run consists of."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Prose, Token, Value

TaskId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""A task's id within its run; short enough that a suffix still fits into a token."""


class PlannedTask(Value):
    """One task of a plan. With `each: module` it becomes one task per module of the design.

    `needs` names the tasks whose results must be there first; `deadline_s` is in seconds per attempt.
    """

    task: TaskId
    role: Token
    needs: tuple[TaskId, ...] = ()
    each: Literal["module"] | None = None
    instruction: Prose = ""
    deadline_s: Annotated[int, Field(ge=1, le=86_400)] | None = None


class TeamMember(Value):
    """A role that the run needs, how many of it, and why."""

    role: Token
    count: Annotated[int, Field(ge=1, le=100)] = 1
    why: Prose = ""


class Plan(Value):
    """What is to be done by whom, in which order."""

    tasks: tuple[PlannedTask, ...]
    team: tuple[TeamMember, ...] = ()
