"""Anthropic's Messages API, as Anthropic, Bedrock and Vertex speak it through the `anthropic` SDK.

    message_start        {"message": {"usage": {"input_tokens": 9, "cache_read_input_tokens": 0, …}}}
    content_block_delta  {"delta": {"type": "text_delta", "text": "Hel"}}                               Text
    message_delta        {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    message_stop                                                                                        End

Thinking is not part of the answer; its tokens are output. Anthropic counts input from the cache and into it apart from
other input: here it is all input.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from workers.llm.model import End, ModelRequest, Stop, Usage
from workers.llm.providers.schema import instruction
from workers.llm.providers.sdk import Options, output_limit
from workers.llm.providers.streaming import Api, Json
from workers.llm.targets import Capabilities, Target

OPTIONS = ("effort", "thinking", "service_tier")
"""What a target may set: `effort` (low … max), `thinking` (adaptive, disabled, or a number of tokens) and
`service_tier`, where the platform knows it. There is no temperature: the API of recent models refuses it."""

_STOPS: dict[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


def messages_api(
    connect: Callable[[], Any],
    body: Callable[[ModelRequest], Json],
    understood: Callable[[Exception], Exception] = lambda error: error,
) -> Api:
    """The API through the SDK's client. `understood` turns errors of the platform's own libraries into failures, and
    returns all others as they are."""

    async def ask(connected: Any, request: ModelRequest) -> Any:
        try:
            return await connected.messages.with_raw_response.create(**body(request))
        except Exception as error:
            known = understood(error)
            if known is error:
                raise
            raise known from error

    return Api(connect, ask, events, MessageListener)


def events() -> Any:
    """The type of a stream of plain dicts."""
    from anthropic import AsyncStream  # noqa: PLC0415

    return AsyncStream[object]


class MessageListener:
    """What the events of one message have said so far. `error` events never get here: the SDK raises for them."""

    def __init__(self) -> None:
        self.finish = ""
        self._refusal = ""
        self._counted: Json = {}
        self._complete = False

    def hear(self, event: Json) -> str:
        """Take an event and return its text, "" for none."""
        kind, delta = event.get("type"), _object(event, "delta")
        if kind == "content_block_delta" and delta.get("type") == "text_delta":
            text = delta.get("text")
            return text if isinstance(text, str) else ""
        if kind == "message_start":
            self._count(_object(event, "message"))
        elif kind == "message_delta":
            self._count(event)
            self._close(delta, event)
        elif kind == "message":
            self._count(event)
            self._close(event, event)
            return "".join(str(part.get("text") or "") for part in event.get("content") or () if isinstance(part, dict))
        return ""

    def _close(self, said: Json, counted: Json) -> None:
        self._complete = isinstance(_object(counted, "usage").get("output_tokens"), int)
        self.finish = str(said.get("stop_reason") or self.finish)
        self._refusal = str(_object(said, "stop_details").get("explanation") or "")

    def _count(self, event: Json) -> None:
        usage = _object(event, "usage")
        self._counted |= {name: count for name, count in usage.items() if count is not None}

    def end(self) -> End:
        """The end of an answer that has a `finish`."""
        return End(_STOPS.get(self.finish, "end"), self.finish, self._usage(), self._refusal)

    def _usage(self) -> Usage | None:
        """None unless both input and the final output were counted; the counts are cumulative."""
        counted = self._counted
        if not self._complete or not isinstance(counted.get("input_tokens"), int):
            return None
        cached = counted.get("cache_read_input_tokens", 0)
        written = counted.get("cache_creation_input_tokens") or 0
        given = counted["input_tokens"] + cached + written
        thinking = _object(counted, "output_tokens_details").get("thinking_tokens") or 0
        return Usage(given, counted["output_tokens"], cached, thinking, written)


def messages_body(request: ModelRequest, target: Target, able: Capabilities, options: Options) -> Json:
    """The fields of a request. System messages go apart, and messages of one role that follow each other are one."""
    system = [_block(message.text) for message in request.messages if message.role == "system" and message.text]
    config: Json = {"effort": options["effort"]} if "effort" in options else {}
    if request.reply_schema is not None:
        native = able.json_schema in ("strict", "native")
        wanted = output_format(json.dumps(request.reply_schema)) if native else None
        if wanted is None:
            system.append(_block(instruction(request.reply_schema)))
        else:
            config["format"] = wanted
    body: Json = {
        "model": target.model or target.name,
        "max_tokens": output_limit(request.max_output_tokens, able),
        "messages": _turns(request),
        "stream": True,
    }
    body |= {"system": system} if system else {}
    body |= {"output_config": config} if config else {}
    body |= {"service_tier": options["service_tier"]} if "service_tier" in options else {}
    return body | ({"thinking": _thinking(options["thinking"])} if "thinking" in options else {})


def _turns(request: ModelRequest) -> list[Json]:
    turns: list[Json] = []
    for message in request.messages:
        if message.role == "system" or not message.text:
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"].append(_block(message.text))
        else:
            turns.append({"role": message.role, "content": [_block(message.text)]})
    return turns


def _thinking(option: str | int | float | bool) -> Json:
    if isinstance(option, bool):
        option = "adaptive" if option else "disabled"
    if isinstance(option, str):
        return {"type": option}
    return {"type": "enabled", "budget_tokens": int(option)}


@lru_cache(maxsize=256)
def output_format(schema: str) -> Json | None:
    """How the API is asked for answers in a schema (as JSON text); None where it can't hold a model to it.

    Its rules are the SDK's: objects are closed, bounds become words in descriptions. An object that is open on purpose
    would be closed by them, so that no answer could fill it: such a schema goes into the prompt.
    """
    from anthropic import transform_schema  # noqa: PLC0415

    given: Json = json.loads(schema)
    if _open(given):
        return None
    try:
        return {"type": "json_schema", "schema": transform_schema(given)}
    except (ValueError, AssertionError):
        return None


def _open(schema: object) -> bool:
    if isinstance(schema, list):
        return any(map(_open, schema))
    if not isinstance(schema, dict):
        return False
    return bool(schema.get("additionalProperties")) or any(map(_open, schema.values()))


def _block(text: str) -> Json:
    return {"type": "text", "text": text}


def _object(event: Json, name: str) -> Json:
    value = event.get(name)
    return value if isinstance(value, dict) else {}
