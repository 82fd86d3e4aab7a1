"""What models answer. These schemas are asked for by the roles and are no contracts; they forbid extra fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.v1.projects import ProjectPath


class Reply(BaseModel):
    """A model's answer; anything that does not fit is a malformed reply."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WrittenFile(Reply):
    """A file with its whole content."""

    path: ProjectPath
    content: Annotated[str, Field(max_length=200_000)]
