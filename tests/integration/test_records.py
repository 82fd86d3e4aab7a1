"""Shared records on a real broker: no change is lost and none applied twice, whoever else writes and whatever dies."""

import asyncio
import json
import random
import resource
import threading
import time
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from workers.llm.records import RecordsUnavailable
from workers.runtime import topology
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.record_versions import MOST_WRITERS, NOTHING
from workers.runtime.settings import Settings
from workers.runtime.topology import BUDGETS, MODELS

CONNECTIONS = 4


def plus(amount=1):
    """Adds to the number that a record holds; the result is the sum."""

    def change(content):
        total = int(content or b"0") + amount
        return str(total).encode(), total

    return change


def nothing(content):
    """Looks only."""
    return None, content


def named(name):
    """Adds a name to the list that a record holds."""

    def change(content):
        names = [*json.loads(content or b"[]"), name]
        return json.dumps(names).encode(), len(names)

    return change


@pytest_asyncio.fixture
async def rivals(ward):
    """The same records over several connections, as several processes have them."""
    async with AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(connect(ward.settings, "test")) for _ in range(CONNECTIONS)]
        yield [bus.records(BUDGETS) for bus in buses]


@pytest.fixture
def mine(ward):
    return ward.bus.records(BUDGETS)


async def commits(ward):
    """How many writes the bucket has stored."""
    return (await ward.bus.js.stream_info("KV_budgets")).state.last_seq


async def test_a_change_returns_its_result_and_is_read_by_others(mine, rivals):
    assert await mine.read("run.acme.r1") is None
    assert await mine.change("run.acme.r1", plus(5)) == 5
    assert [await other.read("run.acme.r1") for other in rivals] == [b"5"] * CONNECTIONS
    assert await rivals[0].change("run.acme.r1", plus(2)) == 7
    assert await mine.change("run.acme.r1", nothing) == b"7", "a change that leaves it be has seen what others wrote"


async def test_a_change_that_returns_no_content_writes_nothing(ward, mine):
    assert await mine.change("a", nothing) is None
    await mine.change("a", plus())
    before = await commits(ward)
    assert await asyncio.gather(*(mine.change("a", nothing) for _ in range(10))) == [b"1"] * 10
    assert await commits(ward) == before


async def test_changes_that_wait_together_are_one_write_and_keep_their_order(ward, mine):
    before = await commits(ward)
    results = await asyncio.gather(*(mine.change("a", plus()) for _ in range(1_000)))
    assert results == list(range(1, 1_001))
    assert await commits(ward) - before <= 2


async def test_a_change_that_breaks_is_its_own_askers_affair(mine):
    def broken(content):
        raise ValueError("no")

    results = await asyncio.gather(*(mine.change("a", one) for one in (plus(), broken, plus())), return_exceptions=True)
    assert [results[0], results[2]] == [1, 2] and isinstance(results[1], ValueError)


