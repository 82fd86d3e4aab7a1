"""Orchestrators that stop, die, start cold or work side by side: a run goes on, and ends once."""

import asyncio
from collections import Counter

from contracts.v1.tasks import TaskPerformed

TENANT = "acme"


async def test_a_run_goes_on_when_the_orchestrator_stops_and_another_starts(ward, attempts):
    await ward.provision("step")
    first = await ward.orchestrator(["step"])
    go = asyncio.Event()

    async def wait(task):
        if task.task == "t1":
            await go.wait()

    work = attempts(wait)
    await ward.role("step", work)
    await ward.say(ward.request("r1", "step", "step", "step"))
    await ward.fact("r1", "task.step.t1.1")
    await ward.stop(first)
    go.set()
    await ward.fact("r1", "result.t1")
    await ward.orchestrator(["step"])
    assert (await ward.closed("r1")).status == "completed"
    assert set(work.begun.values()) == {1}


async def test_a_run_goes_on_when_the_orchestrator_dies_holding_facts(ward):
    await ward.provision("step")
    first = await ward.orchestrator(["step"])
    await ward.role("step")
    for n in range(20):
        await ward.say(ward.request(f"r{n}", "step", "step"))
    await ward.crash(first)
    await ward.orchestrator(["step"])
    for n in range(20):
        assert (await ward.closed(f"r{n}")).status == "completed"
        assert len(await ward.names(f"r{n}")) == 6


async def test_a_replica_that_starts_cold_decides_from_the_log_alone(ward):
    await ward.provision("step")
    await ward.say(ward.request("r1", "step", "step", "step"), ward.task("step", "r1", "t0"))
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="t0", output="from before"))
    await ward.orchestrator(["step"])
    task = await ward.fact("r1", "task.step.t1.1")
    assert task.inputs[0].output == "from before"
    assert (await ward.names("r1")).count("task.step.t0.1") == 1


async def test_a_fact_that_was_given_back_is_taken_in_when_it_comes_again(ward):
    await ward.provision("step")
    one = await ward.orchestrator(["step"])
    given_back = asyncio.Event()
    real = one.service.work

    async def work(delivery):
        if delivery.subject.endswith("result.a") and not given_back.is_set():
            await ward.fact("r1", "result.b")
            given_back.set()
            raise RuntimeError("not now")
        return await real(delivery)

    one.service.work = work
    request = ward.request("r1", "step", "step", "step", "step")
    a, b, c, d = (
        task.model_copy(update={"task": name, "needs": needs})
        for task, name, needs in zip(request.plan.tasks, "abcd", ((), (), ("a", "b"), ("c",)), strict=True)
    )
    plan = request.plan.model_copy(update={"tasks": (a, b, c, d)})
    await ward.say(request.model_copy(update={"plan": plan}))
    await ward.fact("r1", "task.step.b.1")
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="a"), TaskPerformed(tenant=TENANT, run="r1", task="b"))
    await asyncio.wait_for(given_back.wait(), 5)
    await ward.fact("r1", "task.step.c.1")
    assert (await ward.names("r1")).count("task.step.c.1") == 1


async def test_two_orchestrators_and_two_workers_of_each_role_end_every_run_once(ward, attempts):
    await ward.provision("one", "two")
    work = attempts()
    for _ in range(2):
        await ward.orchestrator(["one", "two"])
        await ward.role("one", work)
        await ward.role("two", work)
    runs = [f"r{n}" for n in range(30)]
    await asyncio.gather(*(ward.say(ward.request(run, "one", "two", "one")) for run in runs))
    for run in runs:
        assert (await ward.closed(run)).status == "completed"
        names = Counter(await ward.names(run))
        assert set(names.values()) == {1}
        assert len(names) == 8, names
        assert not [name for name in names if name.startswith("task.") and not name.endswith(".1")]
    assert set(work.begun.values()) == {1}
    await ward.settled("orchestrator")
