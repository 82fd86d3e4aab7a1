"""What becomes of a call: who is asked, when, how often, and how it ends."""

import asyncio
from dataclasses import replace

import pytest

from contracts.v1.budgets import Budget
from workers.llm.attempt import Patience
from workers.llm.calls import CannotServe, Interrupted, Parked
from workers.llm.failures import CallFailed
from workers.llm.ledger import cap_of, day_key, run_key
from workers.llm.model import ModelRequest, PromptMessage, Usage
from workers.llm.purse import Amount, Hold, Purse
from workers.llm.records import MemoryRecords
from workers.llm.targets import Hedge, Limits

EPOCH = 1_800_000_000.0
QUESTION = ModelRequest(
    messages=(PromptMessage(role="user", text="design it"),), reply_schema=None, max_output_tokens=1_000
)


def failed(kind, retry_after_s=None):
    return CallFailed(kind, "so it is", retry_after_s)


def purse_of_run(world) -> Purse:
    return Purse.decode(world.budgets.kept.get(run_key("acme", "r1")))


def test_an_answer_says_who_gave_it_what_it_took_and_what_it_cost(world, says, ask):
    world.target("a", says("hello world", first_s=2.0, pause_s=1.0, usage=Usage(1_000, 500, 200, 50)))
    world.route("a")
    said = ask()
    assert (said.text, said.target, said.stop, said.finish) == ("hello world", "a", "end", "end")
    assert (said.input_tokens, said.output_tokens, said.cached_input_tokens, said.reasoning_tokens) == (
        1_000,
        500,
        200,
        50,
    )
    assert said.cost_usd == pytest.approx(0.0015)
    assert (said.first_token_s, said.duration_s) == (2.0, 3.0)
    assert said.tries == () and not said.estimated


def test_a_rate_limited_target_is_left_at_once_for_another(world, says, ask):
    a, b = world.target("a", failed("rate_limited", 30.0), says()), world.target("b")
    world.route("a", fallback=("b",))
    said = ask()
    assert (a.calls, b.calls) == ([0.0], [0.0])
    assert said.target == "b" and said.tries == (("a", "rate_limited", "so it is"),)


def test_retry_after_is_never_early(world, says, ask):
    a = world.target("a", failed("rate_limited", 3.25), says())
    world.route("a")
    assert ask().target == "a"
    assert a.calls == [0.0, 3.25]


def test_a_long_retry_after_parks_the_task_until_then(world, says, ask):
    a = world.target("a", failed("rate_limited", 20.0), says())
    world.route("a")
    with pytest.raises(Parked, match="waiting for models: a: cooling") as parked:
        ask()
    assert (parked.value.what, parked.value.delay_s, parked.value.call) == ("models", 20.0, "acme/r1/llm.design.1.1")
    with pytest.raises(Parked):
        ask()
    assert a.calls == [0.0]
    world.run(asyncio.sleep(20.0))
    assert ask().target == "a"


def test_a_wait_beyond_the_deadline_is_not_waited_here(world, says, ask):
    world.target("a", failed("rate_limited", 3.0), says())
    world.route("a")
    with pytest.raises(Parked):
        ask(within_s=2.0)
    assert world.loop.time() == 0.0


@pytest.mark.parametrize("kind", ["server_error", "overloaded", "unreachable", "disconnected"])
def test_a_single_target_is_tried_again_until_its_breaker_opens(world, ask, kind):
    a = world.target("a", failed(kind))
    world.route("a")
    with pytest.raises(Parked):
        ask()
    assert a.calls == [0.0, 0.5, 1.5]


