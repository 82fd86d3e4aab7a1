"""Ballots in simulated worlds: whatever order, crashes and voters there are, the log's decision is the one there is."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from contracts import subjects
from contracts.v1.ballots import DecisionMade, VoteCast, voting_task
from workers.consensus import box as boxes
from workers.consensus import decider, known_ballots, tally
from workers.consensus.box import Box, Heard
from workers.consensus.objections import objections
from workers.consensus.waves import panel_of
from workers.runtime.known_runs import KnownRuns


@pytest.fixture(scope="session")
def world():
    """The simulated world, which stands beside this file."""
    key = "consensus_tests_ballot_world"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).with_name("ballot_world.py"))
        module = sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[key]


def _worlds(world, made, count):
    for seed in range(count):
        yield world.World(made, seed, replicas=1 + seed % 3, racing=seed % 2 == 1)


def test_every_ballot_ends_with_the_decision_that_the_log_makes(world, made):
    ways = {one.close().by for one in _worlds(world, made, 600)}
    assert {"rule", "undecided", "escalated", "default", "refused", "tie-status_quo", "tie-hash"} <= ways


def test_a_box_stands_as_its_facts_are_counted_in_whatever_order_they_are_put_in(made):
    rng = random.Random(5)
    for _ in range(300):
        terms = made.any_ballot(rng)
        if objections(terms):
            continue
        casts = [made.any_vote(rng, 10 + n, voter) for n, voter in enumerate((*terms.electorate, "eve"))]
        facts = [_heard(f"vote.x.{one.voter}", one.sequence, one.vote) for one in casts]
        facts += [
            _heard(f"timer.{name}", rng.randint(10, 20) + 0.5, None)
            for name in ("ballot-x", "ballot2-x")[: rng.randint(0, 2)]
        ]
        box = boxes.fold(Box("t", "r", "x"), _heard("ballot.x", 5, terms))
        rng.shuffle(facts)
        for fact in facts:
            box = boxes.fold(box, fact)
            if rng.random() < 0.5:
                box.standing(terms)
            assert box.standing(terms) == tally.tally(terms, box.votes(terms), box.deadlines(), 5)


def _heard(name, sequence, fact):
    return Heard(subjects.parse(f"flotilla.t.r.{name}"), sequence, 0.0, fact, "" if fact else "it can't be read")


decide, next_wave, votes, fold, after = decider.decide, decider.next_wave, Box.votes, boxes.fold, decider._after
standing, timers_of, read_to = Box.standing, decider.timers_of, KnownRuns.read_to


def _without(kind):
    def instead(box, default_deadline_s):
        wanted = decide(box, default_deadline_s)
        return decider.Wanted(tuple(m for m in wanted.messages if not isinstance(m, kind)), wanted.timers)

    return instead


def _abstains_for_all_that_failed(box, now):
    return [
        VoteCast(tenant="t", run="r", ballot="x", voter=voter, because="?", task=voting_task("x", voter))
        for voter in box.failed
        if voter in now.missing and voter not in box.cast
    ]


def _abstains_for_the_silent(box, now):
    silent = [voter for voter in now.missing if voter in box.asked and box.passed]
    return [VoteCast(tenant="t", run="r", ballot="x", voter=voter, because="silent") for voter in silent]


def _only_the_first_deadline(box, terms, now, default):
    return tuple(timer for timer in timers_of(box, terms, now, default) if timer.name == "ballot-x")


def _from_the_first_vote(self, terms):
    now = standing(self, terms)
    return decider.Tally(**{**vars(now), "by": "rule"}) if now.is_open and now.votes else now


def _by_arrival(self, terms, after=0):
    return [one._replace(sequence=n + 1) for n, one in enumerate(votes(self, terms))]


def _the_last_vote_counts(box, heard):
    if heard.address.noun == "vote":
        box = Box(**{**vars(box), "cast": {v: h for v, h in box.cast.items() if v != heard.address.names[1]}})
        return fold(box, Heard(*heard[:1], heard.sequence + 100, *heard[2:]))
    return fold(box, heard)


def _gate_for_the_undecided(box):
    decision = box.decision
    if decision is not None and decision.by == "undecided":
        escalated = decision.model_copy(update={"by": "escalated"})
        box = Box(**{**vars(box), "decided": box.decided._replace(fact=escalated)})
    return after(box)


def _goes_on_after_the_decision(box, default_deadline_s):
    if box.decided is not None:
        box = Box(**{**vars(box), "decided": None})
    wanted = decide(box, default_deadline_s)
    return decider.Wanted(tuple(m for m in wanted.messages if not isinstance(m, DecisionMade)), wanted.timers)


async def _complete_after_any_reading(self, known, delivery, arrived):
    if known.epoch != self.epoch:
        await self.read_to(known, delivery.sequence)
        known.epoch = self.epoch


async def _reads_for_deliveries_only(self, known, sequence):
    if known.epoch != self.epoch:
        await read_to(self, known, sequence)


FAULTS = {
    "no timers are set": (decider, "timers_of", lambda *of: ()),
    "an extension has no end": (decider, "timers_of", _only_the_first_deadline),
    "deadlines are not heeded": (Box, "deadlines", lambda self: []),
    "all are asked at once": (decider, "next_wave", lambda terms, now, asked: [
        one for one in panel_of(terms) if one.voter not in asked and one.voter in now.missing
    ]),
    "who was asked is forgotten": (decider, "next_wave", lambda terms, now, asked: next_wave(terms, now, ())),
    "excluded families are asked": (decider, "next_wave", lambda terms, now, asked: [
        one for one in terms.panel if one.voter not in asked
    ][: terms.wave]),
    "nobody is asked": (decider, "next_wave", lambda *of: ()),
    "failed tasks are not abstentions": (decider, "_abstentions", lambda *of: []),
    "anybody's failure is an abstention": (decider, "_abstentions", _abstains_for_all_that_failed),
    "who is silent abstains": (decider, "_abstentions", _abstains_for_the_silent),
    "nothing is decided": (decider, "decide", _without(DecisionMade)),
    "the first vote decides": (Box, "standing", _from_the_first_vote),
    "a run is complete after any reading": (KnownRuns, "catch_up", _complete_after_any_reading),
    "what was cut short is forgotten": (KnownRuns, "miss_turn", lambda self: None),
    "abstentions count before what lies before them": (KnownRuns, "read_to", _reads_for_deliveries_only),
    "votes count in the order of arrival": (Box, "votes", _by_arrival),
    "the last vote of a voter counts": (known_ballots, "fold", _the_last_vote_counts),
    "the end is no end": (decider, "decide", _goes_on_after_the_decision),
    "no gate is opened": (decider, "_after", lambda box: decider.NOTHING),
    "a gate is opened for the undecided": (decider, "_after", _gate_for_the_undecided),
    "what can't be held is held": (decider, "objections", lambda terms: ()),
    "signatures are not looked at": (boxes, "fault", lambda terms, vote: ""),
}  # fmt: skip


def _first_breach(world, made, examples=600):
    for one in _worlds(world, made, examples):
        try:
            one.close()
        except Exception as breach:
            return breach
    return None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_a_promise(world, made, monkeypatch, fault):
    where, name, instead = FAULTS[fault]
    monkeypatch.setattr(where, name, instead)
    assert _first_breach(world, made) is not None
