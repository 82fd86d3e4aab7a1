"""One budget, of a run or of a tenant's day: what may be spent, what was, and what calls under way may still cost.

    reserve(name, worst) ──▶ hold ──┬─ settle(name, cost) ──▶ spent: what the call has cost
                                    ├─ write_off(name) ─────▶ written off: nobody knows, so the worst is counted
                                    ╰─ release(name) ───────▶ free again: it was never billed

    spent + written off + held ≤ cap + raises

That holds after any order of changes as long as no call costs more than its hold; a call that does is counted in full
and shows as less than nothing left. Each hold has the name of its call, and what ends it is no news the second time.
All is in integers, nano-dollars and tokens, so that nothing is lost to rounding however many calls there are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple


class Amount(NamedTuple):
    """Nano-dollars and tokens (input and output together), never negative."""

    nanos: int = 0
    tokens: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """The sum of both."""
        return Amount(self.nanos + other.nanos, self.tokens + other.tokens)


class Cap(NamedTuple):
    """What may be spent, or is left; None is without a limit. What is left may be negative."""

    nanos: int | None = None
    tokens: int | None = None


NOTHING = Amount()
UNLIMITED = Cap()


class Hold(NamedTuple):
    """The most that a call under way may cost, and since when (unix seconds)."""

    name: str
    amount: Amount
    since: float


class BadPurse(ValueError):
    """A record is no budget. Nothing may be spent on a guess: look at the record, and delete it to start it anew."""


@dataclass(frozen=True)
class Purse:
    """One budget's record. `raises` are (id, amount); names of holds and ids of raises occur once.

    `whose` is how a sentence names the owner (`the run's`); it is no part of the record.
    """

    cap: Cap = UNLIMITED
    raises: tuple[tuple[str, Amount], ...] = ()
    spent: Amount = NOTHING
    written_off: Amount = NOTHING
    holds: tuple[Hold, ...] = ()
    whose: str = field(default="", compare=False)

    @cached_property
    def held(self) -> Amount:
        """The sum of all holds."""
        return _total([hold.amount for hold in self.holds])

    def encode(self) -> bytes:
        """As compact JSON."""
        record = {
            "cap": self.cap,
            "raises": {name: amount for name, amount in self.raises},
            "spent": self.spent,
            "written_off": self.written_off,
            "holds": {hold.name: (*hold.amount, hold.since) for hold in self.holds},
        }
        return json.dumps(record, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes | None, cap: Cap | None = None) -> "Purse":
        """The record, or a new one for None. The caller's cap holds, since a setting may have changed; without one
        the record's. Raises `BadPurse`: what was spent is not forgotten because it can't be read."""
        if content is None:
            return cls(UNLIMITED if cap is None else cap)
        try:
            return _purse(json.loads(content), cap)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise BadPurse(f"a budget's record can't be read ({error!r}); delete it to start it anew") from error


def reserve(purse: Purse, name: str, amount: Amount, now: float) -> tuple[Purse, bool]:
    """Hold `amount` for a call if it fits; says whether it did.

    A name that still holds something is a call whose worker died: the provider may have billed it, so that hold is
    written off first, even when the new one does not fit. Keep the purse in both cases.
    """
    purse = write_off(purse, name)
    if not fits(purse, _checked(amount)):
        return purse, False
    return replace(purse, holds=(*purse.holds, Hold(name, amount, now))), True


def settle(purse: Purse, name: str, amount: Amount, since: float | None = None) -> Purse:
    """The call has cost `amount`, counted in full even if it is more than the hold. No news without a hold.

    With `since` only the hold that was made then is meant: a zombie's end is no news to the hold of who took over.
    """
    hold, rest = _taken(purse, name, since)
    return purse if hold is None else replace(purse, holds=rest, spent=purse.spent.plus(_checked(amount)))


def write_off(purse: Purse, name: str, since: float | None = None) -> Purse:
    """Nobody knows what the call has cost: count all that it held. No news without a hold."""
    hold, rest = _taken(purse, name, since)
    return purse if hold is None else replace(purse, holds=rest, written_off=purse.written_off.plus(hold.amount))


def release(purse: Purse, name: str, since: float | None = None) -> Purse:
    """The call was not billed. No news without a hold."""
    hold, rest = _taken(purse, name, since)
    return purse if hold is None else replace(purse, holds=rest)


def raised(purse: Purse, raise_id: str, amount: Amount) -> Purse:
    """More may be spent. The same raise is no news the second time; what has no limit gets none by it."""
    if any(known == raise_id for known, _ in purse.raises):
        return purse
    return replace(purse, raises=(*purse.raises, (raise_id, _checked(amount))))


def free(purse: Purse) -> Cap:
    """What is left for new calls: cap + raises − spent − written off − held."""
    settled, held = once_settled(purse), purse.held
    return Cap(
        None if settled.nanos is None else settled.nanos - held.nanos,
        None if settled.tokens is None else settled.tokens - held.tokens,
    )


def once_settled(purse: Purse) -> Cap:
    """What would be left if all calls under way cost nothing: cap + raises − spent − written off."""
    more, gone = _total([amount for _, amount in purse.raises]), purse.spent.plus(purse.written_off)
    return Cap(
        None if purse.cap.nanos is None else purse.cap.nanos + more.nanos - gone.nanos,
        None if purse.cap.tokens is None else purse.cap.tokens + more.tokens - gone.tokens,
    )


def fits(purse: Purse, amount: Amount) -> bool:
    """Whether a call that may cost `amount` can be paid now."""
    return within(amount, free(purse))


def within(amount: Amount, left: Cap) -> bool:
    """Whether `left` covers it. What costs nothing can be had even when there is less than nothing left."""
    return all(limit is None or wanted == 0 or wanted <= limit for wanted, limit in zip(amount, left, strict=True))


def stale(purse: Purse, before: float) -> tuple[Hold, ...]:
    """The holds that are older than `before` (unix seconds), in order of their making."""
    return tuple(hold for hold in purse.holds if hold.since < before)


def _taken(purse: Purse, name: str, since: float | None) -> tuple[Hold | None, tuple[Hold, ...]]:
    hold = next((hold for hold in purse.holds if hold.name == name and since in (None, hold.since)), None)
    return hold, tuple(other for other in purse.holds if other is not hold)


def _total(amounts: Sequence[Amount]) -> Amount:
    return Amount(sum(amount.nanos for amount in amounts), sum(amount.tokens for amount in amounts))


def _checked(amount: Amount) -> Amount:
    if amount.nanos < 0 or amount.tokens < 0:
        raise ValueError(f"{amount} is negative; spending is taken back by nothing")
    return amount


def _purse(record: dict[str, Any], cap: Cap | None) -> Purse:
    return Purse(
        cap=Cap(*record["cap"]) if cap is None else cap,
        raises=tuple((name, _amount(amount)) for name, amount in record["raises"].items()),
        spent=_amount(record["spent"]),
        written_off=_amount(record["written_off"]),
        holds=tuple(Hold(name, _amount(held[:2]), float(held[2])) for name, held in record["holds"].items()),
    )


def _amount(pair: list[int]) -> Amount:
    nanos, tokens = pair
    return _checked(Amount(int(nanos), int(tokens)))
