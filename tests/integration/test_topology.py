"""Provisioning on a real broker: one owner declares, nothing is lost, and workers change nothing."""

import asyncio

import pytest
from nats.js.errors import NotFoundError, ServerError

from contracts.v1.tasks import TaskPerformed
from workers.runtime import topology
from workers.runtime.app import NotProvisioned

STREAMS = ("LOG", "TIMERS", "DEAD", "PROMPTS", "ADVISORIES", "KV_agents", "KV_budgets", "KV_models", "OBJ_artifacts")


async def configs(ward, *consumers):
    """Every stream's and these consumers' settings, as the broker has them."""
    found = {name: (await ward.bus.js.stream_info(name)).config for name in STREAMS}
    for stream, name in (("LOG", "orchestrator"), ("TIMERS", "timekeeper"), ("ADVISORIES", "dead_letters")):
        found[name] = (await ward.bus.js.consumer_info(stream, name)).config
    for name in consumers:
        found[name] = (await ward.bus.js.consumer_info("LOG", name)).config
    return found


async def test_provisioning_twice_changes_nothing_and_keeps_messages(ward):
    await ward.provision("step")
    await ward.say(TaskPerformed(tenant="acme", run="r1", task="t1"))
    before = await configs(ward, "step")
    said = await ward.provision("step")
    assert all(line.endswith(": as wanted") for line in said), said
    assert await configs(ward, "step") == before
    assert await ward.names("r1") == ["result.t1"]


async def test_provisioning_says_what_it_made(ward):
    said = await ward.provision("step")
    assert "consumer step of LOG: made" in said
    assert "stream LOG: as wanted" in said


async def test_two_provisioners_at_once_both_succeed(broker, settings, bus):
    await asyncio.gather(*(topology.provision(bus.js, settings, ["step"]) for _ in range(2)))
    assert (await bus.js.consumer_info("LOG", "step")).config.filter_subject == "flotilla.*.*.task.step.>"


async def test_the_log_is_write_once_and_refuses_when_full(ward):
    log = (await ward.bus.js.stream_info("LOG")).config
    assert (log.max_msgs_per_subject, log.discard, log.discard_new_per_subject) == (1, "new", True)
    assert log.allow_direct
    assert log.max_bytes > 0
    assert not log.allow_rollup_hdrs


async def test_no_client_can_overwrite_a_fact_with_a_rollup(ward):
    await ward.say(TaskPerformed(tenant="acme", run="r1", task="t1", output="first"))
    headers = {"Nats-Rollup": "sub"}
    await ward.bus.nc.request("flotilla.acme.r1.result.t1", b"mine", timeout=5, headers=headers)
    assert (await ward.fact("r1", "result.t1")).output == "first"


async def test_changed_settings_are_applied_to_what_stands(ward):
    await ward.provision("step")
    changed = ward.settings.model_copy(update={"lease_s": 7.0, "log_max_age_days": 3})
    await topology.provision(ward.bus.js, changed, ["step"])
    assert (await ward.bus.js.stream_info("LOG")).config.max_age == 3 * 86_400
    assert (await ward.bus.js.consumer_info("LOG", "step")).config.ack_wait == 7.0


async def test_a_new_role_is_provisioned_beside_the_others(ward):
    await ward.provision("first")
    await ward.provision("second")
    assert await ward.bus.js.consumer_info("LOG", "first")
    assert await ward.bus.js.consumer_info("LOG", "second")


async def test_workers_change_no_stream_and_no_consumer(ward):
    await ward.provision("step")
    before = await configs(ward, "step")
    await ward.role("step", concurrency=3)
    await ward.orchestrator(["step"])
    await ward.timekeeper()
    await ward.dead_letters()
    await ward.say(ward.task("step", "r1"))
    await ward.fact("r1", "result.t")
    assert await configs(ward, "step") == before
    assert {info.config.name for info in await ward.bus.js.streams_info()} == set(STREAMS)


async def test_a_worker_without_its_consumer_does_not_start_and_says_what_to_run(ward):
    with pytest.raises(NotProvisioned, match="consumer nobody of stream LOG isn't there; run: flotilla provision"):
        await ward.role("nobody")
    with pytest.raises(NotFoundError):
        await ward.bus.js.consumer_info("LOG", "nobody")


async def test_a_log_that_allows_overwriting_is_made_write_once_again(ward):
    loose = (await ward.bus.js.stream_info("LOG")).config.evolve(max_msgs_per_subject=-1, discard_new_per_subject=False)
    await ward.bus.js.update_stream(loose)
    await ward.provision()
    assert (await ward.bus.js.stream_info("LOG")).config.discard_new_per_subject


async def test_what_the_broker_can_not_give_is_refused_in_its_words(ward):
    wanted = ward.settings.model_copy(update={"replicas": 3})
    with pytest.raises(ServerError, match="replicas > 1 not supported"):
        await topology.provision(ward.bus.js, wanted, [])
