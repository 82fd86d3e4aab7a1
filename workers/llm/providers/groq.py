"""Groq, through its own SDK, which stands on httpx.

Options of a target: `temperature`, `top_p`, `frequency_penalty`, `presence_penalty`, `reasoning_effort`,
`reasoning_format` and `service_tier` go into the request; `tokens_field` is what the limit of output tokens is called.
The address, if one is given, is that before `/openai/v1`. Tokens are counted in the last chunk (`x_groq`), unasked.
"""

from typing import Any

from workers.llm.model import ModelRequest, Provider
from workers.llm.presets import Preset
from workers.llm.providers.chat import ChatListener, chat_body, send, spoken
from workers.llm.providers.sdk import CONNECT_S, can
from workers.llm.providers.streaming import Api, Streaming
from workers.llm.targets import Target


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an option that is not known."""
    own, options = spoken(target, preset, ("reasoning_format",))
    base_url = target.base_url or preset.base_url
    able = can(target, preset)

    def ask(connected: Any, request: ModelRequest) -> Any:
        return send(connected, *chat_body(request, target.model or target.name, own, able, options))

    return Streaming(Api(lambda: client(base_url, key), ask, events, ChatListener), key)


def client(base_url: str, key: str) -> Any:
    """Groq's client."""
    import groq  # noqa: PLC0415

    return groq.AsyncGroq(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        timeout=groq.Timeout(None, connect=CONNECT_S),
    )


def events() -> Any:
    """The type of a stream of plain dicts."""
    import groq  # noqa: PLC0415

    return groq.AsyncStream[object]
