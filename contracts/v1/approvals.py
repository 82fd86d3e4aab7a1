"""Gates and approvals: where a run waits for a person or an approving model, and the answer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.message import Fact, Prose, Token


class GateOpened(Fact):
    """A run waits. `deadline_s` is in seconds from the opening.

    The gate of a ballot that could not be decided has the ballot's name and its options to choose from.
    """

    noun: ClassVar[str] = "gate"

    kind: Literal["gate_opened"] = "gate_opened"
    version: Literal[1] = 1
    gate: Token
    question: Prose
    subject_task: Token | None = None
    deadline_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    options: Annotated[tuple[Token, ...], Field(max_length=50)] = ()


class ApprovalGiven(Fact):
    """The answer to a gate; the first one counts.

    At a gate with options `option` names the one that is taken, or the verdict says it: approve takes the first,
    reject the last.
    """

    noun: ClassVar[str] = "approval"

    kind: Literal["approval_given"] = "approval_given"
    version: Literal[1] = 1
    gate: Token
    verdict: Literal["approve", "reject", "ask_for_changes"]
    by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    comment: Prose = ""
    changes: tuple[Prose, ...] = ()
    option: Token | None = None
