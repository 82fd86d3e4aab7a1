"""The protocol that every model speaks, and the errors that a call can end in."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict


class PromptMessage(BaseModel):
    """One message of a prompt. Its role is structure and never parsed from text."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    text: str


class ModelRequest(BaseModel):
    """What is asked of a model. `reply_schema` is the JSON Schema of the wanted answer; its `title` names it.

    `seed` tells one attempt at a task from the next, so that a model whose answers it decides may give another one.
    """

    model_config = ConfigDict(frozen=True)

    messages: tuple[PromptMessage, ...]
    reply_schema: dict[str, Any]
    max_output_tokens: int = 32_000
    seed: int = 1


class Completion(BaseModel):
    """What a model said. Tokens as the provider counts them; `cost_usd` is None where the price is unknown."""

    model_config = ConfigDict(frozen=True)

    text: str
    input_tokens: int
    output_tokens: int
    stop: Literal["end", "length", "refusal"] = "end"
    cost_usd: float | None = None


class ModelUnavailable(Exception):
    """The model can't answer now; the same call may succeed later."""


class Model(Protocol):
    """One configured target. `target` is how journal and manifest name it."""

    target: str

    async def complete(self, request: ModelRequest) -> Completion:
        """Answer; raises `ModelUnavailable` for outages and rate limits."""
        ...
