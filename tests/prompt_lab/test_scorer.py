"""The scorer on a real broker: outcomes are said once, verdicts fall by themselves and can be counted again."""

import asyncio
import random
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from contracts.codec import decode
from contracts.prompt_facts import decode_prompt, encode_prompt, prompts_subject
from contracts.subjects import Address, noun_filter
from contracts.v1.ballots import DecisionMade, Option, VoteCast
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import ExperimentEnded, ExperimentStarted, PromptChosen, VersionPushed
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import BallotAnswered, CastVote, PerformTask, TaskPerformed
from workers.prompt_lab.scorer import Scorer
from workers.prompt_lab.scoring import GRACE_S, scored
from workers.prompt_lab.weighing import Pending, Weighing
from workers.prompting.choice import choose
from workers.prompting.moves import ramp, stop
from workers.prompting.template_history import ExperimentRecord
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.app import WorkerApp
from workers.runtime.bus import Bus
from workers.runtime.errors import BusUnavailable
from workers.runtime.prompt_store import PromptStore
from workers.runtime.telemetry import Metrics
from workers.timekeeper.worker import Timekeeper

TEMPLATE = """---
name: {name}
role: poet
purpose: To write.
inputs: [topic]
---
# user
{text} {{{{ topic | data("topic") }}}}
"""
PATIENCE_S = 10.0


@dataclass
class Fleet:
    """What role workers would do: they are given versions and say results, and runs end."""

    bus: Bus
    store: PromptStore
    template: str
    tenant: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    runs: int = 0

    async def experiment(self, **more):
        """Two versions, and the experiment between them."""
        role, name = self.template.split("/")
        digests = []
        for text in ("Write on", "Sing of"):
            content = TEMPLATE.format(name=name, text=text)
            digest = compiled_text(role, name, content).version
            digests.append(digest)
            assert await self.store.say(VersionPushed(role=role, name=name, digest=digest, content=content))
        fields = {"k": 1, "live": digests[0], "candidate": digests[1]} | more
        assert await self.store.say(ExperimentStarted(role=role, name=name, **fields))
        return self.record

    @property
    def record(self):
        return self.store.of(self.template).running

    def new_run(self):
        self.runs += 1
        return f"r{self.runs}"

    async def say(self, *facts):
        for fact in facts:
            assert (await self.bus.log.say(fact)).news

    async def begin(self, run, task="write"):
        """A task begins: it is given its version. Returns the arm."""
        who = {"tenant": self.tenant, "run": run, "task": task}
        choice = choose(self.store.of(self.template), "0" * 12, self.tenant, run, task)
        chosen = PromptChosen(
            **who,
            template=self.template.replace("/", "-"),
            prompt=self.template,
            prompt_version=choice.digest,
            experiment=choice.experiment,
            epoch=choice.epoch,
            arm=choice.arm,
        )
        await self.say(PerformTask(**who, role="poet", idea="x"), chosen)
        return choice.arm

    async def end(self, run, task="write", well=True):
        """The task ends; one that does not go well had to be mended."""
        who = {"tenant": self.tenant, "run": run, "task": task}
        calls = [
            ModelCalled(
                **who,
                attempt=1,
                n=n,
                role="poet",
                target="m",
                prompt=self.template,
                prompt_version="0" * 12,
                request_sha256=str(n) * 64,
                input_tokens=1,
                output_tokens=1,
                cost_usd=0.001,
            )
            for n in ((1,) if well else (1, 2))
        ]
        await self.say(*calls, TaskPerformed(**who, calls=tuple(call.cited() for call in calls)))

    async def close(self, run, status="completed"):
        await self.say(RunClosed(tenant=self.tenant, run=run, status=status))

    async def tell(self, scorer, run, noun="run.closed", names=(), at=None):
        """Have a scorer hear of a fact, as a delivery would."""
        address = Address(self.tenant, run, noun, names)
        stored = await self.bus.log.find(address.subject())
        await scorer.heard(address, stored.at.timestamp() if at is None else at)

    async def outcomes(self):
        role, name = self.template.split("/")
        stored = await self.store.scan(prompts_subject("flotilla", role, name, "outcome", ">"))
        return [decode_prompt(one.subject, one.data) for one in stored]

    async def verdict(self):
        role, name = self.template.split("/")
        stored = await self.store.scan(prompts_subject("flotilla", role, name, "verdict", ">"))
        return decode_prompt(stored[0].subject, stored[0].data) if stored else None