async def test_a_cancelled_change_does_not_hold_up_the_others(mine):
    asking = [asyncio.ensure_future(mine.change("a", plus())) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert (await asyncio.gather(*asking, return_exceptions=True))[1:] in ([1, 2], [2, 3])
    assert await mine.change("a", plus()) in (3, 4)


async def test_a_key_that_is_none_is_refused(mine):
    for key in ("", ".a", "a.", "a..b", "a b", "a*", ">", "ü"):
        with pytest.raises(ValueError, match="is no key of a record"):
            await mine.change(key, plus())
        with pytest.raises(ValueError, match="is no key of a record"):
            await mine.read(key)


async def test_increments_over_several_connections_end_exact(rivals):
    async def count(records):
        return [await records.change("a", plus()) for _ in range(10)]

    found = await asyncio.gather(*(count(records) for records in rivals for _ in range(50)))
    results = sorted(result for one in found for result in one)
    assert results == list(range(1, CONNECTIONS * 500 + 1)), "each sum was somebody's once"
    assert await rivals[0].read("a") == str(CONNECTIONS * 500).encode()


async def test_many_keys_do_not_wait_for_each_other(rivals):
    keys = [f"k{n}" for n in range(50)]
    await asyncio.gather(*(records.change(key, plus()) for key in keys for records in rivals for _ in range(4)))
    assert {await rivals[0].read(key) for key in keys} == {str(4 * CONNECTIONS).encode()}


async def test_a_storm_of_rivals_that_pause_ends_and_nobody_starves(rivals):
    waits = []

    async def count(records):
        for _ in range(8):
            await asyncio.sleep(random.uniform(0, 0.01))
            asked = time.monotonic()
            await records.change("a", plus())
            waits.append(time.monotonic() - asked)

    await asyncio.gather(*(count(records) for records in rivals for _ in range(16)))
    assert await rivals[0].read("a") == str(8 * 16 * CONNECTIONS).encode()
    assert max(waits) < 5


async def test_a_record_that_is_gone_begins_anew(ward, mine, rivals):
    await mine.change("a", plus(7))
    await ward.bus.js.purge_stream("KV_budgets")
    assert await mine.change("a", plus()) == 1
    kv = await ward.bus.js.key_value(BUDGETS)
    await kv.delete("a")
    assert await mine.read("a") is None
    assert await rivals[0].change("a", plus()) == 1
    assert await mine.change("a", plus()) == 2


async def test_who_watches_sees_each_new_content_in_order_and_none_that_was_refused(ward, rivals):
    seen = {n: [] for n in range(2)}
    ends = [rivals[n].watch("a", lambda content, n=n: seen[n].append(int(content))) for n in range(2)]
    assert await rivals[0].read("a") is None

    async def count(records):
        for _ in range(10):
            await records.change("a", plus())

    await asyncio.gather(*(count(records) for records in rivals for _ in range(5)), rivals[0].change("b", plus()))

    async def all_heard():
        return all(heard and heard[-1] == 10 * 5 * CONNECTIONS for heard in seen.values())

    await ward.until(all_heard, "the last content")
    for heard in seen.values():
        assert heard == sorted(set(heard))
    for end in ends:
        await end()
        await end()
    await rivals[3].change("a", plus())
    await ward.bus.nc.flush()
    assert seen[0][-1] == 10 * 5 * CONNECTIONS


async def test_a_watcher_that_breaks_does_not_break_the_change(mine):
    def breaks(content):
        raise ValueError("no")

    seen = []
    mine.watch("a", breaks)
    mine.watch("a", seen.append)
    assert await mine.change("a", plus()) == 1
    assert seen == [b"1"]


async def test_a_write_whose_acknowledgement_is_lost_is_not_applied_again(mine, rivals):
    """The broker stores it, others write on top of it, and only then it looks like a conflict."""
    real = mine._publisher.publish
    lost = []

    async def lossy(subject, data, headers):
        said = await real(subject, data, headers)
        if lost:
            return said
        lost.append(said)
        await asyncio.gather(*(other.change("a", named(f"other{n}")) for n, other in enumerate(rivals)))
        return await real(subject, data, headers)  # as the publisher does after its time-out

    mine._publisher = type("Lossy", (), {"publish": staticmethod(lossy)})()
    assert await mine.change("a", named("mine")) == 1
    names = json.loads(await mine.read("a"))
    assert sorted(names) == ["mine", *(f"other{n}" for n in range(CONNECTIONS))]


def test_a_version_knows_its_last_writers():
    version = NOTHING
    for n in range(1, MOST_WRITERS + 10):
        version = version._replace(writers=version.signed(f"w{n}", n))
        version = version._replace(writers=version.signed("me", n))
    assert len(version.writers) == MOST_WRITERS
    assert (version.last_of("me"), version.last_of(f"w{MOST_WRITERS + 9}")) == (MOST_WRITERS + 9,) * 2
    assert version.last_of("w1") == version.last_of("nobody") == 0


async def test_nothing_acknowledged_is_lost_and_nothing_applied_twice_when_the_broker_is_killed(tmp_path):
    async with EmbeddedNats(tmp_path / "nats") as server, AsyncExitStack() as stack:
        settings = Settings(nats_url=server.url, publish_timeout_s=40.0, log_level="error")
        buses = [await stack.enter_async_context(connect(settings, "test")) for _ in range(CONNECTIONS)]
        await topology.provision(buses[0].js, settings, [])
        done, stopped, acknowledged = [], asyncio.Event(), asyncio.Queue()

        async def count(who, records):
            for n in range(2_000):
                if stopped.is_set():
                    return
                await records.change("a", named(f"{who}.{n}"))
                done.append(f"{who}.{n}")
                acknowledged.put_nowait(n)
                await asyncio.sleep(random.uniform(0, 0.02))

        async def further(changes):
            async with asyncio.timeout(20):
                for _ in range(changes):
                    await acknowledged.get()

        counting = asyncio.gather(
            *(count(f"{c}.{t}", bus.records(BUDGETS)) for c, bus in enumerate(buses) for t in range(8))
        )
        try:
            for _ in range(2):
                await further(60)
                server.kill()
                await asyncio.sleep(0.3)
                await server.start()
            await further(60)
        finally:
            stopped.set()
        await asyncio.wait_for(counting, 60)
        names = json.loads(await buses[0].records(BUDGETS).read("a"))
        assert len(names) == len(set(names)), "nothing was applied twice"
        assert sorted(names) == sorted(done), "nothing that was acknowledged is missing"


async def test_without_a_broker_it_gives_up_within_the_patience(ward):
    settings = ward.settings.model_copy(update={"publish_timeout_s": 1.0})
    async with connect(settings, "test") as bus:
        records = bus.records(BUDGETS)
        await records.change("a", plus())
        ward.server.kill()
        asked = time.monotonic()
        for asking in (records.change("a", plus()), records.read("a"), records.change("b", plus())):
            with pytest.raises(RecordsUnavailable, match=r"of bucket budgets: .*is the broker up and provisioned"):
                await asking
        assert time.monotonic() - asked < 6


async def test_a_process_ends_though_what_it_cuts_short_wants_to_put_its_record_right(ward):
    """A loop that closes cancels each task once, those that work off changes too; more is asked behind shields."""
    asked = []

    async def put_right(records):
        try:
            await records.change("a", plus())
        finally:
            asked.append("to put it right")
            await asyncio.shield(records.change("a", plus(-1)))

    async def process():
        async with connect(ward.settings, "test") as bus:
            ward.server.kill()
            cut_short = [asyncio.create_task(put_right(bus.records(BUDGETS))) for _ in range(3)]
            await asyncio.sleep(0.2)
        assert not any(one.done() for one in cut_short)

    ending = threading.Thread(target=lambda: asyncio.run(process()), daemon=True)
    ending.start()
    await asyncio.to_thread(ending.join, 10)
    assert len(asked) == 3 and not ending.is_alive()


async def test_records_that_are_not_provisioned_are_unavailable(broker):
    async with connect(Settings(nats_url=broker.url, publish_timeout_s=0.5), "test") as bus:
        with pytest.raises(RecordsUnavailable, match="flotilla provision"):
            await bus.records("elsewhere").change("a", plus())


async def test_buckets_that_stand_are_brought_to_what_is_wanted_and_keep_their_records(ward):
    await ward.bus.records(BUDGETS).change("a", plus())
    for bucket in (BUDGETS, MODELS):
        found = (await ward.bus.js.stream_info(f"KV_{bucket}")).config
        old = found.evolve(max_age=0, republish=None, allow_direct=False, max_msgs_per_subject=5)
        await ward.bus.js.update_stream(old)
    await ward.provision(log_max_age_days=3)
    for bucket, days in ((BUDGETS, 3), (MODELS, 1)):
        config = (await ward.bus.js.stream_info(f"KV_{bucket}")).config
        assert (config.max_age, config.max_msgs_per_subject, config.allow_direct) == (days * 86_400, 1, True)
        assert config.republish.dest == f"flotilla-records.{bucket}.>"
    assert await ward.bus.records(BUDGETS).read("a") == b"1"


async def test_what_a_change_takes(ward, rivals):
    """Figures for whoever runs it with `-s`; the bounds are an order of magnitude above what was measured."""

    async def measured(name, workers, each):
        waits = []

        async def work(records):
            for _ in range(each):
                asked = time.perf_counter()
                await records.change(name, plus())
                waits.append(time.perf_counter() - asked)

        before, began, cpu = await commits(ward), time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(work(records) for records in workers))
        now = resource.getrusage(resource.RUSAGE_SELF)
        took, stored = time.perf_counter() - began, await commits(ward) - before
        cpu_us = (now.ru_utime + now.ru_stime - cpu.ru_utime - cpu.ru_stime) / len(waits) * 1e6
        waits.sort()
        print(
            f"{name}: {len(waits)} changes in {stored} writes, {len(waits) / took:.0f}/s, client {cpu_us:.0f} µs, "
            f"p50 {waits[len(waits) // 2] * 1e3:.2f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:.1f} ms"
        )
        return cpu_us, waits[len(waits) // 2]

    mine = ward.bus.records(BUDGETS)
    alone_us, alone_s = await measured("alone", [mine], 500)
    await measured("together", [mine] * 16, 200)
    contended_us, _ = await measured("contended", [records for records in rivals for _ in range(16)], 50)
    assert alone_us < 3_000 and alone_s < 0.05 and contended_us < 3_000
