"""Ballots on a real broker: asked in waves, counted by the log, decided once, by however many replicas."""

import asyncio
import random

import pytest

from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, Panelist, VoteCast, voting_task
from contracts.v1.tasks import BallotAnswered, CastVote
from workers.consensus.decisions import as_decision
from workers.consensus.known_ballots import KnownBallots
from workers.consensus.worker import Consensus
from workers.runtime.bootstrap import role_service
from workers.runtime.errors import BusUnavailable, Impossible
from workers.runtime.known_runs import KnownRuns
from workers.runtime.role import Job, Role

TENANT = "acme"
VOTERS = ("v1", "v2", "v3", "v4", "v5")


def ballot(name="b", voters=VOTERS, panel=0, **more):
    """A ballot with the options yes and no; the first `panel` voters are asked by the fleet."""
    asked = tuple(Panelist(voter=voter, target="builtin") for voter in voters[:panel])
    given = {"options": (Option(option="yes"), Option(option="no")), "quorum": 1, "deadline_s": 60, **more}
    return BallotOpened(
        tenant=TENANT, run=name, ballot=name, question="Is it?", electorate=voters, panel=asked, **given
    )


def vote(voter, choice="yes", name="b", **more):
    """A voter's answer."""
    return VoteCast(tenant=TENANT, run=name, ballot=name, voter=voter, choice=choice, **more)


class Voters:
    """The reviewer role: says what it was told to for each voter, "yes" if nothing else."""

    def __init__(self):
        self.says, self.asked, self.held = {}, [], asyncio.Event()

    async def __call__(self, task, tools):
        self.asked.append(task.voter)
        said = self.says.get(task.voter, "yes")
        if said == "fail":
            raise Impossible("it can't be answered")
        if said == "break off":  # after its vote, before its result, as a crash may
            self.says[task.voter] = "yes"
            await tools.log.say(vote(task.voter, "yes", task.ballot, task=task.task))
            raise BusUnavailable("the result was not said")
        if said == "wait":
            self.held.set()
            await asyncio.Event().wait()
        tools.say_first(vote(task.voter, said, task.ballot, task=task.task))
        return tools.report(BallotAnswered, ballot=task.ballot, voter=task.voter)


@pytest.fixture
async def fleet(ward):
    """A consensus worker, a timekeeper and a reviewer."""
    await ward.provision("reviewer")
    await ward.timekeeper()
    voters = Voters()
    await ward.start(role_service(Role("reviewer", "votes", (Job(CastVote, voters),)), ward.settings))
    await ward.start(Consensus())
    return voters


async def decision(ward, name="b", patience_s=20.0):
    """The decision of a ballot, once it is there."""
    found = await ward.fact(name, f"decision.{name}", patience_s)
    assert isinstance(found, DecisionMade)
    return found


async def recounted(ward, name):
    """What the log gives when it is counted afresh by nobody but this test."""
    runs = KnownRuns(ward.bus.log, ward.settings.prefix, KnownBallots)
    known = runs.named(TENANT, name)
    await runs._read(known)
    box = known.box(name)
    return as_decision(box.terms, box.standing(box.terms))


async def test_votes_that_are_not_needed_are_never_asked_for(ward, fleet):
    await ward.say(ballot(panel=5))
    made = await decision(ward)
    assert (made.option, made.votes, made.early) == ("yes", 3, True)
    await ward.settled("reviewer")
    assert fleet.asked == ["v1", "v2", "v3"]


async def test_the_next_wave_is_asked_when_nothing_is_certain(ward, fleet):
    fleet.says = {"v2": "no"}
    await ward.say(ballot(panel=5))
    made = await decision(ward)
    assert (made.option, made.votes) == ("yes", 4)
    assert fleet.asked == ["v1", "v2", "v3", "v4"]


async def test_a_voting_task_that_fails_is_an_abstention_with_its_reason_and_another_is_asked(ward, fleet):
    fleet.says = {"v1": "fail"}
    await ward.say(ballot(panel=5))
    made = await decision(ward)
    assert (made.option, made.abstained) == ("yes", 1)
    cast = await ward.fact("b", "vote.b.v1")
    assert cast.choice is None and "it can't be answered" in cast.because
    assert len(fleet.asked) == 4


