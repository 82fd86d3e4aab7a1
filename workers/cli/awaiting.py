"""Waiting for a ballot's decision: its facts, time, and the person at the terminal, until it is there or left alone."""

import asyncio
from datetime import datetime

from contracts.v1.ballots import BallotOpened
from workers.cli.ballotscreen import Shown, shown_for
from workers.cli.ballotview import BallotSeen, ballot_seen, is_about
from workers.cli.ballotwords import of_run
from workers.cli.complaints import INTERRUPTED, UNDECIDED, Unreachable
from workers.cli.entries import Entries, read
from workers.cli.following import Fleet
from workers.cli.local import broken
from workers.cli.outside import note
from workers.cli.sessions import Session

GATE_S = 2.0
"""The gate of a ballot that is left to a person is said right after the decision."""


async def awaited(opened: Session, ballot: BallotOpened, json: bool, own_fleet: Fleet = None) -> int:
    """Show the ballot until it is decided; returns the exit code."""
    waiting = Waiting(opened, ballot, shown_for(opened, ballot, json, own_fleet is not None), own_fleet)
    seen = await waiting.until_decided()
    if seen is None:
        note(_left(opened, ballot, own_fleet is not None))
        return INTERRUPTED
    if seen.decision is not None and seen.decision.option is not None:
        return 0
    return 1 if seen.outcome == "refused" else UNDECIDED


def _left(opened: Session, ballot: BallotOpened, ends: bool) -> str:
    """What becomes of a ballot that nobody waits for any more."""
    if ends:
        return f"ballot {ballot.ballot} ends without a decision: its fleet lives in this process and ends with it"
    if not opened.bus.is_connected:
        return f"the broker of ballot {ballot.ballot} does not answer; once it does: {_look(opened, ballot)}"
    return f"ballot {ballot.ballot} goes on: {_look(opened, ballot)}"


def _look(opened: Session, ballot: BallotOpened) -> str:
    return f"`flotilla ballot show {ballot.ballot}{of_run(ballot)}{opened.options}`"


class Waiting:
    """One ballot as its facts come in. `own_fleet` runs in this process: nothing is decided without it."""

    def __init__(self, opened: Session, ballot: BallotOpened, shown: Shown, own_fleet: Fleet) -> None:
        self._opened, self._ballot, self._shown, self._own_fleet = opened, ballot, shown, own_fleet
        self._entries: Entries = {}
        self._folded: BallotSeen | None = None
        self._decided = asyncio.Event()

    @property
    def seen(self) -> BallotSeen | None:
        """The ballot up to here; None before its opening has been read."""
        if self._folded is None:
            self._folded = ballot_seen(self._entries.values(), self._ballot.ballot)
        return self._folded

    async def until_decided(self) -> BallotSeen | None:
        """The ballot with its decision; None when it was left alone."""
        with self._opened.outside.signals() as signals:
            decided, facts = asyncio.create_task(self._decided.wait()), asyncio.create_task(self._facts())
            tasks = [decided, facts, asyncio.create_task(self._ticks()), asyncio.create_task(signals.next())]
            try:
                return await self._first(decided, facts, tasks[-1])
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._shown.end(self.seen, self._opened.outside.now())

    async def _first(
        self, decided: "asyncio.Task[bool]", facts: "asyncio.Task[None]", left: "asyncio.Task[object]"
    ) -> BallotSeen | None:
        fleet = [self._own_fleet] if self._own_fleet else []
        await asyncio.wait([decided, facts, left, *fleet], return_when=asyncio.FIRST_COMPLETED)
        if decided.done():
            seen = self.seen
            if seen is not None and seen.outcome == "escalated" and seen.gate is None:
                await asyncio.wait([facts], timeout=GATE_S)
            return self.seen
        if facts.done():
            facts.result()
        if left.done():
            return None
        if self._own_fleet is not None and self._own_fleet.done():
            raise broken(self._own_fleet)
        return None

    async def _facts(self) -> None:
        log, prefix = self._opened.bus.log, self._opened.settings.prefix
        async for stored in log.follow(self._ballot.tenant, self._ballot.run):
            entry = read(stored, prefix)
            if not is_about(entry, self._ballot):
                continue
            self._entries[entry.sequence], self._folded = entry, None
            if (seen := self.seen) is not None:
                self._shown.see(entry, seen)
                if seen.is_decided:
                    self._decided.set()
                    if seen.outcome != "escalated" or seen.gate is not None:
                        return
        raise Unreachable(f"the broker went away; ballot {self._ballot.ballot} goes on without us")

    async def _ticks(self) -> None:
        outside, gone_since, told = self._opened.outside, None, False
        while True:
            now: datetime = outside.now()
            gone_since = None if self._opened.bus.is_connected else gone_since or now
            gone = gone_since is not None and (now - gone_since).total_seconds() >= outside.gone_s
            if gone != told:
                told = gone
                self._shown.pause()
                note(self._gone() if gone else "the broker answers again")
            if (seen := self.seen) is not None and not gone:
                self._shown.tick(seen, now)
            await asyncio.sleep(outside.tick_s)

    def _gone(self) -> str:
        """What to say when nothing new can be known; a fleet with an embedded broker comes back at another address."""
        return (
            "the broker does not answer: what is shown may be old, and it is tried again all the time\n"
            f"if the fleet was started again, leave with Ctrl-C and look with {_look(self._opened, self._ballot)}"
        )
