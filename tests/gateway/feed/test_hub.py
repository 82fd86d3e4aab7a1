"""The hub on a real broker."""

import asyncio
import json
import random

import pytest

from workers.gateway.feed.hub import FeedFull, Limits
from workers.runtime.topology import live_subject

TENANT = "acme"
READERS = 200


async def test_two_hundred_readers_that_are_cut_off_again_and_again_see_each_fact_once_and_in_order(stand, browser):
    await stand.new_hub(Limits(kept=64, warm=16, page=20))
    runs = [f"r{number}" for number in range(4)]
    for run in runs:
        await stand.say(run, *(f"early{number}" for number in range(30)))
    browsers = [(runs[number % 4], browser()) for number in range(READERS)]
    reading = [stand.read(*one) for one in browsers]
    rng = random.Random(1)
    for turn in range(20):
        for run in runs:
            await stand.say(run, *(f"t{turn}x{number}" for number in range(5)))
        for number in rng.sample(range(READERS), 40):
            reading[number].cancel()
            reading[number] = stand.read(*browsers[number])
    wanted = {run: await stand.sequences(run) for run in runs}
    await stand.until(lambda: all(len(one.ids) >= len(wanted[run]) for run, one in browsers), "all read all")
    assert all(one.ids == wanted[run] for run, one in browsers)
    assert all(len(wanted[run]) == 130 for run in runs)


async def test_facts_that_are_published_while_readers_join_are_neither_missed_nor_doubled(stand, browser):
    await stand.new_hub(Limits(kept=8, warm=0, page=7))

    async def publish() -> None:
        for number in range(300):
            await stand.say("r1", f"t{number}")

    publishing = asyncio.create_task(publish())
    browsers = []
    while not publishing.done():
        if len(browsers) < 40:
            browsers.append(browser())
            stand.read("r1", browsers[-1])
        await asyncio.sleep(0.01)
    await publishing
    wanted = await stand.sequences("r1")
    await stand.until(lambda: all(len(one.ids) >= 300 for one in browsers), "all read all")
    assert all(one.ids == wanted for one in browsers) and len(browsers) > 10


@pytest.mark.parametrize("quiet", [True, False])
async def test_readers_go_on_past_a_broker_that_is_killed_and_comes_back(stand, browser, quiet):
    await stand.say("r1", "before")
    if quiet:  # nothing has come to this hub as the broker dies
        await stand.new_hub(Limits(warm=0))
    browsers = [browser() for _ in range(50)]
    for one in browsers:
        stand.read("r1", one)
    await stand.until(lambda: all(one.ids for one in browsers), "all see the first fact")
    for turn in range(2):
        publishing = asyncio.create_task(stand.say("r1", *(f"t{turn}x{number}" for number in range(50))))
        await asyncio.sleep(0)
        stand.server.kill()
        late = browser()
        browsers.append(late)
        stand.read("r1", late)
        await stand.server.start()
        await publishing
    wanted = await stand.sequences("r1")
    await stand.until(lambda: all(len(one.ids) >= 101 for one in browsers), "all read all")
    assert all(one.ids == wanted for one in browsers)
    assert stand.hub.upto == wanted[-1]


async def test_a_slow_reader_holds_up_nobody_and_misses_nothing(stand, browser):
    await stand.new_hub(Limits(kept=16, warm=0, page=10))
    slow, quick = browser(), browser()
    stand.read("r1", slow, slow_s=0.05)
    stand.read("r1", quick)
    await stand.say("r1", *(f"t{number}" for number in range(400)))
    wanted = await stand.sequences("r1")
    await stand.until(lambda: quick.ids == wanted, "the quick one has all")
    assert len(slow.ids) < len(wanted)
    await stand.until(lambda: slow.ids == wanted, "the slow one has all")


