"""The log on a real broker: names are accepted once, and reading shows all of it, in order."""

import asyncio
import json
import signal
from datetime import timedelta

import pytest

from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from contracts.v1.tasks import TaskPerformed
from workers.prompting.templates import Prompts
from workers.runtime import bus as bus_module
from workers.runtime import publish, topology
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.errors import BusUnavailable, TooLarge

TENANT = "acme"


def fact(run, n, output=""):
    return TaskPerformed(tenant=TENANT, run=run, task=f"t{n}", output=output)


async def test_a_name_is_accepted_once_and_the_first_content_stays(ward):
    first = await ward.bus.log.say(fact("r1", 1, "first"))
    second = await ward.bus.log.say(fact("r1", 1, "second"))
    assert first.news and first.sequence == 1
    assert not second.news
    assert (await ward.fact("r1", "result.t1")).output == "first"


async def test_a_raw_client_that_repeats_a_name_is_refused_too(ward):
    await ward.say(fact("r1", 1))
    answer = await ward.bus.nc.request("flotilla.acme.r1.result.t1", b"mine", timeout=5)
    assert json.loads(answer.data)["error"]["err_code"] == 10077
    assert (await ward.fact("r1", "result.t1")).output == ""


async def test_six_publishers_that_race_for_300_names_store_each_once(ward):
    async def race(publisher):
        async with connect(ward.settings, f"p{publisher}") as bus:
            return await asyncio.gather(*(bus.log.say(fact("r1", n, str(publisher))) for n in range(300)))

    answers = await asyncio.gather(*(race(publisher) for publisher in range(6)))
    news = [sum(answers[publisher][n].news for publisher in range(6)) for n in range(300)]
    assert news == [1] * 300
    stored = await ward.bus.log.history(TENANT, "r1")
    assert len({fact.subject for fact in stored}) == len(stored) == 300


async def test_history_pages_through_thousands_of_facts_in_order(ward):
    await asyncio.gather(*(ward.bus.log.say(fact("r1", n)) for n in range(2_050)))
    await ward.say(fact("other", 1))
    stored = await ward.bus.log.history(TENANT, "r1")
    assert len(stored) == 2_050
    assert [f.sequence for f in stored] == sorted(f.sequence for f in stored)


async def test_history_of_exactly_one_page_ends(ward):
    await asyncio.gather(*(ward.bus.log.say(fact("r1", n)) for n in range(1_000)))
    assert len(await ward.bus.log.history(TENANT, "r1")) == 1_000


async def test_history_after_a_sequence_shows_only_what_came_later(ward):
    await ward.say(fact("r1", 1), fact("other", 1), fact("r1", 2))
    assert [f.sequence for f in await ward.bus.log.history(TENANT, "r1", 1)] == [3]
    assert await ward.bus.log.history(TENANT, "r1", 3) == []
    assert await ward.bus.log.history(TENANT, "nobody") == []


async def test_the_log_knows_where_a_time_begins(ward):
    await ward.say(
        *(ward.request(f"r{n}", "poet") for n in range(5)), RunClosed(tenant="acme", run="r0", status="failed")
    )
    requested = await ward.bus.log.scan("flotilla.*.*.run.requested")
    wild = "flotilla.*.*.run.requested"
    for n, stored in enumerate(requested):
        assert await ward.bus.log.before(wild, stored.at) == n
    assert await ward.bus.log.before(wild, requested[0].at - timedelta(days=400)) == 0
    assert await ward.bus.log.before(wild, requested[-1].at + timedelta(microseconds=1)) is None
    assert await ward.bus.log.before(wild, requested[-1].at + timedelta(days=1)) is None
    assert await ward.bus.log.before("flotilla.*.*.run.closed", requested[0].at) == 5


async def test_find_gives_the_fact_or_nothing(ward):
    await ward.say(fact("r1", 1))
    found = await ward.bus.log.find("flotilla.acme.r1.result.t1")
    assert (found.sequence, found.subject) == (1, "flotilla.acme.r1.result.t1")
    assert found.at.tzinfo is not None
    assert await ward.bus.log.find("flotilla.acme.r1.result.t2") is None


