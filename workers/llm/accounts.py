"""What the fleet knows of one account (provider, endpoint, model, key): may it be called now, and if not, when?

Three things decide, each by a time before which no call goes; `ready_at` is the latest of them.

breaker      closed ──3 strikes in a row──▶ open 15 s ──▶ half-open: one probe at a time
               ▲  ╰─denied, quota, …──▶ open 60 s ──▶ │  │
               ╰──────────── success ─────────────────╯  ╰─ failure ──▶ open again for 30, then 60 s
             Below three strikes it pauses 0.5 s, then 1 s, so that a single target is tried again by itself.
cooling      until the time that the provider asked for (Retry-After), or after a rate limit without one for 1, 2, 4 …
             up to 30 s. Nothing shortens it: a success proves nothing about it.
the minute   until requests and tokens fit into the limits (minute.py).

A probe is claimed for 120 s, so that one whose worker died frees itself. Failures of calls that were sent before the
breaker opened are no news to it. Times are unix seconds; clocks that differ between workers shift all of this by as
much as they differ.
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Literal

from workers.llm import minute
from workers.llm.failures import MEANINGS, FailureKind, Meaning
from workers.llm.minute import Minute
from workers.llm.model import Allowance
from workers.llm.targets import Limits

STRIKES = 3
OPEN_S = 15.0
DOWN_S = 60.0
LONGEST_OPEN_S = 60.0
PROBE_S = 120.0
PAUSE_S = 0.5
COOL_S = 1.0
LONGEST_COOL_S = 30.0
MOST_REASON = 200
NO_LIMITS = Limits()

_EMPTY = Minute()


@dataclass(frozen=True)
class Account:
    """The record. `openings` is how often the breaker opened since it was closed (0: it is closed), `until` when it
    lets a call through again, `limited` the rate limits in a row, `reason` what went wrong last."""

    strikes: int = 0
    openings: int = 0
    until: float = 0.0
    probe_until: float = 0.0
    limited: int = 0
    cool_until: float = 0.0
    reason: str = ""
    minute: Minute = _EMPTY

    def encode(self) -> bytes:
        """As compact JSON, without what is as in a fresh account."""
        told = {name: value for name, value in vars(self).items() if value != getattr(_FRESH, name)}
        if "minute" in told:
            told["minute"] = {name: value for name, value in vars(self.minute).items() if value}
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes | None) -> "Account":
        """The record; fresh for None and for what can't be read, since the provider will tell again. Fields that are
        not known are left out."""
        try:
            record = json.loads(content or b"{}")
            return cls(
                strikes=minute.count(record.get("strikes", 0)),
                openings=minute.count(record.get("openings", 0)),
                until=minute.moment(record.get("until", 0.0)),
                probe_until=minute.moment(record.get("probe_until", 0.0)),
                limited=minute.count(record.get("limited", 0)),
                cool_until=minute.moment(record.get("cool_until", 0.0)),
                reason=str(record.get("reason", "")),
                minute=minute.decoded(record.get("minute", {})),
            )
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            return cls()


_FRESH = Account()


@dataclass(frozen=True)
class Health:
    """`until` is when a call may go: now if it is up, or if nobody probes yet."""

    state: Literal["up", "cooling", "open", "probing"]
    until: float
    reason: str


def free_at(account: Account) -> float:
    """When breaker and cooling let a call through; 0 if they do anyway."""
    return max(account.until, account.probe_until, account.cool_until)


def ready_at(account: Account, limits: Limits, tokens: int, now: float) -> float:
    """The earliest time, `now` or later, at which a call of about `tokens` may go if nothing else happens."""
    return max(now, free_at(account), minute.room_at(minute.trimmed(account.minute, now), limits, tokens))


def reserved(account: Account, limits: Limits, tokens: int, now: float) -> Account:
    """A call goes: it takes a request and `tokens` from the minute, and is the probe if the breaker is half-open.

    Only for an account that is ready at `now`; the caller looks at `ready_at` in the same change.
    """
    window = minute.taken(minute.trimmed(account.minute, now), limits, tokens, now)
    return replace(account, probe_until=now + PROBE_S if account.openings else 0.0, minute=window)


def unreserved(account: Account, limits: Limits, tokens: int, at: float, now: float) -> Account:
    """The call that was reserved at `at` was not sent after all: request, tokens and probe are free again."""
    window = minute.corrected(minute.trimmed(account.minute, now), at, -1, -minute.clamped(limits, tokens))
    return replace(account, probe_until=0.0 if _is_probe(account, at) else account.probe_until, minute=window)


def settled(account: Account, limits: Limits, tokens: int, at: float, used_tokens: int, now: float) -> Account:
    """The call that was reserved at `at` with `tokens` took `used_tokens`; no news once that second has left."""
    more = used_tokens - minute.clamped(limits, tokens)
    return replace(account, minute=minute.corrected(minute.trimmed(account.minute, now), at, 0, more))


def answered(account: Account, allowance: Allowance, now: float, limits: Limits = NO_LIMITS) -> Account:
    """A call had success: the breaker closes, and rate limits are no longer in a row. `limits` are what the allowance
    is compared with; without them only a scarce one counts."""
    window = minute.believed(minute.trimmed(account.minute, now), limits, allowance, now)
    if account.cool_until <= now:
        return Account(minute=window)
    return Account(cool_until=account.cool_until, reason=account.reason, minute=window)


def failed(
    account: Account,
    kind: FailureKind,
    reason: str,
    retry_after_s: float | None,
    now: float,
    at: float | None = None,
) -> Account:
    """A call failed. `at` is when it was reserved; it tells a probe from calls that were sent before the breaker
    opened. Without it, a call that fails while the breaker is half-open counts as the probe."""
    meaning, probe = MEANINGS[kind], _is_probe(account, at)
    if meaning.hopeless:
        return replace(account, probe_until=0.0) if probe else account
    was_cooling = account.cool_until > now
    asked = None if retry_after_s is None or not 0 < retry_after_s < math.inf else now + retry_after_s
    account = replace(
        account,
        reason=f"{kind}: {reason}"[:MOST_REASON],
        cool_until=account.cool_until if asked is None else max(account.cool_until, asked),
        minute=minute.trimmed(account.minute, now),
    )
    if kind == "rate_limited":
        account = replace(account, probe_until=0.0) if probe else account
        return account if was_cooling else _limited(account, asked, now)
    if not account.openings:
        return _struck(account, meaning, now)
    return _failed_unclosed(account, meaning, now, late=now < account.until or (at is not None and not probe))


def health(account: Account, now: float) -> Health:
    """How it stands with breaker and cooling; the minute is not looked at."""
    until = max(now, free_at(account))
    if account.openings and now < account.until:
        return Health("open", until, account.reason)
    if account.openings and account.cool_until <= now:
        return Health("probing", until, account.reason)
    return Health("cooling", until, account.reason) if until > now else Health("up", now, "")


def is_plain(account: Account) -> bool:
    """Nothing in it that others must know: no strikes, nothing cools, nothing is counted."""
    return account == Account()


def _struck(account: Account, meaning: Meaning, now: float) -> Account:
    strikes = account.strikes + 1
    if meaning.down or strikes >= STRIKES:
        return replace(account, strikes=strikes, openings=1, until=now + (DOWN_S if meaning.down else OPEN_S))
    pause = now + PAUSE_S * 2 ** (strikes - 1)
    return replace(account, strikes=strikes, until=max(account.until, pause))


def _failed_unclosed(account: Account, meaning: Meaning, now: float, *, late: bool) -> Account:
    """`late`: it is no probe's failure, so the breaker stays as it is, unless the news is worse than was known."""
    if late:
        return replace(account, until=max(account.until, now + DOWN_S)) if meaning.down else account
    open_s = min(LONGEST_OPEN_S, (DOWN_S if meaning.down else OPEN_S) * 2 ** min(account.openings, 10))
    return replace(account, openings=account.openings + 1, until=now + open_s, probe_until=0.0)


def _limited(account: Account, asked: float | None, now: float) -> Account:
    """Not called while it cools: rate limits of calls beside the first one are not in a row."""
    cool = now + min(LONGEST_COOL_S, COOL_S * 2 ** min(account.limited, 10)) if asked is None else asked
    return replace(account, limited=account.limited + 1, cool_until=max(account.cool_until, cool))


def _is_probe(account: Account, at: float | None) -> bool:
    return account.probe_until > 0 and (at is None or at + PROBE_S == account.probe_until)
