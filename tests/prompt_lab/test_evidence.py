"""The evidence of an experiment: the same verdict from the same facts, and none from a log that is read in part."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import encode
from contracts.prompt_facts import encode_prompt, subject_of_prompt
from contracts.subjects import subject_of
from contracts.v1.prompts import ExperimentEnded, ExperimentStarted, OutcomeScored, PromptChosen
from workers.prompt_lab.evidence import CLOCKS_S, EvidenceReader
from workers.prompt_lab.weighing import MOST_POINTS, Weighing, reason_of, thinned
from workers.prompting.choice import unit_of
from workers.prompting.experiments.assignment import MILLION, arm_of
from workers.prompting.experiments.experiment import Count, Decision, Point
from workers.prompting.template_history import ExperimentRecord
from workers.runtime.ports import Stored

HALF = MILLION // 2
AT = 1_000.0


def record(shares=(HALF,), **more):
    fields = {"role": "architect", "name": "design", "k": 1, "live": "0" * 12, "candidate": "1" * 12}
    return ExperimentRecord(ExperimentStarted(**(fields | more)), 1, AT, tuple(shares))


RECORD = record()


def chosen(n, of=RECORD, epoch=0, task="design"):
    run = f"r{n}"
    unit = unit_of(of.started.metric, "acme", run, task)
    arm = arm_of(of.id, epoch, unit, of.shares[epoch] if epoch < len(of.shares) else HALF)
    version = of.started.candidate if arm == "candidate" else of.started.live
    return PromptChosen(
        tenant="acme",
        run=run,
        task=task,
        template="architect-design",
        prompt="architect/design",
        prompt_version=version,
        experiment=of.k,
        epoch=epoch,
        arm=arm,
    )


def outcome(fact, place, won, of=RECORD, **more):
    task = unit_of(of.started.metric, "acme", fact.run, fact.task).rsplit("/", 1)[1]
    return OutcomeScored(
        role="architect",
        name="design",
        k=of.k,
        tenant="acme",
        run=fact.run,
        task=task,
        epoch=fact.epoch,
        arm=fact.arm,
        place=place,
        won=won,
        **more,
    )


def history(units, live=0.5, candidate=0.5, of=RECORD, seed=3):
    """(place, assignment) and (sequence, outcome) of so many units; an outcome comes later the later it is."""
    rng = random.Random(seed)
    for n in range(1, units + 1):
        fact = chosen(n, of)
        yield "assigned", 10 * n, fact
        won = None if rng.random() < 0.05 else rng.random() < (live if fact.arm == "live" else candidate)
        yield "scored", n, outcome(fact, 10 * n, won, of, cost=rng.randrange(900, 1_100), latency=rng.randrange(99))


def weighed(facts, of=RECORD):
    weighing = Weighing(of)
    for kind, place, fact in facts:
        weighing.assigned(place, AT + place, fact) if kind == "assigned" else weighing.scored(place, fact)
    return weighing


def test_a_better_candidate_is_promoted_with_its_evidence():
    ended = weighed(history(400, 0.4, 0.95)).ended("me")
    assert isinstance(ended, ExperimentEnded)
    assert (ended.verdict, ended.why, ended.by) == ("promoted", "success", "me")
    outcomes = sum(ended.live.model_dump().values()) + sum(ended.candidate.model_dump().values())
    assert ended.curve[-1][0] == outcomes < 400
    assert f"candidate succeeded in {ended.candidate.won} of" in ended.reason


def test_a_worse_one_is_rolled_back():
    ended = weighed(history(400, 0.95, 0.4)).ended()
    assert (ended.verdict, ended.why) == ("rolled_back", "success")


def test_an_experiment_that_finds_nothing_ends_with_its_last_outcome():
    of = record(most=50)
    assert weighed(history(49, of=of), of).ended() is None
    ended = weighed(history(60, of=of), of).ended()
    assert (ended.verdict, ended.why) == ("stopped", "length")


@settings(max_examples=25)
@given(st.sampled_from([0.1, 0.5, 0.95]), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_facts_end_an_experiment_with_the_same_bytes(candidate, rng):
    facts = list(history(200, 0.5, candidate))
    wanted, decision = weighed(facts).ended("me"), weighed(facts).decision()
    again = weighed(rng.sample(facts * 2, 2 * len(facts)))
    assert again.decision() == decision
    assert again.ended("me") == wanted
    if wanted is not None:
        assert encode_prompt(again.ended("me")) == encode_prompt(wanted)


def test_outcomes_alone_rebuild_what_the_log_has_forgotten():
    facts = list(history(400, 0.4, 0.95))
    alone = weighed([one for one in facts if one[0] == "scored"])
    assert alone.ended() == weighed(facts).ended() is not None


def test_a_unit_without_an_outcome_holds_back_all_behind_it():
    facts = [one for one in history(100) if one[:2] != ("scored", 4)]
    weighing = weighed(facts)
    assert weighing.decision().curve[-1].outcomes == 3
    assert [pending.place for pending in weighing.pending] == [40]
    assert weighing.pending[0].at == AT + 40


def test_all_tasks_of_a_run_are_one_unit_for_what_the_run_shows():
    of = record(metric="tests_green")
    weighing = Weighing(of)
    for place, task in ((30, "b"), (20, "a"), (40, "c")):
        weighing.assigned(place, AT, chosen(1, of, task=task))
    (pending,) = weighing.pending
    assert (pending.unit, pending.place) == ("acme/r1/-", 20)
    weighing.scored(1, outcome(pending.chosen, 20, True, of))
    assert weighing.pending == ()
    weighing.assigned(50, AT, chosen(1, of, task="d"))
    assert weighing.pending == ()
    assert weighing.decision().live.won + weighing.decision().candidate.won == 1


def test_facts_of_other_experiments_change_nothing():
    weighing, other = Weighing(RECORD), record(k=2)
    fact = chosen(1, other)
    weighing.assigned(1, AT, fact)
    weighing.scored(1, outcome(fact, 1, True, other))
    weighing.assigned(2, AT, fact.model_copy(update={"experiment": 0, "arm": None}))
    assert weighing.pending == () and weighing.decision().curve == ()


def test_an_epoch_that_is_not_known_yet_holds_back_its_tasks_and_those_behind():
    later = record((HALF, HALF // 2))
    facts = [(kind, place, fact) for kind, place, fact in history(20)]
    ahead = chosen(21, later, epoch=1)
    facts.append(("assigned", 55, ahead))
    weighing = weighed(facts)
    assert weighing.decision().curve[-1].outcomes == 5
    weighing.renew(later)
    weighing.scored(99, outcome(ahead, 55, True))
    assert weighing.decision().curve[-1].outcomes == 21
    assert weighing.decision() == weighed([*facts, ("scored", 99, outcome(ahead, 55, True))], later).decision()


def test_an_outcome_of_an_epoch_that_is_not_known_is_left_out_and_shows_that_one_is_behind():
    later = record((HALF, HALF // 2))
    ahead = chosen(21, later, epoch=1)
    weighing = weighed([*history(20), ("assigned", 55, ahead), ("scored", 99, outcome(ahead, 55, True))])
    assert weighing.decision().curve[-1].outcomes == 20
    assert weighing.is_ahead
    weighing.renew(later)
    assert weighing.decision().curve[-1].outcomes == 21
    assert not weighing.is_ahead


def test_a_long_curve_keeps_its_last_point_and_as_many_others_as_there_is_room_for():
    points = tuple(Point(10 * n, n, n, n, n, n) for n in range(1, 5_002))
    kept = thinned(Decision("running", "", Count(), Count(), points))
    assert len(kept) <= MOST_POINTS and kept[-1] == points[-1] and kept[0] == points[0]
    few = Decision("running", "", Count(), Count(), points[:7])
    assert thinned(few) == points[:7]
    assert thinned(few._replace(curve=())) == ()


@pytest.mark.parametrize(
    ("verdict", "why", "said"),
    [
        ("promote", "cost", "costs less"),
        ("promote", "latency", "takes less time"),
        ("roll_back", "cost", "costs more than it may"),
        ("roll_back", "latency", "takes longer"),
        ("stopped", "split", "not split as planned"),
        ("stopped", "length", "nothing was certain"),
        ("promote", "success", "the candidate succeeded in 1 of 6 outcomes and the live version in 4 of 15"),
    ],
)
def test_a_verdict_says_what_it_rests_on(verdict, why, said):
    assert said in reason_of(Decision(verdict, why, Count(4, 5, 6), Count(1, 2, 3), ()))


class Stream:
    """A stream of which a reader sees the first so many messages."""

    def __init__(self):
        self.stored, self.seen = [], 10**9
        self.asked = []

    def put(self, sequence, subject, data, at=AT):
        self.stored.append(Stored(sequence, datetime.fromtimestamp(at, UTC), subject, data))

    async def scan(self, subjects, after=0):
        self.asked.append((subjects, after))
        return [one for one in self.stored if after < one.sequence <= self.seen]


class World:
    """A log and the stream of prompts with an experiment's facts, and who reads them."""

    def __init__(self, facts, oldest=1):
        self.log, self.prompts, self.first = Stream(), Stream(), oldest
        self.reader = EvidenceReader(self.log, self.prompts, self.oldest, "flotilla")
        for kind, place, fact in facts:
            if kind == "assigned":
                self.log.put(place, subject_of(fact), encode(fact), AT + place)
            else:
                self.prompts.put(place, subject_of_prompt(fact), encode_prompt(fact))

    async def oldest(self):
        return self.first


