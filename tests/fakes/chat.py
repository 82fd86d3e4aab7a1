"""Chat Completions as OpenAI, Azure and Groq answer them."""

import json
from typing import Any

from tests.fakes.asked import Asked
from tests.fakes.script import Play
from workers.llm.model import Allowance, Usage

FINISH = {"end": "stop", "length": "length", "refusal": "stop"}
ERRORS = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("billing_error", "insufficient_credits"),
    403: ("invalid_request_error", "forbidden"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


def event(content: Any) -> bytes:
    """One server-sent event without a name."""
    return b"data: " + (content if isinstance(content, str) else json.dumps(content)).encode() + b"\n\n"


def _chunk(asked: Asked, delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": asked.model}
    return event({**head, "system_fingerprint": "fp_fake", "choices": choices, **more})


def begin(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """What comes before the text. Azure first says what its filter thinks of the prompt."""
    filtered = [{"prompt_index": 0, "content_filter_results": {}}]
    first = [_chunk(asked, None, prompt_filter_results=filtered)] if asked.api == "azure" else []
    more = {"x_groq": {"id": "req_fake"}} if asked.api == "groq" else {}
    return [*first, _chunk(asked, {"role": "assistant", "content": "", "refusal": None}, **more)]


def piece(asked: Asked, play: Play, text: str) -> bytes:
    """One piece of the text; a refusal has a field of its own."""
    return _chunk(asked, {"refusal" if play.stop == "refusal" else "content": text})


def end(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """The reason to stop, the tokens where they are wanted, and the last word."""
    unasked: dict[str, Any] = {}
    if play.counts and asked.api == "groq":
        unasked = {"x_groq": {"id": "req_fake", "usage": _usage(usage)}}
    elif play.counts and play.counts_unasked:
        unasked = {"usage": _usage(usage)}
    frames = [_chunk(asked, {}, play.finish or FINISH[play.stop], **unasked)]
    if play.counts and asked.counts:
        frames.append(_chunk(asked, None, usage=_usage(usage)))
    return [*frames, event("[DONE]")]


def whole(asked: Asked, play: Play, usage: Usage) -> dict[str, Any]:
    """The answer in one piece."""
    refused = play.stop == "refusal"
    message = {
        "role": "assistant",
        "content": None if refused else play.text,
        "refusal": play.text if refused else None,
    }
    finish = play.finish or FINISH[play.stop]
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        **({"usage": _usage(usage)} if play.counts else {}),
    }


def error(asked: Asked, play: Play) -> dict[str, Any]:
    """The body of an error."""
    kind, code = ERRORS.get(play.status, ("server_error", ""))
    message = play.message or f"The fake was told to answer {play.status}."
    return {"error": {"message": message, "type": kind, "param": None, "code": play.code or code or None}}


def error_event(asked: Asked, play: Play) -> bytes:
    """An error in the stream."""
    return event({"error": {"message": play.message or "It broke.", "type": play.code or "server_error", "code": None}})


def broken(asked: Asked) -> bytes:
    """An event that is no JSON."""
    return event('{"id": "chatcmpl-fake", "choices": [{"delta": {"cont')


def limits(allowance: Allowance) -> dict[str, str]:
    """What is left, in OpenAI's headers; times like `6m0s`."""
    found = {
        "x-ratelimit-remaining-requests": allowance.requests,
        "x-ratelimit-remaining-tokens": allowance.tokens,
        "x-ratelimit-reset-requests": _duration(allowance.requests_full_in_s),
        "x-ratelimit-reset-tokens": _duration(allowance.tokens_full_in_s),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
