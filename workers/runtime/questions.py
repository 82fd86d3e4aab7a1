"""A question to a model and its answer, and how both are written into a journal entry. Pure."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from contracts.v1.journal import ModelCalled, Try
from workers.llm.model import Completion, ModelRequest
from workers.prompting.templates import Rendered


@dataclass(frozen=True)
class Asked:
    """A question: whom (a target or a route, empty for the fleet's choice), rendered from which prompt, without which
    targets."""

    whom: str
    prompt: Rendered
    request: ModelRequest
    without: frozenset[str] = frozenset()

    @property
    def sha256(self) -> str:
        """Digest of the canonical JSON of what is asked of whom, whoever answers: the same question has the same."""
        content: dict[str, Any] = {"target": self.whom, "request": self.request.model_dump(mode="json")}
        if self.without:
            content["without"] = sorted(self.without)
        return digest_of(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


@dataclass(frozen=True)
class Answer:
    """What a model said, and the journal entry that holds it."""

    entry: ModelCalled
    text: str


def digest_of(text: str) -> str:
    """SHA-256 of the text as UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def storable(completion: Completion) -> Completion:
    """The completion with text that UTF-8 can hold: halves of a character are joined, lone ones replaced.

    A provider that escapes its stream may send a character outside of the basic plane in two pieces.
    """
    try:
        completion.text.encode()
    except UnicodeEncodeError:
        whole = completion.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return replace(completion, text=whole)
    return completion


def asked_in(asked: Asked) -> dict[str, Any]:
    """The fields of an entry that say what was asked."""
    parameters = {"max_output_tokens": asked.request.max_output_tokens, "seed": asked.request.seed}
    schema = asked.request.reply_schema
    return {
        "asked": asked.whom,
        "prompt": asked.prompt.name,
        "prompt_version": asked.prompt.version,
        "request_sha256": asked.sha256,
        "parameters": parameters if schema is None else {**parameters, "reply_schema": str(schema.get("title", ""))},
    }


def told_in(said: Completion) -> dict[str, Any]:
    """The fields of an entry that say who answered and what it took, all but the words."""
    return {
        "target": said.target,
        "tries": tuple(Try(target=who, kind=kind, reason=why[:500]) for who, kind, why in said.tries[:50]),
        "stop": said.stop,
        "finish": said.finish,
        "input_tokens": said.input_tokens,
        "output_tokens": said.output_tokens,
        "cached_input_tokens": said.cached_input_tokens,
        "reasoning_tokens": said.reasoning_tokens,
        "cost_usd": said.cost_usd,
        "estimated": said.estimated,
        "latency_ms": said.duration_s * 1_000.0,
        "first_token_ms": None if said.first_token_s is None else said.first_token_s * 1_000.0,
        "completion_sha256": digest_of(said.text),
    }
