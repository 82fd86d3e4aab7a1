"""Leases on a real broker: work that lasts is delivered once, work that is lost is delivered again."""

import asyncio
import time

from nats.aio.msg import Msg

from contracts.v1.runs import CancelRequested, RunClosed
from workers.runtime.errors import Impossible, Verdict
from workers.runtime.lease import Leases

TENANT = "acme"


def sleeping(seconds):
    async def work(_):
        await asyncio.sleep(seconds)

    return work


async def for_ever(_):
    await asyncio.Event().wait()


async def begun(ward, attempts, count=1):
    async def look():
        return attempts.begun.total() >= count

    await ward.until(look, f"{count} pieces of work begin")


async def test_work_of_three_and_a_half_leases_is_delivered_once(ward, attempts):
    await ward.provision("step")
    long = attempts(sleeping(3.5 * ward.settings.lease_s))
    app = await ward.role("step", long)
    await ward.role("step", long)
    await ward.say(ward.task("step", "r1"))
    await ward.fact("r1", "result.t")
    await ward.settled("step")
    assert long.begun == {"r1.t.1": 1}
    assert app.leases.renewals + ward.apps[1].leases.renewals >= 9


async def test_the_task_of_a_worker_that_died_is_delivered_again_within_about_a_lease(ward, attempts):
    await ward.provision("step")
    stuck, quick = attempts(for_ever), attempts()
    first = await ward.role("step", stuck)
    await ward.say(ward.task("step", "r1"))
    await begun(ward, stuck)
    await ward.role("step", quick)
    died = time.monotonic()
    await ward.crash(first)
    await ward.fact("r1", "result.t")
    assert time.monotonic() - died < 2.5 * ward.settings.lease_s
    assert quick.begun == {"r1.t.1": 1}


async def test_no_more_is_held_than_the_concurrency_allows(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.05))
    app = await ward.role("step", work, concurrency=4)
    for n in range(40):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.settled("step")
    assert work.begun.total() == work.ended.total() == 40
    assert work.most == 4
    assert len(app.leases) == 0


async def test_a_worker_of_concurrency_one_does_one_thing_at_a_time(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.02))
    await ward.role("step", work, concurrency=1)
    for n in range(8):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.settled("step")
    assert (work.most, work.begun.total()) == (1, 8)


async def test_a_message_waits_at_the_broker_and_not_at_a_worker_that_is_full(ward, attempts):
    await ward.provision("step")
    stuck, quick = attempts(for_ever), attempts()
    await ward.role("step", stuck, concurrency=2)
    for n in range(2):
        await ward.say(ward.task("step", f"stuck{n}"))
    await begun(ward, stuck, 2)
    for n in range(6):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.role("step", quick)
    for n in range(6):
        await ward.fact(f"r{n}", "result.t", patience_s=0.7 * ward.settings.lease_s)
    assert stuck.begun.total() == 2


async def test_two_workers_share_the_work(ward, attempts):
    await ward.provision("step")
    one, two = attempts(sleeping(0.05)), attempts(sleeping(0.05))
    await ward.role("step", one, concurrency=2)
    await ward.role("step", two, concurrency=2)
    for n in range(30):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.settled("step")
    assert one.ended.total() + two.ended.total() == 30
    assert min(one.ended.total(), two.ended.total()) >= 5


async def test_a_worker_that_stops_finishes_what_it_holds(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.5))
    app = await ward.role("step", work)
    await ward.say(ward.task("step", "r1"))
    await begun(ward, work)
    await ward.stop(app)
    assert await ward.names("r1") == ["task.step.t.1", "result.t"]
    await ward.settled("step", patience_s=1)


