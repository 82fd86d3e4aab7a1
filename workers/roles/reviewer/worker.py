"""Reviewer: reads the project against its requirements, where a blocking finding causes a repair; votes on ballots."""

from faststream import FastStream

from contracts.v1.tasks import CastVote, PerformTask, ProjectReviewed, ReviewProject
from workers.roles.evidence import shown
from workers.roles.performing import PerformReply, performing
from workers.roles.reviewer.replies import ApprovalReply, ChoiceReply, RankingReply, ReviewReply, ScoresReply
from workers.roles.reviewer.voting import vote
from workers.runtime.bootstrap import role_app
from workers.runtime.role import Job, Role
from workers.runtime.toolkit import Toolkit


async def review(task: ReviewProject, tools: Toolkit) -> ProjectReviewed:
    """Ask for findings on the whole project and the evidence of its tests."""
    reply = await tools.ask(
        "reviewer/review",
        reply=ReviewReply,
        requirements=task.requirements,
        design=task.design,
        files=await tools.load(task.files),
        evidence=shown(task.evidence),
    )
    return tools.report(ProjectReviewed, summary=reply.summary, findings=reply.findings)


role = Role(
    name="reviewer",
    purpose="Reads the whole project against its requirements and reports findings with their severity.",
    jobs=(Job(ReviewProject, review), Job(CastVote, vote), Job(PerformTask, performing("reviewer/perform"))),
    replies=(ReviewReply, ChoiceReply, ApprovalReply, RankingReply, ScoresReply, PerformReply),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