async def test_a_reader_that_stalls_is_let_go_and_comes_back_to_where_it_was(stand, browser):
    await stand.new_hub(Limits(patience_s=0.05))
    one = browser()
    await stand.say("r1", "t1")
    stalled = stand.read("r1", one, slow_s=0.2)
    await stand.say("r1", "t2", "t3")
    await asyncio.wait_for(stalled, 10)
    assert one.names[-1] == "reconnect" and json.loads(one.events[-1][1]) == {"reason": "slow"}
    assert stand.hub.readers == 0
    stand.read("r1", one)
    wanted = await stand.sequences("r1")
    await stand.until(lambda: one.ids == wanted, "it has all")


async def test_a_gateway_that_stops_tells_its_readers_to_come_back_and_another_goes_on_with_them(stand, browser):
    await stand.say("r1", "t1")
    browsers = [browser() for _ in range(20)]
    first = [stand.read("r1", one) for one in browsers]
    await stand.until(lambda: all(one.ids for one in browsers), "all have begun")
    await stand.new_hub(Limits())
    await asyncio.wait_for(asyncio.gather(*first), 10)
    assert {one.names[-1] for one in browsers} == {"reconnect"}
    assert len({one.retry_ms for one in browsers}) == 20
    await stand.say("r1", "t2")
    for one in browsers:
        stand.read("r1", one)
    await stand.until(lambda: all(len(one.ids) == 2 for one in browsers), "all have both")


async def test_live_output_of_the_run_comes_between_the_facts_and_only_while_somebody_reads(stand, browser):
    one, other = browser(), browser()
    stand.read("r1", one)
    stand.read("r2", other)
    await stand.say("r1", "t1")
    await stand.until(lambda: one.ids, "the first fact")
    await stand.bus.nc.publish(live_subject(stand.settings, TENANT, "r1", "t2"), b'{"state": "saying", "text": "so"}')
    await stand.bus.tell_over(TENANT, "r1")
    await stand.until(lambda: "live" in one.names, "the live piece")
    await stand.say("r1", "t2")
    await stand.until(lambda: len(one.ids) == 2, "the second fact")
    assert one.names == ["result", "live", "result"]
    assert json.loads(one.events[1][1]) == {"task": "t2", "said": {"state": "saying", "text": "so"}}
    assert one.events[1][2] == one.events[0][2] and other.events == []
    for task in stand.reading:
        task.cancel()
    await asyncio.gather(*stand.reading, return_exceptions=True)
    assert stand.hub.readers == 0 and stand.hub._heard == {}


async def test_facts_larger_than_a_page_and_what_is_no_fact_are_passed(stand, browser):
    await stand.new_hub(Limits(kept=1, warm=0, page=10, page_bytes=2_000))
    await stand.say("r1", "t1")
    await stand.say("r1", "large1", "large2", output="x" * 15_000)
    await stand.bus.publisher.publish("flotilla.acme.r1.no.such.noun", b"{}")
    await stand.bus.publisher.publish("flotilla.acme.r1.result.odd", b"+ACK")
    await stand.say("r1", "t3")
    one = browser()
    stand.read("r1", one)
    stored = await stand.sequences("r1")
    await stand.until(lambda: len(one.ids) == 5, "all five")
    assert one.ids == [sequence for number, sequence in enumerate(stored) if number != 3]
    assert "spoiled" in one.events[3][1]


async def test_a_quiet_connection_shows_that_it_stands(stand, browser):
    await stand.new_hub(Limits(heartbeat_s=0.05))
    one = browser()
    stand.read("r1", one)
    await stand.until(lambda: one.comments >= 3, "three heartbeats")
    assert one.events == []


async def test_one_reader_too_many_is_sent_away(stand, browser):
    await stand.new_hub(Limits(readers=1))
    async with stand.hub.join(TENANT, "r1"):
        with pytest.raises(FeedFull, match="no more"):
            async with stand.hub.join(TENANT, "r1"):
                raise AssertionError("it was let in")
    async with stand.hub.join(TENANT, "r1"):
        assert stand.hub.readers == 1
