"""Chat Completions, as OpenAI, Azure, Groq and every compatible endpoint speak it.

data: {"choices": [{"delta": {"content": "Hel"}, "finish_reason": null}]}          Text
data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}                        the answer is complete
data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}       what it took
data: [DONE]                                                                       End
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from workers.llm.failures import CallFailed
from workers.llm.model import End, ModelRequest, Stop, Usage
from workers.llm.presets import Preset
from workers.llm.providers.schema import form, instruction
from workers.llm.providers.sdk import Options, options_of, output_limit, reported
from workers.llm.providers.streaming import Json
from workers.llm.targets import Capabilities, Target

SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "reasoning_effort", "service_tier")
"""Options that every Chat Completions endpoint may know; they go into the request as they are."""

_LENGTH = {"length", "max_tokens", "model_length", "MAX_TOKENS"}
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")  # DeepSeek, Together, Mistral
_BROKEN = {"error", "insufficient_system_resource", "abort"}


class ChatListener:
    """What a stream of chunks has said so far."""

    def __init__(self) -> None:
        self.finish = ""
        self._refusal = ""
        self._usage: Usage | None = None

    def hear(self, chunk: Json) -> str:
        """Take a chunk and return its text, "" for none; raises `CallFailed` for an error in it."""
        self._usage = usage_of(chunk) or self._usage
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        for part in (chunk, choice):
            if isinstance(part, dict) and part.get("error"):
                raise reported(part)
        if not isinstance(choice, dict):
            return ""
        finish = str(choice.get("finish_reason") or "")
        if finish in _BROKEN:
            raise CallFailed("server_error", f"the provider broke off the answer: {finish}")
        self.finish = finish or self.finish
        delta = choice.get("delta") or choice.get("message")
        delta = delta if isinstance(delta, dict) else {}
        self._refusal += _text(delta.get("refusal"))
        return _text(delta.get("content"))

    def end(self) -> End:
        """The end of an answer that has a `finish`."""
        return End(_stop(self.finish, self._refusal), self.finish, self._usage, self._refusal)


def send(client: Any, body: Json, own: Json, **more: Any) -> Any:
    """Send a request; what comes is the raw response, its headers and not yet its body."""
    return client.chat.completions.with_raw_response.create(**body, extra_body=own or None, **more)


def spoken(target: Target, preset: Preset, known: Iterable[str]) -> tuple[Preset, Options]:
    """The preset with the target's own `tokens_field`, and the target's other options; raises `ValueError`."""
    options = options_of(target, (*SAMPLING, "tokens_field", *known))
    match options.pop("tokens_field", preset.tokens_field):
        case "max_completion_tokens" | "max_tokens" as name:
            return replace(preset, tokens_field=name), options
        case name:
            raise ValueError(f"Target {target.name}: tokens_field is max_completion_tokens or max_tokens, not {name}.")


def chat_body(
    request: ModelRequest, model: str, preset: Preset, able: Capabilities, options: Options
) -> tuple[Json, Json]:
    """The request's fields, those of OpenAI's API and the provider's own."""
    body: Json = {"model": model, "messages": messages_of(request, able, preset.tells_schema), "stream": True}
    if preset.counts_streams:
        body["stream_options"] = {"include_usage": True}
    body[preset.tokens_field] = output_limit(request.max_output_tokens, able)
    body |= options
    own: Json = {}
    if able.seed:
        (body if preset.seed_field == "seed" else own)[preset.seed_field] = request.seed
    if (wanted := response_format(request, able)) is not None:
        body["response_format"] = wanted
    return body, own


def messages_of(request: ModelRequest, able: Capabilities, tell: bool = False) -> list[Json]:
    """The messages. A model that takes no schema is told it in the system message; `tell`: another one is so too."""
    messages = [{"role": message.role, "content": message.text} for message in request.messages]
    if request.reply_schema is None or (able.json_schema in ("strict", "native") and not tell):
        return messages
    wanted = instruction(request.reply_schema)
    system = next((message for message in messages if message["role"] == "system"), None)
    if system is None:
        return [{"role": "system", "content": wanted}, *messages]
    system["content"] += f"\n\n{wanted}"
    return messages


def response_format(request: ModelRequest, able: Capabilities) -> Json | None:
    """How Chat Completions asks for the form of an answer; None asks for nothing."""
    if request.reply_schema is None or able.json_schema in (None, "none"):
        return None
    if able.json_schema == "object":
        return {"type": "json_object"}
    sent = form(request.reply_schema, able.json_schema == "strict")
    wanted: Json = {"name": sent.name, "schema": sent.schema}
    if able.json_schema == "strict":
        wanted["strict"] = sent.strict
    return {"type": "json_schema", "json_schema": wanted}


def usage_of(chunk: Json) -> Usage | None:
    """Tokens, where a chunk counts them: in `usage`, or in Groq's `x_groq`; cached ones where each provider has them.

    Gemini leaves its thoughts out of the completion's tokens, though it bills them: only the total holds them.
    """
    groq = chunk.get("x_groq")
    usage = chunk.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        return None
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens") or max(_count(usage, name) for name in _CACHED)
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    unsaid = max(0, _count(usage, "total_tokens") - read - written)
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    kept = _count(usage.get("prompt_tokens_details"), "cache_write_tokens")
    return Usage(read, written + unsaid, cached, max(reasoning, unsaid), kept)


def _count(counts: object, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    """Text, also of the content parts that Mistral's reasoning models send."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _stop(finish: str, refusal: str) -> Stop:
    if refusal or finish.lower().startswith(("content_filter", "safety", "refusal")):
        return "refusal"
    return "length" if finish in _LENGTH else "end"
