"""What becomes of a message whose handling went wrong, seen on a real broker."""

import asyncio
import time

from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.failures import TaskFailed
from contracts.v1.tasks import ProjectReviewed, TaskPerformed, VerifyProject
from workers.llm.model import ModelUnavailable
from workers.runtime import errors
from workers.runtime.errors import Impossible, MalformedReply, RefusedByModel

TENANT = "acme"


class Failing:
    """Raises what it was given, one after another; the last for ever. None is success."""

    def __init__(self, *problems):
        self.problems = list(problems)
        self.called = 0
        self.times = []

    async def __call__(self, task, tools):
        self.called += 1
        self.times.append(time.monotonic())
        problem = self.problems.pop(0) if len(self.problems) > 1 else self.problems[0]
        if problem is not None:
            raise problem
        return tools.report(TaskPerformed, output="ok")


async def handed(ward, handle, **changed):
    """A worker of `step` with a task."""
    await ward.provision("step")
    app = await ward.role("step", handle, **changed)
    await ward.say(ward.task("step", "r1"))
    return app


async def test_a_surprise_is_tried_again_after_a_delay_and_may_succeed(ward):
    handle = Failing(KeyError("surprise"), None)
    await handed(ward, handle)
    await ward.fact("r1", "result.t")
    assert handle.called == 2
    assert handle.times[1] - handle.times[0] > 0.4
    assert await ward.letters() == []


async def test_surprises_up_to_the_limit_end_in_a_dead_letter_a_failure_and_no_redelivery(ward):
    handle = Failing(KeyError("surprise"))
    await handed(ward, handle, delivery_limit=2)
    failure = await ward.fact("r1", "failure.t.1")
    assert (failure.error, failure.retry) == ("crashed", True)
    assert "surprise" in failure.reason
    (letter,) = await ward.letters(1)
    assert (letter.subject, letter.worker, letter.deliveries) == ("flotilla.acme.r1.task.step.t.1", "step", 2)
    assert "KeyError" in letter.reason
    await ward.settled("step")
    assert handle.called == 2


async def test_an_attempt_that_is_over_is_recorded_and_acked(ward):
    await ward.provision("step")
    problems = {
        "r1": (MalformedReply("no JSON"), "malformed_reply", True),
        "r2": (RefusedByModel("I won't"), "refused_by_model", False),
        "r3": (Impossible("no such thing"), "impossible", False),
    }

    async def handle(task, tools):
        raise problems[task.run][0]

    await ward.role("step", handle)
    for run, (problem, error, retry) in problems.items():
        await ward.say(ward.task("step", run))
        failure = await ward.fact(run, "failure.t.1")
        assert (failure.error, failure.retry, failure.reason) == (error, retry, str(problem))
    await ward.settled("step")
    assert await ward.letters() == []


async def test_a_model_that_is_away_is_asked_again_beyond_the_delivery_limit(ward, monkeypatch):
    monkeypatch.setattr(errors, "LONGEST_DELAY_S", 0.01)
    handle = Failing(*[ModelUnavailable("busy")] * 6, None)
    await handed(ward, handle, delivery_limit=3)
    await ward.fact("r1", "result.t")
    assert handle.called == 7
    assert await ward.letters() == []


async def test_a_command_of_a_newer_version_is_left_for_a_newer_worker(ward):
    await ward.provision("step")
    handle = Failing(None)
    await ward.role("step", handle)
    await ward.publish("acme.r1.task.step.t.1", b'{"kind":"perform_task","version":99}')

    async def held():
        found = await ward.bus.js.consumer_info("LOG", "step")
        return found.delivered.consumer_seq == 1 and found.num_ack_pending == 1

    await ward.until(held, "the task is handed over and given back")
    assert handle.called == 0
    assert await ward.letters() == []
    assert await ward.names("r1") == ["task.step.t.1"]


