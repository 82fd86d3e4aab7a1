"""One small call to a target, and what it says about the target: that it works, or what to do."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from workers.cli.figures import plain, short
from workers.llm.catalogue import Catalogue
from workers.llm.failures import CallFailed, FailureKind
from workers.llm.model import End, ModelRequest, Piece, PromptMessage, Provider, Text
from workers.llm.prices import price_of
from workers.llm.targets import Target
from workers.runtime.replies import unfenced

QUESTION = 'Answer with the JSON {"ok": true}'
SCHEMA = {
    "title": "TestReply",
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_ANYTHING = {"title": "TestReply", "type": "object"}
"""For the built-in model, which knows the jobs of the roles and answers anything else with an empty object at best."""
MOST_TOKENS = 2_000
"""Enough for models that think before they answer."""

ADVICE = {
    "no_key": "set the variable where workers run, or name another one in api_key_env",
    "rate_limited": "wait; requests_per_minute and tokens_per_minute in models.yaml keep the fleet below the limit",
    "quota": "the account has no money or quota left: look at its billing with the provider",
    "overloaded": "the provider has too much to do: try again, or name a fallback in a route",
    "server_error": "the provider failed: try again; if it stays, look at its status page and at base_url",
    "unreachable": "nothing answers there: check base_url, the network and proxies, and whether the server runs",
    "disconnected": "the connection broke: try again; if it stays, look at proxies between here and the provider",
    "timeout": "no token came in time: try again, or raise FLOTILLA_FIRST_TOKEN_S for slow models",
    "interrupted": "the answer broke off: try again, or raise FLOTILLA_IDLE_TOKEN_S for slow models",
    "denied": "the key was refused: check that {key} holds a key of this provider that may use this model",
    "unknown_model": "the provider does not know {model!r}: check the model's name, and the path of base_url",
    "bad_request": "the provider does not take such requests: see `capabilities` and `options` in docs/models.md",
    "no_json": "it answers, but not in the schema: set capabilities.json_schema to `object` or `none`",
    "length": "it answers, but was cut off: a model that thinks long needs more max_output_tokens",
    "refusal": "it answers, but refuses: try again; if it stays, this model may not suit the work",
}
"""What to do, by kind of failure or by what is wrong with the answer."""


@dataclass(frozen=True)
class Tried:
    """What came of the call. `kind` is empty when the target works, else what is wrong, a key of `ADVICE`."""

    target: str
    provider: str
    model: str
    ok: bool
    kind: str = ""
    reason: str = ""
    advice: str = ""
    retry_after_s: float | None = None
    text: str = ""
    stop: str = ""
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    first_token_s: float | None = None
    duration_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def without_answer(
    target: Target,
    key: str,
    kind: str,
    reason: str,
    retry_after_s: float | None = None,
    duration_s: float | None = None,
) -> Tried:
    """No answer came, for this reason. `key` is where the key was looked for."""
    advice = ADVICE[kind].format(key=key or "its key", model=target.model)
    return Tried(
        target.name, target.provider, target.model, ok=False, kind=kind, reason=plain(reason), advice=advice,
        retry_after_s=retry_after_s, duration_s=duration_s,
    )  # fmt: skip


async def ask(provider: Provider, target: Target, catalogue: Catalogue, first_token_s: float, idle_s: float) -> Tried:
    """Ask once. The first token may take `first_token_s` seconds, each further one `idle_s`."""
    began, first_at, text, end = monotonic(), None, "", None
    stream = provider.stream(_request(target, catalogue))
    try:
        while end is None:
            piece = await _next(stream, first_token_s if first_at is None else idle_s, bool(text))
            if isinstance(piece, Text):
                first_at = first_at or monotonic()
                text += piece.text
            elif isinstance(piece, End):
                end = piece
    except CallFailed as error:
        key = target.api_key_env or str(target.api_key_file or "") or catalogue.preset_of(target).key_env
        took = monotonic() - began
        return without_answer(target, key, error.kind, error.reason, error.retry_after_s, round(took, 3))
    finally:
        await stream.aclose()
    return _answered(target, catalogue, text, end, first_at and first_at - began, monotonic() - began)


def _request(target: Target, catalogue: Catalogue) -> ModelRequest:
    most = catalogue.capabilities_of(target).max_output_tokens or MOST_TOKENS
    return ModelRequest(
        messages=(PromptMessage(role="user", text=QUESTION),),
        reply_schema=_ANYTHING if target.provider == "builtin" else SCHEMA,
        max_output_tokens=min(MOST_TOKENS, most),
    )


async def _next(stream: AsyncGenerator[Piece, None], patience_s: float, has_begun: bool) -> Piece:
    try:
        async with asyncio.timeout(patience_s):
            return await anext(stream)
    except TimeoutError:
        kind: FailureKind = "interrupted" if has_begun else "timeout"
        raise CallFailed(kind, f"nothing came for {patience_s:g} s") from None
    except StopAsyncIteration:
        raise CallFailed("interrupted", "the stream ended without saying why") from None


def _answered(
    target: Target, catalogue: Catalogue, text: str, end: End, first_token_s: float | None, duration_s: float
) -> Tried:
    tariff = price_of(target, catalogue.preset_of(target))
    wrong = _wrong(target, text, end)
    return Tried(
        target.name, target.provider, target.model, ok=not wrong, kind=wrong, advice=ADVICE.get(wrong, ""),
        text=text or end.refusal, stop=end.stop, finish=end.finish,
        input_tokens=end.usage.input_tokens if end.usage else None,
        output_tokens=end.usage.output_tokens if end.usage else None,
        cost_usd=tariff.cost(end.usage) / 10**9 if tariff and end.usage else None,
        first_token_s=None if first_token_s is None else round(first_token_s, 3), duration_s=round(duration_s, 3),
    )  # fmt: skip


def _wrong(target: Target, text: str, end: End) -> str:
    """What is wrong with the answer, empty when nothing is."""
    if end.stop != "end":
        return end.stop
    try:
        said = json.loads(unfenced(text))
    except ValueError:
        return "no_json"
    fits = isinstance(said, dict) and (target.provider == "builtin" or isinstance(said.get("ok"), bool))
    return "" if fits else "no_json"


def described(tried: Tried) -> Iterator[str]:
    """The lines for people."""
    yield f"{tried.target} works" if tried.ok else f"{tried.target}: {_word(tried.kind)}"
    if tried.reason:
        yield f"  reason   {tried.reason}"
    if tried.retry_after_s is not None:
        yield f"  again    in {tried.retry_after_s:g} s, says the provider"
    if tried.text:
        yield f"  answer   {short(tried.text, 200)}"
    if tried.stop:
        yield f"  finish   {tried.stop}" + (f" ({plain(tried.finish)})" if tried.finish not in ("", tried.stop) else "")
        yield f"  tokens   {_tokens(tried)}"
        yield f"  cost     {_cost(tried)}"
        first = "" if tried.first_token_s is None else f", the first token after {tried.first_token_s:.2f} s"
        yield f"  time     {tried.duration_s or 0:.2f} s{first}"
    if tried.advice:
        yield f"  to do    {tried.advice}"


def _word(kind: str) -> str:
    words = {"no_key": "no key", "no_json": "the answer is not what was asked for", "length": "the answer was cut off"}
    return words.get(kind, "it refused" if kind == "refusal" else f"no answer ({kind})")


def _tokens(tried: Tried) -> str:
    if tried.input_tokens is None:
        return "not counted by the provider"
    return f"{tried.input_tokens:,} in, {tried.output_tokens:,} out"


def _cost(tried: Tried) -> str:
    if tried.cost_usd is not None:
        return f"${tried.cost_usd:.6f}".rstrip("0").rstrip(".") if tried.cost_usd else "$0"
    return "unknown; a price for the target in models.yaml tells it" if tried.input_tokens is not None else "unknown"
