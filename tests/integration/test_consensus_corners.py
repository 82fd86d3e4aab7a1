"""Ballots that meet hostile votes, garbage, times that have passed and messages that are too large."""

import asyncio
import json

import pytest

from contracts.v1.ballots import BallotOpened, Option, Panelist, VoteCast, voting_task
from contracts.v1.failures import TaskFailed
from workers.consensus.worker import Consensus
from workers.runtime.signing import Signer

TENANT = "acme"
PEOPLE = ("ada", "bob", "eve")


def ballot(name="b", voters=PEOPLE, tenant=TENANT, **more):
    """A ballot of people with the options yes and no."""
    given = {"options": (Option(option="yes"), Option(option="no")), "deadline_s": 60, **more}
    return BallotOpened(tenant=tenant, run=name, ballot=name, question="Is it?", electorate=voters, **given)


def vote(voter, choice="yes", name="b", tenant=TENANT, **more):
    """A person's vote."""
    return VoteCast(tenant=tenant, run=name, ballot=name, voter=voter, choice=choice, **more)


def failed(voter):
    """A failure that anybody may have published."""
    task = voting_task("b", voter)
    given = {"tenant": TENANT, "run": "b", "role": "reviewer", "error": "crashed", "retry": False}
    return TaskFailed(**given, task=task, attempt=1, reason="so I say")


async def decision(ward, name="b"):
    """The decision, once it is there."""
    return await ward.fact(name, f"decision.{name}")


@pytest.fixture
async def worker(ward):
    """A consensus worker with a timekeeper."""
    await ward.provision("reviewer")
    await ward.timekeeper()
    return await ward.start(Consensus())


NEWER = b'{"kind": "vote_cast", "version": 99}'


@pytest.mark.parametrize("voter", ["mallory", "eve"])
async def test_a_vote_of_a_newer_version_is_invalid_and_holds_up_nobody(ward, worker, voter):
    await ward.say(ballot())
    await ward.publish(f"{TENANT}.b.vote.b.{voter}", NEWER)
    await ward.say(vote("ada"), vote("bob"))
    made = await decision(ward)
    assert (made.option, made.votes) == ("yes", 2)
    assert [(one.voter, "99" in one.reason or "not in" in one.reason) for one in made.invalid] == [(voter, True)]


async def test_nobody_abstains_for_a_person_whatever_failure_is_published(ward, worker):
    await ward.say(ballot(), failed("ada"))
    await ward.settled("consensus")
    assert "vote.b.ada" not in await ward.names("b")
    await ward.say(vote("ada"), vote("bob"))
    assert [one.voter for one in (await decision(ward)).counted] == ["ada", "bob"]


async def test_a_deadline_that_passed_while_no_worker_was_there_is_kept_at_once(ward):
    await ward.provision("reviewer")
    await ward.timekeeper()
    await ward.say(ballot(deadline_s=1, quorum=3, no_quorum="extend", extension_s=1), vote("ada"))
    await asyncio.sleep(2.1)
    await ward.start(Consensus())
    made = await decision(ward)
    assert (made.option, made.by, made.votes) == (None, "undecided", 1)


@pytest.mark.parametrize("name", ["decision.b", "gate.b"])
async def test_garbage_in_the_place_of_what_the_worker_says_stops_no_other_ballot(ward, worker, name):
    await ward.publish(f"{TENANT}.b.{name}", b"garbage")
    await ward.say(ballot(quorum=3, deadline_s=1, no_quorum="escalate"), vote("ada"))
    await ward.say(ballot("c"), vote("ada", name="c"), vote("bob", name="c"))
    assert (await decision(ward, "c")).option == "yes"
    await ward.until(lambda: _has(ward, "b", "decision.b"), "the end of the other")
    await ward.settled("consensus")


async def _has(ward, run, name):
    return name in await ward.names(run)


@pytest.mark.parametrize("signature", ["", "no base64!", "é", "AAAA", "A" * 88])
async def test_a_signature_that_is_none_makes_the_vote_invalid(ward, worker, signature):
    signers = {voter: Signer() for voter in PEOPLE}
    await ward.say(ballot(signed=True, keys={voter: signer.public_key for voter, signer in signers.items()}))
    await ward.say(vote("eve", "no", signature=signature))
    for voter in ("ada", "bob"):
        cast = vote(voter)
        await ward.say(cast.model_copy(update={"signature": signers[voter].sign_bytes(cast.signed_bytes)}))
    made = await decision(ward)
    assert (made.option, made.votes, [one.voter for one in made.invalid]) == ("yes", 2, ["eve"])