@asynccontextmanager
async def store_on(bus, files):
    async with bus.prompt_store(Prompts.load(files)) as store:
        yield store


@pytest.fixture
async def fleet(bus, tmp_path):
    """A fleet with a template of its own, since the streams keep those of all tests."""
    (tmp_path / "poet").mkdir()
    (tmp_path / "poet" / "other.md").write_text(TEMPLATE.format(name="other", text="Hum"))
    await topology.provision(bus.js, bus.settings, ["poet"])
    async with store_on(bus, tmp_path) as store:
        one = Fleet(bus, store, f"poet/poem_{uuid.uuid4().hex[:8]}")
        yield one
        if (record := one.record) is not None:
            await store.say(stop(store.of(record.started.template), "test", "over"))


async def test_a_task_is_scored_when_its_run_ends(fleet):
    await fleet.experiment()
    scorer, run = Scorer(fleet.bus, fleet.store), fleet.new_run()
    arm = await fleet.begin(run)
    await fleet.end(run)
    await fleet.close(run)
    await fleet.tell(scorer, run)
    (said,) = await fleet.outcomes()
    assert (said.run, said.task, said.arm, said.won, said.cost) == (run, "write", arm, True, 1_000)
    chosen = await fleet.bus.log.scan(noun_filter("prompt", "write"))
    assert said.place in {stored.sequence for stored in chosen if run in stored.subject.split(".")}


async def test_what_two_replicas_hear_at_once_is_said_once(fleet, tmp_path):
    await fleet.experiment()
    run = fleet.new_run()
    await fleet.begin(run)
    await fleet.end(run, well=False)
    await fleet.close(run)
    async with store_on(fleet.bus, tmp_path) as store:
        scorers = [Scorer(fleet.bus, fleet.store), Scorer(fleet.bus, store)]
        await asyncio.gather(*(fleet.tell(scorer, run) for scorer in scorers * 2))
    (said,) = await fleet.outcomes()
    assert said.won is False


async def test_a_run_without_an_end_in_time_is_missing(fleet):
    record = await fleet.experiment(within_s=5)
    scorer, run = Scorer(fleet.bus, fleet.store), fleet.new_run()
    await fleet.begin(run)
    (stored,) = await fleet.bus.log.scan(Address(fleet.tenant, run, "prompt", ("write", "*")).subject())
    deadline = stored.at.timestamp() + record.started.within_s
    await fleet.tell(scorer, run, "timer", ("x",), at=deadline)
    assert await fleet.outcomes() == []
    await fleet.tell(scorer, run, "timer", ("x",), at=deadline + GRACE_S)
    (said,) = await fleet.outcomes()
    assert (said.won, said.why) == (None, "there is no result")


async def test_the_clock_tells_of_the_oldest_unit_when_its_time_is_over(fleet, timekeeper):
    await fleet.experiment(within_s=1)
    scorer, runs = Scorer(fleet.bus, fleet.store), [fleet.new_run() for _ in range(3)]
    for run in runs:
        await fleet.begin(run)
    await fleet.close(runs[2])
    await fleet.tell(scorer, runs[2])
    timers = f"flotilla-timers.set.{fleet.tenant}.>"
    assert len((await fleet.bus.js.stream_info(topology.TIMERS, subjects_filter=timers)).state.subjects) == 1
    name = await timekeeper(fleet.tenant, runs[0])
    assert name.startswith("prompt-1-") and len(name) <= 64
    await fleet.tell(scorer, runs[0], "timer", (name,))
    assert {(runs[0], None), (runs[2], None)} <= {(said.run, said.won) for said in await fleet.outcomes()}


@pytest.fixture
async def timekeeper(fleet, settings):
    """The clock of the fleet; tells the name of the first timer of a run that passes."""
    app = WorkerApp(Timekeeper(), settings)
    await app.app.start()

    async def first(tenant, run):
        async with asyncio.timeout(PATIENCE_S):
            async for stored in fleet.bus.log.follow(tenant, run):
                if ".timer." in stored.subject:
                    return stored.subject.rsplit(".", 1)[1]

    yield first
    await app.app.stop()


