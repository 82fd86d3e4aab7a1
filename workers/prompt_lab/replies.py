"""What a model must answer when it is asked to revise a template."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST_TEMPLATE = 100_000
"""Characters; the longest template that is shipped has 9,000."""


class RevisionReply(BaseModel):
    """The whole new file of a template, and why it is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=4_000)]
    template: Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)]
