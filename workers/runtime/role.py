"""A role: a kind of work. It names the commands that it takes and the function that does each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from contracts.subjects import is_token
from contracts.v1.tasks import Outcome, Task
from workers.runtime.errors import Impossible
from workers.runtime.toolkit import Toolkit

T = TypeVar("T", bound=Task)


@dataclass(frozen=True)
class Job(Generic[T]):
    """One command and what does it. `handle` returns the result or raises; it never publishes."""

    consumes: type[T]
    handle: Callable[[T, Toolkit], Awaitable[Outcome]]


@dataclass(frozen=True)
class Role:
    """A kind of work. `name` is the subject token; `purpose` is what a plan's author reads about it.

    `replies` are the classes of what its models must answer: the role's templates name them.
    """

    name: str
    purpose: str
    jobs: tuple[Job[Any], ...]
    replies: tuple[type[BaseModel], ...] = ()

    def __post_init__(self) -> None:
        if not is_token(self.name):
            raise ValueError(f"role {self.name!r}: the name must be 1 to 64 of A-Z a-z 0-9 _ -")
        if len({job.consumes for job in self.jobs}) != len(self.jobs) or not self.jobs:
            raise ValueError(f"role {self.name}: it needs one job or more, each for a command of its own")
        if len({reply.__name__ for reply in self.replies}) != len(self.replies):
            raise ValueError(f"role {self.name}: its replies need names that differ")

    def job_for(self, task: Task) -> Job[Any]:
        """The job that takes this command; raises `Impossible` when the role has none."""
        for job in self.jobs:
            if isinstance(task, job.consumes):
                return job
        takes = ", ".join(job.consumes.__name__ for job in self.jobs)
        raise Impossible(f"role {self.name} can't do a {type(task).__name__}; it takes {takes}")
