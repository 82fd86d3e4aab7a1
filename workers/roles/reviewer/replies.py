"""What a model must answer to the reviewer's questions."""

from contracts.v1.projects import Finding
from workers.roles.reply import Reply


class ReviewReply(Reply):
    """What was found; a blocking finding causes a repair."""

    summary: str
    findings: tuple[Finding, ...] = ()