async def test_follow_shows_history_then_news_in_order_without_duplicates(ward):
    for n in range(20):
        await ward.say(fact("r1", n))
    seen = []

    async def watch():
        async for stored in ward.bus.log.follow(TENANT, "r1", 5):
            seen.append(stored.subject.rsplit(".", 1)[1])
            if seen[-1] == "t39":
                return

    watching = asyncio.create_task(watch())
    for n in range(20, 40):
        await ward.say(fact("other", n), fact("r1", n))
    await asyncio.wait_for(watching, 10)
    assert seen == [f"t{n}" for n in range(5, 40)]


async def test_runs_lists_requests_with_their_ends_oldest_first(ward):
    for run in ("b", "a"):
        await ward.say(RunRequested(tenant=TENANT, run=run, idea="x"))
    await ward.say(CancelRequested(tenant=TENANT, run="b"), RunClosed(tenant=TENANT, run="b", status="cancelled"))
    await ward.say(RunRequested(tenant="other", run="c", idea="x"))
    runs = await ward.bus.log.runs(TENANT)
    assert [(run, end is not None) for run, _, end in runs] == [("b", True), ("a", False)]


async def test_a_broker_without_streams_says_what_to_do(settings, bus):
    with pytest.raises(BusUnavailable, match="the stream LOG could not be read: 503 nobody answers; is it"):
        await bus.log.history(TENANT, "r1")
    with pytest.raises(BusUnavailable, match="the stream PROMPTS could not be read: 503 nobody answers; is it"):
        async with bus.prompt_store(Prompts({})):
            pass
    with pytest.raises(BusUnavailable, match="is it provisioned"):
        await bus.log.find("flotilla.acme.r1.run.closed")
    async with connect(settings.model_copy(update={"publish_timeout_s": 0.5})) as hasty:
        with pytest.raises(BusUnavailable, match="is it provisioned"):
            await hasty.log.say(fact("r1", 1))


async def test_a_read_on_a_closed_connection_says_that_the_bus_is_away(ward):
    async with connect(ward.settings) as bus:
        pass
    with pytest.raises(BusUnavailable, match="closed"):
        await bus.log.find("flotilla.acme.r1.run.closed")
    with pytest.raises(BusUnavailable, match="closed"):
        await asyncio.wait_for(bus.log.say(fact("r1", 1)), 2)


async def test_no_broker_at_all_is_said_within_seconds(settings):
    nowhere = settings.model_copy(update={"nats_url": "nats://127.0.0.1:1"})
    with pytest.raises(BusUnavailable, match=r"no broker answers at nats://127\.0\.0\.1:1"):
        await asyncio.wait_for(connect(nowhere).__aenter__(), 10)


async def test_a_full_log_refuses_new_facts_and_drops_none(ward):
    small = ward.settings.model_copy(update={"log_max_bytes": 200_000})
    await topology.provision(ward.bus.js, small, [])
    kept = 0
    with pytest.raises(BusUnavailable, match="maximum bytes exceeded; if the stream is full, raise its limit"):
        while True:
            assert (await ward.bus.log.say(fact("r1", kept, "x" * 19_000))).news
            kept += 1
    assert kept >= 5
    assert len(await ward.bus.log.history(TENANT, "r1")) == kept
    assert not (await ward.bus.log.say(fact("r1", 0))).news


async def test_a_message_that_is_too_large_is_refused_at_once(ward):
    with pytest.raises(TooLarge, match="2000000 bytes"):
        await asyncio.wait_for(ward.publish("acme.r1.result.t1", b"x" * 2_000_000), 5)


async def test_headers_count_as_part_of_what_the_broker_carries(ward):
    """The broker would close the connection, and whoever tries again would lose its own."""
    headers = {"traceparent": "00-" + "a" * 52}
    room = ward.bus.nc.max_payload - len("NATS/1.0\r\ntraceparent: \r\n\r\n") - 55
    with pytest.raises(TooLarge):
        await ward.bus.publisher.publish(f"{ward.settings.prefix}.acme.a.capsule", b"x" * (room + 1), headers)
    assert (await ward.bus.publisher.publish(f"{ward.settings.prefix}.acme.b.capsule", b"x" * room, headers)).news