async def test_ballots_of_the_same_name_of_two_tenants_are_two(ward, worker):
    await ward.say(ballot(), ballot(tenant="umbrella"))
    await ward.say(vote("ada"), vote("bob"), vote("ada", "no", tenant="umbrella"), vote("bob", "no", tenant="umbrella"))
    subject = f"{ward.settings.prefix}.umbrella.b.decision.b"
    assert (await decision(ward)).option == "yes"
    theirs = await ward.until(lambda: ward.bus.log.find(subject), "the other tenant's decision")
    assert b'"option":"no"' in theirs.data


async def test_a_ballot_whose_question_is_too_large_to_ask_is_refused(ward, worker):
    """Who opens it leaves out all that it need not say, and what is asked of voters says all."""
    options = [{"option": f"o{n:02}", "title": "x" * 400, "text": "y" * 20_000} for n in range(50)]
    said = {"kind": "ballot_opened", "version": 1, "question": "?", "electorate": ["ada"], "options": options}
    said["panel"] = [{"voter": "ada"}]
    size = len(json.dumps(said, separators=(",", ":")))
    said["question"] = "?" * min(20_000, 1_048_576 - size)
    said["context"] = "?" * max(0, 1_048_576 - size - 20_020)
    await ward.publish(f"{TENANT}.b.ballot.b", json.dumps(said, separators=(",", ":")).encode())
    made = await decision(ward)
    assert made.by == "refused" and "more than the bus carries" in made.reason


async def test_a_run_that_closes_ends_the_interest_in_its_ballot(ward, worker):
    await ward.say(ballot(), vote("ada"))
    await ward.settled("consensus")
    await ward.publish(f"{TENANT}.b.run.closed", b'{"kind": "run_closed", "version": 1, "status": "cancelled"}')
    await ward.bus.tell_over(TENANT, "b")
    await ward.until(lambda: _heard(worker), "the end is heard")
    await ward.say(vote("bob"))
    await ward.settled("consensus")
    assert "decision.b" not in await ward.names("b")


async def _heard(worker):
    return worker.endings.may_concern(TENANT, "b", 10**9)


async def test_an_end_that_nobody_stored_stops_no_ballot(ward, worker):
    await ward.say(ballot(), vote("ada"))
    await ward.bus.tell_over(TENANT, "b")
    await ward.say(vote("bob"))
    assert [one.voter for one in (await decision(ward)).counted] == ["ada", "bob"]


async def test_votes_of_many_outsiders_hold_up_nobody(ward, worker):
    await ward.say(ballot(), ballot("c"))
    for start in range(0, 1_000, 100):
        await asyncio.gather(*(ward.bus.log.say(vote(f"x{n}", "no")) for n in range(start, start + 100)))
    await ward.say(vote("ada"), vote("bob"), vote("ada", name="c"), vote("bob", name="c"))
    assert (await decision(ward, "c")).option == "yes"
    made = await decision(ward)
    assert (made.option, made.votes, len(made.invalid)) == ("yes", 2, 100)


async def test_an_abstention_counts_after_the_votes_that_were_stored_before_it(ward):
    """The failure and a vote are there before the worker is; it says the abstention after both."""
    await ward.provision("reviewer")
    panel = (Panelist(voter="pat"), Panelist(voter="sam"))
    await ward.say(ballot(voters=("pat", "sam", "ada", "bob"), panel=panel), vote("ada"), vote("bob"))
    await ward.say(failed("pat"))
    await ward.start(Consensus())
    made = await decision(ward)
    names = await ward.names("b")
    assert made.option == "yes" and names.index("vote.b.pat") > names.index("vote.b.bob")
    assert [one.voter for one in made.counted] == ["ada", "bob", "pat"]


async def test_a_worker_keeps_no_votes_of_a_ballot_that_is_over(ward, worker):
    await ward.say(ballot(), vote("ada"), vote("bob"))
    await decision(ward)
    await ward.say(vote("eve"))
    await ward.settled("consensus")
    box = worker.service._runs.named(TENANT, "b").box("b")
    assert (box.opened, dict(box.cast), box.decision.option, box.decision.counted) == (None, {}, "yes", ())
