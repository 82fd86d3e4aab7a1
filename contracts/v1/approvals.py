"""Gates and approvals: where a run waits for a person or an approving model, and the answer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.message import Fact, Prose, Token


class GateOpened(Fact):
    """A run waits. `deadline_s` is in seconds from the opening."""

    noun: ClassVar[str] = "gate"

    kind: Literal["gate_opened"] = "gate_opened"
    version: Literal[1] = 1
    gate: Token
    question: Prose
    subject_task: Token | None = None
    deadline_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None


class ApprovalGiven(Fact):
    """The answer to a gate; the first one counts."""

    noun: ClassVar[str] = "approval"

    kind: Literal["approval_given"] = "approval_given"
    version: Literal[1] = 1
    gate: Token
    verdict: Literal["approve", "reject", "ask_for_changes"]
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    comment: Prose = ""
    changes: tuple[Prose, ...] = ()