async def test_a_candidate_that_does_better_goes_live_by_itself_and_the_verdict_can_be_counted_again(fleet, tmp_path):
    record = await fleet.experiment(reason="rhymes")
    rng = random.Random(4)
    async with store_on(fleet.bus, tmp_path) as other:
        scorers = [Scorer(fleet.bus, fleet.store), Scorer(fleet.bus, other)]
        while fleet.record is not None:
            runs = [fleet.new_run() for _ in range(10)]
            assert fleet.runs < 200
            for run in runs:
                arm = await fleet.begin(run)
                await fleet.end(run, well=rng.random() < (0.95 if arm == "candidate" else 0.3))
            rng.shuffle(runs)
            for run in runs:
                await fleet.close(run)
                await fleet.tell(scorers[fleet.runs % 2 if rng.random() < 0.5 else 0], run)
            await fleet.store.refresh()
    history = fleet.store.of(fleet.template)
    assert history.live == record.started.candidate and "candidate" not in history.labels
    verdict = await fleet.verdict()
    assert isinstance(verdict, ExperimentEnded) and verdict.verdict == "promoted"
    assert encode_prompt(await counted_again(fleet, record, rng, verdict.by)) == encode_prompt(verdict)


async def counted_again(fleet, record, rng, by):
    """The verdict by all facts of both streams, shuffled and doubled."""
    role, name = fleet.template.split("/")
    outcomes = await fleet.store.scan(prompts_subject("flotilla", role, name, "outcome", ">"))
    chosen = await fleet.bus.log.scan(noun_filter("prompt", "write"))
    facts = [(one, decode_prompt(one.subject, one.data)) for one in outcomes]
    facts += [(one, decode(one.subject, one.data)) for one in chosen]
    weighing = Weighing(record)
    for stored, fact in rng.sample(facts * 2, 2 * len(facts)):
        if isinstance(fact, PromptChosen):
            weighing.assigned(stored.sequence, stored.at.timestamp(), fact)
        else:
            weighing.scored(stored.sequence, fact)
    return weighing.ended(by)


async def test_a_candidate_that_does_worse_is_rolled_back_and_live_stays_as_it_is(fleet):
    await fleet.experiment()
    scorer = Scorer(fleet.bus, fleet.store)
    while fleet.record is not None:
        run = fleet.new_run()
        assert fleet.runs < 200
        arm = await fleet.begin(run)
        await fleet.end(run, well=arm == "live")
        await fleet.close(run)
        await fleet.tell(scorer, run)
    verdict = await fleet.verdict()
    assert (verdict.verdict, verdict.why) == ("rolled_back", "success")
    assert fleet.store.of(fleet.template).live is None


async def test_all_tasks_of_a_run_count_once_for_what_the_run_shows(fleet):
    await fleet.experiment(metric="no_repairs")
    scorer, run = Scorer(fleet.bus, fleet.store), fleet.new_run()
    await fleet.say(RunRequested(tenant=fleet.tenant, run=run, idea="x"))
    assert await fleet.begin(run, "write") == await fleet.begin(run, "write-more")
    await fleet.close(run)
    await fleet.tell(scorer, run)
    (said,) = await fleet.outcomes()
    assert (said.task, said.won) == ("-", True)


async def test_tasks_that_were_assigned_after_a_change_of_the_share_count_by_that_share(fleet):
    await fleet.experiment()
    scorer, runs = Scorer(fleet.bus, fleet.store), [fleet.new_run(), fleet.new_run()]
    await fleet.begin(runs[0])
    assert await fleet.store.say(ramp(fleet.store.of(fleet.template), 900_000, "me"))
    await fleet.begin(runs[1])
    for run in runs:
        await fleet.end(run)
        await fleet.close(run)
        await fleet.tell(scorer, run)
    assert [said.epoch for said in await fleet.outcomes()] == [0, 1]