def test_a_dead_target_gets_nothing_but_one_probe_at_a_time(world, says, ask):
    a = world.target("a", failed("server_error"))
    world.route("a")
    others = [world.gateway() for _ in range(5)]

    async def everybody() -> list[object]:
        calls = [other.complete(world.call(n), QUESTION) for n, other in enumerate(others)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with pytest.raises(Parked):
        ask()
    for _ in range(40):
        assert all(isinstance(outcome, Parked) for outcome in world.run(everybody()))
        world.run(asyncio.sleep(1.0))
    assert a.calls == [0.0, 0.5, 1.5, 16.5, 46.5]
    a.script[:] = [says()]
    world.run(asyncio.sleep(60.0))
    outcomes = world.run(everybody())
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) >= 1
    assert all(not isinstance(outcome, Exception) for outcome in world.run(everybody()))


def test_workers_hear_from_each_other_that_a_target_is_down(world, says, ask):
    a, b = world.target("a", failed("denied"), says()), world.target("b")
    world.route("a", fallback=("b",))
    other = world.gateway()
    world.run(other.complete(world.call(9, asked="b"), QUESTION))
    assert ask().target == "b"
    assert world.run(other.complete(world.call(2), QUESTION)).target == "b"
    assert len(a.calls) == 1 and len(b.calls) == 3


def test_a_request_that_is_wrong_is_not_sent_there_again(world, ask):
    a, b = world.target("a", failed("bad_request")), world.target("b", failed("bad_request"))
    world.route("a", "b", policy="cheapest")
    with pytest.raises(CannotServe, match=r"^a: so it is; b: so it is$"):
        ask()
    assert len(a.calls) == len(b.calls) == 1


def test_after_the_first_token_there_is_no_other_target(world, says, ask):
    a, b = world.target("a", says(breaks=failed("interrupted"))), world.target("b")
    world.route("a", fallback=("b",))
    with pytest.raises(Interrupted, match="a: so it is"):
        ask()
    assert (len(a.calls), len(b.calls)) == (1, 0)


def test_a_target_that_says_nothing_is_given_up_and_hung_up_on(world, says, ask):
    world.patience = Patience(first_token_s=10.0)
    a, b = world.target("a", says(first_s=1e6)), world.target("b")
    world.route("a", fallback=("b",))
    said = ask()
    assert (said.target, said.tries[0][1]) == ("b", "timeout")
    assert (b.calls, a.open) == ([10.0], 0)


def test_a_target_that_falls_silent_is_interrupted(world, says, ask):
    world.patience = Patience(idle_s=7.0)
    a = world.target("a", says(pause_s=1e6))
    world.route("a")
    with pytest.raises(Interrupted, match=r"no token for 7 s"):
        ask()
    assert (world.loop.time(), a.open) == (7.0, 0)


def test_slow_tokens_are_waited_for_as_long_as_they_come(world, says, ask):
    world.patience = Patience(idle_s=7.0)
    world.target("a", says("x" * 40, pieces=40, pause_s=6.0))
    world.route("a")
    assert ask().text == "x" * 40


def test_the_deadline_ends_a_call_that_goes_on(world, says, ask):
    world.target("a", says("x" * 40, pieces=40, pause_s=6.0))
    world.route("a")
    with pytest.raises(Interrupted, match="deadline"):
        ask(within_s=60.0)
    assert world.loop.time() == 60.0


def test_targets_that_refused_are_not_asked_and_named_when_nobody_is_left(world, ask):
    a, b = world.target("a"), world.target("b")
    world.route("a", fallback=("b",))
    assert ask(1, without=frozenset({"a"})).target == "b"
    with pytest.raises(CannotServe, match=r"a: is not to be asked.*b: is not to be asked"):
        ask(2, without=frozenset({"a", "b"}))
    assert (len(a.calls), len(b.calls)) == (0, 1)


def test_a_name_that_is_not_configured_can_not_serve(world, ask):
    world.target("a")
    world.route("a")
    with pytest.raises(CannotServe, match="there is no model target 'b'"):
        ask(asked="b")


