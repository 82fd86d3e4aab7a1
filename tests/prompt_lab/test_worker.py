"""The prompt lab on a real broker, with the orchestrator, a role and the built-in model: revisions within limits."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from contracts.codec import decode
from contracts.prompt_facts import decode_prompt, prompts_subject
from contracts.subjects import Address
from contracts.v1.failures import TaskFailed
from contracts.v1.orders import RevisePrompt
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.prompts import ExperimentStarted, GateResult, ImprovementSet, RevisionTried, VersionPushed
from contracts.v1.runs import RunClosed, RunRequested
from workers import fleet
from workers.llm.builtin import BuiltinModel
from workers.prompt_lab.improving import Improver
from workers.prompt_lab.trigger import run_of
from workers.prompt_lab.worker import perform
from workers.prompting.moves import move, push
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.app import WorkerApp
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.prompt_store import PromptStore
from workers.runtime.roster import role_names
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging, logger
from workers.runtime.toolkit import Toolkit

PATIENCE_S = 60.0
TEMPLATE = "architect/perform"
CARELESS = "builtin:careless=0.5"
WITHOUT = "\n".join(
    line
    for line in Prompts.load().named(TEMPLATE).source.file.read_text().split("\n")
    if not line.startswith(("constraints:", "  - ", "    "))
)
"""The shipped template with nothing for the built-in model to hold to: then it is careless."""

OF = {"role": "architect", "name": "perform"}


@dataclass
class Lab:
    """A fleet with as many prompt labs as a test starts, on a broker of its own."""

    bus: Bus
    settings: Settings
    store: PromptStore
    stack: AsyncExitStack
    runs: int = 0

    async def start(self, *names):
        """Start workers; the same one twice is two replicas."""
        for name in names:
            worker = WorkerApp(fleet.services()[name](self.settings), self.settings)
            await worker.app.start()
            self.stack.push_async_callback(worker.app.stop)

    async def worse(self):
        """Make the version live that the built-in model is careless with; returns it."""
        await self.store.refresh()
        shipped = self.store.shipped(TEMPLATE).version
        bad = compiled_text("architect", "perform", WITHOUT).version
        assert bad != shipped
        await self.store.say(push(self.store.of(TEMPLATE), bad, WITHOUT, "ann", ""))
        await self.store.say(move(self.store.of(TEMPLATE), "live", bad, "ann", "", shipped))
        return bad

    async def improve(self, **limits):
        """Switch it on."""
        n = self.store.of(TEMPLATE).next_improvement
        limits = {"failures": 3, "cases": 8, **limits}
        assert await self.store.say(ImprovementSet(**OF, n=n, on=True, **limits))

    async def ask(self, count):
        """So many runs of one task each, to their ends."""
        names = [f"r{self.runs + n}" for n in range(count)]
        self.runs += count
        for name in names:
            task = PlannedTask(task="decide", role="architect", instruction=f"Decide on the queue of system {name}.")
            await self.say(name, task, model=CARELESS)
        return [await self.closed("acme", name) for name in names]

    async def say(self, run, task, tenant="acme", **more):
        """Ask for a run of one task."""
        request = RunRequested(tenant=tenant, run=run, idea="Queues.", plan=Plan(tasks=(task,)), **more)
        assert (await self.bus.log.say(request)).news

    def improver(self):
        """What one replica of the lab does when a run is over."""
        return Improver(self.bus.log, self.store, "lab", "flotilla", logger("test"))

    async def find(self, tenant, run, noun, *names):
        subject = Address(tenant, run, noun, names).subject()
        stored = await self.bus.log.find(subject)
        return decode(subject, stored.data) if stored else None

    async def closed(self, tenant, run) -> RunClosed:
        """The end of a run."""
        return await until(lambda: self.find(tenant, run, "run.closed"), f"the end of {run}")

    async def facts(self, noun):
        """What the stream says of the template under a noun, in order."""
        found = await self.store.scan(prompts_subject("flotilla", "architect", "perform", noun, ">"))
        return [decode_prompt(one.subject, one.data) for one in found]

    async def tried(self, n):
        """What came of an attempt."""
        facts = await until(lambda: self._revisions(n), f"revision {n}")
        return facts[n - 1]

    async def _revisions(self, n):
        facts = await self.facts("revision")
        return facts if len(facts) >= n else None

    async def attempts(self):
        """How many runs were asked for that try to revise something."""
        requested = await self.bus.log.scan("flotilla.*.*.run.requested")
        return sum(".improve-" in one.subject for one in requested)


async def until(happened, what):
    """Ask again and again until the answer is true, and return it."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not (found := await happened()):
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {PATIENCE_S} s"
        await asyncio.sleep(0.05)
    return found