async def test_an_experiment_is_read_from_both_streams_and_only_once():
    world = World(history(30))
    weighing = await world.reader.read(RECORD)
    assert weighing.decision() == weighed(history(30)).decision()
    assert world.prompts.asked == [("flotilla-prompts.architect.design.outcome.1.>", 0)]
    assert world.log.asked == [("flotilla.*.*.prompt.*.architect-design", 0)]
    assert await world.reader.read(RECORD) is weighing
    assert (world.prompts.asked[1][1], world.log.asked[1][1]) == (30, 300)


async def test_an_outcome_ahead_of_what_the_log_shows_waits():
    world = World(one for one in history(30) if one[:2] != ("scored", 15))
    world.log.seen = 120
    assert (await world.reader.read(RECORD)).decision().curve[-1].outcomes == 12
    world.log.seen = 1_000
    assert (await world.reader.read(RECORD)).decision().curve[-1].outcomes == 14


async def test_an_outcome_counts_whose_assignment_the_log_has_forgotten():
    facts = list(history(30))
    world = World([one for one in facts if one[0] == "scored"], oldest=10_000)
    assert (await world.reader.read(RECORD)).decision() == weighed(facts).decision()


async def test_what_can_not_be_read_is_passed_over():
    world = World(history(3))
    world.log.put(999, "flotilla.acme.r9.prompt.design.architect-design", b"{")
    world.prompts.put(999, "flotilla-prompts.architect.design.outcome.1.acme.r9.design", b"[]")
    assert (await world.reader.read(RECORD)).decision().curve[-1].outcomes == 3


