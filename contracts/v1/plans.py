"""Plans: the directed acyclic graph of tasks that a run consists of."""

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Prose, Token, Value

TaskId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""A task's id within its run; short enough that a suffix still fits into a token."""

LONGEST_NAME = 48
"""Characters of a task's name, `-O9` or `-R1` of a design included. A token has 64, and a timer's is `task-`, this,
`-S` and a number, `-`, an attempt."""


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


def module_task(task: str, module: str) -> str:
    """The name of a task for one module, short enough for a token and still one of its own."""
    name = f"{task}-{module}"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{sha256(name.encode()).hexdigest()[:8]}"
