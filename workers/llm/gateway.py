"""The gateway: gets an answer from whichever target can give it, and never spends what is not there.

    plan ─┬ go ───▶ reserve budget ─▶ reserve limits ─▶ one call ─┬ answered ▶ settle, done
      ▲   │            (too late: plan again)                     ├ broke off after the first token ▶ Interrupted
      │   │                                                       └ failed ▶ told to the account, plan again ─╮
      │   ├ wait ─▶ shortly: here;  long: Parked, the task is put back                                        │
      │   └ fail ─▶ CannotServe                                                                               │
      ╰───────────────────────────────────────────────────────────────────────────────────────────────────────╯

All deciding is in `planning.py`, over what `accounts.py`, `purse.py` and `speeds.py` know. Retries are decided here and
nowhere else: the SDKs make one HTTP request for each call.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.v1.budgets import Budget
from contracts.v1.waits import WaitsFor
from workers.llm import speeds
from workers.llm.attempt import Answered, Ask, Patience
from workers.llm.calls import Call, CannotServe, Interrupted, Parked, Size
from workers.llm.conventions import FailedCall
from workers.llm.failures import CallFailed
from workers.llm.hedging import Hedges
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import NANOS, Ledger, Taken
from workers.llm.minute import LATE_S
from workers.llm.model import Completion, Heard, ModelRequest, ModelUnavailable
from workers.llm.offers import Offer, Offers, Unusable
from workers.llm.planning import NOT_ASKED, Go, State, Wait, Wanted, plan
from workers.llm.purse import Amount, BadPurse
from workers.llm.records import RecordsUnavailable
from workers.llm.speeds import Speed
from workers.llm.targets import Limits, Route

MOST_PLANS = 100
"""Plans before a task is put back, whatever the targets' breakers and budgets say."""

LOOK_S = 5.0
"""How long a parked task rests before it looks again whether there is a budget, or what became of a target's probe."""

LONGEST_REST_S = 30.0

MOST_REPEATED = 100
"""Characters by which a reason is known again where it was cut."""

MOST_SPEEDS = 1_024
"""Targets whose speed is remembered; requests may name any number of them ad hoc."""


class Observer(Protocol):
    """Is told of calls, for metrics."""

    def answered(self, target: str, completion: Completion) -> None:
        """A target has answered."""
        ...

    def failed(self, failed: FailedCall) -> None:
        """A call gave no answer."""
        ...


class Nobody:
    """Does not care."""

    def answered(self, target: str, completion: Completion) -> None:
        """Nothing."""

    def failed(self, failed: FailedCall) -> None:
        """Nothing."""


NOBODY, PATIENCE, NO_LIMITS = Nobody(), Patience(), Limits()


@dataclass(frozen=True)
class _Asking:
    """One call as it is carried out: what is wanted, what was tried, and how long it has waited here."""

    call: Call
    request: ModelRequest
    route: Route
    wanted: Wanted
    tries: tuple[tuple[str, str, str], ...] = ()
    waited_s: float = 0.0

    def after(self, target: str, kind: str, reason: str, never_again: bool) -> "_Asking":
        """With one more target that gave no answer."""
        without = self.wanted.without | {target} if never_again else self.wanted.without
        return replace(
            self, wanted=replace(self.wanted, without=without), tries=(*self.tries, (target, kind, reason))
        )  # fmt: skip


