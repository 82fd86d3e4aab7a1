"""Ballots: a question, the votes on it, and what was decided."""

from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.message import Fact, Prose, Token, Value
from contracts.v1.budgets import Budget
from contracts.v1.projects import Evidence, FileRef, Sha256
from contracts.v1.runs import TargetName

MicroWeight = Annotated[int, Field(ge=0, le=10**9)]
"""A voter's weight in millionths. No decision is made with floats."""

NoQuorum = Literal["undecided", "escalate", "extend", "default"]
"""What a ballot without a quorum or a winner ends in, or does first."""

TieBreak = Literal["status_quo", "weight", "hash"]
"""`status_quo`: the option of that name, if it is among the equals. `weight`: the heavier side. `hash`: the option
whose SHA-256 with the ballot's name is the smallest, which nobody chooses."""


class Option(Value):
    """One possible answer to a ballot.

    A candidate that was made by somebody has its content's digest (identical ones are merged), its `author` (a target),
    what the sandbox saw of it, its text or its files. One that is not `eligible`, or whose tests are red, can't win and
    is not shown.
    """

    option: Token
    title: Prose = ""
    text: Prose = ""
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

    `panel` is the part of the electorate that the fleet asks, in this order and in waves. A wave has as many voters as
    could decide if they agreed, the first at most `wave`; nobody is asked any more once the outcome is certain. The
    others vote by themselves. With `distinct_families` each panelist's family is used once before any is used twice;
    `exclude_families` are not asked at all.

    `tie_order` is gone through in order and ends undecided. Without a quorum or a winner at the end `no_quorum` says
    what then: stay `undecided`, `escalate` to a person (a gate of the ballot's name), `extend` once by `extension_s`,
    or take `default_option`. A `signed` ballot counts only votes signed by the voter's key in `keys`.

    `budget` is the run's, for the voting tasks. Without `deadline_s` the fleet's default holds.
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
    no_quorum: NoQuorum = "undecided"
    extension_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    default_option: Token | None = None
    signed: bool = False
    keys: dict[Token, str] = Field(default_factory=dict)
    budget: Budget | None = None
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
    signature of the voter's nkey over `signed_bytes`.
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

    @property
    def signed_bytes(self) -> bytes:
        """What the voter signs: lines of UTF-8 that any language can write, joined by newlines, none at the end.

        In order: `flotilla-vote-1`, tenant, run, ballot, voter, choice (empty for none), the approved options sorted
        and joined by commas, the ranking joined by commas, `option=score` sorted by option and joined by commas, and
        the SHA-256 of rationale and of because in hexadecimal.
        """
        lines = (
            "flotilla-vote-1", self.tenant, self.run, self.ballot, self.voter, self.choice or "",
            ",".join(sorted(self.approved)), ",".join(self.ranking),
            ",".join(f"{option}={score}" for option, score in sorted(self.scores.items())),
            sha256(self.rationale.encode()).hexdigest(), sha256(self.because.encode()).hexdigest(),
        )  # fmt: skip
        return "\n".join(lines).encode()


class CountedVote(Value):
    """A vote as it was counted: the options that the voter stands for, none for an abstention, and why.

    The text is cut where all of them together would be too long for the bus; the vote itself has the whole. `task` is
    the voting task that said it; one who voted by himself has none.
    """

    voter: Token
    options: tuple[Token, ...] = ()
    text: Prose = ""
    task: Token | None = None


class InvalidVote(Value):
    """A vote that is in the log and did not count, and why not."""

    voter: Token
    reason: Prose


class DecisionMade(Fact):
    """The outcome of a ballot; `option` is None when it stayed undecided.

    `upto` is the sequence in the log of the vote or deadline that decided, so anybody can count again. `early` says
    that votes were still missing and could not have changed it. `by` is what decided: `rule`, `tie-status_quo`,
    `tie-weight`, `tie-hash`, `default`, `undecided`, `escalated`, or `refused` for a ballot that can't be held.

    `counted` are the votes in the order of the log, `invalid` those that did not count, as far as they came before.
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
    counted: tuple[CountedVote, ...] = ()
    invalid: tuple[InvalidVote, ...] = ()


class OutcomeSeen(Fact):
    """What a decision turned out to be worth, once the sandbox or a person knows: the option was right, or wrong.

    `voters_right` and `voters_wrong` are those whose votes it proves; voters for other options are in neither, unless
    it is known of theirs too. Whoever learns of voters reads these facts and no others.
    """

    noun: ClassVar[str] = "outcome"

    kind: Literal["outcome_seen"] = "outcome_seen"
    version: Literal[1] = 1
    ballot: Token
    option: Token
    right: bool
    voters_right: tuple[Token, ...] = ()
    voters_wrong: tuple[Token, ...] = ()
    evidence_at: str = ""
    by: Annotated[str, StringConstraints(max_length=200)] = ""
    reason: Prose = ""


def voting_task(ballot: str, voter: str) -> str:
    """The name of the task that asks a voter: `vote-<ballot>--<voter>`. A ballot's name holds no `--`."""
    return f"vote-{ballot}--{voter}"


def ballot_of(task: str) -> tuple[str, str] | None:
    """The ballot and the voter of a voting task; None for the name of any other task."""
    ballot, dashes, voter = task.removeprefix("vote-").partition("--")
    return (ballot, voter) if dashes and task.startswith("vote-") and ballot and voter else None


def deadline_timers(ballot: str) -> tuple[str, str]:
    """The names of a ballot's timers: of its deadline, and of its extension."""
    return f"ballot-{ballot}", f"ballot2-{ballot}"


def ballot_of_timer(timer: str) -> str | None:
    """The ballot of a timer; None for the name of any other timer."""
    kind, dash, ballot = timer.partition("-")
    return ballot or None if dash and kind in ("ballot", "ballot2") else None
