"""Thousands of calls of many workers under random faults: nothing is overspent, and nothing stays reserved."""

import asyncio
import random

import pytest

from contracts.v1.budgets import Budget
from workers.llm.attempt import Patience
from workers.llm.calls import CannotServe, Interrupted, Parked
from workers.llm.failures import CallFailed
from workers.llm.ledger import day_key, run_key
from workers.llm.model import Began, End, ModelRequest, PromptMessage, Text, Usage
from workers.llm.purse import Purse
from workers.llm.targets import Limits

EPOCH = 1_800_000_000.0
QUESTION = ModelRequest(
    messages=(PromptMessage(role="user", text="design it"),), reply_schema=None, max_output_tokens=1_000
)
KINDS = ("rate_limited", "overloaded", "server_error", "unreachable", "disconnected", "denied", "bad_request")
CALLS = 4_400
RUN_USD, DAY_USD, PRICE = 0.05, 12.5, 3.0


class Chaos:
    """Plays a random fault, and keeps what it bills for: input when it was asked, output as it comes."""

    def __init__(self, world, rng: random.Random, trouble: float) -> None:
        self.world, self.rng, self.trouble = world, rng, trouble
        self.billed = self.calls = 0

    async def stream(self, request):
        self.calls += 1
        await asyncio.sleep(self.rng.uniform(0.0, 2.0))
        bad = self.rng.random() < self.trouble
        if bad and self.rng.random() < 0.6:
            kind = self.rng.choice(KINDS)
            if kind == "disconnected" and self.rng.random() < 0.5:
                self.billed += 300 + self.rng.randrange(1_000)
            raise CallFailed(kind, "chaos", self.rng.choice([None, 0.5, 7.0]) if kind == "rate_limited" else None)
        self.billed += 300
        yield Began()
        if bad and self.rng.random() < 0.3:
            await asyncio.sleep(1e5)
        tokens = left = self.rng.randrange(1, 1_000)
        while left:
            self.billed += min(250, left)
            left -= min(250, left)
            yield Text("word ")
            await asyncio.sleep(self.rng.uniform(0.0, 1.0))
            if bad and self.rng.random() < 0.3:
                raise CallFailed("interrupted", "chaos")
        yield End("end", "stop", None if self.rng.random() < 0.05 else Usage(300, tokens))

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("seed", [1, 2])
def test_budgets_hold_and_every_reservation_ends_whatever_happens(world, seed):
    """Ten workers; one in a hundred is killed in the middle and made again by somebody else."""
    rng = random.Random(seed)
    world.patience = Patience(first_token_s=20.0, idle_s=10.0, in_place_s=3.0, abandoned_s=300.0)
    world.day = Budget(usd=DAY_USD)
    for name, limits in (
        ("a", Limits(requests_per_minute=600)),
        ("b", Limits(tokens_per_minute=400_000)),
        ("c", Limits()),
    ):
        world.target(name, price=PRICE, limits=limits)
        world.providers[name] = Chaos(world, rng, 0.3)
    world.route("a", "b", policy="spread", fallback=("c",))
    gateways = [world.gateway() for _ in range(10)]
    ended = {"answered": 0, "gave up": 0, "killed": 0}

    async def one(n: int) -> None:
        budget = Budget(usd=RUN_USD)
        await asyncio.sleep(rng.uniform(0.0, 600.0))
        for _ in range(6):
            asking = gateways[rng.randrange(10)].complete(
                world.call(n, name=f"acme/r{n % 300}/llm.t.1.{n}", budget=budget), QUESTION
            )
            try:
                if rng.random() < 0.01:
                    await asyncio.wait_for(asking, rng.uniform(0.0, 3.0))
                else:
                    await asking
                ended["answered"] += 1
                return
            except TimeoutError:
                ended["killed"] += 1
            except Parked as parked:
                await asyncio.sleep(parked.delay_s)
            except (Interrupted, CannotServe):
                await asyncio.sleep(0.5)
        ended["gave up"] += 1

    async def all_of_them() -> None:
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(one(n) for n in range(CALLS)))
        watching.cancel()

    async def watch() -> None:
        while True:
            await asyncio.sleep(5.0)
            assert billed() <= DAY_USD

    def billed() -> float:
        return sum(world.providers[name].billed for name in "abc") * PRICE / 1e6

    world.run(all_of_them())
    day = Purse.decode(world.budgets.kept[day_key("acme", EPOCH)])
    runs = [Purse.decode(world.budgets.kept.get(run_key("acme", f"r{n}"))) for n in range(300)]
    for purse, cap in [(day, DAY_USD), *((run, RUN_USD) for run in runs)]:
        assert purse.holds == ()
        assert purse.spent.nanos + purse.written_off.nanos <= cap * 1e9
    calls = sum(world.providers[name].calls for name in "abc")
    assert billed() * 1e9 <= day.spent.nanos + day.written_off.nanos
    assert calls > 5_000 and ended["answered"] > 3_000 and min(ended.values()) > 20