async def test_a_command_that_no_version_can_read_is_buried_and_fails_for_good(ward):
    await ward.provision("step")
    await ward.role("step", Failing(None))
    for n, payload in enumerate((b"\xff\x00 no JSON", b"[]", b'{"kind":"perform_task","version":1}', b"")):
        run = f"r{n}"
        await ward.publish(f"acme.{run}.task.step.t.1", payload)
        failure = await ward.fact(run, "failure.t.1")
        assert (failure.error, failure.retry) == ("impossible", False)
    assert len(await ward.letters(4)) == 4
    await ward.settled("step")


async def test_a_command_outside_of_the_grammar_is_buried_and_stops_nobody(ward):
    await ward.provision("step")
    await ward.role("step", Failing(None))
    await ward.publish("acme.r$1.task.step.t.1", b"{}")
    await ward.publish("acme.r1.task.step.t.1.more", b"{}")
    await ward.publish("acme.r1.task.step.t.first", b"{}")
    assert len(await ward.letters(3)) == 3
    await ward.settled("step")
    await ward.say(ward.task("step", "r2"))
    await ward.fact("r2", "result.t")


async def test_a_command_of_a_kind_that_the_role_does_not_take_is_impossible(ward):
    await ward.provision("step")
    await ward.role("step", Failing(None))
    verify = VerifyProject(tenant=TENANT, run="r1", role="step", task="t", files=())
    await ward.say(verify)
    failure = await ward.fact("r1", "failure.t.1")
    assert (failure.error, failure.retry) == ("impossible", False)
    await ward.settled("step")


async def test_a_task_whose_result_is_there_is_acked_without_calling_the_role_again(ward, attempts):
    await ward.provision("step")
    stuck = attempts(lambda _: asyncio.Event().wait())
    first = await ward.role("step", stuck)
    await ward.say(ward.task("step", "r1"))
    await asyncio.wait_for(stuck.begins.wait(), 5)
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="t", output="somebody else's"))
    await ward.crash(first)
    handle = Failing(None)
    await ward.role("step", handle)
    await ward.settled("step")
    assert handle.called == 0
    assert await ward.names("r1") == ["task.step.t.1", "result.t"]


async def test_an_attempt_whose_failure_is_there_is_acked_without_calling_the_role_again(ward, attempts):
    await ward.provision("step")
    stuck = attempts(lambda _: asyncio.Event().wait())
    first = await ward.role("step", stuck)
    await ward.say(ward.task("step", "r1"))
    await asyncio.wait_for(stuck.begins.wait(), 5)
    failure = TaskFailed(
        tenant=TENANT, run="r1", role="step", task="t", attempt=1, error="deadline", retry=True, reason="too late"
    )
    await ward.say(failure)
    await ward.crash(first)
    handle = Failing(None)
    await ward.role("step", handle)
    await ward.settled("step")
    assert handle.called == 0
    assert await ward.names("r1") == ["task.step.t.1", "failure.t.1"]


async def test_a_fact_that_the_orchestrator_can_not_handle_ends_its_run_and_is_buried(ward):
    await ward.provision("step")
    app = await ward.orchestrator(["step"], delivery_limit=2)

    async def broken(delivery):
        raise KeyError("a defect")

    app.service.work = broken
    await ward.say(ward.request("r1", "step"))
    end = await ward.closed("r1")
    assert (end.status, end.evidence_at) == ("failed", "run.requested")
    assert "could not handle run.requested: KeyError" in end.reason
    assert len(await ward.letters(1)) == 1


async def test_a_full_log_loses_no_fact_and_runs_go_on_when_there_is_room(ward):
    await ward.provision("step")
    for n in range(20):
        await ward.say(TaskPerformed(tenant="other", run="filler", task=f"t{n}", output="x" * 10_000))
    used = (await ward.bus.js.stream_info("LOG")).state.bytes
    await ward.say(ward.request("r1", "step", "step"))
    await ward.set_log_limit(used + 400)
    app = await ward.orchestrator(["step"], delivery_limit=1)
    await ward.role("step")

    async def given_back():
        return app.service._settled["nak"]._value.get()

    await ward.until(given_back, "the orchestrator gives the request back")
    await ward.set_log_limit(10 * used)
    assert (await ward.closed("r1")).status == "completed"
    assert await ward.letters() == []


