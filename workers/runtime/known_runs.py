"""The runs that a replica knows, and how it notices that it does not know all of a run.

The consumer numbers its hand-overs (turns) over all replicas. While this replica sees each number,
nobody else was handed anything, and what it knows is complete. After a gap a new epoch begins, and a
run that was complete in an older one is read from the log before it is decided upon.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from contracts import subjects
from workers.runtime.errors import BusUnavailable
from workers.runtime.lease import Delivery
from workers.runtime.ports import Log, Stored
from workers.runtime.tracing import Origin

MOST_KNOWN = 20_000
CATCH_UP_TRIES = 40
CATCH_UP_DELAY_S = 0.05


class KnownRun(ABC):
    """A run as this replica knows it: complete up to the sequence `upto`, as of `epoch`. Change it under its lock.

    `origin` is where its trace begins.
    """

    def __init__(self, tenant: str, run: str) -> None:
        self.key = tenant, run
        self.upto, self.epoch = 0, -1
        self.origin = Origin(tenant, run)
        self.lock = asyncio.Lock()

    @abstractmethod
    def take_in(self, address: subjects.Address, stored: Stored) -> None:
        """Take in a fact as the log has it, whether it validates or not. Raises `NewerVersion`."""


K = TypeVar("K", bound=KnownRun)


class KnownRuns(Generic[K]):
    """The most recent runs by tenant and id; `make` makes one of which nothing is known yet."""

    def __init__(self, log: Log, prefix: str, make: Callable[[str, str], K]) -> None:
        self._log, self._prefix, self._make = log, prefix, make
        self._known: OrderedDict[tuple[str, str], K] = OrderedDict()
        self._last_turn, self.epoch = 0, 0

    def take_turn(self, turn: int) -> None:
        """Note the number of a hand-over; call it in the order of arrival."""
        if turn != self._last_turn + 1:
            self.epoch += 1
        self._last_turn = max(self._last_turn, turn)

    def named(self, tenant: str, run: str) -> K:
        """What is known of a run; nothing yet, if it is new."""
        found = self._known.get((tenant, run))
        if found is None:
            found = self._known[tenant, run] = self._make(tenant, run)
            if len(self._known) > MOST_KNOWN:
                self._forget_oldest()
        return found

    def forget(self, known: K) -> None:
        """Drop a run that is over."""
        self._known.pop(known.key, None)

    def _forget_oldest(self) -> None:
        for known in self._known.values():
            if not known.lock.locked():
                self.forget(known)
                return

    def miss_turn(self) -> None:
        """Note that a hand-over was not worked on here to its end: as if another replica had been handed it."""
        self.epoch += 1

    async def catch_up(self, known: K, delivery: Delivery, arrived: int) -> None:
        """Read what the log has of the run beyond what is known here, up to this delivery at least.

        `arrived` is the epoch as the delivery came. What comes for the first time is newer than all that was handed
        over before, so the run is complete as of then, even from a copy of the log that shows nothing newer. What
        comes again may be older than what others were handed.
        """
        if known.epoch == self.epoch:
            return
        await self.read_to(known, delivery.sequence)
        if delivery.number == 1:
            known.epoch = max(known.epoch, arrived)

    async def read_to(self, known: K, sequence: int) -> None:
        """Read what the log has of the run beyond what is known here, up to this sequence at least."""
        for _ in range(CATCH_UP_TRIES):
            await self._read(known)
            if known.upto >= sequence:
                return
            await asyncio.sleep(CATCH_UP_DELAY_S)
        raise BusUnavailable(f"the log does not show sequence {sequence} yet; a replica lags behind")

    async def _read(self, known: K) -> None:
        for stored in await self._log.history(*known.key, known.upto):
            # Any client can publish under a run; what is outside of the grammar is nobody's fact.
            with contextlib.suppress(subjects.NotASubject):
                address = subjects.parse(stored.subject, self._prefix)
                if address.noun == "run.requested":
                    known.origin = Origin(*known.key, stored.traceparent, stored.at.timestamp())
                known.take_in(address, stored)
            known.upto = stored.sequence