async def test_an_end_that_was_missed_is_found_with_the_next_one(fleet):
    await fleet.experiment()
    scorer, missed, run = Scorer(fleet.bus, fleet.store), fleet.new_run(), fleet.new_run()
    for each in (missed, run):
        await fleet.begin(each)
        await fleet.end(each)
        await fleet.close(each)
    await fleet.tell(scorer, run)
    assert {said.run for said in await fleet.outcomes()} == {missed, run}


async def test_an_end_that_another_replica_was_told_of_in_vain_is_found_by_and_by(fleet):
    await fleet.experiment()
    scorer, missed = Scorer(fleet.bus, fleet.store, sweep_s=0.0), fleet.new_run()
    await fleet.begin(missed)
    await fleet.tell(scorer, "elsewhere", "timer", ("x",), at=0.0)
    await fleet.close(missed, "failed")
    await fleet.tell(scorer, "elsewhere", "timer", ("x",), at=0.0)
    assert [(said.run, said.won) for said in await fleet.outcomes()] == [(missed, None)]


async def test_an_end_that_can_not_be_read_yet_is_tried_again(fleet):
    await fleet.experiment()
    scorer, run = Scorer(fleet.bus, fleet.store), fleet.new_run()
    await fleet.begin(run)
    with pytest.raises(BusUnavailable, match=r"run\.closed is in the log"):
        await fleet.tell(scorer, run, at=1.0)


async def test_nothing_is_said_once_somebody_has_stopped_the_experiment(fleet):
    await fleet.experiment()
    scorer, run = Scorer(fleet.bus, fleet.store), fleet.new_run()
    await fleet.begin(run)
    assert await fleet.store.say(stop(fleet.store.of(fleet.template), "me", "enough"))
    await fleet.close(run)
    await fleet.tell(scorer, run)
    assert await fleet.outcomes() == []


class Counted:
    """The metrics of replicas, as they would be added up."""

    def __init__(self):
        self.replicas = [Metrics(), Metrics()]

    def outcomes(self, template):
        """Outcomes by arm and how they went."""
        labels = [(arm, outcome) for arm in ("live", "candidate") for outcome in ("won", "lost", "missing", "void")]
        names = [{"template": template, "arm": arm, "outcome": outcome} for arm, outcome in labels]
        counts = [self._sum("flotilla_prompt_outcomes_total", name) for name in names]
        return {label: count for label, count in zip(labels, counts, strict=True) if count}

    def verdicts(self, template, verdict):
        return self._sum("flotilla_prompt_verdicts_total", {"template": template, "verdict": verdict})

    def _sum(self, name, labels):
        return sum(one.registry.get_sample_value(name, labels) or 0 for one in self.replicas)


async def test_each_outcome_and_each_verdict_is_counted_by_the_replica_whose_word_was_news(fleet, tmp_path):
    await fleet.experiment()
    counted, said = Counted(), Counter()
    async with store_on(fleet.bus, tmp_path) as other:
        stores = (fleet.store, other)
        scorers = [Scorer(fleet.bus, store, metrics=m) for store, m in zip(stores, counted.replicas, strict=True)]
        while fleet.record is not None:
            run = fleet.new_run()
            assert fleet.runs < 200
            arm = await fleet.begin(run)
            await fleet.end(run, well=arm == "live")
            await fleet.close(run)
            await asyncio.gather(*(fleet.tell(scorer, run) for scorer in scorers * 2))
            said[arm, "won" if arm == "live" else "lost"] += 1
    assert counted.outcomes(fleet.template) == said
    assert counted.verdicts(fleet.template, "rolled_back") == 1


async def test_what_never_came_and_who_was_called_off_are_counted_as_that(fleet):
    await fleet.experiment(within_s=1)
    counted = Counted()
    scorer, late, off = Scorer(fleet.bus, fleet.store, metrics=counted.replicas[0]), fleet.new_run(), fleet.new_run()
    arms = [await fleet.begin(late), await fleet.begin(off, "vote")]
    asked = CastVote(
        **WHO | {"tenant": fleet.tenant, "run": off, "task": "vote"},
        **VOTER,
        attempt=2,
        role="reviewer",
        question="Which?",
        options=(Option(option="a"), Option(option="b")),
    )
    await fleet.say(asked, DecisionMade(tenant=fleet.tenant, run=off, ballot="b", option="a", by="rule"))
    await fleet.tell(scorer, off, "decision", ("b",))
    await fleet.close(late)
    await fleet.tell(scorer, late)
    assert counted.outcomes(fleet.template) == Counter([(arms[0], "missing"), (arms[1], "void")])


