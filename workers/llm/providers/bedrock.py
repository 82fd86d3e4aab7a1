"""Claude on Amazon Bedrock; needs the extra `flotilla[bedrock]`.

`model` is a model id or an inference profile. A key is a Bedrock API key, which goes as a bearer token; without one
requests are signed with what AWS's chain finds: AWS_ACCESS_KEY_ID and its like, a profile, the role of the machine.

Options of a target: `region` (else AWS_REGION or AWS_DEFAULT_REGION), `profile`, those of `messages.OPTIONS`, and
`endpoint`: `runtime` (InvokeModel, the default) or `mantle` (Anthropic's own API on AWS, for Claude 4.7 and later).
The SDK's version of that API is refused by older models, so `runtime` says the one that all of them take; the option
`anthropic_version` says another.
"""

import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from importlib.util import find_spec
from typing import Any

from workers.llm.failures import CallFailed
from workers.llm.model import ModelRequest, Piece, Provider
from workers.llm.presets import Preset
from workers.llm.providers.faults import shown
from workers.llm.providers.headers import retry_after
from workers.llm.providers.messages import OPTIONS, messages_api, messages_body
from workers.llm.providers.sdk import CONNECT_S, can, guarded, options_of, reported
from workers.llm.providers.streaming import Json, Streaming
from workers.llm.targets import Target

_VERSION = "bedrock-2023-05-31"
_ENDPOINTS = {"runtime": "AsyncAnthropicBedrock", "mantle": "AsyncAnthropicBedrockMantle"}
_OWN = ("region", "profile", "endpoint", "anthropic_version")
_CREDENTIALS = "AWS gives no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
_NO_MODEL = ("model identifier is invalid", "on-demand throughput isn")


def make(target: Target, preset: Preset, key: str) -> Provider:
    """The target's provider; raises `ValueError` for an unknown option, a missing region and a missing extra."""
    options = options_of(target, (*OPTIONS, *_OWN))
    region, endpoint = _region(target), str(options.get("endpoint", "runtime"))
    if endpoint not in _ENDPOINTS:
        raise ValueError(f"Target {target.name}: endpoint is {' or '.join(_ENDPOINTS)}, not {endpoint!r}.")
    if find_spec("boto3") is None:
        raise ValueError(f"Target {target.name}: Bedrock needs boto3; install flotilla[bedrock].")
    if "profile" in options and (key or os.environ.get("AWS_BEARER_TOKEN_BEDROCK")):
        raise ValueError(f"Target {target.name}: there is a key as well as a profile; Bedrock takes one of them.")
    able, base_url = can(target, preset), target.base_url or preset.base_url
    version = {"extra_body": {"anthropic_version": options.get("anthropic_version", _VERSION)}}

    def body(request: ModelRequest) -> Json:
        fields = messages_body(request, target, able, options)
        return fields | version if endpoint == "runtime" else fields

    connect = partial(client, _ENDPOINTS[endpoint], base_url, key, region, str(options.get("profile", "")))
    return _Framed(messages_api(connect, body, partial(understood, key=key)), key)


def _region(target: Target) -> str:
    region = target.options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ValueError(f"Target {target.name}: no region; set it in its options, or the variable AWS_REGION.")
    return str(region)


class _Framed(Streaming):
    """Its events come in AWS's frames, which botocore reads; it raises errors of its own for a broken one."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """Ask once."""
        return guarded(_unframed(super().stream(request)), self._key)


async def _unframed(pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    async with aclosing(pieces):
        try:
            async for piece in pieces:
                yield piece
        except Exception as error:
            known = understood(error)
            if known is error:
                raise
            raise known from error


def client(kind: str, base_url: str, key: str, region: str, profile: str) -> Any:
    """Anthropic's client for an endpoint of Bedrock in a region."""
    import anthropic  # noqa: PLC0415

    make_client: Any = getattr(anthropic, kind)
    return make_client(
        api_key=key or None,
        aws_region=region,
        aws_profile=profile or None,
        base_url=base_url or None,
        max_retries=0,
        timeout=anthropic.Timeout(None, connect=CONNECT_S),
        open_telemetry=False,
    )


def understood(error: Exception, key: str = "") -> Exception:
    """AWS names its errors in a header and not in the body, and its own libraries raise errors of their own."""
    where = type(error).__module__
    if where.startswith("botocore.eventstream") or where.startswith("botocore.parsers"):
        return CallFailed("server_error", f"a frame of the stream can't be read: {type(error).__name__}")
    if where.startswith(("botocore", "boto3")) or str(error) == "Could not resolve AWS credentials from session":
        return CallFailed("denied", shown(f"{_CREDENTIALS} ({type(error).__name__})"))
    response = getattr(error, "response", None)
    status, headers = getattr(error, "status_code", 200), getattr(response, "headers", {})
    if status < 300:
        return error
    message = _message(getattr(error, "body", None))
    name = str(headers.get("x-amzn-errortype", "")).split(":")[0]
    failure = reported({"error": {"type": name, "message": message}}, status, key=key)
    kind = failure.kind
    if status == 424:  # ModelErrorException: the model's fault and not the request's
        kind = "server_error"
    elif status == 400 and any(words in message for words in _NO_MODEL):
        kind = "unknown_model"
    elif name == "ServiceQuotaExceededException":
        kind = "rate_limited"
    return CallFailed(kind, failure.reason, retry_after(headers, time.time()))


def _message(body: object) -> str:
    """What AWS wrote. With a bad signature it quotes the signed headers, the session's token among them: not those."""
    said = body.get("message") or body.get("Message") if isinstance(body, dict) else body
    return said.split("The Canonical String")[0] if isinstance(said, str) and "<" not in said else ""
