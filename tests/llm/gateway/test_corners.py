"""Where the gateway could lose money, an answer or its patience: zombies, cancels, records that are away."""

import asyncio
from dataclasses import replace

import pytest

from contracts.v1.budgets import Budget
from workers.llm.calls import Parked
from workers.llm.failures import CallFailed
from workers.llm.ledger import run_key
from workers.llm.model import ModelRequest, ModelUnavailable, PromptMessage, Usage
from workers.llm.purse import Amount, Hold, Purse, raised
from workers.llm.records import MemoryRecords, RecordsUnavailable
from workers.llm.targets import Hedge, Limits

EPOCH = 1_800_000_000.0
QUESTION = ModelRequest(
    messages=(PromptMessage(role="user", text="design it"),), reply_schema=None, max_output_tokens=1_000
)
MUCH = Usage(1_000, 1_000)


def failed(kind, retry_after_s=None):
    return CallFailed(kind, "so it is", retry_after_s)


def purse_of_run(world) -> Purse:
    return Purse.decode(world.budgets.kept.get(run_key("acme", "r1")))


class Away(MemoryRecords):
    """Records that can't be reached while `is_away`; `slow_s` is what each change takes."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away, self.slow_s, self.watchers = False, 0.0, 0

    async def change(self, key, change):
        await asyncio.sleep(self.slow_s)
        if self.is_away:
            raise RecordsUnavailable("away")
        return await super().change(key, change)

    async def read(self, key):
        if self.is_away:
            raise RecordsUnavailable("away")
        return await super().read(key)

    def watch(self, key, seen):
        self.watchers += 1
        return super().watch(key, seen)


async def cancelled(going: "asyncio.Task[object]") -> None:
    going.cancel()
    await asyncio.wait([going])


def test_a_zombie_settles_its_own_reservation_and_not_that_of_who_took_over(world, says):
    """The lease ran out while it asked a cheap target; the next one asks a dear target under the same name."""
    world.target("cheap", says(first_s=20.0), price=0.1)
    world.target("dear", says(first_s=30.0, usage=MUCH), price=100.0)
    world.route("cheap", "dear")
    zombie, other, budget = world.gateway(), world.gateway(), Budget(usd=1.0)

    async def both() -> None:
        first = asyncio.create_task(zombie.complete(world.call(asked="cheap", budget=budget), QUESTION))
        await asyncio.sleep(1.0)
        second = asyncio.create_task(other.complete(world.call(asked="dear", budget=budget), QUESTION))
        await first
        assert purse_of_run(world).held.nanos >= 100_000_000, "the call under way is still reserved"
        await second

    world.run(both())
    purse = purse_of_run(world)
    assert purse.holds == () and purse.spent == Amount(200_000_000, 2_000)


def test_a_zombie_whose_call_costs_nothing_frees_nothing_of_who_took_over(world, says):
    world.target("cheap", says(first_s=20.0), price=0.1)
    world.target("dear", says(first_s=30.0, usage=MUCH), price=100.0)
    world.providers["cheap"].script[:] = [says("", first_s=20.0, breaks=failed("server_error"))]
    world.route("cheap", "dear")
    zombie, other, budget = world.gateway(), world.gateway(), Budget(usd=1.0)

    async def both() -> None:
        first = asyncio.create_task(zombie.complete(world.call(asked="cheap", budget=budget, within_s=20.4), QUESTION))
        await asyncio.sleep(1.0)
        second = asyncio.create_task(other.complete(world.call(asked="dear", budget=budget), QUESTION))
        with pytest.raises(Parked):
            await first
        await second

    world.run(both())
    assert purse_of_run(world).spent == Amount(200_000_000, 2_000)


def test_a_reservation_that_is_broken_off_frees_nothing_of_a_dead_worker(world):
    """What the dead worker's call has cost is not known yet, and nobody may spend it a second time."""
    world.target("a")
    world.route("a")
    budget = Budget(usd=1.0)
    left = Hold("acme/r1/llm.design.1.1", Amount(400_000_000, 9_000), EPOCH - 60.0)
    world.budgets = slow = Away()
    slow.kept[run_key("acme", "r1")] = replace(Purse(), holds=(left,)).encode()
    slow.slow_s = 5.0
    gateway = world.gateway()

    async def cut_short() -> None:
        going = asyncio.create_task(gateway.complete(world.call(budget=budget), QUESTION))
        await asyncio.sleep(1.0)
        await cancelled(going)
        await asyncio.sleep(20.0)

    world.run(cut_short())
    purse = purse_of_run(world)
    assert purse.held.nanos + purse.written_off.nanos >= 400_000_000


