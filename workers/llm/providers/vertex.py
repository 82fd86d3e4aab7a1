"""Claude on Google Vertex AI; needs the extra `flotilla[vertex]`.

`model` is a publisher model such as `claude-opus-5-5`. A key is an access token, which lives for an hour;
without one google-auth finds credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud, the machine's service account) and
renews them. Options of a target: `project_id` (else ANTHROPIC_VERTEX_PROJECT_ID or GOOGLE_CLOUD_PROJECT), `region`
(else CLOUD_ML_REGION; `global`, `us` and `eu` are regions too), and those of `messages.OPTIONS`.
"""

import os
from importlib.util import find_spec
from typing import Any

from workers.llm.failures import CallFailed
from workers.llm.model import ModelRequest, Provider
from workers.llm.presets import Preset
from workers.llm.providers.faults import shown
from workers.llm.providers.messages import OPTIONS, messages_api, messages_body
from workers.llm.providers.sdk import CONNECT_S, Options, can, options_of
from workers.llm.providers.streaming import Json, Streaming
from workers.llm.targets import Target

_CREDENTIALS = "Google gives no credentials; set GOOGLE_APPLICATION_CREDENTIALS or log in with gcloud"


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an unknown option and for what is missing."""
    options = options_of(target, (*OPTIONS, "project_id", "region"))
    project = _setting(target, options, "project_id", "ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
    region = _setting(target, options, "region", "CLOUD_ML_REGION")
    if not key and not _installed():
        raise ValueError(f"Target {target.name}: Vertex needs google-auth; install flotilla[vertex].")
    able = can(target, preset)
    base_url = target.base_url or preset.base_url

    def body(request: ModelRequest) -> Json:
        return messages_body(request, target, able, options)

    return Streaming(messages_api(lambda: client(base_url, key, project, region), body, understood), key)


def client(base_url: str, key: str, project: str, region: str) -> Any:
    """Anthropic's client for a project on Vertex."""
    import anthropic  # noqa: PLC0415

    return anthropic.AsyncAnthropicVertex(
        access_token=key or None,
        project_id=project,
        region=region,
        base_url=base_url or None,
        max_retries=0,
        timeout=anthropic.Timeout(None, connect=CONNECT_S),
        open_telemetry=False,
    )


def understood(error: Exception) -> Exception:
    """google-auth raises errors of its own, and the SDK a plain one when there is no token."""
    name = type(error).__name__
    if type(error).__module__.startswith("google.auth"):
        if name == "TransportError":
            return CallFailed("unreachable", "can't reach Google to get an access token")
        return CallFailed("denied", shown(f"{_CREDENTIALS} ({name})"))
    if str(error) == "Could not resolve API token from the environment":
        return CallFailed("denied", _CREDENTIALS)
    return error


def _setting(target: Target, options: Options, name: str, *variables: str) -> str:
    found = options.get(name) or next((os.environ[variable] for variable in variables if os.environ.get(variable)), "")
    if not found:
        raise ValueError(f"Target {target.name}: no {name}; set it in its options, or the variable {variables[0]}.")
    return str(found)


def _installed() -> bool:
    try:
        return find_spec("google.auth") is not None
    except ModuleNotFoundError:
        return False
