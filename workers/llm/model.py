"""The protocols that every model speaks, and what is said in them.

    ModelRequest ──▶ Provider.stream ──▶ Began · Text · Text · … · End
                                     ╰─▶ CallFailed (failures.py)

A provider is one (SDK, endpoint) and speaks in pieces. A `Model` answers in one piece: the built-in one does, and
fakes in tests do; `Whole` makes a provider of it.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

Stop = Literal["end", "length", "refusal"]
"""Why a model stopped: it was done, the limit of output tokens was reached, or it would not answer."""


class PromptMessage(BaseModel):
    """One message of a prompt. Its role is structure and never parsed from text."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    text: str


class ModelRequest(BaseModel):
    """What is asked of a model. `reply_schema` is the JSON Schema of the wanted answer; its `title` names it. None
    asks for plain text.

    `seed` tells one attempt at a task from the next, so that a model whose answers it decides may give another one.
    """

    model_config = ConfigDict(frozen=True)

    messages: tuple[PromptMessage, ...]
    reply_schema: dict[str, Any] | None
    max_output_tokens: int = 32_000
    seed: int = 1


class Usage(NamedTuple):
    """Tokens as the provider counts them. Input includes those read from a cache and those written to it, output those
    of reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    written_input_tokens: int = 0


class Allowance(NamedTuple):
    """What the headers of a response say is left: requests and tokens, and in how many seconds they are full again."""

    requests: int | None = None
    requests_full_in_s: float | None = None
    tokens: int | None = None
    tokens_full_in_s: float | None = None


class Began(NamedTuple):
    """The provider has taken the request: the response's headers are here."""

    allowance: Allowance = Allowance()


class Text(NamedTuple):
    """A piece of the answer, never empty."""

    text: str


class End(NamedTuple):
    """The answer is complete. `finish` is the provider's own word; `usage` is None where it did not count.

    `refusal` is what a model that would not answer said instead, if that came apart from the text.
    """

    stop: Stop
    finish: str
    usage: Usage | None
    refusal: str = ""


Piece = Began | Text | End

Heard = Callable[[str], None]
"""Is told each piece of an answer's text as it comes, for those who watch."""


class Provider(Protocol):
    """One configured target as its SDK speaks to it. Never retries, never falls back."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """Ask once: `Began`, then `Text` pieces, then `End`. Raises `CallFailed`; closing the generator hangs up."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True)
class Completion:
    """What a model said, in full, and what it took.

    `cost_usd` is None where the price is unknown. `tries` are the (target, kind, reason) of calls before this one that
    gave no answer. With `estimated` the provider did not count, and tokens and cost are upper bounds.
    """

    text: str
    input_tokens: int
    output_tokens: int
    stop: Stop = "end"
    cost_usd: float | None = None
    target: str = ""
    finish: str = ""
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    first_token_s: float | None = None
    duration_s: float = 0.0
    tries: tuple[tuple[str, str, str], ...] = ()
    estimated: bool = False
    lost: tuple["Completion", ...] = field(default=())
    """Calls that were cut off because this one answered first (hedging); they are billed all the same."""


class ModelUnavailable(Exception):
    """The model can't answer now; the same call may succeed later."""


class Model(Protocol):
    """One target that answers in one piece. `target` is how journal and manifest name it."""

    target: str

    async def complete(self, request: ModelRequest) -> Completion:
        """Answer; raises `ModelUnavailable` for outages and rate limits."""
        ...
