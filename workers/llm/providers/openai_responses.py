"""OpenAI's Responses API.

    event: response.output_text.delta   {"delta": "Hel"}                                Text
    event: response.refusal.delta       {"delta": "I can't"}                            what it says instead
    event: response.completed           {"response": {"usage": {…}}}                    End
    event: response.incomplete          {"response": {"incomplete_details": {"reason": "max_output_tokens"}}}
    event: response.failed, error       CallFailed

Options of a target: `temperature`, `top_p`, `service_tier`, `reasoning_effort` and `verbosity` go into the request,
`organization` and `project` into OpenAI's headers. Nothing is stored at OpenAI (`store: false`). The API knows no seed,
and it takes no limit below 16 output tokens.
"""

from typing import Any

from workers.llm.failures import CallFailed
from workers.llm.model import End, ModelRequest, Provider, Stop, Usage
from workers.llm.presets import Preset
from workers.llm.providers.chat import messages_of
from workers.llm.providers.openai_chat import client, events, unsigned
from workers.llm.providers.schema import form
from workers.llm.providers.sdk import Options, can, options_of, output_limit, reported
from workers.llm.providers.streaming import Api, Json, Streaming
from workers.llm.targets import Capabilities, Target

_SENT = ("temperature", "top_p", "service_tier")
_KNOWN = (*_SENT, "reasoning_effort", "verbosity", "organization", "project")
_STOPS: dict[str, Stop] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "incomplete": "length",  # a compatible server that does not say why
    "content_filter": "refusal",
}


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an option that is not known."""
    options = options_of(target, _KNOWN)
    base_url = target.base_url or preset.base_url
    able = can(target, preset)

    def ask(connected: Any, request: ModelRequest) -> Any:
        sent = responses_body(request, target.model or target.name, able, options)
        return connected.responses.with_raw_response.create(**sent, **unsigned(key))

    return Streaming(Api(lambda: client(base_url, key, options), ask, events, ResponseListener), key)


def responses_body(request: ModelRequest, model: str, able: Capabilities, options: Options) -> Json:
    """The request's fields."""
    body: Json = {"model": model, "input": messages_of(request, able), "stream": True, "store": False}
    body["max_output_tokens"] = output_limit(request.max_output_tokens, able)
    body |= {name: options[name] for name in _SENT if name in options}
    if "reasoning_effort" in options:
        body["reasoning"] = {"effort": options["reasoning_effort"]}
    text: Json = {"verbosity": options["verbosity"]} if "verbosity" in options else {}
    if (wanted := _format(request, able)) is not None:
        text["format"] = wanted
    return {**body, "text": text} if text else body


class ResponseListener:
    """What the events of one response have said so far."""

    def __init__(self) -> None:
        self.finish = ""
        self._refusal = ""
        self._usage: Usage | None = None

    def hear(self, event: Json) -> str:
        """Take an event and return its text, "" for none; raises `CallFailed` for a failure."""
        kind, delta = event.get("type"), event.get("delta")
        if kind == "response.output_text.delta":
            return delta if isinstance(delta, str) else ""
        if kind == "response.refusal.delta":
            self._refusal += delta if isinstance(delta, str) else ""
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._close(event.get("response"))
        elif kind == "error" or event.get("error"):
            raise reported(event)
        elif event.get("object") == "response":
            return self._whole(event)
        return ""

    def end(self) -> End:
        """The end of a response that has a `finish`."""
        stop = "refusal" if self._refusal else _STOPS.get(self.finish, "end")
        return End(stop, self.finish, self._usage, self._refusal)

    def _close(self, response: object) -> None:
        if not isinstance(response, dict):
            raise CallFailed("server_error", "the last event holds no response")
        if response.get("error") or response.get("status") in ("failed", "cancelled"):
            raise reported(response)
        self._usage = usage_of(response)
        why = response.get("incomplete_details")
        self.finish = str((why.get("reason") if isinstance(why, dict) else None) or response.get("status") or "end")

    def _whole(self, response: Json) -> str:
        parts = [part for item in response.get("output") or () for part in item.get("content") or ()]
        self._refusal = "".join(str(part.get("refusal") or "") for part in parts)
        self._close(response)
        return "".join(str(part.get("text") or "") for part in parts if part.get("type") == "output_text")


def usage_of(response: Json) -> Usage | None:
    """Tokens, where a response counts them."""
    usage = response.get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get("input_tokens"), int):
        return None
    return Usage(
        usage["input_tokens"],
        usage.get("output_tokens") or 0,
        (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0,
        (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0,
        (usage.get("input_tokens_details") or {}).get("cache_write_tokens") or 0,
    )


def _format(request: ModelRequest, able: Capabilities) -> Json | None:
    if request.reply_schema is None or able.json_schema in (None, "none"):
        return None
    if able.json_schema == "object":
        return {"type": "json_object"}
    sent = form(request.reply_schema, able.json_schema == "strict")
    return {"type": "json_schema", "name": sent.name, "schema": sent.schema, "strict": sent.strict}