@pytest_asyncio.fixture
async def lab():
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedNats())
        settings = Settings(nats_url=server.url, lease_s=3.0, publish_timeout_s=10.0, log_level="error", tenant="lab")
        configure_logging(settings)
        bus = await stack.enter_async_context(connect(settings, "test"))
        await topology.provision(bus.js, settings, role_names(settings))
        store = await stack.enter_async_context(bus.prompt_store(Prompts.load()))
        yield Lab(bus, settings, store, stack)


async def test_a_worse_version_is_revised_gated_and_tried_and_twice_told_is_done_once(lab):
    bad = await lab.worse()
    await lab.improve()
    await lab.start("orchestrator", "architect", "prompt_lab", "prompt_lab")
    await lab.ask(30)
    tried = await lab.tried(1)
    assert (tried.of, tried.gate.passed, tried.cost_usd, tried.run) == (bad, True, 0.0, "improve-architect-perform-1")
    assert tried.gate.candidate > tried.gate.live
    started = await until(lambda: lab.facts("experiment"), "the experiment")
    (experiment,) = started
    assert isinstance(experiment, ExperimentStarted)
    assert experiment.k == tried.experiment == 1
    assert (experiment.live, experiment.candidate, experiment.reason) == (bad, tried.candidate, tried.reason)
    versions = {fact.digest: fact for fact in await lab.facts("version")}
    assert isinstance(versions[tried.candidate], VersionPushed)
    assert "\nconstraints:\n" in versions[tried.candidate].content
    assert [fact.label for fact in await lab.facts("label")] == ["live"]
    assert await lab.attempts() == 1
    await lab.ask(4)
    assert (await lab.attempts(), len(await lab.facts("revision"))) == (1, 1)
    order = [noun for noun in await _nouns(lab) if noun in ("version", "revision", "experiment")]
    assert order == ["version", "version", "revision", "experiment"]


async def _nouns(lab):
    return [one.subject.split(".")[3] for one in await lab.store.scan("flotilla-prompts.architect.perform.>")]


async def test_nothing_is_revised_where_it_is_not_switched_on(lab):
    await lab.worse()
    await lab.start("orchestrator", "architect", "prompt_lab")
    await lab.ask(12)
    assert (await lab.attempts(), await lab.facts("revision")) == (0, [])


@pytest.mark.parametrize("switched_on", [False, True])
async def test_an_order_that_the_lab_did_not_give_itself_is_refused_before_anything_is_asked(lab, switched_on):
    await lab.worse()
    if switched_on:
        await lab.improve()
    await lab.start("orchestrator", "prompt_lab")
    order = RevisePrompt(template=TEMPLATE, n=1).model_dump_json()
    await lab.say("mine", PlannedTask(task="revise", role="prompt_lab", instruction=order))
    end = await lab.closed("acme", "mine")
    assert end.status == "failed"
    assert "flotilla prompts improve architect/perform --on" in end.reason
    assert not await lab.bus.log.scan("flotilla.acme.mine.llm.>")
    assert {fact.by for fact in await lab.facts("version")} == {"ann"}


async def test_a_run_that_takes_the_name_with_more_money_than_is_allowed_is_refused_and_the_next_attempt_is_free(lab):
    await lab.worse()
    await lab.improve(usd_each=0.5)
    await lab.start("orchestrator", "prompt_lab")
    order = RevisePrompt(template=TEMPLATE, n=1).model_dump_json()
    task = PlannedTask(task="revise", role="prompt_lab", instruction=order)
    await lab.say(run_of(TEMPLATE, 1), task, tenant="lab", budget={"usd": 100.0})
    tried = await lab.tried(1)
    assert (tried.candidate, tried.gate, tried.cost_usd) == (None, None, 0.0)
    assert "may spend more" in tried.reason
    await lab.store.refresh()
    assert lab.store.of(TEMPLATE).next_revision == 2


async def test_a_run_of_somebody_else_under_that_name_uses_up_no_money(lab):
    await lab.worse()
    await lab.improve()
    await lab.start("orchestrator", "architect", "prompt_lab")
    other = PlannedTask(task="decide", role="architect", instruction="Anything.")
    await lab.say(run_of(TEMPLATE, 1), other, tenant="lab", model="builtin")
    tried = await lab.tried(1)
    assert (tried.reason, tried.cost_usd) == ("another run had taken the name of its run", 0.0)
    assert await lab.facts("experiment") == []