def test_retry_after_is_kept_when_the_records_are_away(world, says):
    world.models = records = Away()
    a = world.target("a", failed("rate_limited", 3.25), says())
    world.route("a")
    gateway = world.gateway()
    world.run(gateway._accounts.now(world.targets["a"].account))
    records.is_away = True
    with pytest.raises(RecordsUnavailable):
        world.run(gateway.complete(world.call(), QUESTION))
    records.is_away = False
    assert world.run(gateway.complete(world.call(), QUESTION)).target == "a"
    assert len(a.calls) == 2 and a.calls[1] >= 3.25


def test_retry_after_holds_for_other_calls_of_the_worker_before_the_fleet_has_heard_of_it(world, says):
    world.models = records = Away()
    a = world.target("a", failed("rate_limited", 3.0), says())
    world.route("a")
    gateway = world.gateway()
    world.run(gateway._accounts.now(world.targets["a"].account))
    records.slow_s = 0.5

    async def both() -> None:
        first = asyncio.create_task(gateway.complete(world.call(1), QUESTION))
        await asyncio.sleep(0.1)
        await asyncio.gather(first, gateway.complete(world.call(2), QUESTION))

    world.run(both())
    assert len(a.calls) == 3 and min(a.calls[1:]) >= 3.0


def test_an_account_is_watched_once_however_often_its_record_could_not_be_read(world):
    world.models = records = Away()
    world.target("a")
    world.route("a")
    gateway = world.gateway()
    records.is_away = True
    for n in range(5):
        with pytest.raises(RecordsUnavailable):
            world.run(gateway.complete(world.call(n), QUESTION))
    records.is_away = False
    world.run(gateway.complete(world.call(9), QUESTION))
    assert records.watchers == 1


def test_a_budget_that_others_have_raised_is_not_waited_for(world, ask):
    world.target("a", price=100.0)
    world.route("a")
    budget = Budget(usd=0.01)
    with pytest.raises(Parked, match="waiting for budget"):
        ask(budget=budget)
    more = raised(purse_of_run(world) if world.budgets.kept else Purse(), "more", Amount(10**9, 0))
    world.budgets.kept[run_key("acme", "r1")] = more.encode()
    world.raises.append(("more", Amount(10**9, 0)))
    assert ask(budget=budget).target == "a"


