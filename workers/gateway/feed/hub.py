"""The hub: one follower of the log for all readers of a gateway, and live output of the runs that somebody reads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from contracts.subjects import run_filter
from workers.gateway.feed.events import encoded, live_event
from workers.gateway.feed.follower import Follower
from workers.gateway.feed.readers import RETRY_MS, Page, Reader
from workers.gateway.feed.recent import Kept, Key, Recent
from workers.runtime.bus import Bus
from workers.runtime.direct_get import DirectGets
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import Stored
from workers.runtime.topology import LOG, live_subject

SPREAD_MS = 37


class FeedFull(Exception):
    """This gateway has as many readers as it may have; come back later or ask another."""


@dataclass(frozen=True)
class Limits:
    """The bounds that keep the memory of a feed flat."""

    readers: int = 2_000
    kept: int = 4_096
    kept_bytes: int = 32 * 1024**2
    page: int = 100
    page_bytes: int = 1024**2
    reads_at_once: int = 8
    warm: int = 1_000
    """Facts stored before the start that are kept as well."""
    heartbeat_s: float = 15.0
    patience_s: float = 30.0
    """How long a reader may take for one chunk."""


@dataclass(eq=False)
class _Heard:
    """Live output of one run."""

    readers: set[Reader] = field(default_factory=set)
    subscription: Subscription | None = None


class Hub:
    """Feeds readers. Start it once the bus is connected; `stop` ends every reader with a last event."""

    def __init__(self, bus: Bus, limits: Limits | None = None) -> None:
        self._bus, self._limits = bus, limits or Limits()
        self._prefix = bus.settings.prefix
        self._gets = DirectGets(bus.nc, LOG)
        self._reading = asyncio.Semaphore(self._limits.reads_at_once)
        self._recent = Recent(0, self._limits.kept, self._limits.kept_bytes)
        self._follower: Follower | None = None
        self._beating: asyncio.Task[None] | None = None
        self._readers: set[Reader] = set()
        self._heard: dict[Key, _Heard] = {}

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)

    @property
    def upto(self) -> int:
        """The sequence of the newest fact that readers can have."""
        return self._recent.upto

    async def start(self) -> None:
        """Begin to follow the log. Raises `BusUnavailable`."""
        try:
            state = (await self._bus.js.stream_info(LOG)).state
        except (TimeoutError, NatsError, OSError) as error:
            raise BusUnavailable(f"the log can't be followed: {error!r}; is it provisioned?") from error
        await self._gets.start()
        after = max(0, state.last_seq - self._limits.warm)
        self._recent = Recent(after, self._limits.kept, self._limits.kept_bytes)
        everything = run_filter("*", "*", self._prefix)
        self._follower = Follower(self._bus.nc, self._bus.js, everything, after, self._take)
        await self._follower.start()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """End all readers, each told to come back after a time of its own, and stop to follow."""
        for number, reader in enumerate(tuple(self._readers)):
            reader.end("stopping", RETRY_MS + number * SPREAD_MS % 2_000)
        if self._beating is not None:
            self._beating.cancel()
        if self._follower is not None:
            await self._follower.stop()

    @asynccontextmanager
    async def join(self, tenant: str, run: str, after: int = 0) -> AsyncIterator[Reader]:
        """Read a run behind a sequence, for as long as the context lasts. The caller has checked that it may.

        Raises `FeedFull`.
        """
        if len(self._readers) >= self._limits.readers:
            raise FeedFull(f"{len(self._readers)} readers are connected, and no more may be")
        key = tenant, run
        lane = self._recent.lane(key)
        reader = Reader(key, after, lane, self._page, self._limits.patience_s)
        lane.readers.add(reader)
        self._readers.add(reader)
        try:
            await self._listen(reader)
            yield reader
        finally:
            self._readers.discard(reader)
            self._recent.leave(key, reader)
            await self._unlisten(reader)

    def _take(self, stored: Stored) -> None:
        tokens = stored.subject.split(".", 3)
        self._recent.take(Kept((tokens[1], tokens[2]), stored, self._prefix))

    async def _page(self, key: Key, after: int) -> Page:
        """Facts of a run from the log; few readers at once, for a page of each is held."""
        async with self._reading:
            wanted = {"seq": after + 1, "next_by_subj": run_filter(*key, self._prefix)}
            found, more = await self._gets.ask(
                {**wanted, "batch": self._limits.page, "max_bytes": self._limits.page_bytes}
            )
            if not found and more:  # one fact alone is larger than a page
                found, more = await self._gets.ask({**wanted, "batch": 1})
        return [Kept(key, one, self._prefix) for one in found], more

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            for reader in tuple(self._readers):
                reader.beat()

    async def _listen(self, reader: Reader) -> None:
        heard = self._heard.setdefault(reader.key, _Heard())
        heard.readers.add(reader)
        if len(heard.readers) > 1:
            return

        async def came(msg: Msg) -> None:
            event = live_event(msg.subject.rsplit(".", 1)[1], msg.data)
            if event is not None:
                frame = encoded(event)
                for one in tuple(heard.readers):
                    one.hear(frame)

        # A name of one token: what is said of the run as a whole (`run.closed`) has two, and is a fact as well.
        heard.subscription = await self._bus.nc.subscribe(live_subject(self._bus.settings, *reader.key, "*"), cb=came)

    async def _unlisten(self, reader: Reader) -> None:
        heard = self._heard.get(reader.key)
        if heard is None:
            return
        heard.readers.discard(reader)
        if not heard.readers:
            del self._heard[reader.key]
            if heard.subscription is not None:
                with contextlib.suppress(NatsError, OSError, RuntimeError):
                    await heard.subscription.unsubscribe()