async def test_a_worker_that_stops_gives_back_at_once_what_it_can_not_finish(ward, attempts):
    await ward.provision("step")
    stuck, quick = attempts(for_ever), attempts()
    app = await ward.role("step", stuck, drain_s=0.2, lease_s=30.0)
    await ward.say(ward.task("step", "r1"))
    await begun(ward, stuck)
    await ward.role("step", quick)
    began = time.monotonic()
    await ward.stop(app)
    await ward.fact("r1", "result.t", patience_s=3)
    assert time.monotonic() - began < ward.settings.lease_s
    assert stuck.cancelled.total() == 1


async def test_a_worker_that_stops_under_load_leaves_nothing_to_wait_for_its_lease(ward, attempts):
    await ward.provision("step", lease_s=30.0)
    work = attempts(sleeping(0.005))
    one = await ward.role("step", work, concurrency=16)
    await ward.role("step", work, concurrency=16)
    for n in range(400):
        await ward.say(ward.task("step", f"r{n}"))
        if n == 300:
            stopping = asyncio.create_task(ward.stop(one))
    await stopping
    await ward.settled("step", patience_s=5.0)
    assert set(work.begun.values()) == {1}


async def test_a_cancel_stops_the_work_on_its_run_at_once_and_on_no_other(ward, attempts):
    await ward.provision("step")
    stuck = attempts(for_ever)
    await ward.role("step", stuck)
    await ward.say(ward.task("step", "r1"), ward.task("step", "r11"))
    await begun(ward, stuck, 2)
    await ward.say(CancelRequested(tenant=TENANT, run="r1"), RunClosed(tenant=TENANT, run="r1", status="cancelled"))

    async def stopped():
        return stuck.cancelled

    assert await ward.until(stopped, "the work stops", 1.0) == {"r1.t.1": 1}

    async def let_go():
        return (await ward.bus.js.consumer_info("LOG", "step")).num_ack_pending == 1

    await ward.until(let_go, "the cancelled task is acked", 5.0)
    assert stuck.begun == {"r1.t.1": 1, "r11.t.1": 1}


async def test_queued_tasks_of_a_closed_run_are_acked_unread(ward, attempts):
    await ward.provision("step", "other")
    await ward.orchestrator(["step", "other"])
    blocked = asyncio.Event()

    async def wait(task):
        if task.run == "busy":
            await blocked.wait()

    async def impossible(task, tools):
        raise Impossible("no")

    work = attempts(wait)
    app = await ward.role("step", work, concurrency=1)
    await ward.say(ward.task("step", "busy"))
    await begun(ward, work)
    request = ward.request("over", "step", "step", "step", "other")
    at_once = tuple(task.model_copy(update={"needs": ()}) for task in request.plan.tasks)
    await ward.say(request.model_copy(update={"plan": request.plan.model_copy(update={"tasks": at_once})}))
    await ward.fact("over", "task.step.t2.1")
    await ward.say(ward.task("step", "open"))
    await ward.role("other", impossible)
    assert (await ward.closed("over")).status == "failed"

    async def heard():
        return app.endings.may_concern(TENANT, "over", 1_000_000)

    await ward.until(heard, "the worker hears of the end")
    blocked.set()
    await ward.settled("step")
    assert set(work.begun) == {"busy.t.1", "open.t.1"}
    assert [name for name in await ward.names("over") if name.startswith("result")] == []


async def test_tasks_of_runs_that_closed_before_the_worker_came_are_acked_unread(ward, attempts):
    await ward.provision("step")
    await ward.say(ward.task("step", "over"), RunClosed(tenant=TENANT, run="over", status="failed"))
    await ward.say(ward.task("step", "open"))
    work = attempts()
    await ward.role("step", work)
    await ward.settled("step")
    assert set(work.begun) == {"open.t.1"}


async def test_a_worker_goes_on_after_the_broker_was_killed_and_restarted(ward, attempts):
    await ward.provision("step")
    work = attempts()
    await ward.role("step", work)
    await ward.say(ward.task("step", "r1"))
    await ward.fact("r1", "result.t")
    ward.server.kill()
    await ward.server.start()
    await ward.say(ward.task("step", "r2"))
    began = time.monotonic()
    await ward.fact("r2", "result.t")
    assert time.monotonic() - began < 5