def test_what_a_call_may_cost_is_reserved_and_what_it_cost_is_spent(world, says, ask):
    a = world.target("a", says(first_s=5.0))
    world.route("a")
    budget, gateway = Budget(usd=1.0), world.gateway()

    async def look() -> tuple[Purse, Purse]:
        going = asyncio.create_task(gateway.complete(world.call(budget=budget), QUESTION))
        await asyncio.sleep(1.0)
        during = purse_of_run(world)
        await going
        return during, purse_of_run(world)

    during, after = world.run(look())
    assert during.held.nanos >= 1_000_000 and during.held.tokens >= 1_110  # 1,000 out at most, 110 in at least
    assert (after.held, after.spent, after.written_off) == (Amount(0, 0), Amount(110_000, 110), Amount(0, 0))
    assert len(a.calls) == 1


def test_a_task_that_meets_a_probe_looks_soon_what_became_of_it(world, says):
    world.target("a", *[failed("overloaded")] * 3, says(first_s=10.0), says())
    world.route("a")
    one, two = world.gateway(), world.gateway()

    async def story():
        with pytest.raises(Parked):
            await one.complete(world.call(1), QUESTION)
        await asyncio.sleep(15.0)
        probing = asyncio.create_task(one.complete(world.call(2), QUESTION))
        await asyncio.sleep(1.0)
        with pytest.raises(Parked, match="tried") as parked:
            await two.complete(world.call(3), QUESTION)
        await probing
        return parked.value.delay_s, await two.complete(world.call(3), QUESTION)

    delay_s, said = world.run(story())
    assert delay_s == 5.0 and said.target == "a"


def test_a_budget_that_is_met_parks_the_task_and_a_raise_lets_it_go_on(world, ask):
    a = world.target("a", price=100.0)
    world.route("a")
    budget = Budget(usd=0.01)
    with pytest.raises(Parked, match=r"waiting for budget: .*a call may cost \$0\.1") as parked:
        ask(budget=budget)
    assert (parked.value.what, a.calls) == ("budget", [])
    world.raises.append(("more", Amount(10**9, 0)))
    assert ask(budget=budget).target == "a"
    assert purse_of_run(world).spent.nanos == 110 * 100_000


def test_a_call_that_waits_for_budget_looks_now_and_then_however_often_others_spend(world, ask):
    """Each look finds another record than the one before, and none of them pays."""

    class Busy(MemoryRecords):
        reads = 0

        async def read(self, key):
            self.reads += 1
            held = Purse.decode(await super().read(key), cap_of(budget))
            self.kept[key] = replace(held, spent=held.spent.plus(Amount(1, 1))).encode()
            return self.kept[key]

    world.target("a", price=100.0)
    world.route("a")
    world.budgets, budget = Busy(), Budget(usd=0.3)
    other = Hold("acme/r1/llm.other.1.1", Amount(200_000_000, 2_000), world.now())
    world.budgets.kept[run_key("acme", "r1")] = Purse(cap_of(budget), holds=(other,)).encode()
    world.patience = Patience(in_place_s=3.0)
    with pytest.raises(Parked, match="waiting for budget"):
        ask(budget=budget)
    assert 3 <= world.budgets.reads <= 6


def test_a_raise_that_is_known_is_not_written_again(world, ask):
    world.target("a", price=100.0)
    world.route("a")
    world.raises.append(("more", Amount(10_000_000, 0)))
    budget, key = Budget(usd=0.01), run_key("acme", "r1")
    changed = []
    world.budgets.watch(key, changed.append)
    for n in (1, 2, 3):
        with pytest.raises(Parked, match="waiting for budget"):
            ask(n, budget=budget)
    assert len(changed) == 1 and purse_of_run(world).raises == (("more", Amount(10_000_000, 0)),)


def test_a_day_holds_for_all_runs_of_a_tenant_together(world, ask):
    world.target("a", price=100.0)
    world.route("a")
    world.day = Budget(usd=0.2)
    assert ask(1).target == "a"
    with pytest.raises(Parked, match="waiting for budget"):
        for n in range(2, 40):
            ask(n, name=f"acme/r{n}/llm.design.1.1")
    spent = Purse.decode(world.budgets.kept[day_key("acme", EPOCH)])
    assert spent.spent.nanos + spent.written_off.nanos <= 200_000_000
    assert ask(1, name="other/r1/llm.design.1.1").target == "a"


