"""The envelope: a message is a frozen value whose identity is its subject.

Every message belongs to one run of one tenant. Its class says which noun it is published under and
which of its fields complete the name (`subjects.NOUNS`), so that subject and identity carry over
into each other both ways. In the log a name is accepted once.
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""One subject token: letters, digits, `_` and `-`, 1 to 64 of them."""

Attempt = Annotated[int, Field(ge=1, le=1_000)]
"""The number of a try at a task, from 1."""

Prose = Annotated[str, StringConstraints(max_length=20_000)]
"""Text for people, bounded so that no message outgrows the bus."""

MAX_PAYLOAD_BYTES = 1_000_000
"""NATS refuses payloads over 1 MiB by default; larger content is an artifact."""


class Value(BaseModel):
    """A frozen part of a message. Unknown fields are ignored, so that readers can be older than writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Value):
    """A message of one run. Subclasses set `noun`, `kind` and `version`."""

    noun: ClassVar[str]

    tenant: Token
    run: Token


class Command(Message):
    """A task for one role: imperative, carries all the context that the role needs."""

    noun: ClassVar[str] = "task"

    role: Token
    task: Token
    attempt: Attempt = 1


class Fact(Message):
    """Something that happened: past tense, said once."""


class Result(Fact):
    """What came of a task. The log keeps the first and refuses the rest."""

    noun: ClassVar[str] = "result"

    task: Token
    attempt: Attempt = 1
