"""A plan of one's own whose tasks are done by the roles of a project, on a real broker, with the built-in model."""

import asyncio

import pytest

from contracts.v1.plans import Plan
from contracts.v1.runs import RunRequested
from workers import fleet

TEAM = ("project_manager", "architect", "backend_developer", "test_engineer", "reviewer")


@pytest.fixture
def plan():
    """A task for each role, each of which needs the one before it."""
    tasks = [{"task": f"t{n}", "role": role, "needs": [f"t{n - 1}"] if n else []} for n, role in enumerate(TEAM)]
    return Plan.model_validate({"tasks": [{**task, "instruction": f"Do part {n}."} for n, task in enumerate(tasks)]})


async def test_every_role_that_thinks_does_its_part_whole_though_each_answer_is_cut_off(ward, plan):
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(fleet.run_in_process(ward.settings, ("orchestrator", *TEAM), ready, stop))
    async with asyncio.timeout(60):
        await ready.wait()
        model = "builtin:cut_off=1,careless=1"
        await ward.say(RunRequested(tenant="acme", run="own", idea="a library", plan=plan, model=model))
        closed = await ward.closed("own")
        stop.set()
        await running
    assert (closed.status, closed.capsule, closed.spent.calls) == ("completed", None, 2 * len(TEAM))
    said = [(await ward.fact("own", f"result.t{n}")).output for n in range(len(TEAM))]
    assert [f"«Do part {n}.»" in output for n, output in enumerate(said)] == [True] * len(TEAM)
    assert "From task t3:" in said[4]
