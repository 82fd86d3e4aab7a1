"""Consensus: asks panels in waves, counts votes, says decisions. All deciding is in `decider.py`.

Any number of replicas may run: each counts by the order of the log, and what is said twice is kept once.
"""

import asyncio
from datetime import UTC, datetime

from faststream import FastStream

from contracts import subjects
from contracts.message import Command, Message
from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import DecisionMade
from workers.consensus.box import Box, Heard, ballot_in
from workers.consensus.decider import SetTimer, Wanted, decide
from workers.consensus.known_ballots import KnownBallots, heard
from workers.runtime import topology
from workers.runtime.bootstrap import service_app
from workers.runtime.errors import TooLarge, Verdict
from workers.runtime.known_runs import KnownRuns
from workers.runtime.lease import Delivery
from workers.runtime.ports import Stored
from workers.runtime.service import ACK, Environment, Service

TIMED = ("ballot", "timer")
"""What sets a timer: the opening of a ballot, and a deadline that it outlives."""


class Consensus(Service):
    """Folds what it is handed into ballot boxes and says what they call for."""

    watches_runs = True

    def __init__(self) -> None:
        super().__init__(topology.CONSENSUS)

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected."""
        await super().start(env)
        self._runs = KnownRuns(env.bus.log, env.settings.prefix, KnownBallots)

    async def work(self, delivery: Delivery) -> Verdict:
        """Take a fact in and carry out what its ballot now calls for."""
        self._runs.take_turn(delivery.turn)
        address = await self.address_of(delivery)
        if address is None:
            return Verdict("term")
        ballot = ballot_in(address)
        if ballot is None:  # a timer or a failure of something else
            return ACK
        known, arrived = self._runs.named(address.tenant, address.run), self._runs.epoch
        try:
            async with known.lock:
                await self._runs.catch_up(known, delivery, arrived)
                await self._take_in(known, ballot, address, delivery)
        except BaseException:  # a cancel too: the next one must not decide without what this one would have taken in
            self._runs.miss_turn()
            raise
        return ACK

    async def _take_in(self, known: KnownBallots, ballot: str, address: subjects.Address, delivery: Delivery) -> None:
        known.take_in(address, _stored(delivery))
        known.upto = max(known.upto, delivery.sequence)
        if await self._is_over(known, delivery):
            self._runs.forget(known)
            return
        with self.env.bus.tracing.run(known.origin):
            await self._carry_out(known, ballot, address.noun in TIMED)
        await self._tell_of(known.box(ballot), address, delivery)
        known.shut(ballot)

    async def _is_over(self, known: KnownBallots, delivery: Delivery) -> bool:
        """Whether the run has ended, so that nobody waits for its ballots."""
        if not known.is_closed and self.env.endings.may_concern(*known.key, delivery.sequence):
            known.is_closed = await self.is_closed(*known.key)
        return known.is_closed

    async def _carry_out(self, known: KnownBallots, ballot: str, timed: bool) -> None:
        """Say what is wanted, take in what the log has of it, and decide again until nothing more is wanted."""
        while (wanted := decide(known.box(ballot), self.env.settings.ballot_deadline_s)).messages or timed:
            await self._set_timers(known.key, wanted if timed else Wanted())
            said = await self._say_all(wanted.messages)
            if votes := [news.sequence for news in said if news.address.noun == "vote"]:
                # Others may have voted before these abstentions were stored, and nothing is counted out of order.
                await self._runs.read_to(known, max(votes))
            for message, news in zip(wanted.messages, said, strict=True):
                known.put(ballot, news)
                await self._said(known.box(ballot), message, news)
            timed = False

    async def _set_timers(self, key: tuple[str, str], wanted: Wanted) -> None:
        await asyncio.gather(*(self._set_timer(key, timer) for timer in wanted.timers))

    async def _set_timer(self, key: tuple[str, str], timer: SetTimer) -> None:
        await self.env.bus.set_timer(*key, timer.name, datetime.fromtimestamp(timer.at, UTC))

    async def _say_all(self, messages: tuple[Message, ...]) -> list[Heard]:
        """Say the messages, all in flight at once, and return what the log holds under their names."""
        return await asyncio.gather(*(self._say(message) for message in messages))

    async def _say(self, message: Message) -> Heard:
        try:
            said = await self.env.bus.log.say(message)
        except TooLarge as error:
            message = _shorter(message, error)
            said = await self.env.bus.log.say(message)
        address = subjects.address_of(message)
        if said.news or isinstance(message, Command):
            return Heard(address, said.sequence, 0.0, message)
        return heard(address, await self.env.bus.log.taken_by(message))

    async def _said(self, box: Box, message: Message, news: Heard) -> None:
        """Count and log what is new, and whether another word stands where this one was meant."""
        if isinstance(message, DecisionMade):
            if news.fact is not message and news.fact != message:
                self.log.error("decision_differs", subject=news.address.subject(), stored=str(news.fact)[:500])
            elif news.fact is message:
                self.env.metrics.ballots.labels(message.by).inc()
                self.log.info(
                    "ballot_decided", **_named(box), option=message.option, by=message.by, votes=message.votes
                )
        elif isinstance(message, GateOpened) and news.fact is message:
            self.log.warning("gate_opened", **_named(box), advice=f"flotilla approve {box.run} {box.ballot}")

    async def _tell_of(self, box: Box, address: subjects.Address, delivery: Delivery) -> None:
        """Count a vote by what became of it; one that is invalid is kept with its reason where people look."""
        if address.noun != "vote":
            return
        voter, decision, terms = address.names[1], box.decision, box.terms
        if decision is not None:
            invalid = {one.voter: one.reason for one in decision.invalid}
        elif terms is not None:
            invalid = dict(box.standing(terms).invalid)
        else:
            return
        reason = invalid.get(voter)
        late = decision is not None and delivery.sequence > decision.upto
        how = "late" if late else "invalid" if reason else "counted"
        self.env.metrics.votes.labels(how).inc()
        if late:
            self.log.info("vote_late", **_named(box), voter=voter)
        elif reason:
            await self.bury(delivery, f"vote of {voter} on ballot {box.ballot}: {reason}")

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """End a ballot of which a fact had to be given up, so that nobody waits for it in vain."""
        if verdict.settle != "term":
            return
        address = subjects.parse(delivery.subject, self.env.settings.prefix)
        ballot = ballot_in(address)
        if ballot is None:
            return
        reason = f"the ballot could not be counted at {address.name}: {type(error).__name__}: {error}"[:20_000]
        end = DecisionMade(
            tenant=address.tenant, run=address.run, ballot=ballot, option=None, by="refused", reason=reason
        )
        await self.env.bus.log.say(end)
        self._runs.forget(self._runs.named(address.tenant, address.run))


def _shorter(message: Message, error: TooLarge) -> DecisionMade:
    """What is said instead of a message that the bus does not carry: the ballot can't be held."""
    ballot = vars(message)["ballot"]
    reason = f"the ballot can't be held: {subjects.name_of(message)} has {error.size} bytes, more than the bus carries"
    return DecisionMade(tenant=message.tenant, run=message.run, ballot=ballot, option=None, by="refused", reason=reason)


def _stored(delivery: Delivery) -> Stored:
    at = datetime.fromtimestamp(delivery.stored_at, UTC)
    return Stored(delivery.sequence, at, delivery.subject, delivery.data, delivery.traceparent)


def _named(box: Box) -> dict[str, str]:
    return {"tenant": box.tenant, "run": box.run, "ballot": box.ballot}


def app() -> FastStream:
    """The worker's application."""
    return service_app(lambda _: Consensus())
