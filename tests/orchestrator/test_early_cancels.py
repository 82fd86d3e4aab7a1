"""One look at the log for the cancels of many runs."""

import asyncio

import pytest

from workers.orchestrator.early_cancels import EarlyCancels


class BrokenOnce:
    """A log whose first answer can't be read."""

    def __init__(self):
        self.looks = 0

    async def find_all(self, subjects):
        self.looks += 1
        if self.looks == 1:
            raise KeyError("Nats-Sequence")
        return []


async def test_a_look_that_breaks_is_told_to_those_who_asked_and_the_next_one_is_made():
    cancels = EarlyCancels(BrokenOnce(), "flotilla")
    async with asyncio.timeout(2):
        with pytest.raises(KeyError):
            await cancels.look("acme", "r1")
        assert await cancels.look("acme", "r1") is None
