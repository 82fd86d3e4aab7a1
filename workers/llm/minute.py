"""The minute: what an account's calls take of the requests and tokens that its provider allows in any 60 seconds.

    second    10  11  12  …  71  72
    slot      ███ leaves the window at 72 = 10 + 62

Reservations are counted in slots of one second, and a call goes at most one second after it is reserved. A slot leaves
the window 62 s after it began, which is 60 s after the last moment at which a call of it may have gone: whatever 60 s
one looks at, the limits hold in it. A call of more tokens than a minute has goes when no
other call's tokens are in the window, and then fills it.

What the provider says is left counts as well, where that is less, until the time at which it says all is there again.
Its latest word replaces the one before; each reservation takes from it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from workers.llm.model import Allowance
from workers.llm.targets import Limits

LEAVES_S = 62
LATE_S = 1.0
"""A call that took longer to reserve is reserved anew."""
FULL_S = 60.0
"""When all is there again if the provider does not say."""
SCARCE_REQUESTS, SCARCE_TOKENS = 100, 200_000
"""Where we have no limit, a provider that has this much left has plenty, which is not worth a record."""


class Slot(NamedTuple):
    """What was reserved in one second."""

    second: int
    requests: int
    tokens: int


class Left(NamedTuple):
    """How much more may go until a time (unix seconds), as the provider said."""

    amount: int
    until: float


@dataclass(frozen=True)
class Minute:
    """One account's window: slots in order, and the provider's word where it is the tighter one."""

    slots: tuple[Slot, ...] = ()
    requests_left: Left | None = None
    tokens_left: Left | None = None


def room_at(minute: Minute, limits: Limits, tokens: int) -> float:
    """The time from which a call of that many tokens fits; 0 if it fits anyway."""
    wanted, times = clamped(limits, tokens), [0.0]
    if limits.requests_per_minute is not None:
        times.append(_emptied_at(minute.slots, limits.requests_per_minute - 1, lambda slot: slot.requests))
    if limits.tokens_per_minute is not None:
        times.append(_emptied_at(minute.slots, limits.tokens_per_minute - wanted, lambda slot: slot.tokens))
    for left, needed in ((minute.requests_left, 1), (minute.tokens_left, wanted)):
        if left is not None and left.amount < needed:
            times.append(left.until)
    return max(times)


def taken(minute: Minute, limits: Limits, tokens: int, now: float) -> Minute:
    """With one more call."""
    wanted = clamped(limits, tokens)
    return Minute(
        _counted(minute.slots, math.floor(now), wanted) if is_limited(limits) else (),
        _less(minute.requests_left, 1),
        _less(minute.tokens_left, wanted),
    )


def corrected(minute: Minute, at: float, requests: int, tokens: int) -> Minute:
    """With that many more (or fewer) in the slot of `at`; no news when it has left."""
    second = math.floor(at)
    return replace(
        minute,
        slots=tuple(
            Slot(second, max(0, slot.requests + requests), max(0, slot.tokens + tokens))
            if slot.second == second
            else slot
            for slot in minute.slots
        ),
    )


def believed(minute: Minute, limits: Limits, allowance: Allowance, now: float) -> Minute:
    """With what the provider says is left, where that is less than our window leaves or, without a limit, scarce."""
    requests = _remaining(limits.requests_per_minute, (slot.requests for slot in minute.slots), SCARCE_REQUESTS)
    tokens = _remaining(limits.tokens_per_minute, (slot.tokens for slot in minute.slots), SCARCE_TOKENS)
    return replace(
        minute,
        requests_left=_word(minute.requests_left, allowance.requests, allowance.requests_full_in_s, requests, now),
        tokens_left=_word(minute.tokens_left, allowance.tokens, allowance.tokens_full_in_s, tokens, now),
    )


def trimmed(minute: Minute, now: float) -> Minute:
    """Without what has left the window, and without words of the provider that no longer hold."""
    requests, tokens = minute.requests_left, minute.tokens_left
    return Minute(
        tuple(slot for slot in minute.slots if slot.second + LEAVES_S > now),
        requests if requests is not None and requests.until > now else None,
        tokens if tokens is not None and tokens.until > now else None,
    )


def clamped(limits: Limits, tokens: int) -> int:
    """What a call of that many tokens takes from the window."""
    return tokens if limits.tokens_per_minute is None else min(tokens, limits.tokens_per_minute)


def is_limited(limits: Limits) -> bool:
    """Whether there is a limit at all; without one no slots are kept."""
    return limits.requests_per_minute is not None or limits.tokens_per_minute is not None


def decoded(record: dict[str, Any]) -> Minute:
    """From parsed JSON; raises `TypeError`, `ValueError` or `LookupError` for what is none."""
    slots = [Slot(count(second), count(sent), count(used)) for second, sent, used in record.get("slots", ())]
    requests, tokens = (
        None if word is None else Left(count(word[0]), moment(word[1]))
        for word in (record.get("requests_left"), record.get("tokens_left"))
    )
    return Minute(tuple(sorted(slots)), requests, tokens)


def count(value: Any) -> int:
    """A number of things in a record; raises `TypeError` or `ValueError`."""
    if isinstance(value, int) and value >= 0:
        return value
    raise ValueError(f"{value!r} is no count")


def moment(value: Any) -> float:
    """A time in a record; raises `TypeError` or `ValueError`."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{value!r} is no time")


def _emptied_at(slots: tuple[Slot, ...], rest: int, amount: Callable[[Slot], int]) -> float:
    """When enough of the oldest slots have left for no more than `rest` to be in the window."""
    used, at = sum(amount(slot) for slot in slots), 0.0
    for slot in slots:
        if used <= rest:
            break
        used, at = used - amount(slot), slot.second + LEAVES_S
    return at


def _counted(slots: tuple[Slot, ...], second: int, tokens: int) -> tuple[Slot, ...]:
    before = next((slot for slot in slots if slot.second == second), Slot(second, 0, 0))
    after = Slot(second, before.requests + 1, before.tokens + tokens)
    return tuple(sorted((*(slot for slot in slots if slot.second != second), after)))


def _less(left: Left | None, amount: int) -> Left | None:
    return None if left is None else Left(max(0, left.amount - amount), left.until)


def _remaining(limit: int | None, used: Iterable[int], scarce: int) -> int:
    return scarce if limit is None else limit - sum(used)


def _word(before: Left | None, said: int | None, full_in_s: float | None, ours: int, now: float) -> Left | None:
    """What to keep of the provider's word; `ours` is what our window leaves."""
    if said is None:
        return before
    until = now + (FULL_S if full_in_s is None else full_in_s)
    return Left(max(0, said), until) if said < ours and now < until < math.inf else None