async def test_a_voting_task_that_is_out_is_dropped_when_the_decision_falls(ward, fleet):
    fleet.says = {"v1": "wait"}
    await ward.say(ballot(panel=1, voters=("v1", "ada", "bob")))
    await asyncio.wait_for(fleet.held.wait(), 10)
    await ward.say(vote("ada"), vote("bob"))
    assert (await decision(ward)).option == "yes"
    await ward.settled("reviewer")
    assert "result.vote-b--v1" not in await ward.names("b")
    assert fleet.asked == ["v1"], "the task came back once, and was not begun again"


async def test_a_voter_that_broke_off_after_its_vote_still_reports_what_it_cost_though_all_is_decided(ward, fleet):
    fleet.says = {"v1": "break off"}
    await ward.say(ballot(panel=1, voters=("v1",)))
    assert (await decision(ward)).option == "yes"
    assert isinstance(await ward.fact("b", "result.vote-b--v1"), BallotAnswered)


async def test_a_deadline_ends_a_ballot_with_what_is_there(ward, fleet):
    await ward.say(ballot(deadline_s=1), vote("v1"), vote("v2", "no"), vote("v3"))
    made = await decision(ward)
    assert (made.option, made.votes, made.early) == ("yes", 3, False)


async def test_without_a_quorum_a_person_is_asked_at_a_gate(ward, fleet):
    await ward.say(ballot(deadline_s=1, quorum=3, no_quorum="escalate"), vote("v1"))
    made = await decision(ward)
    assert (made.option, made.by) == (None, "escalated")
    gate = await ward.fact("b", "gate.b")
    assert isinstance(gate, GateOpened) and gate.options == ("yes", "no") and "Is it?" in gate.question


async def test_a_ballot_is_extended_once_and_then_ends(ward, fleet):
    await ward.say(ballot(deadline_s=1, quorum=3, no_quorum="extend", extension_s=1), vote("v1"))
    made = await decision(ward)
    assert (made.option, made.by) == (None, "undecided")
    assert {"timer.ballot-b", "timer.ballot2-b"} <= set(await ward.names("b"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rule": "by_lot"}, "by_lot"),
        ({"no_quorum": "default"}, "default"),
        ({"status_quo": "maybe"}, "maybe"),
    ],
)
async def test_a_ballot_that_cant_be_held_is_refused_by_its_decision(ward, fleet, wrong, told):
    await ward.say(ballot(**wrong))
    made = await decision(ward)
    assert (made.option, made.by) == (None, "refused") and told in made.reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind": "ballot_opened", "version": 1, "question": "?", "options": [], "electorate": ["a"]}',
        b'{"kind": "ballot_opened", "version": 1, "question": "?", "options": [{"option": "a"}, {"option": "b"}],'
        b' "electorate": ["a"], "quorum": 2}',
        b'{"kind": "ballot_opened", "version": 1, "question": "?", "options": [{"option": "a"}, {"option": "b"}],'
        b' "electorate": ["a"], "deadline_s": -5}',
        b"nonsense",
    ],
    ids=["no options", "quorum above the electorate", "deadline in the past", "no JSON"],
)
async def test_bytes_that_are_no_ballot_are_refused_by_a_decision_with_the_reason(ward, fleet, body):
    await ward.publish(f"{TENANT}.b.ballot.b", body)
    made = await decision(ward)
    assert made.by == "refused" and "does not validate" in made.reason


async def test_a_vote_that_can_not_count_is_kept_with_its_reason(ward, fleet):
    await ward.say(ballot(), vote("mallory"), vote("v1", "perhaps"), vote("v2"), vote("v3"), vote("v4"))
    made = await decision(ward)
    assert (made.option, made.votes) == ("yes", 3)
    assert {one.voter for one in made.invalid} == {"mallory", "v1"}
    letters = await ward.letters(at_least=2)
    assert any("mallory" in letter.reason for letter in letters) and any("perhaps" in one.reason for one in letters)