async def test_an_experiment_that_somebody_stops_is_no_verdict_of_outcomes(fleet):
    await fleet.experiment()
    counted, run = Counted(), fleet.new_run()
    scorer = Scorer(fleet.bus, fleet.store, metrics=counted.replicas[0])
    await fleet.begin(run)
    assert await fleet.store.say(stop(fleet.store.of(fleet.template), "me", "enough"))
    await fleet.close(run)
    await fleet.tell(scorer, run)
    assert (counted.outcomes(fleet.template), counted.verdicts(fleet.template, "stopped")) == ({}, 0)


class Untouched:
    """A log that nobody may ask."""

    def __getattr__(self, name):
        raise AssertionError(f"the log was asked for {name}")


async def test_nothing_is_read_while_no_experiment_runs(fleet):
    scorer = Scorer(replace(fleet.bus, log=Untouched()), fleet.store)
    await scorer.heard(Address(fleet.tenant, "r1", "run.closed"), 1.0)
    await fleet.experiment()
    await scorer.heard(Address(fleet.tenant, "r1", "task", ("poet", "t", "1")), 1.0)
    with pytest.raises(AssertionError, match="was asked for"):
        await scorer.heard(Address(fleet.tenant, "r1", "run.closed"), 1.0)


RECORD = ExperimentRecord(
    ExperimentStarted(role="poet", name="poem", k=1, live="0" * 12, candidate="1" * 12, within_s=60), 1, 0.0, (500_000,)
)
WHO = {"tenant": "acme", "run": "r1", "task": "t"}
CHOSEN = PromptChosen(
    **WHO, template="poet-poem", prompt="poet/poem", prompt_version="0" * 12, experiment=1, arm="live"
)
PENDING = Pending(7, 1_000.0, "acme/r1/t", CHOSEN)
CLOSED = RunClosed(tenant="acme", run="r1", status="completed")


def judged(*facts, now=0.0):
    return scored(RECORD, PENDING, facts, now)


def test_a_unit_is_open_until_its_run_ends_or_its_time_is_over():
    assert judged(now=1_060.0) is None
    assert judged(now=1_060.0 + GRACE_S).won is None
    assert judged((1_059.0, CLOSED)).place == 7


VOTER = {"ballot": "b", "voter": "v"}
ASKED = CastVote(**WHO, **VOTER, role="reviewer", question="Which?", options=(Option(option="a"), Option(option="b")))
DECIDED = DecisionMade(tenant="acme", run="r1", ballot="b", option="a", by="rule")


def test_a_task_is_scored_as_soon_as_it_is_known_how_it_went():
    failed = TaskFailed(**WHO, role="poet", attempt=1, error="malformed_reply", retry=True, reason="no poem")
    assert judged((1_001.0, failed)).won is False
    green = replace(RECORD, started=RECORD.started.model_copy(update={"metric": "no_repairs"}))
    assert scored(green, PENDING, [(1_001.0, TaskPerformed(**WHO))], 0.0) is None


def test_a_voter_that_was_called_off_counts_for_nothing():
    off = judged((1_000.0, ASKED), (1_001.0, DECIDED))
    assert (off.void, off.won) == (True, None)
    assert judged((1_000.0, ASKED)) is None
    voted = VoteCast(tenant="acme", run="r1", **VOTER, choice="a", task="t")
    assert judged((1_000.0, ASKED), (1_001.0, DECIDED), (1_001.5, voted)) is None
    answered = BallotAnswered(**WHO, **VOTER)
    assert judged((1_000.0, ASKED), (1_001.0, voted), (1_001.0, DECIDED), (1_001.5, answered)).won is False


def test_what_comes_after_the_deadline_is_too_late_whenever_somebody_looks():
    done = TaskPerformed(**WHO)
    assert judged((1_059.0, done)).won is False
    assert judged((1_061.0, done), (1_062.0, CLOSED), now=2_000.0).won is None
