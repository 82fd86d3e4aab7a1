"""Timers: time as a fact. The broker keeps the clock; what it says is recorded under a name."""

from typing import ClassVar, Literal

from contracts.message import Fact, Token


class DeadlinePassed(Fact):
    """A deadline has passed. `name` says which, e.g. `run` or `task-design-1`."""

    noun: ClassVar[str] = "timer"

    kind: Literal["deadline_passed"] = "deadline_passed"
    version: Literal[1] = 1
    name: Token
