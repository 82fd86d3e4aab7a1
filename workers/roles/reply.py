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


def in_tests_folder(path: str) -> bool:
    """Whether the file lies under `tests/`, in whatever case a file system may take for the same."""
    return path.casefold().startswith("tests/")


def is_a_test(path: str) -> bool:
    """Whether the file is the test engineer's: all under `tests/`, and whatever else steers pytest from outside."""
    return in_tests_folder(path) or path.casefold().rpartition("/")[2] in _STEER_PYTEST


_STEER_PYTEST = frozenset({"conftest.py", "pytest.ini", "tox.ini"})
