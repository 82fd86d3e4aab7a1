"""Azure OpenAI: Chat Completions of a deployment.

`base_url` is the resource's endpoint (https://<resource>.openai.azure.com), `model` the name of the deployment. The key
is the resource's (sent as `api-key`). Options of a target: `temperature`, `top_p`, `frequency_penalty`,
`presence_penalty`, `reasoning_effort`, `verbosity` and `service_tier` go into the request; `api_version` (default
below) and `tokens_field` fit it to an older API: 2024-10-21, the last dated one that is no preview, calls the limit of
output tokens `max_tokens`. A prompt that Azure's content filter stops is a refusal.
"""

from typing import Any

from workers.llm.model import ModelRequest, Provider
from workers.llm.presets import Preset
from workers.llm.providers.chat import ChatListener, chat_body, send, spoken
from workers.llm.providers.openai_chat import events, own_headers
from workers.llm.providers.sdk import CONNECT_S, can
from workers.llm.providers.streaming import Api, Streaming
from workers.llm.targets import Target

API_VERSION = "2025-04-01-preview"
"""The last dated one. No stable one has `max_completion_tokens`, which reasoning models insist on."""


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an option that is not known or an address that is missing."""
    endpoint = target.base_url or preset.base_url
    if not endpoint:
        raise ValueError(f"Target {target.name}: give it a base_url, such as https://<resource>.openai.azure.com.")
    own, options = spoken(target, preset, ("verbosity", "api_version"))
    version = str(options.pop("api_version", API_VERSION))
    able = can(target, preset)

    def ask(connected: Any, request: ModelRequest) -> Any:
        return send(connected, *chat_body(request, target.model or target.name, own, able, options))

    return Streaming(Api(lambda: client(endpoint, version, key), ask, events, ChatListener), key)


def client(endpoint: str, version: str, key: str) -> Any:
    """OpenAI's client for an Azure resource."""
    import openai  # noqa: PLC0415

    return openai.AsyncAzureOpenAI(
        api_key=key or "none",
        azure_endpoint=endpoint,
        api_version=version,
        default_headers=own_headers({"OpenAI-Organization": None, "OpenAI-Project": None, "Authorization": None}),
        max_retries=0,
        timeout=openai.Timeout(None, connect=CONNECT_S),
    )
