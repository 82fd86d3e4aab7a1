"""What becomes of a task, on a real broker, when something around its model calls goes wrong."""

import pytest

from contracts.v1.budgets import Budget
from contracts.v1.failures import TaskFailed
from contracts.v1.projects import Criterion, FieldSpec, FileRef, RecordKind, Requirements
from contracts.v1.tasks import DesignSystem, TaskPerformed
from contracts.v1.waits import TaskWaits
from workers.llm.ledger import run_key
from workers.roles.architect.replies import DesignReply
from workers.roles.architect.worker import role as architect
from workers.runtime.bootstrap import role_service
from workers.runtime.errors import Impossible
from workers.runtime.sandbox_facts import sandbox_facts

TENANT = "acme"
BOOK = RecordKind(name="book", plural="books", fields=(FieldSpec(name="title", type="text", required=True),))
WANTED = Requirements(
    title="Books",
    package="books",
    summary="Keeps books.",
    records=(BOOK,),
    criteria=(Criterion(id="AC-1", statement="It keeps books."),),
)
MANY = tuple(FileRef(path=f"file-{n:05}.py", sha256="a" * 64, size=1) for n in range(12_000))


@pytest.fixture
async def step(ward):
    """Starts a worker of the role `step` that does as it is told."""
    await ward.provision("step")

    async def start(handle):
        return await ward.role("step", handle)

    return start


async def test_a_result_that_is_too_large_to_be_said_fails_with_the_calls_that_were_paid(ward, step):
    async def too_much(task, tools):
        shown = {"requirements": WANTED, "sandbox": sandbox_facts(), "objections": (), "alternative": None}
        await tools.ask("architect/design", reply=DesignReply, **shown)
        return tools.report(TaskPerformed, files=MANY)

    await step(too_much)
    await ward.say(ward.task("step", "r1"))
    failure = await ward.fact("r1", "failure.t.1")
    assert isinstance(failure, TaskFailed)
    assert (failure.error, [call.entry for call in failure.calls]) == ("impossible", ["llm.t.1.1"])


async def test_a_failure_is_recorded_whatever_characters_its_reason_has(ward, step):
    async def impossible(task, tools):
        raise Impossible("half \ud83d a character")

    await step(impossible)
    await ward.say(ward.task("step", "r1"))
    failure = await ward.fact("r1", "failure.t.1", patience_s=5.0)
    assert isinstance(failure, TaskFailed) and failure.reason == "half ? a character"


async def test_a_task_whose_budget_can_not_be_read_waits_and_goes_on_once_somebody_has_mended_it(ward):
    await ward.provision("architect")
    key = run_key(TENANT, "r1")
    bucket = await ward.bus.js.key_value("budgets")
    await bucket.put(key, b"nonsense")
    await ward.start(role_service(architect, ward.settings))
    task = DesignSystem(
        tenant=TENANT, run="r1", role="architect", task="design", attempt=1, requirements=WANTED,
        budget=Budget(usd=1.0),
    )  # fmt: skip
    await ward.say(task)
    wait = await ward.fact("r1", "wait.design.1.1.budget")
    assert isinstance(wait, TaskWaits) and key in wait.reason and "delete it" in wait.reason
    await bucket.delete(key)
    await ward.fact("r1", "result.design", patience_s=40.0)
