"""What a model must answer to the reviewer's questions.

A vote's reply follows the ballot's rule. Without a preference it is an abstention.
"""

from typing import Annotated

from pydantic import Field

from contracts.message import Prose
from contracts.v1.projects import Finding
from workers.roles.reply import Reply


class ReviewReply(Reply):
    """What was found; a blocking finding causes a repair."""

    summary: str
    findings: tuple[Finding, ...] = ()


class VoteReply(Reply):
    """What every vote has: why."""

    rationale: Prose


class ChoiceReply(VoteReply):
    """The one option that the voter is for; null abstains."""

    choice: str | None


class ApprovalReply(VoteReply):
    """All options that the voter approves of; none abstains."""

    approved: tuple[str, ...]


class RankingReply(VoteReply):
    """Options, the best first; none abstains. Those that are left out come last."""

    ranking: tuple[str, ...]


class OptionScore(Reply):
    """What an option is worth, from 0 to the ballot's highest score."""

    option: str
    score: Annotated[int, Field(ge=0)]


class ScoresReply(VoteReply):
    """A score for each option; none at all abstains."""

    scores: tuple[OptionScore, ...]
