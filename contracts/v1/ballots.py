"""Ballots: a question, the votes on it, and what was decided."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from contracts.message import Fact, Prose, Token, Value


class Option(Value):
    """One possible answer to a ballot."""

    option: Token
    title: Prose = ""


class BallotOpened(Fact):
    """A question is open. Everything that decides it is frozen here.

    `quorum` counts answers, abstentions included. `deadline_s` is in seconds from the opening.
    """

    noun: ClassVar[str] = "ballot"

    kind: Literal["ballot_opened"] = "ballot_opened"
    version: Literal[1] = 1
    ballot: Token
    question: Prose
    options: Annotated[tuple[Option, ...], Field(min_length=2, max_length=50)]
    electorate: Annotated[tuple[Token, ...], Field(min_length=1, max_length=1_000)]
    rule: Token = "majority"
    quorum: Annotated[int, Field(ge=1)] = 1
    deadline_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    tie: Literal["status_quo", "undecided"] = "undecided"
    status_quo: Token | None = None

    @model_validator(mode="after")
    def _can_be_decided(self) -> "BallotOpened":
        if self.quorum > len(self.electorate):
            raise ValueError(f"quorum {self.quorum} is above the electorate of {len(self.electorate)}")
        if len({option.option for option in self.options}) != len(self.options):
            raise ValueError("options must differ")
        return self


class VoteCast(Fact):
    """One voter's answer. The log keeps a voter's first vote on a ballot and refuses the rest.

    `choice` is an option; without one the voter abstains.
    """

    noun: ClassVar[str] = "vote"

    kind: Literal["vote_cast"] = "vote_cast"
    version: Literal[1] = 1
    ballot: Token
    voter: Token
    choice: Token | None = None
    rationale: Prose = ""


class DecisionMade(Fact):
    """The outcome of a ballot; `option` is None when it stayed undecided."""

    noun: ClassVar[str] = "decision"

    kind: Literal["decision_made"] = "decision_made"
    version: Literal[1] = 1
    ballot: Token
    option: Token | None
    counts: dict[Token, int] = Field(default_factory=dict)
    reason: Prose = ""
