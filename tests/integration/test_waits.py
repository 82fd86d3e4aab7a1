"""Tasks that wait for models or for budget, on a real broker: no deadline of their own, but the run's."""

import asyncio

import pytest

from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.runs import RunRequested
from workers.llm.calls import Parked
from workers.runtime.bootstrap import role_service
from workers.runtime.roster import roles

TENANT = "acme"
REST_S = 0.2
SOON_S = 1


class Waiting:
    """A role's work that can't be done until `go_on` is set, each time put back as the gateway does it."""

    def __init__(self, ward, what="budget"):
        self._ward, self._what = ward, what
        self.go_on = asyncio.Event()
        self.deliveries = 0

    async def __call__(self, task, tools):
        self.deliveries += 1
        if not self.go_on.is_set():
            call = f"{task.tenant}/{task.run}/llm.{task.task}.{task.attempt}.1"
            raise Parked(self._what, "nothing is left", call, REST_S)
        return await self._ward.performed(task, tools)


@pytest.fixture
async def fleet(ward):
    """An orchestrator, a timekeeper and a worker of the role `step` that waits."""
    await ward.provision("step")
    await ward.timekeeper()
    waiting = Waiting(ward)
    await ward.role("step", waiting)
    return waiting, await ward.orchestrator(["step"])


def request(run, **more):
    """A request for one task, `t`, that has one second."""
    plan = Plan(tasks=(PlannedTask(task="t", role="step", deadline_s=SOON_S),))
    return RunRequested(tenant=TENANT, run=run, idea="x", plan=plan, **more)


async def passed(ward, run, timer):
    """A deadline has passed, and every orchestrator that there is has heard of it."""
    await ward.fact(run, f"timer.{timer}")
    await ward.settled("orchestrator")


async def test_a_task_that_waits_past_its_own_deadline_is_not_failed_and_the_run_completes_after_it(ward, fleet):
    waiting, _ = fleet
    await ward.say(request("r1"))
    wait = await ward.fact("r1", "wait.t.1.1.budget")
    assert (wait.role, wait.task, wait.what, wait.reason) == ("step", "t", "budget", "nothing is left")
    await passed(ward, "r1", "task-t-1")
    assert await ward.names("r1") == ["run.requested", "task.step.t.1", "wait.t.1.1.budget", "timer.task-t-1"]
    waiting.go_on.set()
    assert (await ward.closed("r1")).status == "completed"
    assert not [name for name in await ward.names("r1") if name.startswith("failure.")]
    assert waiting.deliveries > 2, "it was put back and handed over again, and said so once"


async def test_a_task_that_says_nothing_of_a_wait_is_failed_by_its_deadline(ward):
    await ward.provision("step")
    await ward.timekeeper()
    await ward.orchestrator(["step"], max_attempts=1)
    await ward.say(request("r1"))
    assert "no result after 1 s" in (await ward.closed("r1")).reason


async def test_an_orchestrator_that_reads_the_run_anew_heeds_the_wait(ward, fleet):
    waiting, first = fleet
    await ward.say(request("r1"))
    await ward.fact("r1", "wait.t.1.1.budget")
    await ward.settled("orchestrator")
    await ward.crash(first)
    await ward.fact("r1", "timer.task-t-1")
    await ward.orchestrator(["step"])
    await passed(ward, "r1", "task-t-1")
    waiting.go_on.set()
    assert (await ward.closed("r1")).status == "completed"
    assert not [name for name in await ward.names("r1") if name.startswith("failure.")]


async def test_the_runs_deadline_ends_it_and_says_what_it_waited_for(ward, fleet):
    await ward.say(request("r1", deadline_s=SOON_S))
    end = await ward.closed("r1")
    assert (end.status, end.failed_task, end.evidence_at) == ("failed", "t", "wait.t.1.1.budget")
    start, _, helps = end.reason.partition("; ")
    assert start == "the run's deadline has passed while task t waited for budget: nothing is left"
    assert "flotilla budget RUN --add" in helps
    await ward.settled("step")


async def test_a_wait_that_does_not_validate_counts_as_one(ward):
    await ward.provision("step")
    await ward.timekeeper()
    await ward.orchestrator(["step"])
    await ward.say(request("r1"))
    await ward.fact("r1", "task.step.t.1")
    await ward.publish(f"{TENANT}.r1.wait.t.1.1.models", b'{"kind":"task_waits","version":1}')
    await passed(ward, "r1", "task-t-1")
    assert not [name for name in await ward.names("r1") if name.startswith("failure.")]
    [letter] = await ward.letters(1)
    assert letter.subject.endswith("wait.t.1.1.models")


async def test_a_run_without_budget_waits_for_it_and_goes_on_after_a_raise(ward):
    names = [role.name for role in roles()]
    await ward.provision(*names)
    await ward.timekeeper()
    await ward.orchestrator(names)
    [manager] = [role for role in roles() if role.name == "project_manager"]
    await ward.start(role_service(manager, ward.settings), wait_in_place_s=0.0)
    idea = "Keep track of books with a title and an author."
    await ward.say(RunRequested(tenant=TENANT, run="r1", idea=idea, model="builtin", budget=Budget(tokens=1)))
    command = await ward.fact("r1", "task.project_manager.plan.1")
    assert (command.budget, command.deadline_s) == (Budget(tokens=1), 900)
    await ward.fact("r1", "wait.plan.1.1.budget")
    assert "result.plan" not in await ward.names("r1")
    await ward.say(BudgetRaised(tenant=TENANT, run="r1", raise_id="more", tokens=1_000_000))
    assert (await ward.fact("r1", "result.plan")).calls
