"""What workers ask of the outside: a log of named facts, artifacts by content, live output."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple, Protocol

from contracts.message import Message


class Said(NamedTuple):
    """What became of a publish. `news` is False when the log had the name already; then `sequence` is 0."""

    sequence: int
    news: bool


class Stored(NamedTuple):
    """A message as the log holds it: `sequence` in the stream, time of storage, subject, bytes, W3C trace header."""

    sequence: int
    at: datetime
    subject: str
    data: bytes
    traceparent: str = ""


class Log(Protocol):
    """The stream of facts, each under a name that is accepted once."""

    async def say(self, message: Message) -> Said:
        """Publish and wait for the acknowledgement; retries for at least 30 s while the broker is away."""
        ...

    async def find(self, subject: str) -> Stored | None:
        """The fact of that name, or None."""
        ...

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        """All facts of a run with a sequence above `after`, in order."""
        ...

    def follow(self, tenant: str, run: str, after: int = 0) -> AsyncIterator[Stored]:
        """The facts of a run in order, then those to come, without end."""
        ...


class ArtifactMissing(LookupError):
    """No artifact of that digest is stored, or what is stored under it is something else."""


class Artifacts(Protocol):
    """Content by its SHA-256."""

    async def put(self, content: bytes) -> str:
        """Store it, unless it is there, and return the hexadecimal digest."""
        ...

    async def get(self, sha256: str) -> bytes:
        """The content, checked against the digest; raises `ArtifactMissing`."""
        ...
