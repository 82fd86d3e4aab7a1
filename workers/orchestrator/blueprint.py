"""The blueprint: which ballots the runs of a fleet have, and by which rule each is decided. Pure; read from YAML by
`blueprint_file.py`.

A ballot that is None is not held: then the design is built as it came, and what the reviewer does not block is packed.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.message import Token
from contracts.v1.ballots import NoQuorum
from contracts.v1.runs import TargetName

Rule = Literal[
    "majority", "supermajority", "unanimity", "veto", "approval", "ranked", "weighted", "ahead", "score",
]  # fmt: skip

LONGEST_VOTER = 40
"""Characters of a voter's name. It shares the name of a voting task, a token, with the ballot's."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Voter(_Part):
    """One whom the fleet asks: a persona of `prompts/reviewer/personas/`, on a target; by default the run's own."""

    persona: Token
    target: TargetName = ""

    @property
    def name(self) -> str:
        """The voter's token; the same persona on two targets is two voters."""
        told = "".join(sign if sign.isalnum() else "-" for sign in self.target)[:24].strip("-")
        return f"{self.persona}-{told}" if told else self.persona


class BallotTerms(_Part):
    """How a ballot is held. Fields mean what they mean in `BallotOpened`.

    With `exclude_author` the families of the models that made what is voted on are not asked. `default` as `no_quorum`
    takes the first design, and sends a release back to repair.
    """

    rule: Rule = "majority"
    voters: Annotated[tuple[Voter, ...], Field(min_length=1, max_length=25)]
    quorum: Annotated[int, Field(ge=1)] = 2
    wave: Annotated[int, Field(ge=1, le=25)] = 2
    deadline_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 900
    extension_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    no_quorum: NoQuorum = "escalate"
    threshold: tuple[Annotated[int, Field(ge=1, le=1_000)], Annotated[int, Field(ge=1, le=1_000)]] = (2, 3)
    ahead_by: Annotated[int, Field(ge=1, le=1_000)] = 3
    distinct_families: bool = False
    exclude_author: bool = False

    @model_validator(mode="after")
    def _can_be_held(self) -> "BallotTerms":
        names = [voter.name for voter in self.voters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"voters must differ: {', '.join(twice)} is there more than once")
        if long := [name for name in names if len(name) > LONGEST_VOTER]:
            raise ValueError(f"the voter's name {long[0]} has {len(long[0])} characters of {LONGEST_VOTER} allowed")
        if self.quorum > len(self.voters):
            raise ValueError(f"quorum {self.quorum} is above the {len(self.voters)} voters")
        if self.threshold[0] > self.threshold[1]:
            raise ValueError(f"threshold {self.threshold[0]} of {self.threshold[1]} can't be reached")
        if self.no_quorum == "extend" and self.extension_s is None:
            raise ValueError("no_quorum extend needs extension_s, in seconds")
        return self


def _panel(*personas: str) -> tuple[Voter, ...]:
    return tuple(Voter(persona=persona) for persona in personas)


class Ballots(_Part):
    """The ballots of a project's run."""

    design: BallotTerms | None = BallotTerms(
        rule="approval", voters=_panel("correctness", "simplicity", "operations"), no_quorum="default"
    )
    release: BallotTerms | None = BallotTerms(voters=_panel("correctness", "security", "user"))


class Blueprint(_Part):
    """What runs are made of. `designs` are made to choose from, if a request says nothing else."""

    designs: Annotated[int, Field(ge=1, le=9)] = 1
    ballots: Ballots = Ballots()
