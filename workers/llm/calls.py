"""What one call to the models is for, and how it can end without an answer."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.v1.budgets import Budget
from contracts.v1.waits import WaitsFor
from workers.llm.model import Completion, Heard, ModelRequest, ModelUnavailable

MESSAGE_OVERHEAD = 16
REQUEST_OVERHEAD = 512
BYTES_A_TOKEN = 3
"""English and code have three to four bytes a token with the tokenizers in use."""


@dataclass(frozen=True)
class Call:
    """What one call is for.

    `name` is the whole name of its journal entry, `<tenant>/<run>/llm.<task>.<attempt>.<n>`; reservations go by it.
    `asked` is the target or route that was asked for, empty for the fleet's choice. `kind` is that of the command.
    `deadline` is in unix seconds. Targets in `without` are not asked.
    """

    name: str
    asked: str
    role: str
    kind: str
    deadline: float
    without: frozenset[str] = frozenset()
    budget: Budget | None = None

    @property
    def tenant(self) -> str:
        """Who pays."""
        return self.name.split("/", 1)[0]

    @property
    def run(self) -> str:
        """The run that the call is part of."""
        return self.name.split("/", 2)[1]


class Caller(Protocol):
    """Whoever gets answers from models: the gateway."""

    async def complete(self, call: Call, request: ModelRequest, heard: Heard | None = None) -> Completion:
        """Get an answer from whichever target can give it.

        Raises `Parked` when none can for now, `Interrupted` when an answer broke off, `CannotServe` when none ever can.
        """
        ...

    async def paid(self, name: str, cost_usd: float | None, tokens: int, budget: Budget | None) -> None:
        """Settle a reservation that was left open for a call which is in the journal; no news when there is none."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Parked(ModelUnavailable):
    """No call can be made for now: no target can serve, or no budget pays. `delay_s` is when to try again."""

    def __init__(self, what: WaitsFor, reason: str, call: str, delay_s: float) -> None:
        self.what, self.reason, self.call, self.delay_s = what, reason, call, delay_s
        super().__init__(f"waiting for {what}: {reason}")


class Interrupted(ModelUnavailable):
    """The answer broke off after its first token; asking again is another call."""


class CannotServe(Exception):
    """No target can ever serve this call; the message names each and why."""


class Size:
    """How large a request is, in tokens, as far as that can be known without the model's tokenizer."""

    __slots__ = ("bound", "likely")

    def __init__(self, request: ModelRequest) -> None:
        said = sum(len(message.text.encode()) + MESSAGE_OVERHEAD for message in request.messages)
        self.bound = said + _schema_bytes(request.reply_schema) + REQUEST_OVERHEAD
        """Never less than the input tokens: each token stands for one byte or more."""
        self.likely = self.bound // BYTES_A_TOKEN


def _schema_bytes(schema: dict[str, Any] | None) -> int:
    return 0 if schema is None else len(json.dumps(schema))
