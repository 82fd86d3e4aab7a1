"""What the headers of a response say: how long to wait, and how many requests and tokens are left.

    Retry-After: 20 | Wed, 21 Oct 2026 07:28:00 GMT          retry-after-ms: 1500
    x-ratelimit-remaining-requests|tokens: 59                x-ratelimit-reset-requests|tokens: 1s | 6m0s | 120ms
    anthropic-ratelimit-requests|tokens|input-tokens|output-tokens-remaining: 59      …-reset: 2026-10-21T07:28:00Z

Whatever is missing or odd counts as not said; nothing here raises.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from workers.llm.model import Allowance

_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h|d)"
_DURATION = re.compile(rf"(?:{_PART})+")
_PARTS = re.compile(_PART)

_TOKENS = ("anthropic-ratelimit-tokens", "anthropic-ratelimit-input-tokens", "anthropic-ratelimit-output-tokens")
"""The first of these that is there counts: Anthropic's `tokens` is the tightest of its limits."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the provider wants to be asked again; None when it says nothing. Never less than it said.

    A date is read against the response's own `Date`, so that no clock here can make it too early.
    """
    milliseconds = number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    seconds = number(said)
    if seconds is not None or said is None:
        return seconds
    until = _http_date(said)
    if until is None:
        return None
    asked = _http_date(headers.get("date"))
    return max(0.0, until - (now if asked is None else asked))


def allowance_of(headers: Mapping[str, str], now: float) -> Allowance:
    """What is left, as OpenAI, Azure and Groq or as Anthropic say it; `now` in unix seconds."""
    if "anthropic-ratelimit-requests-remaining" in headers or any(f"{name}-remaining" in headers for name in _TOKENS):
        return _anthropic(headers, now)
    return Allowance(
        _count(headers.get("x-ratelimit-remaining-requests")),
        duration(headers.get("x-ratelimit-reset-requests")),
        _count(headers.get("x-ratelimit-remaining-tokens")),
        duration(headers.get("x-ratelimit-reset-tokens")),
    )


def duration(text: str | None) -> float | None:
    """Seconds from "1s", "6m0s", "120ms", "7.66s" or plain seconds; None for anything else."""
    if text is None:
        return None
    text = text.strip()
    if _DURATION.fullmatch(text):
        return sum(float(amount) * _UNITS[unit] for amount, unit in _PARTS.findall(text))
    return number(text)


def number(text: str | None) -> float | None:
    """A plain number from 0 up; None for anything else."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _anthropic(headers: Mapping[str, str], now: float) -> Allowance:
    requests, tokens = "anthropic-ratelimit-requests", next((t for t in _TOKENS if f"{t}-remaining" in headers), "")
    return Allowance(
        _count(headers.get(f"{requests}-remaining")),
        _until(headers.get(f"{requests}-reset"), now),
        _count(headers.get(f"{tokens}-remaining")),
        _until(headers.get(f"{tokens}-reset"), now),
    )


def _count(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else int(value)


def _until(text: str | None, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(text or "")
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None


def _http_date(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
