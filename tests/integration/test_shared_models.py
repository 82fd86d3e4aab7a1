"""Fifty workers on fifty connections share one account and one budget: together they do what one alone may do."""

import asyncio
import random
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, asynccontextmanager

import pytest_asyncio

from contracts.v1.budgets import Budget
from workers.llm.calls import Call, CannotServe, Parked
from workers.llm.catalogue import Catalogue
from workers.llm.failures import CallFailed
from workers.llm.gateway import NOBODY
from workers.llm.ledger import cap_of, day_key, run_key
from workers.llm.model import Began, Completion, End, ModelRequest, PromptMessage, Text, Usage
from workers.llm.purse import Purse
from workers.llm.records import RecordsUnavailable
from workers.llm.targets import Capabilities, Limits, Price, Target
from workers.runtime.bus import connect
from workers.runtime.errors import BusUnavailable
from workers.runtime.models import gateway_on
from workers.runtime.topology import BUDGETS

WORKERS = 50
EPOCH = 1_800_000_000.0
MOST_OUTPUT = 200
NANOS_A_TOKEN = 1_000
"""At a dollar per million tokens."""
LIMITS = {
    "plain": Limits(),
    "few": Limits(requests_per_minute=60),
    "small": Limits(tokens_per_minute=5_000),
}
DAY = Budget(tokens=18_000)
RUNS = {"dollars": Budget(usd=0.012), "tokens": Budget(tokens=8_000)}
ENDS = {Completion, Parked, CannotServe, asyncio.CancelledError}
GIVEN_BACK = (BusUnavailable, RecordsUnavailable)
"""What a call ends in that meets a broker which is away; its task is delivered anew."""


class Clock:
    """Unix seconds that can be moved on, so that no test waits for a minute to pass."""

    def __init__(self):
        self._offset = EPOCH - time.monotonic()

    def __call__(self):
        return time.monotonic() + self._offset

    def move(self, seconds):
        self._offset += seconds


class Endpoint:
    """What all workers call. The text of a request is the run that pays; `bills` are the tokens that it is charged.

    It bills the input at once, and the output when the last of it is out. `refuses` and `leaves` are shares of calls:
    those that are refused, and those whose asker is cancelled in the middle. `fault` answers all calls.
    """

    def __init__(self, clock, seed):
        self._clock, self._rng = clock, random.Random(seed)
        self.calls = []
        self.bills = defaultdict(list)
        self.fault = None
        self.refuses = self.leaves = 0.0
        self.takes_s = 0.02

    async def stream(self, request):
        self.calls.append(call := [self._clock(), 0])
        await asyncio.sleep(self.takes_s / 2)
        if self.fault is not None:
            raise self.fault
        if self._rng.random() < self.refuses:
            raise CallFailed("bad_request", "not so")
        usage = Usage(self._rng.randint(1, 170), self._rng.randint(1, MOST_OUTPUT))
        self.bills[request.messages[0].text].append(call)
        call[1] = usage.input_tokens
        yield Began()
        yield Text("well")
        if self._rng.random() < self.leaves:
            asyncio.current_task().cancel()
        await asyncio.sleep(self.takes_s / 2)
        call[1] += usage.output_tokens
        yield End("end", "stop", usage)

    async def close(self):
        """Nothing is open."""

    def billed(self, *runs):
        """Tokens that were charged to these runs."""
        return sum(tokens for run in runs for _, tokens in self.bills[run])

    def since(self, at):
        """Times of the calls from then on."""
        return [call for call, _ in self.calls if call >= at]

    def most_in_a_minute(self):
        """The most calls, and the most tokens, that were in any sixty seconds."""
        times = [at for at, _ in self.calls]
        windows = [self.calls[first : bisect_left(times, at + 60.0)] for first, at in enumerate(times)]
        return max(map(len, windows)), max(sum(tokens for _, tokens in window) for window in windows)


