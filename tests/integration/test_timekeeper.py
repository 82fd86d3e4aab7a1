"""Deadlines: the broker keeps the clock, the timekeeper records what it says."""

import asyncio
from datetime import UTC, datetime, timedelta

from contracts.v1.runs import RunClosed
from contracts.v1.tasks import TaskPerformed

TENANT = "acme"


def soon(seconds):
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_timer_that_fires_is_recorded_under_its_name_once(ward):
    await ward.timekeeper()
    await ward.timekeeper()
    await ward.bus.set_timer(TENANT, "r1", "run", soon(0.5))
    assert (await ward.fact("r1", "timer.run")).name == "run"
    await ward.settled("timekeeper", "TIMERS")
    assert await ward.names("r1") == ["timer.run"]


async def test_a_timer_does_not_fire_early(ward):
    await ward.timekeeper()
    due = soon(1.2)
    await ward.bus.set_timer(TENANT, "r1", "run", due)
    await ward.fact("r1", "timer.run")
    stored = await ward.bus.log.find("flotilla.acme.r1.timer.run")
    assert stored.at >= due - timedelta(milliseconds=50)


async def test_a_timer_that_is_set_again_moves(ward):
    await ward.timekeeper()
    await ward.bus.set_timer(TENANT, "r1", "run", soon(3600))
    await ward.bus.set_timer(TENANT, "r1", "run", soon(0.3))
    assert (await ward.fact("r1", "timer.run")).name == "run"


async def test_a_timer_outlives_the_crash_and_restart_of_the_broker(ward):
    await ward.timekeeper()
    await ward.bus.set_timer(TENANT, "r1", "run", soon(1.5))
    ward.server.kill()
    await ward.server.start()
    assert (await ward.fact("r1", "timer.run")).name == "run"


async def test_a_timer_that_fell_due_while_the_broker_was_down_fires_when_it_is_back(ward):
    await ward.bus.set_timer(TENANT, "r1", "run", soon(1.0))
    ward.server.kill()
    await asyncio.sleep(1.2)
    await ward.server.start()
    await ward.timekeeper()
    assert (await ward.fact("r1", "timer.run")).name == "run"


async def test_a_timer_that_fell_due_while_no_timekeeper_ran_is_recorded_later(ward):
    await ward.bus.set_timer(TENANT, "r1", "run", soon(0.2))

    async def due():
        return (await ward.bus.js.consumer_info("TIMERS", "timekeeper")).num_pending

    await ward.until(due, "the timer falls due")
    assert await ward.names("r1") == []
    await ward.timekeeper()
    await ward.fact("r1", "timer.run")


async def test_a_timer_of_a_closed_run_is_not_recorded(ward):
    await ward.timekeeper()
    await ward.say(RunClosed(tenant=TENANT, run="r1", status="completed"))
    await ward.bus.set_timer(TENANT, "r1", "run", soon(0.2))
    await ward.bus.set_timer(TENANT, "r2", "run", soon(0.4))
    await ward.fact("r2", "timer.run")
    await ward.settled("timekeeper", "TIMERS")
    assert await ward.names("r1") == ["run.closed"]


async def test_a_due_subject_that_names_no_timer_is_buried(ward):
    await ward.timekeeper()
    await ward.bus.publisher.publish("flotilla-timers.due.acme.r1", b"{}")
    await ward.bus.publisher.publish("flotilla-timers.due.acme.r1.not$aname", b"{}")
    letters = await ward.letters(2)
    assert {letter.stream for letter in letters} == {"TIMERS"}
    await ward.settled("timekeeper", "TIMERS")


async def test_a_timer_that_is_set_unless_it_is_set_keeps_its_first_time(ward):
    await ward.timekeeper()
    assert (await ward.bus.set_timer(TENANT, "r1", "run", soon(0.5), unless_set=True)).news
    assert not (await ward.bus.set_timer(TENANT, "r1", "run", soon(3600), unless_set=True)).news
    await ward.fact("r1", "timer.run")


async def test_a_fact_that_is_handed_over_again_does_not_move_the_deadline_of_its_run(ward):
    first = await ward.orchestrator(["step"])
    await ward.provision("step")
    await ward.timekeeper()
    await ward.say(ward.request("r1", "step", deadline_s=2))
    await ward.fact("r1", "task.step.t0.1")
    await ward.settled("orchestrator")
    await ward.stop(first)
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="of-nobody"))
    subscription = await ward.bus.js.pull_subscribe_bind("orchestrator", "LOG")
    (msg,) = await subscription.fetch(1, 5)
    await msg.nak(delay=1)
    await ward.orchestrator(["step"])
    await ward.fact("r1", "timer.run")
    begun, late = [await ward.bus.log.find(f"flotilla.acme.r1.{name}") for name in ("run.requested", "timer.run")]
    assert late.at - begun.at < timedelta(seconds=2.9)
