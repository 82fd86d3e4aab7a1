"""Ballots: a question, the votes on it, and what was decided."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.message import Fact, Prose, Token, Value
from contracts.v1.projects import Evidence, FileRef, Sha256
from contracts.v1.runs import TargetName

MicroWeight = Annotated[int, Field(ge=0, le=10**9)]
"""A voter's weight in millionths. No decision is made with floats."""

TieBreak = Literal["status_quo", "weight", "hash"]
"""`status_quo`: the option of that name, if it is among the equals. `weight`: the heavier side. `hash`: the option
whose SHA-256 with the ballot's name is the smallest, which nobody chooses."""


class Option(Value):
    """One possible answer to a ballot.

    A candidate that was made by somebody has its content's digest (identical ones are merged), its `author` (a target),
    what the sandbox saw of it, and its files. One that is not `eligible` can't win and is not shown.
    """

    option: Token
    title: Prose = ""
    content: Sha256 | None = None
    author: TargetName = ""
    evidence: Evidence | None = None
    files: tuple[FileRef, ...] = ()
    eligible: bool = True


class Panelist(Value):
    """A voter that the fleet asks itself: a role's worker with a persona, on a target."""

    voter: Token
    role: Token = "reviewer"
    persona: Token = "generalist"
    target: TargetName = ""
    family: str = ""


class BallotOpened(Fact):
    """A question is open. Everything that decides it is frozen here.

    `quorum` counts answers, abstentions included. `deadline_s` is in seconds from the opening.

    `rule` is one of majority, supermajority, unanimity, veto, approval, ranked, weighted, ahead, score; what it takes
    besides: `threshold` as (numerator, denominator) for supermajority, `vetoers` for veto (empty: everybody), `weights`
    in millionths for weighted, `ahead_by` votes for ahead, `score_max` for score.

    `panel` is the part of the electorate that the fleet asks, in this order and in waves; the first has `wave` voters,
    and nobody is asked any more once the outcome is certain. The others vote by themselves. With `distinct_families`
    each panelist's family is used once before any is used twice; `exclude_families` are not asked at all.

    `tie_order` is gone through in order and ends undecided. Without a quorum or a winner at the end `no_quorum` says
    what then: stay `undecided`, `escalate` to a person (a gate of the ballot's name), `extend` once by `extension_s`,
    or take `default_option`. A `signed` ballot counts only votes signed by the voter's key in `keys`.
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
    context: Prose = ""
    threshold: tuple[Annotated[int, Field(ge=1, le=1_000)], Annotated[int, Field(ge=1, le=1_000)]] = (2, 3)
    vetoers: tuple[Token, ...] = ()
    weights: dict[Token, MicroWeight] = Field(default_factory=dict)
    ahead_by: Annotated[int, Field(ge=1, le=1_000)] = 3
    score_max: Annotated[int, Field(ge=1, le=100)] = 10
    panel: Annotated[tuple[Panelist, ...], Field(max_length=100)] = ()
    wave: Annotated[int, Field(ge=1, le=100)] = 3
    distinct_families: bool = False
    exclude_families: tuple[Annotated[str, StringConstraints(max_length=100)], ...] = ()
    tie_order: tuple[TieBreak, ...] = ()
    no_quorum: Literal["undecided", "escalate", "extend", "default"] = "undecided"
    extension_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    default_option: Token | None = None
    signed: bool = False
    keys: dict[Token, str] = Field(default_factory=dict)
    opened_by: Annotated[str, StringConstraints(max_length=200)] = ""

    @model_validator(mode="after")
    def _can_be_decided(self) -> "BallotOpened":
        if self.quorum > len(self.electorate):
            raise ValueError(f"quorum {self.quorum} is above the electorate of {len(self.electorate)}")
        if len({option.option for option in self.options}) != len(self.options):
            raise ValueError("options must differ")
        return self


class VoteCast(Fact):
    """One voter's answer. The log keeps a voter's first vote on a ballot and refuses the rest.

    `choice` is an option; without one the voter abstains, `because` says why. Approval ballots take `approved`, ranked
    ones `ranking` (the best first), score ballots `scores` by option. `signature` is the base64 of the ed25519
    signature of the voter's nkey over the vote's canonical bytes.
    """

    noun: ClassVar[str] = "vote"

    kind: Literal["vote_cast"] = "vote_cast"
    version: Literal[1] = 1
    ballot: Token
    voter: Token
    choice: Token | None = None
    rationale: Prose = ""
    approved: tuple[Token, ...] = ()
    ranking: tuple[Token, ...] = ()
    scores: dict[Token, Annotated[int, Field(ge=0, le=100)]] = Field(default_factory=dict)
    because: Prose = ""
    target: TargetName = ""
    task: Token | None = None
    signature: Annotated[str, StringConstraints(max_length=200)] = ""


class DecisionMade(Fact):
    """The outcome of a ballot; `option` is None when it stayed undecided.

    `upto` is the sequence in the log of the last vote that counted, so anybody can count again. `early` says that votes
    were still missing and could not have changed it. `by` is what decided: the rule, the tie-break, or the policy.
    """

    noun: ClassVar[str] = "decision"

    kind: Literal["decision_made"] = "decision_made"
    version: Literal[1] = 1
    ballot: Token
    option: Token | None
    counts: dict[Token, int] = Field(default_factory=dict)
    reason: Prose = ""
    by: Token = "rule"
    votes: Annotated[int, Field(ge=0)] = 0
    abstained: Annotated[int, Field(ge=0)] = 0
    upto: Annotated[int, Field(ge=0)] = 0
    early: bool = False
