"""OpenAI's Chat Completions, and every endpoint that is compatible with them (presets.py).

Options of a target: `temperature`, `top_p`, `frequency_penalty`, `presence_penalty`, `reasoning_effort`, `verbosity`,
`service_tier` go into the request; `organization` and `project` into OpenAI's headers; `tokens_field` is what the
limit of output tokens is called (`max_completion_tokens` or `max_tokens`), for a server that calls it otherwise than
its preset says. Nothing is taken from OPENAI_* variables: a key, an organization or an address of one provider must
not reach another.
"""

import os
from typing import Any

from workers.llm.model import ModelRequest, Provider
from workers.llm.presets import Preset
from workers.llm.providers.chat import ChatListener, chat_body, send, spoken
from workers.llm.providers.sdk import CONNECT_S, can
from workers.llm.providers.streaming import Api, Streaming
from workers.llm.targets import Target

_CLIENT = ("organization", "project")


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an option that is not known or an address that is missing."""
    base_url = target.base_url or preset.base_url
    if not base_url:
        raise ValueError(f"Target {target.name}: {preset.name} has no address of its own; give it a base_url.")
    own, options = spoken(target, preset, ("verbosity", *_CLIENT))
    sent = {name: value for name, value in options.items() if name not in _CLIENT}
    able = can(target, preset)

    def ask(connected: Any, request: ModelRequest) -> Any:
        return send(connected, *chat_body(request, target.model or target.name, own, able, sent), **unsigned(key))

    return Streaming(Api(lambda: client(base_url, key, options), ask, events, ChatListener), key)


def client(base_url: str, key: str, options: dict[str, Any]) -> Any:
    """OpenAI's client for an address."""
    import openai  # noqa: PLC0415

    named = {"OpenAI-Organization": options.get("organization"), "OpenAI-Project": options.get("project")}
    return openai.AsyncOpenAI(
        api_key=key or "none",
        base_url=base_url,
        default_headers=own_headers({"Authorization": f"Bearer {key}" if key else None, **named}),
        max_retries=0,
        timeout=openai.Timeout(None, connect=CONNECT_S),
    )


def own_headers(headers: dict[str, Any]) -> dict[str, Any]:
    """Headers with what may not be sent left out: those that are None, and what OPENAI_CUSTOM_HEADERS would add."""
    import openai  # noqa: PLC0415

    ambient = (line.partition(":")[0].strip() for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"))
    mine = {name.lower() for name in headers}
    unwanted = {name: None for name in ambient if name and name.lower() not in mine}
    return {name: openai.Omit() if value is None else value for name, value in (unwanted | headers).items()}


def unsigned(key: str) -> dict[str, Any]:
    """What a request says besides so that nothing is sent as `Authorization` when there is no key."""
    import openai  # noqa: PLC0415

    return {} if key else {"extra_headers": {"Authorization": openai.Omit()}}


def events() -> Any:
    """The type of a stream of plain dicts."""
    import openai  # noqa: PLC0415

    return openai.AsyncStream[object]
