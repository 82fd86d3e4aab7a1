"""What the fake provider plays for one request, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from workers.llm.model import Allowance, Stop, Usage

Fault = Literal[
    "drop_before",  # the connection goes before any byte of the answer
    "drop_after_headers",
    "drop_midway",  # after `after` pieces
    "hang_before",
    "hang_after_headers",
    "hang_midway",
    "malformed",  # piece number `after` is no JSON
    "error_midway",  # an error event of kind `code` in the stream after `after` pieces
    "end_early",  # the stream ends properly after `after` pieces, without the provider's last words
    "nonsense",  # 200 with a page of HTML
]


_UNSAID = Allowance()


@dataclass(frozen=True)
class Play:
    """One answer. With `status` 200 it is `text` in `pieces`, `each_s` apart, `first_s` after the request.

    `code` and `message` are the provider's words for an error, each provider's own by default. `finish` replaces the
    provider's word for `stop`. `usage` None counts four characters as a token; with `counts` off nothing is said of it,
    with `counts_unasked` a chat stream counts in its last choice, as Mistral does.
    `body` is a recorded body, sent as it is under `headers`. `cut_at` drops the connection after so many bytes of the
    response, its head included.
    """

    text: str = "All is well."
    pieces: int = 4
    first_s: float = 0.0
    each_s: float = 0.0
    status: int = 200
    code: str = ""
    message: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    allowance: Allowance = _UNSAID
    stop: Stop = "end"
    finish: str = ""
    usage: Usage | None = None
    counts: bool = True
    counts_unasked: bool = False
    fault: Fault | None = None
    after: int = 2
    cut_at: int | None = None

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> "Play":
        """From JSON, as the control path of the process gets it."""
        more = dict(fields)
        for name, kind in (("usage", Usage), ("allowance", Allowance)):
            if more.get(name) is not None:
                more[name] = kind(**more[name])
        return cls(**more)


def rate_limited(
    retry_after: float | None = None, *, how: Literal["seconds", "date", "ms"] = "seconds", **more: Any
) -> Play:
    """A 429. `how` says which header tells the wait: Retry-After in seconds, as an HTTP date, or retry-after-ms."""
    return Play(status=429, headers={**_wait(retry_after, how), **more.pop("headers", {})}, **more)


def failing(status: int, **more: Any) -> Play:
    """An error with this status."""
    return Play(status=status, **more)


def refused(text: str = "I can't help with that.", **more: Any) -> Play:
    """A refusal in the provider's own shape."""
    return Play(text=text, stop="refusal", **more)


def truncated(text: str, **more: Any) -> Play:
    """An answer that the limit of output tokens cut."""
    return Play(text=text, stop="length", **more)


def _wait(seconds: float | None, how: str) -> dict[str, str]:
    if seconds is None:
        return {}
    if how == "date":
        return {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}
    if how == "ms":
        return {"retry-after-ms": f"{seconds * 1000:g}"}
    return {"retry-after": f"{seconds:g}"}
