"""A simulated world around ballots: a write-once log, replicas that crash, voters of every sort, a clock.

Every choice comes from one seed, so a world that breaks a promise breaks it again.
"""

import contextlib
import random
from collections import Counter
from datetime import UTC, datetime

from contracts import subjects
from contracts.codec import decode, encode
from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import (
    BallotOpened,
    DecisionMade,
    Panelist,
    VoteCast,
    ballot_of,
    deadline_timers,
    voting_task,
)
from contracts.v1.failures import TaskFailed
from contracts.v1.tasks import CastVote
from contracts.v1.timers import DeadlinePassed
from workers.consensus import decider, decisions, rules, tally
from workers.consensus.known_ballots import KnownBallots, heard
from workers.consensus.objections import objections
from workers.consensus.signatures import fault
from workers.consensus.waves import panel_of
from workers.consensus.worker import TIMED
from workers.runtime.known_runs import KnownRuns
from workers.runtime.lease import Delivery
from workers.runtime.ports import Stored
from workers.runtime.signing import Signer

DEFAULT_DEADLINE_S = 100
HANDED_OUT = ("ballot", "vote", "timer", "failure")
IDS = {"tenant": "t", "run": "r"}
SIGNERS = {f"v{n}": Signer() for n in range(7)}


class Crash(Exception):
    """A replica was killed between two messages."""


class Replica:
    """A consensus worker: what it knows, and the deliveries that it holds, of which it works on the first.

    A copy of the log may lag behind: it shows all up to what is asked for, and of what is newer it may lack the end.
    """

    def __init__(self, world):
        self.world, self.runs, self.least = world, KnownRuns(self, subjects.PREFIX, KnownBallots), 0
        self.waiting, self.working = [], None

    @property
    def known(self):
        """What it knows of the run."""
        return self.runs.named("t", "r")

    async def history(self, tenant, run, after):
        """What its copy of the log has."""
        upto = self.world.chance.randint(self.least, len(self.world.order))
        return self.world.order[after:upto]

    def catch_up(self, delivery, arrived):
        """Read what is missing for a delivery."""
        self.least = delivery.sequence
        _at_once(self.runs.catch_up(self.known, delivery, arrived))

    def read_to(self, sequence):
        """Read what the log has up to a place at least."""
        self.least = sequence
        _at_once(self.runs.read_to(self.known, sequence))


def _at_once(coroutine):
    """Run what never has to wait."""
    with contextlib.suppress(StopIteration):
        coroutine.send(None)
        raise AssertionError("it waits for something")