async def test_a_run_under_the_name_of_an_attempt_that_is_not_due_is_no_attempt(lab):
    await lab.improve()
    run = run_of(TEMPLATE, 7)
    await lab.say(run, PlannedTask(task="decide", role="architect", instruction="Anything."), tenant="lab")
    assert (await lab.bus.log.say(RunClosed(tenant="lab", run=run, status="failed"))).news
    await lab.improver().closed("lab", run)
    assert await lab.facts("revision") == []


async def test_an_instruction_that_is_no_order_says_what_is_wrong_with_it(lab):
    await lab.start("orchestrator", "prompt_lab")
    await lab.say("odd", PlannedTask(task="revise", role="prompt_lab", instruction='{"kind": "paint"}'))
    end = await lab.closed("acme", "odd")
    assert "is no order to the prompt lab" in end.reason
    failed = await lab.find("acme", "odd", "failure", "revise", "1")
    assert isinstance(failed, TaskFailed)
    assert (failed.error, failed.retry) == ("impossible", False)


async def failing(lab):
    """Runs that call for a revision, and improvers that nobody told of their ends."""
    await lab.worse()
    await lab.improve()
    await lab.start("orchestrator", "architect")
    await lab.ask(30)
    return [f"r{n}" for n in range(30)], [lab.improver(), lab.improver()]


async def test_improvers_that_are_told_the_same_in_any_order_ask_for_one_attempt(lab):
    runs, improvers = await failing(lab)
    told = [(improver, run) for improver in improvers for run in runs * 2]
    random.Random(7).shuffle(told)
    await asyncio.gather(*(improver.closed("acme", run) for improver, run in told))
    assert await lab.attempts() == 1


async def test_an_attempt_of_whose_end_nobody_was_told_is_told_of_at_the_next_failure(lab):
    runs, (improver, _) = await failing(lab)
    order = RevisePrompt(template=TEMPLATE, n=1).model_dump_json()
    task = PlannedTask(task="revise", role="prompt_lab", instruction=order)
    await lab.say(run_of(TEMPLATE, 1), task, tenant="lab")
    await lab.bus.log.say(RunClosed(tenant="lab", run=run_of(TEMPLATE, 1), status="cancelled", reason="by hand"))
    for run in runs:
        await improver.closed("acme", run)
    assert (await lab.tried(1)).reason == "the run was cancelled: by hand"


async def test_whoever_dies_before_the_experiment_leaves_it_to_whoever_is_told_next(lab):
    bad = await lab.worse()
    await lab.improve()
    better = Prompts.load().named(TEMPLATE)
    content = better.source.file.read_text()
    await lab.store.say(push(lab.store.of(TEMPLATE), better.version, content, "prompt_lab", ""))
    gate = GateResult(cases=5, live=1, candidate=5, passed=True)
    names = {"tenant": "lab", "run": run_of(TEMPLATE, 1), "n": 1}
    await lab.store.say(RevisionTried(**OF, **names, of=bad, candidate=better.version, gate=gate, cost_usd=0.0))
    await asyncio.gather(*(lab.improver().closed("lab", run_of(TEMPLATE, 1)) for _ in range(3)))
    (started,) = await lab.facts("experiment")
    assert (started.k, started.live, started.candidate) == (1, bad, better.version)


class Asked:
    """The built-in model, and how often it was asked."""

    def __init__(self):
        self.calls = []

    async def complete(self, call, request, heard=None):
        self.calls.append(call)
        target = call.asked or "builtin"
        return replace(await BuiltinModel(target).complete(request), target=target)

    async def paid(self, *settled):
        """Nothing is left open here."""


async def test_a_redelivered_attempt_asks_the_same_and_pays_for_nothing_twice(lab):
    runs, (improver, _) = await failing(lab)
    for run in runs:
        await improver.closed("acme", run)
    name = run_of(TEMPLATE, 1)
    task = await until(lambda: lab.find("lab", name, "task", "prompt_lab", "revise", "1"), "the order")

    async def deliver(asked, again):
        await lab.store.refresh()
        more = {"settings": lab.settings, "store": lab.store, "redelivered": again}
        return await perform(task, Toolkit(task, lab.bus.log, lab.bus.artifacts, lab.store.files, asked, **more))

    first, second = Asked(), Asked()
    outcome = await deliver(first, False)
    await lab.ask(10)  # what came later must not change what is asked
    again = await deliver(second, True)
    assert (len(second.calls), again.output, set(again.calls)) == (0, outcome.output, set(outcome.calls))
    assert len(first.calls) == len(outcome.calls) > 8
    assert {call.budget for call in first.calls} == {task.budget}
    held_out = [call for call in outcome.calls if call.entry.startswith("llm.revise-")]
    assert {call.target for call in held_out} == {CARELESS}
    assert await lab.facts("experiment") == []  # not before the end of its run