class Busy(MemoryRecords):
    """A budget that others change all the time, without leaving any of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, key):
        self.reads += 1
        hold = Hold(f"acme/r1/llm.other.1.{self.reads % 900 + 1}", Amount(10_000_000, 1), EPOCH + 1e6)
        return Purse(holds=(hold,)).encode()


def test_a_budget_that_others_change_all_the_time_is_waited_for_and_not_asked_for_again_and_again(world, ask):
    world.budgets = busy = Busy()
    world.target("a", price=100.0)
    world.route("a")
    with pytest.raises(Parked, match="waiting for budget"):
        ask(budget=Budget(usd=0.01))
    assert busy.reads < 40


def test_hedging_keeps_to_its_share_when_many_calls_are_late_at_once(world, says):
    world.models = records = Away()
    a, b = world.target("a", limits=Limits(requests_per_minute=100_000)), world.target("b")
    world.route("a", "b", hedge=Hedge(after_s=5.0, share=0.05))
    gateway = world.gateway()

    async def many(first: int, calls: int) -> None:
        await asyncio.gather(*(gateway.complete(world.call(first + n), QUESTION) for n in range(calls)))

    world.run(many(0, 40))
    records.slow_s = 0.1
    a.script[:] = [says(first_s=50.0)]
    world.run(many(100, 40))
    assert len(a.calls) == 80 and len(b.calls) == 4


def hedged(world, ask):
    """Two targets after so many calls that one more may have a second call, and the records that this has to change."""
    world.models = records = Away()
    a, b = world.target("a"), world.target("b", limits=Limits(requests_per_minute=10))
    world.route("a", "b", hedge=Hedge(after_s=5.0))
    for n in range(30):
        ask(n)
    return a, b, records


def test_a_second_call_that_can_not_be_prepared_leaves_the_first_alone(world, says, ask):
    a, b, records = hedged(world, ask)
    a.script[:] = [says(first_s=20.0)]
    records.is_away = True
    assert ask(31).target == "a"
    assert (len(a.calls), len(b.calls)) == (31, 0)


def test_a_second_call_is_not_made_when_the_first_has_spoken_meanwhile(world, says, ask):
    a, b, records = hedged(world, ask)
    a.script[:] = [says(first_s=5.5)]
    records.slow_s = 1.0
    said = ask(31, budget=Budget(usd=1.0))
    purse = purse_of_run(world)
    assert said.target == "a" and said.lost == () and b.calls == []
    assert purse.holds == () and purse.written_off == Amount(0, 0)


def test_half_a_character_that_nobody_counted_is_an_answer_all_the_same(world, says, ask):
    a = world.target("a", says("\ud83d\ude00", usage=None))
    world.route("a")
    assert ask(budget=Budget(usd=1.0)).target == "a"
    assert len(a.calls) == 1


def test_what_a_provider_says_of_its_end_can_be_written_down(world, says, ask):
    world.target("a", says(stop="sto\ud83d"))
    world.route("a")
    assert ask().finish == "sto?"


def test_reasons_can_be_written_down_whatever_the_provider_said(world, ask):
    world.target("a", CallFailed("rate_limited", "half \ud83d a character", 50.0))
    world.route("a")
    with pytest.raises(Parked) as parked:
        ask()
    assert "half" in parked.value.reason and parked.value.reason.encode()


def test_a_budget_that_can_not_be_read_is_waited_for_and_named(world, ask):
    a = world.target("a")
    world.route("a")
    key = run_key("acme", "r1")
    world.budgets.kept[key] = b"\xff nonsense"
    with pytest.raises(Parked, match=rf"waiting for budget: .*{key}.*can't be read") as parked:
        ask(budget=Budget(usd=1.0))
    assert parked.value.what == "budget" and a.calls == []
    del world.budgets.kept[key]
    assert ask(budget=Budget(usd=1.0)).target == "a"


def test_an_answer_is_kept_when_its_budget_has_become_unreadable(world, says):
    world.target("a", says("here", first_s=5.0))
    world.route("a")
    gateway = world.gateway()

    async def spoiled_meanwhile() -> str:
        going = asyncio.create_task(gateway.complete(world.call(budget=Budget(usd=1.0)), QUESTION))
        await asyncio.sleep(1.0)
        world.budgets.kept[run_key("acme", "r1")] = b"nonsense"
        return (await going).text

    assert world.run(spoiled_meanwhile()) == "here"


def test_a_call_that_is_cancelled_at_any_moment_leaves_nothing_reserved_and_nothing_unpaid(world, says):
    world.models, world.budgets = models, budgets = Away(), Away()
    a = world.target("a", says(first_s=1.0, pause_s=1.0), limits=Limits(requests_per_minute=100_000))
    world.target("b", says(first_s=1.0), limits=Limits(requests_per_minute=100_000))
    world.route("a", "b", hedge=Hedge(after_s=0.5))
    models.slow_s, budgets.slow_s = 0.07, 0.11
    gateway = world.gateway()

    async def cut(n: int) -> None:
        name = f"acme/c{n}/llm.t.1.1"
        call = world.call(name=name, budget=Budget(usd=1.0))
        before = len(a.calls)
        going = asyncio.create_task(gateway.complete(call, QUESTION))
        await asyncio.sleep(n * 0.05)
        await cancelled(going)
        await asyncio.sleep(3.0)
        purse = Purse.decode(budgets.kept.get(run_key("acme", f"c{n}")))
        assert purse.holds == (), n
        billed = len(a.calls) > before
        assert billed == (purse.spent.nanos + purse.written_off.nanos > 0), n

    for n in range(60):
        world.run(cut(n))
    assert a.open == 0


def test_a_call_is_not_made_when_reserving_it_took_until_its_deadline(world):
    world.budgets = records = Away()
    a = world.target("a")
    world.route("a")
    records.slow_s = 5.0
    with pytest.raises(ModelUnavailable, match="deadline has passed"):
        world.run(world.gateway().complete(world.call(budget=Budget(usd=1.0), within_s=3.0), QUESTION))
    purse = purse_of_run(world)
    assert a.calls == [] and purse.holds == () and purse.written_off == Amount(0, 0)


def test_a_target_that_our_own_deadline_cut_off_is_not_blamed_for_it(world, says, ask):
    a = world.target("a", says(first_s=20.0))
    world.route("a")
    for n in range(3):
        with pytest.raises(ModelUnavailable, match="deadline"):
            ask(n, within_s=10.0)
    assert ask(9).target == "a"
    assert a.calls == [0.0, 10.0, 20.0, 30.0]


def test_an_answer_is_kept_when_the_clock_was_set_back_meanwhile(world, says):
    world.target("a", says(first_s=1.0))
    world.route("a")
    gateway = world.gateway()
    times = iter([0.0] * 4)
    gateway._now = lambda: EPOCH + next(times, -3_600.0)
    said = world.run(gateway.complete(world.call(), QUESTION))
    assert said.duration_s >= 0.0 and said.first_token_s >= 0.0


def test_targets_that_requests_name_ad_hoc_are_not_remembered_for_ever(world):
    names = [f"t{n}" for n in range(1_200)]
    for name in names:
        world.target(name)
    world.route(names[0])
    gateway = world.gateway()

    async def each_once() -> None:
        for name in [*names, names[0]]:
            await gateway.complete(world.call(asked=name), QUESTION)

    world.run(each_once())
    listened = sum(len(seen) for seen in world.models._seen.values())
    kept = (listened, len(gateway._accounts._known), len(gateway._offers._providers), len(gateway._speeds))
    assert max(kept) <= 1_024
    assert all(len(world.providers[name].calls) == 1 for name in names[1:])


def test_a_probe_that_no_budget_pays_for_is_free_for_others(world, says):
    """The budget's records are away for a moment, just when the only target could be tried again."""
    world.budgets = budgets = Away()
    a = world.target("a", *[failed("server_error")] * 3, says())
    world.route("a")
    gateway = world.gateway()
    with pytest.raises(Parked):
        world.run(gateway.complete(world.call(1, budget=Budget(usd=1.0)), QUESTION))
    world.run(asyncio.sleep(20.0))
    budgets.is_away = True
    with pytest.raises(RecordsUnavailable):
        world.run(gateway.complete(world.call(2, budget=Budget(usd=1.0)), QUESTION))
    budgets.is_away = False
    assert world.run(gateway.complete(world.call(3, budget=Budget(usd=1.0)), QUESTION)).target == "a"
    assert len(a.calls) == 4


def test_a_call_that_is_cancelled_while_it_gives_back_what_it_took_leaves_nothing_reserved(world, says):
    world.models, world.budgets = models, budgets = Away(), Away()
    a = world.target("a", says(first_s=30.0), limits=Limits(requests_per_minute=1))
    world.route("a")
    models.slow_s, budgets.slow_s = 0.2, 0.6
    one, other = world.gateway(), world.gateway()

    async def raced() -> None:
        first = asyncio.create_task(one.complete(world.call(1, budget=Budget(usd=1.0)), QUESTION))
        second = asyncio.create_task(other.complete(world.call(2, budget=Budget(usd=1.0)), QUESTION))
        await asyncio.sleep(0.9)
        await cancelled(second)
        await asyncio.sleep(5.0)
        assert [hold.name for hold in purse_of_run(world).holds] == ["acme/r1/llm.design.1.1"]
        await first

    world.run(raced())
    assert len(a.calls) == 1
