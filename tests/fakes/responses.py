"""OpenAI's Responses API as it answers."""

import json
from itertools import count
from typing import Any

from tests.fakes.asked import Asked
from tests.fakes.chat import error, limits
from tests.fakes.script import Play
from workers.llm.model import Usage

__all__ = ["begin", "broken", "end", "error", "error_event", "limits", "piece", "whole"]

_ITEM = {"item_id": "msg_fake", "output_index": 0, "content_index": 0}
_NUMBERS = count()


def _event(kind: str, **content: Any) -> bytes:
    body = {"type": kind, "sequence_number": next(_NUMBERS), **content}
    return f"event: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def _part(play: Play, text: str) -> dict[str, Any]:
    if play.stop == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(play: Play, status: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_fake", "type": "message", "role": "assistant", "status": status, "content": list(parts)}


def begin(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """What comes before the text."""
    started = _response(asked, "in_progress")
    return [
        _event("response.created", response=started),
        _event("response.in_progress", response=started),
        _event("response.output_item.added", output_index=0, item=_message(play, "in_progress")),
        _event("response.content_part.added", **_ITEM, part=_part(play, "")),
    ]


def piece(asked: Asked, play: Play, text: str) -> bytes:
    """One piece of the text; a refusal has an event of its own."""
    if play.stop == "refusal":
        return _event("response.refusal.delta", **_ITEM, delta=text)
    return _event("response.output_text.delta", **_ITEM, delta=text, logprobs=[])


def end(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """The whole text once more, and the response with its tokens."""
    done = (
        _event("response.refusal.done", **_ITEM, refusal=play.text)
        if play.stop == "refusal"
        else _event("response.output_text.done", **_ITEM, text=play.text, logprobs=[])
    )
    answer = whole(asked, play, usage)
    return [
        done,
        _event("response.content_part.done", **_ITEM, part=_part(play, play.text)),
        _event("response.output_item.done", output_index=0, item=answer["output"][0]),
        _event(f"response.{answer['status']}", response=answer),
    ]


def whole(asked: Asked, play: Play, usage: Usage) -> dict[str, Any]:
    """The answer in one piece."""
    reason = play.finish or ("max_output_tokens" if play.stop == "length" else "")
    status = "incomplete" if reason else "completed"
    return {
        **_response(asked, status),
        "output": [_message(play, status, _part(play, play.text))],
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": _usage(usage) if play.counts else None,
    }


def error_event(asked: Asked, play: Play) -> bytes:
    """A response that failed while it was made."""
    said = {"code": play.code or "server_error", "message": play.message or "It broke."}
    return _event("response.failed", response={**_response(asked, "failed"), "error": said})


def broken(asked: Asked) -> bytes:
    """An event that is no JSON."""
    return b'event: response.output_text.delta\ndata: {"type": "response.output_te\n\n'


def _response(asked: Asked, status: str) -> dict[str, Any]:
    return {
        "id": "resp_fake",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
        "metadata": {},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