async def test_an_experiment_that_is_forgotten_is_read_from_the_beginning():
    world = World(history(3))
    weighing = await world.reader.read(RECORD)
    world.reader.forget(RECORD.id)
    assert await world.reader.read(RECORD) is not weighing
    assert world.log.asked[1][1] == 0


async def test_only_what_the_log_has_since_the_experiment_began_is_read():
    world = World(history(3))
    asked = []

    async def before(subjects, at):
        asked.append((subjects, at.timestamp()))
        return None if len(asked) == 1 else 15

    reader = EvidenceReader(world.log, world.prompts, world.oldest, "flotilla", before)
    await reader.read(RECORD)
    assert world.log.asked == []
    await reader.read(RECORD)
    await reader.read(RECORD)
    assert asked == [("flotilla.*.*.prompt.*.architect-design", RECORD.at - CLOCKS_S)] * 2
    assert [after for _, after in world.log.asked] == [15, 30]


async def test_a_new_epoch_is_heard_of_with_the_record():
    world = World(history(20))
    later = record((HALF, HALF // 2))
    ahead = chosen(21, later, epoch=1)
    world.log.put(500, subject_of(ahead), encode(ahead))
    scored = outcome(ahead, 500, True)
    world.prompts.put(99, subject_of_prompt(scored), encode_prompt(scored))
    assert (await world.reader.read(RECORD)).decision().curve[-1].outcomes == 20
    assert (await world.reader.read(later)).decision().curve[-1].outcomes == 21