class Gateway:
    """Calls models by routes, within limits and budgets. `now` is in unix seconds."""

    def __init__(
        self,
        offers: Offers,
        accounts: KnownAccounts,
        ledger: Ledger,
        patience: Patience = PATIENCE,
        *,
        clean: Callable[[str], str] = str,
        observer: Observer = NOBODY,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._offers, self._accounts, self._ledger, self._patience = offers, accounts, ledger, patience
        self._clean, self._observer, self._now, self._sleep = clean, observer, now, sleep
        self._speeds: dict[str, Speed] = {}
        self._turn = 0
        self._hedges = Hedges()

    async def complete(self, call: Call, request: ModelRequest, heard: Heard | None = None) -> Completion:
        """An answer, from whichever target can give it. See `Caller`."""
        try:
            return await self._completed(call, request, heard)
        except BadPurse as error:  # it is waited for until somebody has looked at it
            raise Parked("budget", str(error), call.name, LOOK_S) from error

    async def _completed(self, call: Call, request: ModelRequest, heard: Heard | None) -> Completion:
        size = Size(request)
        route = self._offers.route(call)
        asking = _Asking(call, request, route, self._offers.wanted(route, call, request, size))
        self._turn += 1
        for _ in range(MOST_PLANS):
            now = self._now()
            if now >= call.deadline:
                raise ModelUnavailable(_told("the call's deadline has passed", asking))
            step = plan(asking.wanted, await self._state(asking), now)
            if isinstance(step, Wait):
                asking = await self._wait(asking, step)
            elif not isinstance(step, Go):
                raise CannotServe(_told(step.reason, asking))
            else:
                outcome = await self._go(asking, self._offers.offer(step.candidate.target, request, size), heard)
                if isinstance(outcome, Completion):
                    return replace(outcome, tries=asking.tries)
                asking = outcome
        raise Parked("models", _told("no call could be made, or none was answered", asking), call.name, LONGEST_REST_S)

    async def paid(self, name: str, cost_usd: float | None, tokens: int, budget: Budget | None) -> None:
        """Settle what a crash left reserved for a call that is in the journal."""
        amount = Amount(math.ceil((cost_usd or 0.0) * NANOS), tokens)
        await self._ledger.paid(name, amount, budget, self._now())

    async def close(self) -> None:
        """Let go of connections."""
        await self._offers.close()
        await self._accounts.close()

    async def _state(self, asking: _Asking) -> State:
        targets = [candidate.target for tier in asking.wanted.tiers for candidate in tier.candidates]
        known = {target.account: await self._accounts.now(target.account) for target in targets}
        purses = await self._ledger.purses(asking.call, self._now())
        return State(known, self._speeds, purses, self._turn)

    async def _is_probed(self, asking: _Asking, now: float) -> bool:
        """Whether somebody finds out just now if a target is back: that takes as long as a call, and not the time after
        which a probe is given up."""
        state = await self._state(asking)
        return any(account.probe_until > now for account in state.accounts.values())

    async def _go(self, asking: _Asking, offer: Offer | Unusable, heard: Heard | None) -> Completion | _Asking:
        """One call to one target, or with hedging to two; nothing at all when somebody else was faster."""
        if isinstance(offer, Unusable):
            return asking.after(offer.target, "denied", offer.reason, never_again=True)
        ask = await self._reserved(asking.call, offer, asking.request)
        if ask is None:
            return asking
        hedge, began_at = asking.route.hedge, self._now()
        answered: Answered | CallFailed
        if hedge is None:
            answered = await ask.answer(heard)
        else:
            second = lambda: self._second(asking, offer)  # noqa: E731 - it needs what is here
            ask, answered = await self._hedges.answer(ask, second, hedge, heard)
        if isinstance(answered, Answered):
            return self._told_of(answered)
        target = ask.offer.target
        self._observer.failed(FailedCall(target, asking.request, answered, began_at, self._now()))
        if answered.kind == "interrupted":
            raise Interrupted(_told(f"{target.name}: {answered.reason}", asking))
        return asking.after(target.name, answered.kind, answered.reason, answered.meaning.hopeless)

    async def _reserved(self, call: Call, offer: Offer, request: ModelRequest) -> Ask | None:
        """The call with its share of budgets and limits; None, and nothing taken, when somebody else was faster, or
        when it took so long that the call would go in another minute than it is counted in."""
        now, target = self._now(), offer.target
        taking = self._ledger.taking(call, offer.reserve, now)
        account = (target.account, target.limits, offer.tokens)
        try:
            paid, granted = await asyncio.gather(
                self._ledger.reserve(taking, now), self._accounts.reserve(*account, now)
            )  # fmt: skip
        except BaseException:  # how far they came is not known; a probe must be free for others
            left = self._accounts.left(target.account, now, self._now())
            await asyncio.shield(self._given_back(taking, left))
            raise
        late = now + LATE_S if target.limits != NO_LIMITS else call.deadline
        if paid and granted and self._now() < min(call.deadline, late):
            return self._ask(call, offer, request, taking, now)
        freed = self._accounts.freed(*account, now, self._now()) if granted else None
        await asyncio.shield(self._given_back(taking if paid else None, freed))
        return None

    async def _given_back(self, taking: Taken | None, telling: Awaitable[None] | None) -> None:
        """Nothing stays reserved for a call that is not made."""
        if taking is not None:
            await self._ledger.release(taking)
        if telling is not None:
            with contextlib.suppress(RecordsUnavailable):
                await telling

    def _ask(self, call: Call, offer: Offer, request: ModelRequest, taken: Taken, at: float) -> Ask:
        known = self._accounts, self._ledger
        return Ask(offer, request, taken, at, call.deadline, *known, self._patience, self._clean, self._now)

    async def _second(self, asking: _Asking, first: Offer) -> Ask | None:
        """The same call to another target that could serve right now, reserved; None when there is none."""
        wanted = replace(asking.wanted, without=asking.wanted.without | {first.target.name})
        step = plan(wanted, await self._state(asking), self._now())
        if not isinstance(step, Go):
            return None
        offer = self._offers.offer(step.candidate.target, asking.request, Size(asking.request))
        call = replace(asking.call, name=f"{asking.call.name}~hedge")
        return None if isinstance(offer, Unusable) else await self._reserved(call, offer, asking.request)

    def _told_of(self, answered: Answered) -> Completion:
        said = answered.completion
        if said.first_token_s is not None:
            before = self._speeds.get(said.target)
            self._speeds[said.target] = speeds.heard(before, said.first_token_s, said.duration_s)
            if len(self._speeds) > MOST_SPEEDS:
                del self._speeds[next(iter(self._speeds))]
        self._observer.answered(said.target, said)
        return said

    async def _wait(self, asking: _Asking, step: Wait) -> _Asking:
        """Wait here if it is short, or else give the task back."""
        now, call = self._now(), asking.call
        if step.what == "budget":
            await self._ledger.look_again(call, now, self._patience.abandoned_s)
            again = plan(asking.wanted, await self._state(asking), now)
            if not isinstance(again, Wait):
                return asking
            step = again
        left, began = self._patience.in_place_s - asking.waited_s, now
        if step.until > min(now + left, call.deadline):
            rest = min(max(step.until - now, 0.1), LONGEST_REST_S)
            if step.what == "budget" or await self._is_probed(asking, now):
                rest = LOOK_S
            what: WaitsFor = "budget" if step.what == "budget" else "models"
            raise Parked(what, _told(step.reason, asking), call.name, rest)
        while (now := self._now()) < step.until:
            await self._sleep(step.until - now)
        return replace(asking, waited_s=asking.waited_s + now - began)


def _told(reason: str, asking: _Asking) -> str:
    """The reason, with what was tried; at most 2,000 characters. Of a target that is not asked again it says why."""
    for target, _, why in asking.tries:
        reason = reason.replace(f"{target}: {NOT_ASKED}", f"{target}: {why}")
    tried = "; ".join(f"{target}: {why}" for target, _, why in asking.tries if why[:MOST_REPEATED] not in reason)
    return (f"{reason} (tried: {tried})" if tried else reason)[:2_000]
