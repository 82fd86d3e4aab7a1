"""Failures: why an attempt at a task did not work, and what could not be delivered at all."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.message import Attempt, Fact, Prose, Token, Value
from contracts.v1.journal import Call

FailureClass = Literal[
    "transient", "malformed_reply", "refused_by_model", "impossible", "deadline", "spoiled", "crashed"
]
"""`transient`: worth another attempt. `malformed_reply`: the model's answer did not fit, twice. `refused_by_model`:
it would not answer. `impossible`: the task can't be done as it is put. `deadline`: it took too long. `spoiled`: the
stored result does not validate. `crashed`: the delivery limit was reached."""


class TaskFailed(Fact):
    """Why an attempt failed, and whether another one makes sense."""

    noun: ClassVar[str] = "failure"

    kind: Literal["task_failed"] = "task_failed"
    version: Literal[1] = 1
    role: Token
    task: Token
    attempt: Attempt
    error: FailureClass
    retry: bool
    reason: Prose
    calls: tuple[Call, ...] = ()


class DeadLetter(Value):
    """A message that could not be handled, kept in `DEAD`.

    `payload` is the message's bytes as base64; `deliveries` counts how often it was handed over;
    `sequence` is its place in `stream`.
    """

    kind: Literal["dead_letter"] = "dead_letter"
    version: Literal[1] = 1
    subject: str
    payload: str
    reason: Prose
    worker: str
    stream: str
    sequence: Annotated[int, Field(ge=0)]
    deliveries: Annotated[int, Field(ge=0)]
    contract_version: int = 1