def test_a_cheaper_target_is_asked_when_the_budget_pays_no_other(world, ask):
    world.target("dear", price=1_000.0)
    world.target("cheap", price=1.0)
    world.route("dear", fallback=("cheap",))
    assert ask(budget=Budget(usd=0.1)).target == "cheap"


def test_without_a_price_a_budget_of_money_refuses_and_one_of_tokens_pays(world, ask):
    world.target("a", price=None)
    world.route("a")
    with pytest.raises(CannotServe, match=r"no price known for a; give it a `price` in models.yaml"):
        ask(budget=Budget(usd=5.0))
    said = ask(2, name="acme/r2/llm.design.1.1", budget=Budget(tokens=10_000))
    assert said.cost_usd is None
    assert Purse.decode(world.budgets.kept[run_key("acme", "r2")]).spent == Amount(0, 110)


@pytest.mark.parametrize(
    ("kind", "written_off"),
    [("server_error", False), ("rate_limited", False), ("timeout", True), ("disconnected", True)],
)
def test_a_failed_call_is_written_off_where_it_may_be_billed_and_costs_nothing_elsewhere(
    world, says, ask, kind, written_off
):
    world.target("a", failed(kind), says())
    world.route("a")
    ask(budget=Budget(usd=1.0))
    purse = purse_of_run(world)
    assert purse.held == Amount(0, 0) and purse.spent == Amount(110_000, 110)
    assert (purse.written_off.nanos > 0) == written_off


def test_a_call_that_is_cancelled_is_hung_up_on_and_written_off(world, says):
    a = world.target("a", says(first_s=100.0))
    world.route("a")
    gateway = world.gateway()

    async def cancelled() -> None:
        going = asyncio.create_task(gateway.complete(world.call(budget=Budget(usd=1.0)), QUESTION))
        await asyncio.sleep(1.0)
        going.cancel()
        await asyncio.wait([going])

    world.run(cancelled())
    purse = purse_of_run(world)
    assert (a.open, purse.held) == (0, Amount(0, 0)) and purse.written_off.nanos > 1_000_000


def test_a_call_that_a_dead_worker_left_behind_is_written_off_when_it_is_made_again(world, says):
    world.target("a", says(first_s=100.0), says())
    world.route("a")
    budget = Budget(usd=1.0)
    dead, other = world.gateway(), world.gateway()

    async def killed() -> None:
        going = asyncio.create_task(dead.complete(world.call(budget=budget), QUESTION))
        await asyncio.sleep(1.0)
        left = dict(world.budgets.kept)
        going.cancel()
        await asyncio.wait([going])
        world.budgets.kept.update(left)

    world.run(killed())
    held = purse_of_run(world).held
    world.run(other.complete(world.call(budget=budget), QUESTION))
    purse = purse_of_run(world)
    assert (purse.held, purse.written_off, purse.spent) == (Amount(0, 0), held, Amount(110_000, 110))


def test_what_a_dead_worker_left_behind_is_settled_by_whoever_finds_its_entry(world, says, ask):
    world.target("a", price=100.0)
    world.route("a")
    budget = Budget(usd=1.0)
    key = run_key("acme", "r1")
    ask(1, budget=budget)
    left = Hold("acme/r1/llm.design.1.7", Amount(500_000_000, 9_000), EPOCH)
    world.budgets.kept[key] = replace(purse_of_run(world), spent=Amount(0, 0), holds=(left,)).encode()
    gateway = world.gateway()
    world.run(gateway.paid("acme/r1/llm.design.1.7", 0.25, 4_000, budget))
    world.run(gateway.paid("acme/r1/llm.design.1.7", 0.25, 4_000, budget))
    purse = purse_of_run(world)
    assert (purse.held, purse.spent) == (Amount(0, 0), Amount(250_000_000, 4_000))


