"""A request of any provider's API, read back into the words of `workers.llm.model`."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.fakes.http1 import Heard
from workers.llm.model import ModelRequest, PromptMessage

_ROUTES = (
    ("azure", re.compile(r"^/openai/deployments/(?P<model>[^/]+)/chat/completions\?api-version=.+$")),
    ("groq", re.compile(r"^/openai/v1/chat/completions$")),
    ("responses", re.compile(r"^(/openai)?(/v1)?/responses(\?api-version=.+)?$")),
    ("messages", re.compile(r"^(/anthropic)?/v1/messages$")),
    ("bedrock", re.compile(r"^/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?$")),
    ("vertex", re.compile(r"^(/v1)?/projects/.+/models/(?P<model>[^/:]+):(?P<stream>streamR|r)awPredict$")),
    ("chat", re.compile(r"^(/[a-z0-9]+)*/chat/completions$")),
)


@dataclass(frozen=True)
class Asked:
    """What was asked, of which API. `counts`: whether the client wants the tokens of a stream counted."""

    api: str
    model: str
    stream: bool
    request: ModelRequest
    counts: bool = True

    @property
    def input_tokens(self) -> int:
        """Four characters are a token."""
        return max(1, sum(len(message.text) for message in self.request.messages) // 4)


def read(heard: Heard) -> Asked | None:
    """The request behind a POST; None where the path is no API's."""
    for api, pattern in _ROUTES:
        if (match := pattern.match(heard.path)) is not None:
            return _read(api, match.groupdict(), heard.body if isinstance(heard.body, dict) else {})
    return None


def _read(api: str, place: dict[str, str | None], body: dict[str, Any]) -> Asked:
    model = unquote(place.get("model") or body.get("model", ""))
    stream = place["stream"] in ("-with-response-stream", "streamR") if "stream" in place else body.get("stream", False)
    if api == "responses":
        messages, wanted = _responses_messages(body), body.get("text", {}).get("format", {})
        limit, counts = body.get("max_output_tokens"), True
    elif api in ("messages", "bedrock", "vertex"):
        messages, wanted = _anthropic_messages(body), body.get("output_config", {}).get("format", {})
        limit, counts = body.get("max_tokens"), True
    else:
        messages = [_message(message) for message in body.get("messages", [])]
        wanted = body.get("response_format", {}).get("json_schema", {})
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        counts = bool(body.get("stream_options", {}).get("include_usage"))
    schema = _named(wanted) or _schema_in(messages)
    request = ModelRequest(
        messages=tuple(messages), reply_schema=schema, max_output_tokens=limit or 32_000, seed=body.get("seed") or 1
    )
    return Asked(api, model, bool(stream), request, counts)


def _named(wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a structured answer; its title may have travelled as its name."""
    schema = wanted.get("schema")
    return {"title": wanted.get("name", ""), **schema} if schema else None


def _schema_in(messages: list[PromptMessage]) -> dict[str, Any] | None:
    """The last JSON Schema of an object that stands in the system messages."""
    text = "\n".join(message.text for message in messages if message.role == "system")
    found, place = None, text.find("{")
    while place >= 0:
        try:
            value, end = json.JSONDecoder().raw_decode(text, place)
        except ValueError:
            value, end = None, place + 1
        if isinstance(value, dict) and "title" in value and "properties" in value:
            found = value
        place = text.find("{", end)
    return found


def _message(message: dict[str, Any]) -> PromptMessage:
    role = "system" if message["role"] == "developer" else message["role"]
    return PromptMessage(role=role, text="".join(_texts(message.get("content"))))


def _responses_messages(body: dict[str, Any]) -> list[PromptMessage]:
    first = [PromptMessage(role="system", text=body["instructions"])] if body.get("instructions") else []
    given = body.get("input", "")
    if isinstance(given, str):
        return [*first, PromptMessage(role="user", text=given)]
    return [*first, *(_message(message) for message in given)]


def _anthropic_messages(body: dict[str, Any]) -> list[PromptMessage]:
    """Every text block is a message: that is how several messages of one role travel."""
    system = [PromptMessage(role="system", text=text) for text in _texts(body.get("system"))]
    return system + [
        PromptMessage(role=message["role"], text=text)
        for message in body.get("messages", [])
        for text in _texts(message["content"])
    ]


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part.get("text", "") for part in content or ()]