async def test_a_result_that_comes_second_is_no_news_and_its_task_is_acked(ward, attempts):
    await ward.provision("step")
    go = asyncio.Event()
    late = attempts(lambda _: go.wait())
    await ward.role("step", late)
    await ward.say(ward.task("step", "r1"))
    await asyncio.wait_for(late.begins.wait(), 5)
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="t", output="first"))
    go.set()
    await ward.settled("step")
    assert (await ward.fact("r1", "result.t")).output == "first"


async def test_a_spoiled_result_is_buried_and_the_run_goes_on_under_the_next_name(ward, attempts):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    go = asyncio.Event()

    async def wait(task):
        if task.task == "t0":
            await go.wait()

    work = attempts(wait)
    await ward.role("step", work)
    await ward.say(ward.request("r1", "step", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await ward.publish("acme.r1.result.t0", b'{"stream":"LOG","seq":17}')
    end = await ward.closed("r1")
    assert end.status == "completed", end
    names = await ward.names("r1")
    assert "result.t0-S2" in names and "result.t1" in names
    (letter,) = await ward.letters(1)
    assert letter.subject == "flotilla.acme.r1.result.t0"
    go.set()
    await ward.settled("orchestrator")


async def test_a_result_of_the_wrong_kind_ends_the_run_with_a_clear_reason(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await ward.say(ProjectReviewed(tenant=TENANT, run="r1", task="t0"))
    end = await ward.closed("r1")
    assert (end.status, end.failed_task, end.evidence_at) == ("failed", "t0", "result.t0")
    assert "ProjectReviewed" in end.reason


async def test_every_result_spoiled_fails_the_run_and_names_the_task(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step"))
    for name in ("t0", "t0-S2", "t0-S3"):
        await ward.fact("r1", f"task.step.{name}.1")
        await ward.publish(f"acme.r1.result.{name}", b"junk")
    end = await ward.closed("r1")
    assert (end.status, end.failed_task) == ("failed", "t0")


async def test_a_spoiled_failure_counts_as_a_failure(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await ward.publish("acme.r1.failure.t0.1", b"junk")
    assert (await ward.fact("r1", "task.step.t0.2")).attempt == 2
    await ward.settled("orchestrator")


async def test_failures_that_allow_it_lead_to_new_attempts_up_to_the_limit(ward):
    await ward.provision("step")
    await ward.orchestrator(["step"], max_attempts=3)
    await ward.role("step", Failing(MalformedReply("no JSON")))
    await ward.say(ward.request("r1", "step"))
    end = await ward.closed("r1")
    assert (end.status, end.failed_task, end.evidence_at) == ("failed", "t0", "failure.t0.3")
    assert "no JSON" in end.reason
    failures = [name for name in await ward.names("r1") if name.startswith("failure")]
    assert failures == ["failure.t0.1", "failure.t0.2", "failure.t0.3"]
    assert isinstance(await ward.fact("r1", "failure.t0.3"), TaskFailed)


async def test_a_command_with_a_header_that_looks_like_a_status_is_done_like_any_other(ward):
    await ward.provision("step")
    await ward.role("step")
    task = ward.task("step", "r1")
    await ward.bus.publisher.publish(subject_of(task), encode(task), {"Status": "fine"})
    await ward.fact("r1", "result.t")
    await ward.settled("step")
    assert await ward.redelivered("step") == 0


class Heard:
    """A logger that remembers which lines were to have a traceback."""

    def __init__(self):
        self.traced = []

    def warning(self, event, **more):
        if event == "delivery_failed":
            self.traced.append(more["exc_info"])

    info = error = warning


async def test_a_surprise_shows_where_it_came_from_at_once_and_what_is_expected_does_not(ward):
    await ward.provision("step")
    app = await ward.role("step", Failing(KeyError("surprise"), ModelUnavailable("busy"), None))
    app.service.log = heard = Heard()
    await ward.say(ward.task("step", "r1"))
    await ward.fact("r1", "result.t")
    assert heard.traced == [True, False]