class Crowd:
    """The workers' gateways, and the one endpoint behind them."""

    def __init__(self, ward):
        self.ward, self.clock = ward, Clock()
        self.endpoint = Endpoint(self.clock, seed=11)
        self._gateways = []
        self._asked = Counter()

    def hire(self, bus):
        """One more worker."""
        targets = {
            name: Target(
                name=name, provider="compatible", base_url="http://127.0.0.1:9/v1", model=name, limits=limits,
                price=Price(input=1, output=1), capabilities=Capabilities(max_output_tokens=MOST_OUTPUT),
            )
            for name, limits in LIMITS.items()
        }  # fmt: skip
        gateway = gateway_on(
            bus, bus.settings, Catalogue(targets, ()), NOBODY, make=lambda *_: self.endpoint, environment={}
        )
        gateway._now = self.clock
        self._gateways.append(gateway)

    async def ask(self, worker, target, run="r", budget=None):
        """One call: the completion, or the exception that it ended in."""
        self._asked[run] += 1
        name, deadline = f"acme/{run}/llm.t{self._asked[run]}.1.1", self.clock() + 60.0
        call = Call(name, target, "architect", "design_system", deadline, budget=budget)
        request = ModelRequest(messages=(PromptMessage(role="user", text=run),), reply_schema=None)
        try:
            return await self._gateways[worker].complete(call, request)
        except (Parked, CannotServe, *GIVEN_BACK, asyncio.CancelledError) as ended:
            return ended

    async def all(self, target, times=1):
        """Every worker asks so often, all at once; how many got an answer."""
        ended = await asyncio.gather(*(self.ask(n, target) for n in range(WORKERS) for _ in range(times)))
        assert {type(one) for one in ended} <= {Completion, Parked}
        return sum(isinstance(one, Completion) for one in ended)

    async def spend(self, times):
        """Calls of both runs, all at once; some are cancelled before they are made. What they ended in."""
        rng = random.Random(5)

        async def one(worker, run):
            asking = asyncio.ensure_future(self.ask(worker, "plain", run, RUNS[run]))
            if rng.random() < 0.05:
                await asyncio.wait([asking], timeout=rng.uniform(0.0, 0.2))
                asking.cancel()
            return await asking

        return await asyncio.gather(*(one(n, run) for n in range(WORKERS) for run in RUNS for _ in range(times)))

    async def purse(self, key, budget):
        """A budget as the bucket has it."""
        return Purse.decode(await self.ward.bus.records(BUDGETS).read(key), cap_of(budget))


@asynccontextmanager
async def hired(ward, **changed):
    """Fifty workers, each of which waits for a second before it gives a task back."""
    made = Crowd(ward)
    settings = ward.settings.model_copy(update={"wait_in_place_s": 1.0, **changed})
    async with AsyncExitStack() as stack:
        connecting = (stack.enter_async_context(connect(settings, f"worker {n}")) for n in range(WORKERS))
        for bus in await asyncio.gather(*connecting):
            made.hire(bus)
        yield made


@pytest_asyncio.fixture
async def crowd(ward):
    """Workers with money for everything."""
    async with hired(ward) as made:
        yield made


@pytest_asyncio.fixture
async def thrifty(ward):
    """Workers with a budget for the day, at an endpoint that refuses some calls and whose askers leave sometimes."""
    async with hired(ward, daily_budget_tokens=DAY.tokens) as made:
        made.endpoint.refuses = made.endpoint.leaves = 0.05
        yield made


