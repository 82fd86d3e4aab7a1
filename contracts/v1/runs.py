"""Runs: the request, the wish to stop, the end."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.message import Fact, Prose, Token, Value
from contracts.v1.budgets import Budget
from contracts.v1.plans import Plan
from contracts.v1.projects import Evidence, Sha256

TargetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/@=,-]{0,200}$")]
"""The name of a model target; empty means the worker's own default."""


class RunRequested(Fact):
    """An idea that is to become a project, or a plan whose tasks are to be done.

    A run without `plan` delivers a capsule. One that brings its own plan delivers its tasks' results.
    `deadline_s` is in seconds from the request; without it the fleet's default holds, and so it is with `budget` and
    `designs`, which is how many designs are made to choose from.
    """

    noun: ClassVar[str] = "run.requested"

    kind: Literal["run_requested"] = "run_requested"
    version: Literal[1] = 1
    idea: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]
    model: TargetName = ""
    plan: Plan | None = None
    deadline_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    requested_by: Annotated[str, StringConstraints(max_length=200)] = ""
    budget: Budget | None = None
    designs: Annotated[int, Field(ge=1, le=9)] | None = None


class CancelRequested(Fact):
    """The wish that a run stops."""

    noun: ClassVar[str] = "run.cancel"

    kind: Literal["cancel_requested"] = "cancel_requested"
    version: Literal[1] = 1
    reason: Prose = ""
    requested_by: Annotated[str, StringConstraints(max_length=200)] = ""


class FieldError(Value):
    """A field of a request that does not validate, by its path, and why."""

    field: str
    message: str


class Spent(Value):
    """What a run used. `cost_usd` is None when the price of some call is unknown."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


Status = Literal["completed", "failed", "cancelled", "refused"]


class RunClosed(Fact):
    """The end of a run, and there is one.

    A completed run that delivers a capsule carries the evidence that its tests pass.
    A failed one names the task, the reason and where to look.
    """

    noun: ClassVar[str] = "run.closed"

    kind: Literal["run_closed"] = "run_closed"
    version: Literal[1] = 1
    status: Status
    reason: Prose = ""
    failed_task: Token | None = None
    errors: tuple[FieldError, ...] = ()
    evidence: Evidence | None = None
    evidence_at: str = ""
    capsule: Sha256 | None = None
    spent: Spent = Spent()

    @model_validator(mode="after")
    def _a_capsule_needs_green_tests(self) -> "RunClosed":
        if self.capsule is not None and not (self.evidence and self.evidence.passed):
            raise ValueError("a run with a capsule closes only with evidence that its tests pass")
        return self