async def test_work_that_was_held_while_the_broker_restarted_ends_in_one_result(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(1.5))
    await ward.role("step", work)
    await ward.say(ward.task("step", "r1"))
    await begun(ward, work)
    ward.server.kill()
    await ward.server.start()
    await ward.fact("r1", "result.t")
    await ward.settled("step")
    assert await ward.names("r1") == ["task.step.t.1", "result.t"]


async def test_a_worker_whose_connection_was_cut_goes_on_within_its_concurrency(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.1))
    app = await ward.role("step", work, concurrency=4)
    client = app._bus.nc
    client.options["reconnect_time_wait"] = 0.01
    for n in range(60):
        await ward.say(ward.task("step", f"r{n}"))
    for _ in range(2):
        await begun(ward, work, work.begun.total() + 4)
        before = client.stats["reconnects"]
        client._transport.close()

        async def again(before=before):
            return client.stats["reconnects"] > before and client.is_connected

        await ward.until(again, "the worker reconnects")
    await ward.settled("step")
    assert {f"r{n}.t.1" for n in range(60)} == set(work.ended)
    assert work.most <= 4


async def test_an_idle_worker_whose_connection_was_cut_stays_within_its_concurrency(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.1))
    app = await ward.role("step", work, concurrency=4)
    client = app._bus.nc
    client.options["reconnect_time_wait"] = 0.01
    client._transport.close()

    async def again():
        found = await ward.bus.js.consumer_info("LOG", "step")
        return client.stats["reconnects"] == 1 and client.is_connected and found.num_waiting

    await ward.until(again, "the worker pulls again")
    await asyncio.sleep(0.6)
    for n in range(20):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.settled("step")
    assert work.most <= 4


async def test_a_worker_whose_consumer_is_gone_does_not_spin(ward):
    await ward.provision("step")
    app = await ward.role("step")
    await ward.bus.js.delete_consumer("LOG", "step")
    before = next(app.puller._numbers)
    await asyncio.sleep(1.0)
    assert next(app.puller._numbers) - before < 20


def delivered(subject):
    return Msg(None, subject, f"$JS.ACK.LOG.step.1.7.7.{time.time_ns()}.0")


async def test_a_delivery_whose_run_is_cancelled_before_its_work_began_is_let_go():
    said, worked = [], []

    async def handle(delivery):
        worked.append(delivery)
        return Verdict("ack")

    async def publish(subject, payload, *_):
        said.append(payload)

    async def released():
        return None

    leases = Leases(handle, 4, 30.0)
    leases.start(publish, released)
    leases.take(delivered("flotilla.acme.r1.task.step.t.1"))
    leases.cancel(lambda subject: subject.startswith("flotilla.acme.r1."))
    await leases.drain(1.0)
    assert len(leases) == 0
    assert not worked
    assert said and said[0].startswith(b"-NAK")


async def test_work_that_ends_while_the_connection_is_cut_makes_no_room_twice(ward, attempts):
    await ward.provision("step")
    work = attempts(sleeping(0.2))
    app = await ward.role("step", work, concurrency=2)
    client = app._bus.nc
    client.options["reconnect_time_wait"] = 0.5
    for n in range(2):
        await ward.say(ward.task("step", f"r{n}"))
    await begun(ward, work, 2)
    client._transport.close()  # the wish for more is written down while nobody is there, and said on return

    async def looked():
        return client.stats["reconnects"] and app.puller._oldest > 1

    await ward.until(looked, "the worker takes its old wishes for lost")
    await ward.settled("step")
    for n in range(2, 14):
        await ward.say(ward.task("step", f"r{n}"))
    await ward.settled("step")
    assert set(work.ended) == {f"r{n}.t.1" for n in range(14)}
    assert work.most <= 2
