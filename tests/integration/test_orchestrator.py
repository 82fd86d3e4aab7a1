"""The orchestrator's shell on a real broker, with roles that do nothing."""

import asyncio

import pytest

from contracts.v1.runs import CancelRequested
from contracts.v1.tasks import TaskPerformed
from workers.runtime import known_runs
from workers.runtime.bus import connect
from workers.runtime.errors import BusUnavailable

TENANT = "acme"
STEPS = ("step1", "step2", "step3", "step4", "step5")


async def fleet(ward, *roles, **limits):
    """An orchestrator and a worker of each role."""
    await ward.provision(*roles)
    app = await ward.orchestrator(roles, **limits)
    for role in roles:
        await ward.role(role)
    return app


async def test_a_plan_of_ones_own_of_five_tasks_completes(ward):
    await fleet(ward, *STEPS)
    await ward.say(ward.request("r1", *STEPS))
    end = await ward.closed("r1")
    assert (end.status, end.reason) == ("completed", "all 5 tasks are done")
    expected = ["run.requested"]
    for n, role in enumerate(STEPS):
        expected += [f"task.{role}.t{n}.1", f"result.t{n}"]
    assert await ward.names("r1") == [*expected, "run.closed"]
    await ward.settled("orchestrator")


async def test_what_was_needed_first_is_handed_on(ward):
    await fleet(ward, "step")
    await ward.say(ward.request("r1", "step", "step"))
    task = await ward.fact("r1", "task.step.t1.1")
    assert [(given.task, given.output) for given in task.inputs] == [("t0", "t0 is done")]


async def test_a_request_that_does_not_validate_is_refused_and_the_field_is_named(ward):
    await ward.orchestrator()
    await ward.publish("acme.r1.run.requested", b'{"kind":"run_requested","version":1,"idea":"x","deadline_s":"soon"}')
    await ward.publish("acme.r2.run.requested", b'{"kind":"run_requested","version":1}')
    first, second = await ward.closed("r1"), await ward.closed("r2")
    assert (first.status, [error.field for error in first.errors]) == ("refused", ["deadline_s"])
    assert (second.status, [error.field for error in second.errors]) == ("refused", ["idea"])
    await ward.settled("orchestrator")


async def test_a_plan_that_can_not_be_carried_out_is_refused_and_the_field_is_named(ward):
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step", "nobody"))
    end = await ward.closed("r1")
    assert (end.status, [error.field for error in end.errors]) == ("refused", ["plan.tasks.1.role"])


@pytest.mark.parametrize("payload", [b"make me a shop", b"\xff\xfe", b"", b"[]", b"null", b'"text"', b"{" * 50_000])
async def test_a_request_that_is_no_json_object_is_buried_with_the_reason_and_refused(ward, payload):
    await ward.orchestrator()
    await ward.publish("acme.r1.run.requested", payload)
    end = await ward.closed("r1")
    (letter,) = await ward.letters(1)
    assert end.status == "refused" and "JSON" in end.reason
    assert letter.subject == "flotilla.acme.r1.run.requested" and "JSON" in letter.reason
    await ward.settled("orchestrator")


async def test_junk_as_large_as_the_broker_carries_is_buried_by_its_place(ward):
    await ward.orchestrator()
    await ward.publish("acme.r1.run.requested", b"x" * 1_000_000)
    assert (await ward.closed("r1")).status == "refused"
    (letter,) = await ward.letters(1)
    assert (letter.stream, letter.sequence, letter.payload) == ("LOG", 1, "")
    assert "1000000 bytes" in letter.reason
    await ward.settled("orchestrator")


async def test_a_request_of_an_unknown_kind_is_refused(ward):
    await ward.orchestrator()
    await ward.publish("acme.r1.run.requested", b'{"kind":"make_coffee","version":1}')
    end = await ward.closed("r1")
    assert (end.status, [error.field for error in end.errors]) == ("refused", ["kind"])
    await ward.settled("orchestrator")


