"""What the SDKs share: their failures become `CallFailed`, and what a target may set is checked.

openai, anthropic and groq come from one generator, so their errors are told apart by name and by what they carry,
without importing any of them. How far the answer had come decides the rest:

                         before the headers       before the first text    after it
    no connection        unreachable              -                        -
    connection broke     disconnected             disconnected             interrupted
    time-out             timeout                  timeout                  interrupted
    status, error event  by status and code (faults.py)                    so too; what strikes becomes interrupted
    nonsense             server_error             server_error             interrupted
"""

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from workers.llm.failures import MEANINGS, CallFailed, FailureKind
from workers.llm.model import End, Piece, Text
from workers.llm.presets import Preset
from workers.llm.providers.faults import kind_of, message_of, shown, wanted_pause
from workers.llm.providers.headers import retry_after
from workers.llm.targets import Capabilities, Target

CONNECT_S = 10.0
"""Seconds to connect within; the gateway owns every other patience."""

_SIGNS: tuple[tuple[frozenset[str], FailureKind, str], ...] = (
    (frozenset({"LocalProtocolError", "UnicodeEncodeError"}), "denied",
     "the request can't be sent; look for odd characters in the key and in the headers"),
    (frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}),
     "unreachable", "can't connect to {host}: {why}"),
    (frozenset({"APITimeoutError", "TimeoutException", "TimeoutError"}), "timeout", "{host} said nothing in time"),
    (frozenset({"APIResponseValidationError", "DecodingError", "TooManyRedirects", "ValueError"}), "server_error",
     "the answer of {host} can't be read: {why}"),
    (frozenset({"APIConnectionError", "TransportError", "StreamError", "OSError"}), "disconnected",
     "{host} hung up: {why}"),
)  # fmt: skip
"""The first row that holds the name of a class of the error, or of what caused it, tells the kind."""

_OWN = {"OpenAIError", "AnthropicError", "GroqError"}

Options = dict[str, str | int | float | bool]


def can(target: Target, preset: Preset) -> Capabilities:
    """What a target can do: its own word, else its preset's."""
    return preset.capabilities.model_copy(update=target.capabilities.model_dump(exclude_none=True))


def options_of(target: Target, known: Iterable[str]) -> Options:
    """The target's options; raises `ValueError` for one that its provider does not know."""
    names = sorted(known)
    for name in target.options:
        if name not in names:
            knows = ", ".join(names) or "none"
            raise ValueError(f"Target {target.name}: {target.provider} has no option {name!r}; it knows {knows}.")
    return dict(target.options)


def output_limit(wanted: int, able: Capabilities) -> int:
    """How many tokens the answer may have: what is wanted, as far as the model is able."""
    return min(wanted, able.max_output_tokens or wanted)


async def guarded(pieces: AsyncGenerator[Piece, None], key: str) -> AsyncGenerator[Piece, None]:
    """Pass pieces on up to `End`; raise `CallFailed` for whatever goes wrong, and when there is no `End`.

    Closing it closes `pieces`, and with them the connection. `key` is kept out of every reason.
    """
    said = False
    async with aclosing(pieces):
        try:
            async for piece in pieces:
                said = said or isinstance(piece, Text)
                yield piece
                if isinstance(piece, End):
                    return
        except Exception as error:
            raise failure_of(error, said, key) from None
    raise CallFailed(_after(said, "disconnected"), "the answer ended before it was complete")


def failure_of(error: Exception, said: bool, key: str = "") -> CallFailed:
    """The failure that an error of an SDK means; `said`: text of the answer had come. Other errors are raised again."""
    if isinstance(error, CallFailed):
        return CallFailed(_after(said, error.kind), error.reason, error.retry_after_s)
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if "APIStatusError" not in names:
        for sign, kind, words in _SIGNS:
            if names & sign:
                return CallFailed(_after(said, kind), shown(words.format(host=_host(error), why=_why(error)), key))
    if "APIError" in names:
        return _answered(error, said, key)
    if names & _OWN:
        return CallFailed("denied", shown(_why(error), key))
    raise error


def reported(body: object, status: int = 200, said: bool = False, key: str = "") -> CallFailed:
    """The failure that an error inside a response means, such as an `error` event in a stream."""
    message = message_of(body) or "it gave no reason"
    lead = f"HTTP {status}: " if status >= 300 else ""
    return CallFailed(_after(said, kind_of(status, body)), shown(lead + message, key), wanted_pause(body))


def _answered(error: Exception, said: bool, key: str) -> CallFailed:
    body, response = getattr(error, "body", None), getattr(error, "response", None)
    failure = reported(body, int(getattr(error, "status_code", 200)), said, key)
    asked = retry_after(getattr(response, "headers", {}), time.time())
    return failure if asked is None else CallFailed(failure.kind, failure.reason, asked)


def _after(said: bool, kind: FailureKind) -> FailureKind:
    """What strikes the target once text has come is an interruption: tokens were made, and they are billed."""
    return "interrupted" if said and MEANINGS[kind].strikes else kind


def _chain(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _why(error: BaseException) -> str:
    last = list(_chain(error))[-1]
    lines = str(last).splitlines()
    return f"{type(last).__name__}: {lines[0]}" if lines else type(last).__name__


def _host(error: BaseException) -> str:
    for link in _chain(error):
        try:
            return str(link.request.url.netloc.decode())  # type: ignore[attr-defined]
        except (AttributeError, RuntimeError):
            continue
    return "the provider"