async def test_a_publish_outlives_the_crash_and_restart_of_the_broker(ward, monkeypatch):
    monkeypatch.setattr(publish, "ACK_TIMEOUT_S", 1.0)
    await ward.say(fact("r1", 0))
    ward.server.kill()
    saying = asyncio.create_task(ward.bus.log.say(fact("r1", 1)))

    async def noticed():
        return not ward.bus.nc.is_connected

    await ward.until(noticed, "the client notices")
    assert not saying.done()
    await ward.server.start()
    await asyncio.wait_for(saying, 15)
    assert await ward.names("r1") == ["result.t0", "result.t1"]


async def test_a_publish_whose_acknowledgement_was_lost_shows_as_already_said(ward):
    publisher = ward.bus.publisher
    real, lost = publisher._once, []

    async def deaf_once(subject, data, headers):
        answer = await real(subject, data, headers)
        if not lost:
            lost.append(answer)
            raise TimeoutError
        return answer

    publisher._once = deaf_once
    said = await ward.bus.log.say(fact("r1", 1))
    assert not said.news
    assert await ward.names("r1") == ["result.t1"]


async def test_a_follower_goes_on_after_the_crash_and_restart_of_the_broker(ward, monkeypatch):
    monkeypatch.setattr(bus_module, "FOLLOW_HEARTBEAT_S", 0.25)
    await ward.say(fact("r1", 0))
    seen = asyncio.Queue()

    async def watch():
        async for stored in ward.bus.log.follow(TENANT, "r1"):
            seen.put_nowait(stored.subject.rsplit(".", 1)[1])

    watching = asyncio.create_task(watch())
    assert await asyncio.wait_for(seen.get(), 5) == "t0"
    ward.server.kill()
    await ward.server.start()
    await ward.bus.log.say(fact("r1", 1))
    assert await asyncio.wait_for(seen.get(), 20) == "t1"
    await ward.bus.log.say(fact("r1", 2))
    assert await asyncio.wait_for(seen.get(), 5) == "t2"
    watching.cancel()


async def test_a_bus_on_a_broker_that_restarts_keeps_its_data(tmp_path, settings):
    async with EmbeddedNats(tmp_path) as server:
        here = settings.model_copy(update={"nats_url": server.url})
        async with connect(here) as bus:
            await topology.provision(bus.js, here, [])
            await bus.log.say(fact("r1", 1))
    async with (
        EmbeddedNats(tmp_path) as server,
        connect(settings.model_copy(update={"nats_url": server.url})) as bus,
    ):
        assert len(await bus.log.history(TENANT, "r1")) == 1


async def test_a_fact_with_a_header_that_looks_like_a_status_is_read_like_any_other(ward):
    subjects = [f"flotilla.{TENANT}.r1.result.{task}" for task in ("t0", "t1", "t2")]
    for subject, status in zip(subjects, ("404", "204", "fine"), strict=True):
        await ward.bus.publisher.publish(subject, b"{}", {"Status": status})
    assert [stored.subject for stored in await ward.bus.log.history(TENANT, "r1")] == subjects
    for subject in subjects:
        found = await ward.bus.log.find(subject)
        assert found is not None and found.subject == subject


async def test_a_publish_that_is_under_way_when_the_broker_dies_is_tried_again_as_soon_as_it_is_back(ward, monkeypatch):
    monkeypatch.setattr(publish, "ACK_TIMEOUT_S", 60.0)
    ward.server.process.send_signal(signal.SIGSTOP)
    saying = asyncio.create_task(ward.bus.log.say(fact("r1", 1)))
    reading = asyncio.create_task(ward.bus.log.find("flotilla.acme.r1.result.t1"))
    await asyncio.sleep(0)
    ward.server.kill()
    with pytest.raises(BusUnavailable):
        await reading
    await ward.server.start()
    assert (await asyncio.wait_for(saying, 10.0)).news