async def test_a_request_of_a_newer_version_is_left_for_a_newer_orchestrator(ward):
    await fleet(ward, "step")
    await ward.publish("acme.r1.run.requested", b'{"kind":"run_requested","version":99,"idea":"x"}')
    await ward.say(ward.request("r2", "step"))
    assert (await ward.closed("r2")).status == "completed"
    assert await ward.names("r1") == ["run.requested"]
    assert await ward.letters() == []


async def test_subjects_outside_of_the_grammar_are_buried_and_never_redelivered(ward):
    await fleet(ward, "step")
    outside = ("acme.r$1.run.requested", f"acme.{'r' * 65}.run.requested")
    for name in outside:
        await ward.publish(name, b'{"kind":"run_requested","version":1,"idea":"x"}')
    letters = await ward.letters(2)
    assert {letter.subject for letter in letters} == {f"flotilla.{name}" for name in outside}
    await ward.settled("orchestrator")
    await ward.say(ward.request("r2", "step"))
    assert (await ward.closed("r2")).status == "completed"


async def test_a_stray_subject_inside_of_a_run_does_not_stop_it(ward):
    await fleet(ward, "step")
    for stray in ("acme.r1.gossip.about.this", "acme.r1.result", "acme.r1.x$y", "acme.r1.task.step.t0"):
        await ward.publish(stray, b"anything")
    await ward.say(ward.request("r1", "step"))
    assert (await ward.closed("r1")).status == "completed"
    await ward.settled("orchestrator")


async def test_a_cancel_before_the_request_closes_the_run_as_cancelled(ward):
    await fleet(ward, "step")
    await ward.say(CancelRequested(tenant=TENANT, run="r1", reason="never mind"))
    await ward.settled("orchestrator")
    assert await ward.names("r1") == ["run.cancel"]
    await ward.say(ward.request("r1", "step"))
    end = await ward.closed("r1")
    assert (end.status, end.reason) == ("cancelled", "never mind")
    assert await ward.names("r1") == ["run.cancel", "run.requested", "run.closed"]


async def test_a_cancel_during_a_run_closes_it_and_stops_its_work(ward, attempts):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    stuck = attempts(lambda _: asyncio.Event().wait())
    await ward.role("step", stuck)
    await ward.say(ward.request("r1", "step", "step"))
    await asyncio.wait_for(stuck.begins.wait(), 5)
    await ward.say(CancelRequested(tenant=TENANT, run="r1"))
    assert (await ward.closed("r1")).status == "cancelled"
    await ward.settled("step")
    assert stuck.cancelled.total() >= 1
    assert not [name for name in await ward.names("r1") if name.startswith(("result", "failure"))]


