"""What the scorer hears of while it is busy, taken together: a round costs about the same for one fact and for many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.subjects import Address
from workers.runtime.errors import BusUnavailable

Run = tuple[str, str]
"""Tenant and run."""

Heard = tuple[Address, float]
"""A fact of the log and when it was stored, in seconds since 1970."""


class News(NamedTuple):
    """The runs that facts were heard of, those among them with an end or a decision, and the time of the last fact."""

    runs: frozenset[Run]
    closed: frozenset[Run]
    decided: frozenset[Run]
    at: float


def news_of(heard: Sequence[Heard]) -> News:
    """What these facts say together."""

    def runs(*nouns: str) -> frozenset[Run]:
        return frozenset((one.tenant, one.run) for one, _ in heard if not nouns or one.noun in nouns)

    return News(runs(), runs("run.closed"), runs("decision"), max(at for _, at in heard))


@dataclass
class _Round:
    """Facts that are taken in together, and what went wrong with that."""

    heard: list[Heard] = field(default_factory=list)
    is_over: bool = False
    error: Exception | None = None


class Rounds:
    """Takes facts in one round at a time. What comes meanwhile makes up the next round."""

    def __init__(self, take: Callable[[News], Awaitable[None]]) -> None:
        self._take = take
        self._next = _Round()
        self._one_at_a_time = asyncio.Lock()

    async def hear(self, heard: Heard) -> None:
        """Return once the fact was taken in. Raises what its round raised, for all whose facts were in it."""
        mine = self._next
        mine.heard.append(heard)
        async with self._one_at_a_time:
            if not mine.is_over:
                await self._do(mine)
        if mine.error is not None:
            raise mine.error

    async def _do(self, mine: _Round) -> None:
        self._next, mine.is_over = _Round(), True
        try:
            await self._take(news_of(mine.heard))
        except Exception as error:
            mine.error = error
        except asyncio.CancelledError:
            mine.error = BusUnavailable("whoever took it in was called off; it is to be told again")
            raise
