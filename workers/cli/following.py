"""Following a run: facts, time and the person at the terminal, until it is over or left alone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Literal, Protocol

from contracts.v1.runs import CancelRequested
from workers.cli.complaints import Unreachable
from workers.cli.entries import Entries, Entry, ordered, read
from workers.cli.local import broken
from workers.cli.outside import Bus, Outside, Signals, note
from workers.cli.view import RunView, view_of

Ended = Literal["over", "left", "stopped"]
"""`over`: the run has closed. `left`: it goes on without us. `stopped`: interrupted together with its fleet."""

Wish = Literal["cancel", "leave", "go on"]
Fleet = asyncio.Task[None] | None


class Shown(Protocol):
    """Where a run is shown: screen, lines or JSON lines."""

    def see(self, entry: Entry, view: Callable[[], RunView]) -> None:
        """A fact came in."""
        ...

    def tick(self, view: RunView, now: datetime) -> None:
        """Time passed."""
        ...

    def pause(self) -> None:
        """Something else is about to be written."""
        ...

    def end(self, view: RunView) -> None:
        """Nothing more will come."""
        ...


class Following:
    """One run as it comes in. `own_fleet` runs in this process: the run can't go on without it."""

    def __init__(
        self, outside: Outside, bus: Bus, tenant: str, run: str, prefix: str, shown: Shown, own_fleet: Fleet = None
    ) -> None:
        self._outside, self._bus, self._log, self._shown = outside, bus, bus.log, shown
        self._tenant, self._run, self._prefix = tenant, run, prefix
        self._own_fleet = own_fleet
        self._asking = False
        self._entries: Entries = {}
        self._folded: RunView | None = None

    @property
    def view(self) -> RunView:
        """The run up to here."""
        if self._folded is None:
            self._folded = view_of(self._entries.values())
        return self._folded

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The facts up to here, in order of the log."""
        return ordered(self._entries.values())

    async def follow(self) -> Ended:
        """Show the run until it is over or left; what is shown last is the last state."""
        with self._outside.signals() as signals:
            facts, ticks = asyncio.create_task(self._facts()), asyncio.create_task(self._ticks())
            try:
                return await self._until_over(facts, signals)
            finally:
                for task in (facts, ticks):
                    task.cancel()
                await asyncio.gather(facts, ticks, return_exceptions=True)
                self._shown.end(self.view)

    async def _facts(self) -> None:
        async for stored in self._log.follow(self._tenant, self._run):
            entry = read(stored, self._prefix)
            self._entries[entry.sequence], self._folded = entry, None
            self._shown.see(entry, lambda: self.view)
            if entry.name == "run.closed":
                return
        raise Unreachable(f"the broker went away; run {self._run} goes on without us: `flotilla watch {self._run}`")

    async def _ticks(self) -> None:
        gone_since: datetime | None = None
        told = False
        while True:
            now = self._outside.now()
            gone_since = None if self._bus.is_connected else gone_since or now
            gone = gone_since is not None and (now - gone_since).total_seconds() >= self._outside.gone_s
            if gone != told:
                told = gone
                self._shown.pause()
                note(self._gone() if gone else "the broker answers again")
            if not (self._asking or gone):
                self._shown.tick(self.view, now)
            await asyncio.sleep(self._outside.tick_s)

    def _gone(self) -> str:
        """What to say when nothing new can be known; a fleet with an embedded broker comes back at another address."""
        return (
            "the broker does not answer: what is shown may be old, and it is tried again all the time\n"
            f"if the fleet was started again, leave with Ctrl-C and `flotilla watch {self._run}`"
        )

    async def _until_over(self, facts: asyncio.Task[None], signals: Signals) -> Ended:
        while True:
            interrupt = asyncio.create_task(signals.next())
            await _first_of(facts, interrupt, *([self._own_fleet] if self._own_fleet else []))
            if not interrupt.done():
                interrupt.cancel()
                if self._own_fleet is not None and not facts.done():
                    raise broken(self._own_fleet)
                facts.result()
                return "over"
            wish = await self._wish(facts, signals) if interrupt.result() else "leave"
            if wish == "cancel":
                await self._cancel()
            elif wish == "leave":
                return await self._leave(facts)

    async def _wish(self, facts: asyncio.Task[None], signals: Signals) -> Wish:
        self._asking = True
        self._shown.pause()
        try:
            return await self._answer(facts, signals)
        finally:
            self._asking = False

    async def _answer(self, facts: asyncio.Task[None], signals: Signals) -> Wish:
        question = (
            "cancel the run, or go on watching? (its fleet lives here: leaving cancels it) [c/g]"
            if self._own_fleet
            else "cancel the run, leave it running, or go on watching? [c/l/g]"
        )
        answer, again = asyncio.create_task(signals.ask(question)), asyncio.create_task(signals.next())
        try:
            await _first_of(answer, again, facts)
            if again.done():
                return "leave"
            said = answer.result().lower()[:1] or "l" if answer.done() else "g"
        finally:
            for task in (answer, again):
                task.cancel()
            await asyncio.gather(answer, again, return_exceptions=True)
        return "cancel" if said == "c" else "leave" if said == "l" else "go on"

    async def _cancel(self) -> None:
        wish = CancelRequested(
            tenant=self._tenant, run=self._run, reason="interrupted by whoever watched it", requested_by="flotilla"
        )
        await self._log.say(wish)

    async def _leave(self, facts: asyncio.Task[None]) -> Ended:
        """Leave the run alone; one whose fleet is ours is cancelled, since nobody is left to run it."""
        self._shown.pause()
        if self._own_fleet is None:
            note(
                f"run {self._run} goes on: `flotilla watch {self._run}` to watch, `flotilla cancel {self._run}` to stop"
            )
            return "left"
        note(f"run {self._run} is cancelled: its fleet lives in this process and ends with it")
        await self._cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._outside.cancel_wait_s):
                await asyncio.shield(facts)
        return "stopped"


async def _first_of(*tasks: asyncio.Task[None] | asyncio.Task[str] | asyncio.Task[bool]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
