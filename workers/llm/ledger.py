"""The ledger: what a call may cost at most is taken from every budget before it is made, and put right after it.

    reserve ─▶ the call ─┬ answered ──────────────▶ settle: what it cost
                         ├ failed, not billed ────▶ release
                         └ failed, maybe billed ──▶ write off: what was reserved is gone

A worker that dies in between leaves its reservation behind, under the name of the journal entry. Whoever makes that
call again writes it off first, since nobody can know whether it was billed; whoever finds the entry settles it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from contracts.v1.budgets import Budget
from workers.llm import purse
from workers.llm.calls import Call
from workers.llm.purse import UNLIMITED, Amount, BadPurse, Cap, Purse
from workers.llm.records import Records, RecordsUnavailable

NANOS = 10**9
"""Nano-dollars a dollar."""

Raises = Callable[[str, str], Awaitable[Sequence[tuple[str, Amount]]]]
"""The raises of a run's budget that the log has, by (tenant, run): id and amount."""

Lost = Callable[[str], Awaitable[Amount | None]]
"""What the journal says a call of that name cost, None when it has no such entry."""

MOST_KNOWN = 4_096

_logger = structlog.get_logger(__name__)


async def no_raises(tenant: str, run: str) -> Sequence[tuple[str, Amount]]:
    """For whoever has no log."""
    return ()


async def no_entry(name: str) -> Amount | None:
    """For whoever has no log."""
    return None


def cap_of(budget: Budget | None) -> Cap:
    """A budget as the ledger counts."""
    if budget is None:
        return UNLIMITED
    return Cap(None if budget.usd is None else int(budget.usd * NANOS), budget.tokens)


def run_key(tenant: str, run: str) -> str:
    """The key of a run's record in the bucket `budgets`."""
    return f"run.{tenant}.{run}"


def day_key(tenant: str, at: float) -> str:
    """The key of the record of a tenant's day (UTC)."""
    return f"day.{tenant}.{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


@dataclass(frozen=True)
class Taken:
    """A reservation: in which records, under which name, how much, and since when.

    Only the hold of that moment is its own: whoever made the call again meanwhile has another one under that name.
    """

    keys: tuple[tuple[str, Cap], ...]
    name: str
    amount: Amount
    since: float | None = None


class Ledger:
    """The budgets of runs, and of the tenants' days. Budgets without a limit are not kept."""

    def __init__(
        self, records: Records, day: Cap = UNLIMITED, raises: Raises = no_raises, lost: Lost = no_entry
    ) -> None:
        self._records, self._day, self._raises, self._lost = records, day, raises, lost
        self._known: dict[str, Purse] = {}

    def keys(self, call: Call, now: float) -> tuple[tuple[str, Cap], ...]:
        """The records that a call is paid from, with their caps: the run's, then the day's."""
        found = ((run_key(call.tenant, call.run), cap_of(call.budget)), (day_key(call.tenant, now), self._day))
        return tuple((key, cap) for key, cap in found if cap != UNLIMITED)

    async def purses(self, call: Call, now: float) -> tuple[Purse, ...]:
        """What is in them, as far as this process knows; a reservation finds out what is true."""
        found = []
        for key, cap in self.keys(call, now):
            if key not in self._known:
                self._keep(key, _decoded(key, await self._records.read(key), cap))
            found.append(replace(self._known[key], whose="the run's" if key.startswith("run.") else "the day's"))
        return tuple(found)

    def taking(self, call: Call, amount: Amount, now: float) -> Taken:
        """What a call is to take from each of its budgets."""
        return Taken(self.keys(call, now), call.name, amount, now)

    async def reserve(self, taking: Taken, now: float) -> bool:
        """Take it from every budget; False, and nothing taken, when one has not got it."""
        if not taking.keys:
            return True
        paid = await asyncio.gather(*(self._reserve(key, cap, taking, now) for key, cap in taking.keys))
        if not all(paid):
            had = tuple(record for record, done in zip(taking.keys, paid, strict=True) if done)
            await self.release(replace(taking, keys=had))
        return all(paid)

    async def _reserve(self, key: str, cap: Cap, taking: Taken, now: float) -> bool:
        return await self._changed(key, cap, lambda held: purse.reserve(held, taking.name, taking.amount, now))

    async def settle(self, taken: Taken, amount: Amount) -> None:
        """The call cost that much."""
        await self._after(taken, lambda held: purse.settle(held, taken.name, amount, taken.since))

    async def release(self, taken: Taken) -> None:
        """The call cost nothing."""
        await self._after(taken, lambda held: purse.release(held, taken.name, taken.since))

    async def write_off(self, taken: Taken) -> None:
        """The call may have cost anything up to what was reserved."""
        await self._after(taken, lambda held: purse.write_off(held, taken.name, taken.since))

    async def _after(self, taken: Taken, after: Callable[[Purse], Purse]) -> None:
        if taken.keys:
            await asyncio.gather(*(self._put_right(key, cap, taken, after) for key, cap in taken.keys))

    async def _put_right(self, key: str, cap: Cap, taken: Taken, after: Callable[[Purse], Purse]) -> None:
        """When the records are away or can't be read the hold stays, and is put right by whoever finds it."""
        try:
            await self._changed(key, cap, lambda held: (after(held), True))
        except (RecordsUnavailable, BadPurse) as error:
            _logger.warning("reservation_left_open", record=key, call=taken.name, error=str(error))

    async def paid(self, name: str, amount: Amount, budget: Budget | None, now: float) -> None:
        """Settle a hold that a worker left behind for a call which is in the journal."""
        call = Call(name, "", "", "", 0.0, budget=budget)
        keys = dict((*self.keys(call, now), *self.keys(call, now - 86_400.0)))
        await self.settle(Taken(tuple(keys.items()), name, amount), amount)

    async def look_again(self, call: Call, now: float, patience_s: float) -> None:
        """A budget has refused: read what is in it now, take in new raises from the log, and put right what others
        left behind."""
        for key, cap in self.keys(call, now):
            found = _decoded(key, await self._records.read(key), cap)
            self._keep(key, found)
            known = {raise_id for raise_id, _ in found.raises}
            for raise_id, amount in await self._raises(call.tenant, call.run) if key.startswith("run.") else ():
                if raise_id not in known:
                    await self._changed(key, cap, _raise(raise_id, amount))
            for hold in purse.stale(found, now - patience_s):
                cost = await self._lost(hold.name)
                taken = Taken(((key, cap),), hold.name, hold.amount, hold.since)
                await (self.write_off(taken) if cost is None else self.settle(taken, cost))

    async def _changed(self, key: str, cap: Cap, after: Callable[[Purse], tuple[Purse, bool]]) -> bool:
        def change(content: bytes | None) -> tuple[bytes | None, tuple[Purse, bool]]:
            before = _decoded(key, content, cap)
            changed, done = after(before)
            return (changed.encode() if changed != before else None), (changed, done)

        found, done = await self._records.change(key, change)
        self._keep(key, found)
        return done

    def _keep(self, key: str, found: Purse) -> None:
        self._known[key] = found
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]


def _decoded(key: str, content: bytes | None, cap: Cap) -> Purse:
    try:
        return Purse.decode(content, cap)
    except BadPurse as error:
        raise BadPurse(f"record {key} of the bucket budgets: {error}") from error


def _raise(raise_id: str, amount: Amount) -> Callable[[Purse], tuple[Purse, bool]]:
    return lambda held: (purse.raised(held, raise_id, amount), True)