class World:
    """One ballot from its opening until nothing is left to happen. Each step is checked by assertions."""

    def __init__(self, made, seed, replicas=1, racing=False):
        self.made, self.chance, self.racing = made, random.Random(seed), racing
        self.sober = replicas == 1 and not racing
        self.log, self.order, self.timers, self.now = {}, [], {}, 1_000.0
        self.due, self.turn, self.numbers, self.events = [], 0, Counter(), []
        self.replicas = [Replica(self) for _ in range(replicas)]
        self.ballot = self._any_ballot()
        self.honest = {}
        self._people()
        opening = encode(self.ballot) if self.chance.random() > 0.03 else b"nonsense"
        self.events.append(lambda: self._put("ballot.x", opening))

    # what there is to vote on, and who votes

    def _any_ballot(self):
        chance, made = self.chance, self.made
        ballot = made.any_ballot(chance)
        if chance.random() < 0.7:  # most of those with objections are no news
            for _ in range(20):
                if not objections(ballot):
                    break
                ballot = made.any_ballot(chance)
        families = [chance.choice(["", "fa", "fb"]) for _ in ballot.electorate]
        share = chance.choice([0.0, 0.6, 1.0, 1.0])
        panel = tuple(
            Panelist(voter=voter, family=family)
            for voter, family in zip(ballot.electorate, families, strict=True)
            if chance.random() < share
        )
        signed = chance.random() < 0.08
        return ballot.model_copy(
            update={
                "panel": panel,
                "wave": chance.randint(1, 4),
                "deadline_s": chance.choice([None, 60]),
                "distinct_families": chance.random() < 0.3,
                "exclude_families": ("fb",) if chance.random() < 0.2 else (),
                "signed": signed,
                "keys": {voter: SIGNERS[voter].public_key for voter in ballot.electorate} if signed else {},
            }
        )

    def _people(self):
        """Electors who vote by themselves, some before the ballot opens, and people who have no vote."""
        asked = {one.voter for one in self.ballot.panel}
        for voter in [v for v in (*self.ballot.electorate, "eve", "mallory") if v not in asked]:
            if self.chance.random() < 0.75:
                self.events.append(self._votes(voter))
            if self.chance.random() < 0.1:
                self.events.append(self._votes(voter))
            if self.chance.random() < 0.05:  # anybody may publish a failure; it is none of a task of the fleet
                self.events.append(lambda voter=voter: self._say(_failed(voter)))

    def _votes(self, voter):
        cast = self.made.any_vote(self.chance, 0, voter)
        vote = cast.vote
        if vote is not None and self.ballot.signed and self.chance.random() < 0.8:
            signature = SIGNERS.get(voter, SIGNERS["v0"]).sign_bytes(vote.signed_bytes)
            vote = vote.model_copy(update={"signature": signature})
        data = b"[]" if vote is None else encode(vote)
        if self.chance.random() < 0.03:
            data = b'{"kind": "vote_cast", "version": 99}'

        def happens():
            if self._put(f"vote.x.{voter}", data)[1]:
                self.honest[voter] = data

        return happens

    def _answers(self, task):
        """What comes of a voting task: a vote, a failure, both in any order, one of them twice, or nothing."""
        voter, chance = task.voter, self.chance
        fails = lambda: self._say(_failed(voter))  # noqa: E731
        kinds = [(60, 1, 0), (15, 0, 1), (5, 1, 1), (5, 2, 0), (3, 0, 2), (12, 0, 0)]
        _, votes, failures = chance.choices(kinds, [kind[0] for kind in kinds])[0]
        self.events += [self._votes(voter) for _ in range(votes)] + [fails] * failures

    # the log

    def _put(self, name, data):
        """Write once. Returns what the log has under the name, and whether it was news."""
        if name in self.log:
            return self.log[name], False
        self.now += self.chance.random()
        at = datetime.fromtimestamp(self.now, UTC)
        stored = self.log[name] = Stored(len(self.order) + 1, at, f"flotilla.t.r.{name}", data, "")
        self.order.append(stored)
        if name.startswith(HANDED_OUT):
            self.due.append(name)
        return stored, True

    def _say(self, message):
        assert decode(subjects.subject_of(message), encode(message)) == message, "what is said does not decode"
        stored, news = self._put(subjects.name_of(message), encode(message))
        if news and isinstance(message, CastVote):
            self.events.append(lambda: self._answers(message))
        return stored, news

    def fact(self, name):
        """What the log has under a name, if it can be read."""
        stored = self.log.get(name)
        return heard(subjects.parse(stored.subject), stored).fact if stored else None

    # what happens

    def close(self):
        """Let everything happen; returns the decision."""
        for _ in range(3_000):
            if not self._happen():
                break
        else:
            raise AssertionError("the ballot goes on and on")
        self._check_end()
        return self.fact("decision.x")

    def _happen(self):
        busy = [one for one in self.replicas if one.working or one.waiting]
        timers = [name for name in self.timers if f"timer.{name}" not in self.log]
        early = self.racing and timers and self.chance.random() < 0.03
        if early or not (busy or self.due or self.events):
            if not timers:
                return False
            if not busy:
                self._check_silence()
            name = min(timers, key=self.timers.get)
            self.now = max(self.now, self.timers[name]) if not early else self.now
            fired = encode(DeadlinePassed(**IDS, name=name)) if self.chance.random() > 0.05 else b"nonsense"
            self._put(f"timer.{name}", fired)
            return True
        ways = [self._step] * len(busy) + [self._hand_out] * bool(self.due) + [self._event] * bool(self.events)
        self.chance.choice(ways)()
        return True

    def _event(self):
        self.events.pop(self.chance.randrange(len(self.events)))()

    def _hand_out(self):
        replica, name = self.chance.choice(self.replicas), self.due.pop(0)
        stored = self.log[name]
        self.turn += 1
        self.numbers[name] += 1
        at = stored.at.timestamp()
        delivery = Delivery(stored.subject, stored.data, self.numbers[name], stored.sequence, self.turn, at)
        replica.runs.take_turn(delivery.turn)
        replica.waiting.append((delivery, replica.runs.epoch))

    def _back(self, held):
        """Have deliveries handed out again."""
        self.due += [delivery.subject.removeprefix("flotilla.t.r.") for delivery, _ in held]

    def _step(self):
        replica = self.chance.choice([one for one in self.replicas if one.working or one.waiting])
        if not self.sober and len(replica.waiting) > 1 and self.chance.random() < 0.05:  # its work is cut short
            replica.runs.miss_turn()
            self._back([replica.waiting.pop()])
        replica.working = replica.working or self._work(replica, *replica.waiting[0])
        try:
            next(replica.working)
            if not self.sober and self.chance.random() < 0.02:
                raise Crash
        except StopIteration:
            replica.working, done = None, replica.waiting.pop(0)
            if not self.sober and self.chance.random() < 0.05:  # its acknowledgement was lost
                self._back([done])
        except Crash:
            self._back(replica.waiting)
            self.replicas[self.replicas.index(replica)] = Replica(self)

    def _work(self, replica, delivery, arrived):
        """What the worker does with a delivery, step by step."""
        known, address = replica.known, subjects.parse(delivery.subject)
        replica.catch_up(delivery, arrived)
        known.take_in(address, self.log[address.name])
        known.upto = max(known.upto, delivery.sequence)
        yield
        timed = address.noun in TIMED
        while (wanted := self._decided(known.box("x"))).messages or timed:
            for timer in wanted.timers if timed else ():
                self._check_timer(timer)
                self.timers.setdefault(timer.name, timer.at)
                yield
            news = []
            for message in wanted.messages:
                self._check_said(message, known)
                said = self._say(message)[0]
                news.append(heard(subjects.address_of(message), said))
                yield
            if votes := [one.sequence for one in news if one.address.noun == "vote"]:
                replica.read_to(max(votes))
            for one in news:
                known.put("x", one)
            timed = False

    # what must hold

    def _decided(self, box):
        wanted = decider.decide(box, DEFAULT_DEADLINE_S)
        names = [subjects.name_of(message) for message in wanted.messages]
        assert len(set(names)) == len(names), "two messages of one name"
        asked = [message for message in wanted.messages if isinstance(message, CastVote)]
        if box.decided is not None:
            assert not asked, "somebody is asked after the decision"
            assert not any(isinstance(message, VoteCast | DecisionMade) for message in wanted.messages), "said too late"
        return wanted

    def _check_said(self, message, known):
        if isinstance(message, CastVote) and subjects.name_of(message) not in self.log:
            self._check_asked(message, known)
        if isinstance(message, VoteCast):
            assert message.voter in {one.voter for one in self.ballot.panel}, "a vote in a person's name"
            assert f"failure.{voting_task('x', message.voter)}.1" in self.log, "an abstention of one who may answer"
            assert (message.choice, message.approved, message.ranking, message.scores) == (None, (), (), {})
        if isinstance(message, DecisionMade) and message.by != "refused":
            assert message == self._recounted(), "another decision than that of the log"
        if isinstance(message, GateOpened):
            assert self.fact("decision.x").by == "escalated", "a gate though something was decided"

    def _check_asked(self, task, known):
        one = next((one for one in panel_of(self.ballot) if one.voter == task.voter), None)
        assert one is not None, f"{task.voter} is asked, and is not on the panel"
        assert (task.role, task.model, task.attempt) == (one.role, one.target, 1)
        assert task.voter not in self._asked(), "asked twice"
        if self.sober:
            asked = self._asked()
            wave = [m for m in decider.decide(known.box("x"), DEFAULT_DEADLINE_S).messages if isinstance(m, CastVote)]
            before = [voter for voter in asked if voter not in {m.voter for m in wave}]
            extended = self.ballot.no_quorum == "extend" and "timer.ballot-x" in self.log
            answered = all(f"vote.x.{voter}" in self.log for voter in before)
            assert answered or extended, "asked before those before had answered"
            if not before:
                assert len(wave) <= self.ballot.wave, "the first wave is too large"
            if len(wave) > 1 and len(before) + len(wave) < len(panel_of(self.ballot)):
                assert not self._suffices([m.voter for m in wave[:-1]], known.box("x")), "fewer votes could be enough"

    def _asked(self):
        names = [subjects.parse(stored.subject) for stored in self.order]
        return [ballot_of(one.names[1])[1] for one in names if one.noun == "task"]

    def _suffices(self, voters, box):
        """Whether the votes of these alone, all for one option, could make it certain."""
        terms, now = tally.as_counted(self.ballot), box.standing(self.ballot)
        missing = [voter for voter in now.missing if voter not in voters]
        if now.votes + len(voters) < terms.quorum:
            return False
        options = tally.contenders(terms)
        for option in options:
            ranking = (option, *(other for other in options if other != option))
            scores = tuple((other, 100 if other == option else 0) for other in options)
            more = [rules.Answer(voter, option, frozenset({option}), ranking, scores) for voter in voters]
            if rules.standing(terms, options, [*now.answers, *more], missing).certain:
                return True
        return False

    def _check_timer(self, timer):
        first, second = deadline_timers("x")
        opened = self.log["ballot.x"].at.timestamp()
        due = opened + (self.ballot.deadline_s or DEFAULT_DEADLINE_S)
        if timer.name == second:
            due = self.log[f"timer.{first}"].at.timestamp() + self.ballot.extension_s
        assert timer.name in (first, second) and abs(timer.at - due) < 1e-3, f"{timer} is not at {due}"

    def _recounted(self):
        """The decision that the whole log makes, counted by nobody but this test."""
        casts, deadlines = [], []
        for stored in self.order:
            address = subjects.parse(stored.subject)
            if address.noun == "timer":
                deadlines.append(stored.sequence)
            elif address.noun == "vote":
                vote, voter = _readable(stored), address.names[1]
                wrong = fault(self.ballot, vote) if vote else _unreadable(address, stored)
                casts.append(tally.Cast(stored.sequence, voter, vote, wrong))
        counted = tally.tally(self.ballot, casts, deadlines, self.log["ballot.x"].sequence)
        return None if counted.is_open else decisions.as_decision(self.ballot, counted)

    def _check_silence(self):
        """Nothing happens before a deadline: then somebody was asked and is silent, or there is nobody left to ask."""
        asked = self._asked()
        silent = any(f"vote.x.{voter}" not in self.log for voter in asked)
        left = [one.voter for one in panel_of(self.ballot) if f"vote.x.{one.voter}" not in self.log]
        assert "decision.x" in self.log or silent or not left or self.racing, f"nobody asks {left}"

    def _check_end(self):
        decision = self.fact("decision.x")
        assert isinstance(decision, DecisionMade), f"no decision; the log has {list(self.log)}"
        can_be_held = isinstance(_readable(self.log["ballot.x"]), BallotOpened) and not objections(self.ballot)
        assert (decision.by == "refused") != can_be_held, f"decided by {decision.by}"
        if can_be_held:
            assert decision == self._recounted(), "another decision than that of the log"
        assert ("gate.x" in self.log) == (decision.by == "escalated"), "a gate exactly when a person is to decide"
        for voter in self._asked() if self.sober else ():
            failure = self.log.get(f"failure.{voting_task('x', voter)}.1")
            last = self.order[decision.upto - 1]  # an abstention is said while later facts still wait
            late = b"the voting task failed" in last.data or not failure or failure.sequence > decision.upto
            forgotten = not late and f"vote.x.{voter}" not in self.log
            assert not forgotten, "nobody abstains for one whose task failed"
        for voter, data in self.honest.items():
            assert self.log[f"vote.x.{voter}"].data == data


def _failed(voter):
    return TaskFailed(
        **IDS, role="reviewer", task=voting_task("x", voter), attempt=1, error="crashed", retry=True, reason="it broke"
    )


def _readable(stored):
    try:
        return decode(stored.subject, stored.data)
    except ValueError:
        return None


def _unreadable(address, stored):
    return f"the stored vote can't be read: {heard(address, stored).fault}"[:500]