async def test_a_late_vote_changes_nothing(ward, fleet):
    await ward.say(ballot(), vote("v1"), vote("v2"), vote("v3"))
    made = await decision(ward)
    await ward.say(vote("v4", "no"), vote("v5", "no"))
    await ward.settled("consensus")
    assert await decision(ward) == made == await recounted(ward, "b")
    assert not await ward.letters()


async def test_a_ballot_of_a_run_that_is_over_is_left_alone(ward, fleet):
    await ward.publish(f"{TENANT}.b.run.closed", b'{"kind": "run_closed", "version": 1, "status": "cancelled"}')
    await ward.say(ballot(panel=5))
    await ward.settled("consensus")
    assert await ward.names("b") == ["run.closed", "ballot.b"]


async def test_a_worker_that_starts_after_the_votes_decides_from_the_log(ward):
    await ward.provision("reviewer")
    await ward.say(ballot(), vote("v1"), vote("v2"), vote("v3"))
    await ward.start(Consensus())
    assert (await decision(ward)).option == "yes"


async def test_a_worker_that_dies_is_replaced_in_the_middle_of_a_ballot(ward):
    await ward.provision("reviewer")
    first = await ward.start(Consensus())
    await ward.say(ballot(), vote("v1"), vote("v2", "no"))
    await ward.settled("consensus")
    await ward.crash(first)
    await ward.say(vote("v3"))
    await ward.start(Consensus())
    await ward.say(vote("v4"))
    made = await decision(ward)
    assert made.option == "yes" and made == await recounted(ward, "b")


async def _race(ward, count, seed):
    """Ballots whose votes come from everywhere at once, some invalid, some twice; returns their names."""
    rng, names = random.Random(seed), [f"race-{seed}-{n}" for n in range(count)]

    async def one(name):
        rule = rng.choice(["majority", "ahead", "approval", "ranked", "supermajority"])
        opened = ballot(name, rule=rule, ahead_by=2, deadline_s=120)
        casts = [vote(voter, rng.choice(["yes", "no", "yes", None, "x"]), name) for voter in (*VOTERS, "eve")]
        rng.shuffle(casts)
        await ward.say(opened)
        await asyncio.gather(*(ward.bus.log.say(cast) for cast in (*casts, *casts[:2])))

    for start in range(0, count, 50):
        await asyncio.gather(*(one(name) for name in names[start : start + 50]))
    return names


async def _decided_otherwise(ward, names):
    """The ballots whose decision is not that of a recount."""
    return [name for name in names if await decision(ward, name, 60.0) != await recounted(ward, name)]


async def test_racing_replicas_say_one_decision_for_each_ballot_and_it_is_that_of_a_recount(ward):
    await ward.provision("reviewer")
    for _ in range(5):
        await ward.start(Consensus())
    assert await _decided_otherwise(ward, await _race(ward, 60, 1)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_five_racing_replicas_and_a_thousand_ballots(ward):
    await ward.provision("reviewer")
    for _ in range(5):
        await ward.start(Consensus())
    assert await _decided_otherwise(ward, await _race(ward, 1_000, 2)) == []


async def test_two_hundred_ballots_are_open_at_once_on_one_worker(ward):
    await ward.provision("reviewer")
    await ward.start(Consensus())
    assert await _many(ward, 200) == ["yes"] * 200


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_two_thousand_ballots_are_open_at_once_on_one_worker(ward):
    await ward.provision("reviewer")
    await ward.start(Consensus())
    assert await _many(ward, 2_000) == ["yes"] * 2_000


async def _many(ward, count):
    """What is decided on so many ballots that are all open before anybody votes."""
    names = [f"open-{n}" for n in range(count)]
    for start in range(0, count, 100):
        await asyncio.gather(*(ward.bus.log.say(ballot(name)) for name in names[start : start + 100]))
    await ward.settled("consensus", patience_s=60.0)
    for voter in ("v1", "v2", "v3"):
        for start in range(0, count, 100):
            await asyncio.gather(*(ward.bus.log.say(vote(voter, "yes", name)) for name in names[start : start + 100]))
    return [(await decision(ward, name, 60.0)).option for name in names]


def test_a_voting_task_is_named_after_ballot_and_voter():
    assert voting_task("release-1", "security") == "vote-release-1--security"
