"""Anthropic itself. Options of a target: see `messages.OPTIONS`. The address, if one is given, is that before `/v1`."""

from typing import Any

from workers.llm.model import ModelRequest, Provider
from workers.llm.presets import Preset
from workers.llm.providers.messages import OPTIONS, messages_api, messages_body
from workers.llm.providers.sdk import CONNECT_S, can, options_of
from workers.llm.providers.streaming import Json, Streaming
from workers.llm.targets import Target

_ADDRESS = "https://api.anthropic.com"


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an option that is not known."""
    options, able = options_of(target, OPTIONS), can(target, preset)

    def body(request: ModelRequest) -> Json:
        return messages_body(request, target, able, options)

    base_url = target.base_url or preset.base_url or _ADDRESS
    return Streaming(messages_api(lambda: client(base_url, key), body), key)


def client(base_url: str, key: str) -> Any:
    """Anthropic's client. Address and key are given, so that ANTHROPIC_* variables can't send one to the other."""
    import anthropic  # noqa: PLC0415

    return anthropic.AsyncAnthropic(
        api_key=key or "none",
        base_url=base_url,
        max_retries=0,
        timeout=anthropic.Timeout(None, connect=CONNECT_S),
        open_telemetry=False,
    )
