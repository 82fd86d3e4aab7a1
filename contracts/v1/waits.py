"""Waits: a task that can't go on for now, and for what it waits."""

from datetime import datetime
from typing import ClassVar, Literal

from contracts.message import Attempt, Fact, Prose, Token
from contracts.v1.journal import CallNumber

WaitsFor = Literal["models", "budget"]


class TaskWaits(Fact):
    """A call of a task can't be made for now. The wait is over when the log has `llm.<task>.<attempt>.<n>`, or the
    attempt's result or failure.

    `until` is when it is tried again at the latest guess, None when that is not known. An attempt that has waited has
    no deadline of its own any more; its run's deadline holds.
    """

    noun: ClassVar[str] = "wait"

    kind: Literal["task_waits"] = "task_waits"
    version: Literal[1] = 1
    role: Token
    task: Token
    attempt: Attempt
    n: CallNumber
    what: WaitsFor
    reason: Prose = ""
    until: datetime | None = None
