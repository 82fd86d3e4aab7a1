"""Many pieces of work, a few at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from workers.prompt_lab.replay import REPLAYS_AT_ONCE

X = TypeVar("X")
Y = TypeVar("Y")


async def side_by_side(
    values: Sequence[X], work: Callable[[X], Awaitable[Y]], at_once: int = REPLAYS_AT_ONCE
) -> list[Y]:
    """What comes of each value, in their order; raises the first error that there was.

    After an error nothing more begins, but what has begun is waited for: its calls are paid, and once they are in the
    journal the next delivery goes on from there. So a task that is put back again and again comes to its end.
    """
    left, done, wrong = iter(enumerate(values)), dict[int, Y](), list[Exception]()

    async def take() -> None:
        for at, value in left:
            if wrong:
                return
            try:
                done[at] = await work(value)
            except Exception as error:
                wrong.append(error)

    await asyncio.gather(*(take() for _ in range(at_once)))
    if wrong:
        raise wrong[0]
    return [done[at] for at in range(len(values))]
