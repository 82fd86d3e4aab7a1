"""Anthropic's Messages API as it answers, itself and on Bedrock (AWS event stream) and Vertex."""

import base64
import json
import struct
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.asked import Asked
from tests.fakes.script import Play
from workers.llm.model import Allowance, Usage

AWS_STREAM_TYPE = "application/vnd.amazon.eventstream"
FINISH = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal"}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def _event(asked: Asked, kind: str, **content: Any) -> bytes:
    body = json.dumps({"type": kind, **content}).encode()
    if asked.api == "bedrock":
        shell = json.dumps({"bytes": base64.b64encode(body).decode(), "p": "abcdefgh"}).encode()
        return aws_frame({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, shell)
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)


def aws_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of the AWS event stream: lengths, checksum, headers (strings are type 7), payload, checksum."""
    head = b"".join(
        struct.pack(f">B{len(name)}sBH{len(text)}s", len(name), name.encode(), 7, len(text), text.encode())
        for name, text in headers.items()
    )
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def begin(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """What comes before the text: the input is counted here already."""
    message = {**whole(asked, play, usage), "content": [], "stop_reason": None}
    message["usage"] = {**_usage(usage), "output_tokens": 1} if play.counts else None
    block = {"type": "text", "text": ""}
    return [
        _event(asked, "message_start", message=message),
        _event(asked, "content_block_start", index=0, content_block=block),
        _event(asked, "ping"),
    ]


def piece(asked: Asked, play: Play, text: str) -> bytes:
    """One piece of the text."""
    return _event(asked, "content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def end(asked: Asked, play: Play, usage: Usage) -> list[bytes]:
    """The reason to stop with the tokens of the output, and the last word."""
    delta = {"stop_reason": play.finish or FINISH[play.stop], "stop_sequence": None, "stop_details": _details(play)}
    counted = {"usage": {"output_tokens": usage.output_tokens}} if play.counts else {}
    return [
        _event(asked, "content_block_stop", index=0),
        _event(asked, "message_delta", delta=delta, **counted),
        _event(asked, "message_stop"),
    ]


def whole(asked: Asked, play: Play, usage: Usage) -> dict[str, Any]:
    """The answer in one piece."""
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": play.text}],
        "stop_reason": play.finish or FINISH[play.stop],
        "stop_sequence": None,
        "stop_details": _details(play),
        "usage": _usage(usage) if play.counts else None,
    }


def _details(play: Play) -> dict[str, Any] | None:
    if play.stop != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": "The request was declined."}


def error(asked: Asked, play: Play) -> dict[str, Any]:
    """The body of an error: Bedrock, Google and Anthropic each have their own."""
    message = play.message or f"The fake was told to answer {play.status}."
    if asked.api == "bedrock":
        return {"message": message}
    if asked.api == "vertex" and not play.code:
        return {"error": {"code": play.status, "message": message, "status": GOOGLE.get(play.status, "INTERNAL")}}
    return {"type": "error", "error": {"type": play.code or ERRORS.get(play.status, "api_error"), "message": message}}


def error_event(asked: Asked, play: Play) -> bytes:
    """An error in the stream; on Bedrock an exception frame such as `throttlingException`."""
    message = play.message or "It broke."
    if asked.api == "bedrock":
        names = {":exception-type": play.code or "internalServerException", ":message-type": "exception"}
        return aws_frame({**names, ":content-type": "application/json"}, json.dumps({"message": message}).encode())
    return _event(asked, "error", error={"type": play.code or "api_error", "message": message})


def broken(asked: Asked) -> bytes:
    """An event that is no JSON; on Bedrock a frame whose checksum is wrong."""
    if asked.api == "bedrock":
        frame = piece(asked, Play(), "broken")
        return frame[:-1] + bytes([frame[-1] ^ 0xFF])
    return b'event: content_block_delta\ndata: {"type": "content_block_de\n\n'


def limits(allowance: Allowance) -> dict[str, str]:
    """What is left, in Anthropic's headers; times are moments."""
    found = {
        "anthropic-ratelimit-requests-remaining": allowance.requests,
        "anthropic-ratelimit-tokens-remaining": allowance.tokens,
        "anthropic-ratelimit-requests-reset": _moment(allowance.requests_full_in_s),
        "anthropic-ratelimit-tokens-reset": _moment(allowance.tokens_full_in_s),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _usage(usage: Usage) -> dict[str, Any]:
    """Anthropic counts cached input apart from other input."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
