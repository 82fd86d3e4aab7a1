"""What spans say: attributes by OpenTelemetry's semantic conventions for generative AI, and `flotilla.*` for the rest.

Names, numbers and kinds only: never what was asked or answered, and no reasons, which may quote it. The conventions are
in development (https://github.com/open-telemetry/semantic-conventions-genai); whatever changes in them changes here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunClosed
from workers.llm.failures import CallFailed
from workers.llm.model import ModelRequest
from workers.llm.presets import PRESETS, Preset
from workers.llm.targets import Target

Attribute = str | int | float | bool | Sequence[str]
Attributes = dict[str, Attribute]

RUN = "run"
DONE = "done"
DROPPED = "dropped"
"""The outcome of an attempt that was cut short because its run was over."""

PROVIDERS: Mapping[str, str] = {
    "openai-responses": "openai",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
}
"""What the conventions call providers that are called otherwise here."""

PORTS = {"http": 80, "https": 443}


class Attempt(NamedTuple):
    """An attempt at a task."""

    tenant: str
    run: str
    role: str
    task: str
    attempt: int


@dataclass(frozen=True)
class FailedCall:
    """A call to a target that gave no answer, and when it was, in unix seconds."""

    target: Target
    request: ModelRequest
    error: CallFailed
    began_at: float
    ended_at: float


def target_called(name: str) -> Target:
    """A target of which the name is all that is known: `<provider>:<model>`, where it is written out."""
    provider, _, model = name.partition(":")
    return Target(name=name, provider=provider, model=model)


def task_name(attempt: Attempt) -> str:
    """The name of an attempt's span."""
    return f"task {attempt.role}"


def call_name(target: Target) -> str:
    """The name of a call's span, as the conventions have it."""
    return f"chat {_model(target)}"


def of_run(end: RunClosed) -> Attributes:
    """A run that is over."""
    return _known(
        {
            "flotilla.tenant": end.tenant,
            "flotilla.run": end.run,
            "flotilla.status": end.status,
            "flotilla.failed_task": end.failed_task,
            "flotilla.capsule": end.capsule,
            "flotilla.calls": end.spent.calls,
            "flotilla.cost_usd": end.spent.cost_usd,
            "gen_ai.usage.input_tokens": end.spent.input_tokens,
            "gen_ai.usage.output_tokens": end.spent.output_tokens,
            "error.type": end.status if end.status in ("failed", "refused") else None,
        }
    )


def of_task(attempt: Attempt, outcome: str, delivery: int) -> Attributes:
    """An attempt that is over. `outcome` is `DONE`, `DROPPED` or the class of a failure."""
    return _known(
        {
            **_of_attempt(attempt),
            "flotilla.outcome": outcome,
            **of_delivery(delivery),
            "error.type": None if outcome in (DONE, DROPPED) else outcome,
        }
    )


def of_delivery(number: int) -> Attributes:
    """The event `delivered` of an attempt: when the delivery that ended it was handed over."""
    return {"flotilla.delivery": number}


def of_call(entry: ModelCalled, target: Target) -> Attributes:
    """A call as its journal entry has it, and the target that answered."""
    first = entry.first_token_ms
    return _known(
        {
            **_of_attempt(Attempt(entry.tenant, entry.run, entry.role, entry.task, entry.attempt)),
            **_of_request(target, entry.parameters.get("max_output_tokens"), entry.parameters.get("seed")),
            "flotilla.call": entry.cited().entry,
            "flotilla.asked": entry.asked or None,
            "flotilla.cost_usd": entry.cost_usd,
            "flotilla.estimated": entry.estimated,
            "flotilla.lost": entry.lost,
            "flotilla.tries": len(entry.tries),
            "gen_ai.output.type": "json" if "reply_schema" in entry.parameters else None,
            "gen_ai.prompt.name": entry.prompt,
            "gen_ai.prompt.version": entry.prompt_version,
            "gen_ai.request.stream": None if first is None else True,
            "gen_ai.response.finish_reasons": (entry.finish or entry.stop,),
            "gen_ai.response.model": _model(target),
            "gen_ai.response.time_to_first_chunk": None if first is None else first / 1_000.0,
            "gen_ai.usage.input_tokens": entry.input_tokens,
            "gen_ai.usage.output_tokens": entry.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": entry.cached_input_tokens,
            "gen_ai.usage.reasoning.output_tokens": entry.reasoning_tokens,
        }
    )


def of_failed_call(attempt: Attempt, failed: FailedCall) -> Attributes:
    """A call that gave no answer. Its `error.type` is one of `failures.MEANINGS`."""
    return _known(
        {
            **_of_attempt(attempt),
            **_of_request(failed.target, failed.request.max_output_tokens, failed.request.seed),
            "gen_ai.output.type": None if failed.request.reply_schema is None else "json",
            "error.type": failed.error.kind,
        }
    )


def _of_attempt(attempt: Attempt) -> dict[str, Attribute | None]:
    return {f"flotilla.{field}": value for field, value in attempt._asdict().items()}


def _of_request(target: Target, max_tokens: Attribute | None, seed: Attribute | None) -> dict[str, Attribute | None]:
    preset = PRESETS.get(target.provider) or Preset(target.provider, "openai_chat")
    says, can = target.capabilities, preset.capabilities
    seeded = can.seed if says.seed is None else says.seed
    most = says.max_output_tokens or can.max_output_tokens
    if isinstance(max_tokens, int) and most is not None:
        max_tokens = min(max_tokens, most)
    host, port = _server(target.base_url or preset.base_url)
    return {
        "flotilla.target": target.name,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(target.provider, target.provider),
        "gen_ai.request.model": _model(target),
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.request.seed": seed if seeded else None,
        "server.address": host,
        "server.port": port,
    }


def _model(target: Target) -> str:
    return target.model or target.name


def _server(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname, (parts.port or PORTS.get(parts.scheme)) if parts.hostname else None
    except ValueError:
        return None, None


def _known(attributes: Mapping[str, Attribute | None]) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