async def test_a_cancel_that_does_not_validate_cancels_all_the_same(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await ward.publish("acme.r1.run.cancel", b"stop!")
    assert (await ward.closed("r1")).status == "cancelled"


async def test_a_run_whose_deadline_passes_fails_and_says_so(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    await ward.timekeeper()
    await ward.say(ward.request("r1", "step", deadline_s=1))
    end = await ward.closed("r1")
    assert (end.status, "deadline" in end.reason) == ("failed", True)
    assert "timer.run" in await ward.names("r1")


async def test_a_task_whose_deadline_passes_is_tried_again_and_then_fails_the_run(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"], max_attempts=2)
    await ward.timekeeper()
    request = ward.request("r1", "step")
    late = request.plan.tasks[0].model_copy(update={"deadline_s": 1})
    plan = request.plan.model_copy(update={"tasks": (late,)})
    await ward.say(request.model_copy(update={"plan": plan}))
    end = await ward.closed("r1")
    assert (end.status, end.failed_task) == ("failed", "t0")
    failures = [name for name in await ward.names("r1") if name.startswith("failure")]
    assert failures == ["failure.t0.1", "failure.t0.2"]
    assert (await ward.fact("r1", "failure.t0.1")).error == "deadline"


async def test_runs_complete_when_the_cache_holds_fewer_than_are_open(ward, monkeypatch):
    monkeypatch.setattr(known_runs, "MOST_KNOWN", 2)
    await fleet(ward, "step")
    runs = [f"r{n}" for n in range(25)]
    await asyncio.gather(*(ward.say(ward.request(run, "step", "step", "step")) for run in runs))
    for run in runs:
        assert (await ward.closed(run)).status == "completed"
    await ward.settled("orchestrator")


async def test_runs_of_two_tenants_under_one_id_are_two_runs(ward):
    await fleet(ward, "step")
    await ward.say(ward.request("r1", "step"))
    await ward.say(ward.request("r1", "nobody").model_copy(update={"tenant": "umbrella"}))
    assert (await ward.closed("r1")).status == "completed"
    umbrella = "flotilla.umbrella.r1.run.closed"
    stored = await ward.until(lambda: ward.bus.log.find(umbrella), "the other tenant's run closes")
    assert b'"refused"' in stored.data


async def test_a_fleet_under_another_prefix_works_the_same(ward):
    ward.settings = ward.settings.model_copy(update={"prefix": "shop-dev"})
    async with connect(ward.settings) as bus:
        ward.bus = bus
        await fleet(ward, "step")
        await ward.timekeeper()
        await ward.dead_letters()
        await ward.say(ward.request("r1", "step", "step"))
        await ward.fact("r1", "run.closed")
        await ward.publish("acme.r2.run.requested", b"junk")
        assert (await ward.closed("r2")).status == "refused"
        await ward.say(ward.request("r3", "step", deadline_s=1))
        assert (await ward.closed("r3")).status == "completed"
        assert [letter.subject for letter in await ward.letters(1)] == ["shop-dev.acme.r2.run.requested"]


async def test_a_late_result_of_a_closed_run_is_acked_and_calls_for_nothing(ward):
    await fleet(ward, "step")
    await ward.say(ward.request("r1", "step"))
    await ward.closed("r1")
    before = await ward.names("r1")
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="nobody_asked"))
    await ward.settled("orchestrator")
    assert await ward.names("r1") == [*before, "result.nobody_asked"]


async def test_runs_go_on_after_the_broker_was_killed_and_restarted(ward, attempts):
    await ward.provision("step")
    await ward.orchestrator(["step"])

    async def rest(_):
        await asyncio.sleep(0.3)

    await ward.role("step", attempts(rest))
    for n in range(5):
        await ward.say(ward.request(f"r{n}", "step", "step", "step"))
    await ward.fact("r4", "task.step.t1.1")
    ward.server.kill()
    await ward.server.start()
    for n in range(5):
        assert (await ward.closed(f"r{n}")).status == "completed"


class OnceDeaf:
    """Looks for cancels that came before their request, and fails at its first look."""

    def __init__(self, looks):
        self._looks, self.failed = looks, 0

    async def look(self, tenant, run):
        if not self.failed:
            self.failed += 1
            raise BusUnavailable("the broker is away for a moment")
        return await self._looks.look(tenant, run)


async def test_a_cancel_before_the_request_is_heeded_when_the_first_look_for_it_fails(ward):
    await ward.provision("step")
    app = await ward.orchestrator(["step"])
    await ward.say(CancelRequested(tenant=TENANT, run="r1", reason="never mind"))
    await ward.settled("orchestrator")
    app.service._runs.forget(app.service._runs.named(TENANT, "r1"))  # as when this orchestrator was not there yet
    app.service._early_cancels = looks = OnceDeaf(app.service._early_cancels)
    await ward.say(ward.request("r1", "step"))
    assert (await ward.closed("r1", 5)).status == "cancelled"
    assert looks.failed == 1


async def test_a_run_that_was_ended_for_a_fact_that_could_not_be_handled_calls_for_nothing_more(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"], delivery_limit=1)
    await ward.say(ward.request("r1", "step", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await ward.publish("acme.r1.failure.t9.1", b'{"kind":"task_failed","version":99}')
    assert (await ward.closed("r1")).status == "failed"
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="t0"))
    await ward.settled("orchestrator")
    assert "task.step.t1.1" not in await ward.names("r1")
