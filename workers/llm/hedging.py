"""Hedging: when the first token is late, the same call goes to a second target, and whoever speaks first is heard.

Off by default. The loser is hung up on; it is written off in the budget and journaled at what it may cost at most.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from workers.llm.attempt import Answered, Ask
from workers.llm.failures import CallFailed
from workers.llm.model import Heard
from workers.llm.purse import BadPurse
from workers.llm.records import RecordsUnavailable
from workers.llm.targets import Hedge

Outcome = tuple[Ask, Answered | CallFailed]
"""The call that was heard, and what came of it."""


class Hedges:
    """Counts calls and second calls, so that the share of the second ones holds in each process."""

    def __init__(self) -> None:
        self._calls = self._second = 0

    async def answer(
        self, first: Ask, second: Callable[[], Awaitable[Ask | None]], hedge: Hedge, heard: Heard | None
    ) -> Outcome:
        """What came of the first call, or of a second one which spoke earlier."""
        self._calls += 1
        going = asyncio.create_task(first.answer(heard))
        try:
            if await _within(first.began, hedge.after_s) or (other := await self._other(first, second, hedge)) is None:
                return first, await going
            return await self._race((first, going), (other, asyncio.create_task(other.answer(heard))))
        finally:
            await _hung_up(going)

    async def _other(self, first: Ask, second: Callable[[], Awaitable[Ask | None]], hedge: Hedge) -> Ask | None:
        """The second call if the share allows it and it can be made; its place is taken before anything is awaited."""
        if self._second + 1 > hedge.share * self._calls:
            return None
        self._second += 1
        other: Ask | None = None
        try:
            other = await second()
            if other is not None and first.began.is_set():
                await other.dropped()
                other = None
        except (RecordsUnavailable, BadPurse):
            other = None  # the first call is under way and may answer all the same
        finally:
            self._second -= other is None
        return other

    async def _race(
        self,
        one: tuple[Ask, "asyncio.Task[Answered | CallFailed]"],
        two: tuple[Ask, "asyncio.Task[Answered | CallFailed]"],
    ) -> Outcome:
        spoken = {asyncio.create_task(ask.began.wait()): (ask, going) for ask, going in (one, two)}
        try:
            done, _ = await asyncio.wait(spoken, return_when=asyncio.FIRST_COMPLETED)
            winner = spoken[next(iter(done))]
            loser = two if winner is one else one
            outcome = await winner[1] if winner[1].done() else None
            if isinstance(outcome, CallFailed):  # it is over without a token: the other one may still speak
                return loser[0], await loser[1]
            await _hung_up(loser[1])
            answered = await winner[1]
            return winner[0], _with_lost(answered, loser)
        finally:
            for waiting in spoken:
                waiting.cancel()
            for _, going in (one, two):
                await _hung_up(going)


def _with_lost(
    answered: Answered | CallFailed, loser: tuple[Ask, "asyncio.Task[Answered | CallFailed]"]
) -> Answered | CallFailed:
    """The answer with what became of the other call: complete, cut off, or nothing that anybody bills."""
    ask, going = loser
    outcome = None if going.cancelled() else going.result()
    if isinstance(answered, CallFailed) or (isinstance(outcome, CallFailed) and not outcome.meaning.billed):
        return answered
    lost = outcome.completion if isinstance(outcome, Answered) else ask.lost()
    return Answered(replace(answered.completion, lost=(*answered.completion.lost, lost)))


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _hung_up(going: "asyncio.Task[Answered | CallFailed]") -> None:
    if not going.done():
        going.cancel()
        await asyncio.wait([going])
