"""A reader of a run: a cursor that takes facts from the kept ones, or from the log when it is behind them.

Why no fact is missed and none comes twice. The cursor only grows, and what is given out is above it. A fact at or below
the lane's floor as it was before a read was stored before that read, so the read shows it. A fact above that floor is
kept, or still to come, or has been pushed out since: then the floor has passed the cursor and the log is read again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from contracts.subjects import NotASubject
from workers.gateway.feed.events import HEARTBEAT, encoded, reconnect_event, retry, skipped_event
from workers.gateway.feed.recent import Kept, Key, Lane
from workers.runtime.errors import BusUnavailable

MOST_LIVE = 64
"""Pieces of live output that wait for one reader."""
RETRY_MS = 1_000
READ_AGAIN_S = 0.5
MOST_AT_ONCE = 256
"""Facts in one chunk."""


Page = tuple[list[Kept], bool]
"""Facts of a run in order, and whether more are behind them."""
ReadPage = Callable[[Key, int], Awaitable[Page]]
"""Reads the facts of a run behind a sequence; raises `BusUnavailable`."""


class Reader:
    """One connection's place in a run. Iterate `chunks`; `upto` is the sequence behind the last fact given out."""

    def __init__(self, key: Key, after: int, lane: Lane, read: ReadPage, patience_s: float) -> None:
        self.key, self.upto = key, after
        self._lane, self._read, self._patience_s = lane, read, patience_s
        self._live: deque[bytes] = deque(maxlen=MOST_LIVE)
        self._skipped, self._beat = 0, False
        self._ending = ""
        self._retry_ms = RETRY_MS
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Facts have come."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def beat(self) -> None:
        """It is time to show that the connection stands."""
        self._beat = True
        self.wake()

    def hear(self, frame: bytes) -> None:
        """A piece of live output; the oldest makes room when too many wait."""
        self._skipped += len(self._live) == MOST_LIVE
        self._live.append(frame)
        self.wake()

    def end(self, reason: str, retry_ms: int = RETRY_MS) -> None:
        """Give out a last event that says why, and end."""
        self._ending, self._retry_ms = reason, retry_ms
        self.wake()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Whole events as bytes for the wire, until `end` or until one chunk took longer than patience lasts."""
        yield retry(RETRY_MS)
        now = asyncio.get_running_loop().time
        while not self._ending:
            chunk = await self._next()
            if chunk:
                at = now()
                yield chunk
                if now() - at > self._patience_s:
                    self.end("slow")
        yield encoded(reconnect_event(self._ending, self._retry_ms))

    async def _next(self) -> bytes:
        """What is new, or nothing after a wait for it."""
        if self.upto < self._lane.floor:
            return await self._from_log()
        chunk = self._live_pieces() + _frames(self._take())
        if not chunk and self._beat:
            chunk = HEARTBEAT
        self._beat = False
        if not chunk and not self._ending:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return chunk

    def _take(self) -> list[Kept]:
        found = self._lane.after(self.upto)[:MOST_AT_ONCE]
        if found:
            self.upto = found[-1].stored.sequence
        return found

    async def _from_log(self) -> bytes:
        mark = self._lane.floor
        try:
            found, more = await self._read(self.key, self.upto)
        except BusUnavailable:
            await asyncio.sleep(READ_AGAIN_S)
            return HEARTBEAT
        reached = found[-1].stored.sequence if found else self.upto
        self.upto = reached if more else max(reached, mark)
        return _frames(found)

    def _live_pieces(self) -> bytes:
        if not self._live:
            return b""
        told = encoded(skipped_event(self._skipped)) if self._skipped else b""
        chunk = told + b"".join(self._live)
        self._live.clear()
        self._skipped = 0
        return chunk


def _frames(found: list[Kept]) -> bytes:
    return b"".join(_frame(one) for one in found)


def _frame(one: Kept) -> bytes:
    try:
        return one.frame
    except NotASubject:
        return b""  # any client can store under a run; what is outside of the grammar is nobody's fact
