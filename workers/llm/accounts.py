"""What the fleet knows of one account (provider, endpoint, model, key): may it be called now, and if not, when?

Three things decide, each by a time before which no call goes; `ready_at` is the latest of them.

breaker      closed ──3 strikes in a row──▶ open 15 s ──▶ half-open: one probe at a time
               ▲  ╰─denied, quota, …──▶ open 60 s ──▶ │  │
               ╰──────────── success ─────────────────╯  ╰─ failure ──▶ open again, twice as long, up to 300 s
             Below three strikes it pauses 0.5 s, then 1 s, so that a single target is tried again by itself.
cooling      until the time that the provider asked for (Retry-After), or after a rate limit without one for 1, 2, 4 …
             up to 30 s. Nothing shortens it: a success proves nothing about it.
the minute   in no 60 s more requests and tokens than the account's limits. Reservations are counted by the second, and
             a second leaves the window 61 s after it began: 60 s after its last moment. What the provider says is left
             counts as well, when that is less, until the time at which it says all is there again.

A probe is claimed for 120 s, so that one whose worker died frees itself. Failures of calls that were sent before the
breaker opened are no news to it. Times are unix seconds; clocks that differ between workers shift all of this by as
much as they differ.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, NamedTuple

from workers.llm.failures import MEANINGS, FailureKind, Meaning
from workers.llm.model import Allowance
from workers.llm.targets import Limits

STRIKES = 3
OPEN_S = 15.0
DOWN_S = 60.0
LONGEST_OPEN_S = 300.0
PROBE_S = 120.0
PAUSE_S = 0.5
COOL_S = 1.0
LONGEST_COOL_S = 30.0
LEAVES_S = 61
SCARCE = Allowance(requests=100, tokens=200_000)
"""Without a limit of ours, more than this is plenty and not worth a record."""


class Slot(NamedTuple):
    """What was reserved in one second of the window."""

    second: int
    requests: int
    tokens: int


class Left(NamedTuple):
    """How much more may go until a time, as the provider said."""

    amount: int
    until: float


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
    slots: tuple[Slot, ...] = ()
    requests_left: Left | None = None
    tokens_left: Left | None = None

    def encode(self) -> bytes:
        """As compact JSON, without what is as in a fresh account."""
        fresh = Account()
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        told = {name: value for name, value in record.items() if value != getattr(fresh, name)}
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes | None) -> "Account":
        """The record; fresh for None and for what can't be read, since the provider will tell again. Fields that are
        not known are left out."""
        try:
            return _account(json.loads(content or b"{}"))
        except (ValueError, TypeError, LookupError, AttributeError):
            return cls()


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
    wanted = _clamped(limits, tokens)
    times = [now, free_at(account)]
    if limits.requests_per_minute is not None:
        times.append(_room_at(account, limits.requests_per_minute, 1, lambda slot: slot.requests))
    if limits.tokens_per_minute is not None:
        times.append(_room_at(account, limits.tokens_per_minute, wanted, lambda slot: slot.tokens))
    for left, needed in ((account.requests_left, 1), (account.tokens_left, wanted)):
        if left is not None and left.amount < needed:
            times.append(left.until)
    return max(times)


def reserved(account: Account, limits: Limits, tokens: int, now: float) -> Account:
    """A call goes: it takes a request and `tokens` from the minute, and is the probe if the breaker is half-open.

    Only for an account that is ready at `now`; the caller looks at `ready_at` in the same change.
    """
    account = _trimmed(account, now)
    wanted = _clamped(limits, tokens)
    return replace(
        account,
        probe_until=now + PROBE_S if account.openings else 0.0,
        slots=_counted(account.slots, limits, now, 1, wanted),
        requests_left=_less(account.requests_left, 1),
        tokens_left=_less(account.tokens_left, wanted),
    )


def unreserved(account: Account, limits: Limits, tokens: int, at: float, now: float) -> Account:
    """The call that was reserved at `at` was not sent after all: request, tokens and probe are free again."""
    account = _trimmed(account, now)
    return replace(
        account,
        probe_until=0.0 if _is_probe(account, at) else account.probe_until,
        slots=_corrected(account.slots, at, -1, -_clamped(limits, tokens)),
    )


def settled(account: Account, limits: Limits, tokens: int, at: float, used_tokens: int, now: float) -> Account:
    """The call that was reserved at `at` with `tokens` took `used_tokens`; no news once that second has left."""
    account = _trimmed(account, now)
    if limits.tokens_per_minute is None:
        return account
    return replace(account, slots=_corrected(account.slots, at, 0, used_tokens - _clamped(limits, tokens)))


def answered(account: Account, allowance: Allowance, now: float, limits: Limits | None = None) -> Account:
    """A call had success: the breaker closes. What the provider says is left replaces what it said before, and
    counts if it is less than the window leaves; without a limit, if it is scarce."""
    limits = limits or Limits()
    account = _trimmed(account, now)
    cooling = account.cool_until > now
    requests_used = sum(slot.requests for slot in account.slots)
    tokens_used = sum(slot.tokens for slot in account.slots)
    return Account(
        cool_until=account.cool_until if cooling else 0.0,
        reason=account.reason if cooling else "",
        slots=account.slots,
        requests_left=_believed(
            account.requests_left, allowance.requests, allowance.requests_full_in_s, now,
            _remaining(limits.requests_per_minute, requests_used, SCARCE.requests),
        ),
        tokens_left=_believed(
            account.tokens_left, allowance.tokens, allowance.tokens_full_in_s, now,
            _remaining(limits.tokens_per_minute, tokens_used, SCARCE.tokens),
        ),
    )  # fmt: skip


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
    account = _trimmed(account, now)
    if meaning.hopeless:
        return replace(account, probe_until=0.0) if probe else account
    was_cooling = account.cool_until > now
    account = replace(account, reason=f"{kind}: {reason}"[:200])
    if retry_after_s is not None and math.isfinite(retry_after_s):
        account = replace(account, cool_until=max(account.cool_until, now + retry_after_s))
    if kind == "rate_limited":
        account = replace(account, probe_until=0.0) if probe else account
        return _limited(account, retry_after_s is None, was_cooling, now)
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


def _limited(account: Account, unasked: bool, was_cooling: bool, now: float) -> Account:
    """Rate limits that come while it cools are of calls beside the first, not after it: they are not in a row."""
    if was_cooling:
        return account
    limited = account.limited + 1
    cool = now + min(LONGEST_COOL_S, COOL_S * 2 ** min(limited - 1, 10)) if unasked else account.cool_until
    return replace(account, limited=limited, cool_until=max(account.cool_until, cool))


def _is_probe(account: Account, at: float | None) -> bool:
    return account.probe_until > 0 and (at is None or at + PROBE_S == account.probe_until)


def _clamped(limits: Limits, tokens: int) -> int:
    """A call of more tokens than a minute has goes when no other is in the window."""
    return tokens if limits.tokens_per_minute is None else min(tokens, limits.tokens_per_minute)


def _room_at(account: Account, limit: int, wanted: int, amount: Callable[[Slot], int]) -> float:
    """When enough of the oldest seconds have left the window; 0 if there is room anyway."""
    used, at = sum(amount(slot) for slot in account.slots), 0.0
    for slot in account.slots:
        if used + wanted <= limit:
            break
        used, at = used - amount(slot), slot.second + LEAVES_S
    return at


def _counted(slots: tuple[Slot, ...], limits: Limits, now: float, requests: int, tokens: int) -> tuple[Slot, ...]:
    if limits.requests_per_minute is None and limits.tokens_per_minute is None:
        return ()
    second = math.floor(now)
    before = next((slot for slot in slots if slot.second == second), Slot(second, 0, 0))
    after = Slot(second, before.requests + requests, before.tokens + tokens)
    return tuple(sorted((*(slot for slot in slots if slot.second != second), after)))


def _corrected(slots: tuple[Slot, ...], at: float, requests: int, tokens: int) -> tuple[Slot, ...]:
    second = math.floor(at)
    return tuple(
        Slot(second, max(0, slot.requests + requests), max(0, slot.tokens + tokens)) if slot.second == second else slot
        for slot in slots
    )


def _trimmed(account: Account, now: float) -> Account:
    """Without what has left the window, and without what the provider's word no longer holds for."""
    requests, tokens = account.requests_left, account.tokens_left
    return replace(
        account,
        slots=tuple(slot for slot in account.slots if slot.second + LEAVES_S > now),
        requests_left=requests if requests is not None and requests.until > now else None,
        tokens_left=tokens if tokens is not None and tokens.until > now else None,
    )


def _less(left: Left | None, amount: int) -> Left | None:
    return None if left is None else Left(max(0, left.amount - amount), left.until)


def _remaining(limit: int | None, used: int, scarce: int | None) -> int:
    return (scarce or 0) if limit is None else limit - used


def _believed(before: Left | None, said: int | None, full_in_s: float | None, now: float, ours: int) -> Left | None:
    """Without a time at which all is there again, it is a minute."""
    if said is None:
        return before
    until = now + (60.0 if full_in_s is None else full_in_s)
    return Left(max(0, said), until) if said < ours and now < until < math.inf else None


def _account(record: dict[str, Any]) -> Account:
    number, count = float, int
    told = {name: value for name, value in record.items() if name in asdict(Account())}
    told["slots"] = tuple(Slot(*map(count, slot)) for slot in told.get("slots", ()))
    for name in ("requests_left", "tokens_left"):
        if told.get(name) is not None:
            amount, until = told[name]
            told[name] = Left(count(amount), number(until))
    return Account(**told)