def test_an_answer_that_nobody_counted_is_counted_at_most(world, says, ask):
    world.target("a", says("hello", usage=None))
    world.route("a")
    said = ask(budget=Budget(usd=1.0))
    purse = purse_of_run(world)
    assert said.estimated and said.output_tokens == 5 and purse.spent == Amount(0, 0)
    assert purse.written_off.nanos >= said.cost_usd * 10**9 > 0


def test_requests_a_minute_hold_over_all_workers(world, says):
    a = world.target("a", limits=Limits(requests_per_minute=10))
    world.route("a")
    gateways = [world.gateway() for _ in range(4)]

    async def insistent(n: int) -> None:
        while True:
            try:
                await gateways[n % 4].complete(world.call(n, within_s=1e6), QUESTION)
                return
            except Parked as parked:
                await asyncio.sleep(parked.delay_s)

    async def all_of_them() -> None:
        await asyncio.gather(*(insistent(n) for n in range(45)))

    world.run(all_of_them())
    assert len(a.calls) == 45
    assert all(later - first > 60.0 for first, later in zip(a.calls, a.calls[10:], strict=False))
    assert world.loop.time() < 5 * 62


def test_hedging_asks_a_second_target_when_the_first_is_late_and_bills_both(world, says, ask):
    a, b = world.target("a", says(first_s=50.0)), world.target("b", says("b is here", first_s=1.0))
    world.route("a", "b", hedge=Hedge(after_s=5.0))
    for n in range(2, 40):
        a.script[:] = [says()]
        ask(n, budget=Budget(usd=1.0))
    a.script[:] = [says(first_s=50.0)]
    a.calls.clear()
    before = purse_of_run(world)
    said = ask(budget=Budget(usd=1.0))
    purse = purse_of_run(world)
    assert (said.target, said.text) == ("b", "b is here")
    assert [lost.target for lost in said.lost] == ["a"] and said.lost[0].estimated
    assert (len(a.calls), len(b.calls), a.open) == (1, 1, 0)
    assert purse.spent.nanos == before.spent.nanos + 110_000
    assert purse.written_off.nanos == round(said.lost[0].cost_usd * 10**9)


def test_hedging_makes_at_most_its_share_of_extra_calls(world, says, ask):
    a, b = world.target("a", says(first_s=50.0)), world.target("b")
    world.route("a", "b", hedge=Hedge(after_s=5.0, share=0.05))
    for n in range(100):
        ask(n)
    assert len(a.calls) == 100 and len(b.calls) == 5


def test_the_fastest_target_is_learned_and_the_cheapest_is_known(world, says, ask):
    slow, quick = world.target("slow", says(first_s=3.0)), world.target("quick", says(first_s=1.0), price=9.0)
    world.route("slow", "quick", policy="fastest", roles=("architect",))
    world.route("slow", "quick", policy="cheapest")
    for n in range(10):
        ask(n)
    assert (len(slow.calls), len(quick.calls)) == (1, 9)
    assert ask(11, role="reviewer").target == "slow"


def test_live_text_is_heard_as_it_comes(world, says):
    world.target("a", says("hello world", pieces=3))
    world.route("a")
    heard: list[str] = []
    world.run(world.gateway().complete(world.call(), QUESTION, heard.append))
    assert "".join(heard) == "hello world" and len(heard) == 3


def test_a_wait_for_budget_says_whether_the_run_or_its_day_lacks_it(world, ask):
    world.target("a", price=100.0)
    world.route("a")
    world.day = Budget(usd=0.01)
    with pytest.raises(Parked, match=r"of the day's \$0\.01"):
        ask(1, budget=Budget(usd=5.0))
    world.day = None
    with pytest.raises(Parked, match=r"of the run's \$0\.01"):
        world.run(world.gateway().complete(world.call(2, budget=Budget(usd=0.01)), QUESTION))
