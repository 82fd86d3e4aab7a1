"""What a busy fleet and hostile clients make of the scorer: on a real broker, without waiting for luck."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from contracts.prompt_facts import encode_prompt, prompts_subject, subject_of_prompt
from contracts.subjects import Address
from contracts.v1.ballots import DecisionMade
from contracts.v1.prompts import ExperimentStarted, OutcomeScored, PromptChosen, VersionPushed
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import PerformTask, TaskPerformed
from workers.prompt_lab.evidence import EvidenceReader
from workers.prompt_lab.scorer import Scorer
from workers.prompting.choice import choose
from workers.prompting.moves import stop
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.errors import BusUnavailable

TEMPLATE = """---
name: {name}
role: poet
purpose: To write.
inputs: [topic]
---
# user
{text} {{{{ topic | data("topic") }}}}
"""


class Lab:
    """An experiment on a template of its own, and a scorer whose reads are counted."""

    def __init__(self, bus, store):
        self.bus, self.store, self.reads, self.scans = bus, store, 0, 0
        self.name, self.tenant = f"poem_{uuid.uuid4().hex[:8]}", f"t{uuid.uuid4().hex[:8]}"
        self.template = f"poet/{self.name}"
        self.scorer = Scorer(replace(bus, log=self), store)

    def __getattr__(self, name):
        return getattr(self.bus.log, name)

    async def history(self, tenant, run, after=0):
        self.reads += 1
        return await self.bus.log.history(tenant, run, after)

    async def scan(self, subjects, after=0):
        self.scans += 1
        return await self.bus.log.scan(subjects, after)

    async def start(self, **more):
        digests = []
        for text in ("Write on", "Sing of"):
            content = TEMPLATE.format(name=self.name, text=text)
            digests.append(compiled_text("poet", self.name, content).version)
            pushed = VersionPushed(role="poet", name=self.name, digest=digests[-1], content=content)
            assert await self.store.say(pushed)
        fields = {"k": 1, "live": digests[0], "candidate": digests[1]} | more
        assert await self.store.say(ExperimentStarted(role="poet", name=self.name, **fields))

    async def begin(self, run, task="write"):
        who = {"tenant": self.tenant, "run": run, "task": task}
        choice = choose(self.store.of(self.template), "", self.tenant, run, task)
        chosen = PromptChosen(
            **who, template=f"poet-{self.name}", prompt=self.template, prompt_version=choice.digest,
            experiment=choice.experiment, epoch=choice.epoch, arm=choice.arm,
        )  # fmt: skip
        return (await self.say(PerformTask(**who, role="poet", idea="x"), chosen))[-1].sequence

    async def end(self, run, task="write"):
        who = {"tenant": self.tenant, "run": run, "task": task}
        await self.say(TaskPerformed(**who), RunClosed(tenant=self.tenant, run=run, status="completed"))

    async def say(self, *facts):
        said = [await self.bus.log.say(fact) for fact in facts]
        assert all(one.news for one in said)
        return said

    async def tell(self, run, noun="run.closed", *names):
        address = Address(self.tenant, run, noun, names)
        stored = await self.bus.log.find(address.subject())
        await self.scorer.heard(address, stored.at.timestamp())

    async def hostile(self, run, **fields):
        """An outcome as any client may say it."""
        who = {"role": "poet", "name": self.name, "k": 1, "tenant": self.tenant, "run": run, "task": "write"}
        fact = OutcomeScored(**who, arm="live", won=True, **fields)
        assert (await self.bus.publisher.publish(subject_of_prompt(fact), encode_prompt(fact))).news

    async def counted(self):
        """How many outcomes the evidence rests on."""
        reader = EvidenceReader(self.bus.log, self.store, self.oldest, "flotilla")
        weighing = await reader.read(self.store.of(self.template).running)
        decision = weighing.decision()
        return sum(decision.live) + sum(decision.candidate)

    async def oldest(self):
        return 1


@pytest.fixture
async def lab(bus, tmp_path):
    (tmp_path / "poet").mkdir()
    await topology.provision(bus.js, bus.settings, ["poet"])
    async with bus.prompt_store(Prompts.load(tmp_path)) as store:
        one = Lab(bus, store)
        yield one
        if store.of(one.template).running:
            await store.say(stop(store.of(one.template), "test", "over"))


async def test_a_decision_in_a_run_that_will_have_an_end_keeps_nobody_waiting(lab):
    await lab.start(metric="tests_green")
    await lab.say(RunRequested(tenant=lab.tenant, run="r1", idea="x"))
    await lab.begin("r1")
    await lab.say(DecisionMade(tenant=lab.tenant, run="r1", ballot="b", option="a", by="rule"))
    await lab.tell("r1", "decision", "b")
    assert lab.reads == 1


async def test_nothing_is_kept_of_an_experiment_that_somebody_else_has_ended(lab):
    await lab.start()
    await lab.begin("r1")
    await lab.begin("r2")
    await lab.end("r1")
    await lab.tell("r1")
    assert lab.scorer.weighed == {f"{lab.template}/1"}
    assert await lab.store.say(stop(lab.store.of(lab.template), "me", "enough"))
    await lab.end("r2")
    await lab.tell("r2")
    assert lab.scorer.weighed == frozenset()


async def test_outcomes_of_shares_and_tasks_that_never_were_hold_nothing_up(lab):
    await lab.start()
    place = await lab.begin("r1")
    await lab.hostile("x1", epoch=7, place=1)
    await lab.hostile("x2", epoch=0, place=10**18)
    await lab.hostile("x3", epoch=10**30, place=place, cost=10**300)
    await lab.end("r1")
    await lab.tell("r1")
    assert await lab.counted() == 1


async def test_names_of_outcomes_that_a_client_has_taken_hold_nothing_up(lab):
    await lab.start()
    for run in ("r1", "r2", "r3", "r4"):
        await lab.begin(run)
    taken = prompts_subject("flotilla", "poet", lab.name, "outcome", "1", lab.tenant, "r1", "write")
    await lab.bus.publisher.publish(taken, b"x" * 1_000_000)
    await lab.hostile("r2", epoch=0, place=10**18)
    await lab.hostile("r3", epoch=9, place=10**18)
    for run in ("r1", "r2", "r3", "r4"):
        await lab.end(run)
    await lab.tell("r4")
    assert await lab.counted() == 3


async def test_a_version_of_a_share_that_never_was_holds_things_up_until_its_task_is_scored_and_no_longer(lab):
    await lab.start()
    who = {"tenant": lab.tenant, "run": "r0", "task": "write", "template": f"poet-{lab.name}", "prompt": lab.template}
    forged = PromptChosen(**who, prompt_version="0" * 12, experiment=1, epoch=3, arm="live")
    await lab.say(PerformTask(tenant=lab.tenant, run="r0", role="poet", task="write", idea="x"), forged)
    await lab.begin("r1")
    await lab.end("r1")
    await lab.tell("r1")
    assert await lab.counted() == 0
    await lab.end("r0")
    await lab.tell("r0")
    assert await lab.counted() == 1


async def test_what_is_heard_while_the_scorer_is_busy_is_taken_in_together(lab):
    await lab.start()
    runs = [f"r{n}" for n in range(40)]
    for run in runs:
        await lab.begin(run)
        await lab.end(run)
    scans = lab.scans
    await asyncio.gather(*(lab.tell(run) for run in runs))
    assert await lab.counted() == len(runs)
    assert lab.scans - scans < len(runs) // 2


async def test_all_whose_facts_could_not_be_taken_in_are_told_so(lab):
    await lab.start()
    for run in ("r1", "r2"):
        await lab.begin(run)
    await lab.end("r2")
    at = {"tenant": lab.tenant, "noun": "run.closed"}
    early = lab.scorer.heard(Address(**at, run="r1"), 1.0)
    told = await asyncio.gather(early, lab.tell("r2"), return_exceptions=True)
    assert isinstance(told[0], BusUnavailable)
    await lab.tell("r2")
    assert await lab.counted() == 0
    await lab.end("r1")
    await lab.tell("r1")
    assert await lab.counted() == 2