async def check_the_books(crowd, ended, also=()):
    """What was billed was counted, what was counted was there, and nothing is held any more; the day's share gone."""
    endpoint = crowd.endpoint
    purses = {run: await crowd.purse(run_key("acme", run), budget) for run, budget in RUNS.items()}
    day = await crowd.purse(day_key("acme", crowd.clock()), DAY)
    gone = {run: purse.spent.plus(purse.written_off) for run, purse in purses.items()}
    all_gone = day.spent.plus(day.written_off)
    kinds = Counter(map(type, ended))
    counts = ", ".join(f"{count} {kind.__name__}" for kind, count in kinds.items())
    print(f"\n{counts}, billed {endpoint.billed(*RUNS)} tokens, day {day.spent} and written off {day.written_off}")
    assert ENDS <= set(kinds) <= ENDS.union(also)
    assert endpoint.billed("dollars") * NANOS_A_TOKEN <= gone["dollars"].nanos
    assert endpoint.billed("tokens") <= gone["tokens"].tokens
    assert gone["dollars"].nanos <= cap_of(RUNS["dollars"]).nanos
    assert gone["tokens"].tokens <= RUNS["tokens"].tokens
    assert endpoint.billed(*RUNS) <= all_gone.tokens <= DAY.tokens
    assert [purse.holds for purse in (*purses.values(), day)] == [(), (), ()]
    assert day.written_off.tokens > 0, "some calls were cut short"
    assert all_gone == gone["dollars"].plus(gone["tokens"]), "the day paid what the runs did"
    return all_gone.tokens / DAY.tokens


async def test_hundreds_of_calls_at_once_never_cost_more_than_the_budgets_of_their_runs_and_their_day(thrifty):
    assert await check_the_books(thrifty, await thrifty.spend(2)) > 0.8, "the budgets were made use of"


async def test_nothing_is_overspent_or_stays_held_when_the_broker_is_killed_among_the_calls(thrifty):
    spending = asyncio.ensure_future(thrifty.spend(2))

    async def under_way():
        return len(thrifty.endpoint.calls) > 20

    await thrifty.ward.until(under_way, "calls under way")
    thrifty.ward.server.kill()
    await asyncio.sleep(0.3)
    await thrifty.ward.server.start()
    # Holds of the first calls stand until the broker is back, and for so long nobody waits in place.
    assert await check_the_books(thrifty, await spending, also=GIVEN_BACK) > 0.4, "the budgets were made use of"


async def test_requests_a_minute_hold_over_all_workers(crowd):
    limit = LIMITS["few"].requests_per_minute
    began = crowd.clock()
    assert await crowd.all("few", 2) == limit
    crowd.clock.move(began + 59.0 - crowd.clock())
    assert await crowd.all("few") == 0
    crowd.clock.move(10.0)
    assert await crowd.all("few", 2) == limit
    assert crowd.endpoint.most_in_a_minute()[0] == limit


async def test_tokens_a_minute_hold_over_all_workers(crowd):
    limit = LIMITS["small"].tokens_per_minute
    for _ in range(2):
        while await crowd.all("small"):
            pass
        crowd.clock.move(65.0)
    calls, tokens = crowd.endpoint.most_in_a_minute()
    assert 0.8 * limit < tokens <= limit
    assert crowd.endpoint.billed("r") > 1.6 * limit, f"{calls} calls in a minute, and as many in the next"


async def test_a_breaker_that_one_worker_opened_holds_for_all_and_lets_one_probe_through(crowd):
    endpoint, clock = crowd.endpoint, crowd.clock
    assert await crowd.all("plain") == WORKERS
    endpoint.fault = CallFailed("overloaded", "too much")
    began = clock()
    while len(endpoint.since(began)) < 3:
        assert isinstance(await crowd.ask(0, "plain"), Parked)
        clock.move(0.2)
    opened = clock()
    for _ in range(3):
        assert await crowd.all("plain", 2) == 0
    sent = endpoint.since(opened)
    assert not sent, f"{len(sent)} calls after the breaker opened, the last {max(sent) - opened} s after"

    clock.move(15.0)
    opened, endpoint.takes_s = clock(), 0.8
    assert await crowd.all("plain", 4) == 0
    assert len(endpoint.since(opened)) == 1, "one probe, and none after it failed"

    clock.move(31.0)
    opened, endpoint.fault = clock(), None
    asking = asyncio.ensure_future(crowd.all("plain", 4))
    await asyncio.sleep(0.7)
    assert len(endpoint.since(opened)) == 1, "one probe while it is not answered"
    assert await asking >= 1
    endpoint.takes_s = 0.0
    assert await crowd.all("plain") == WORKERS
