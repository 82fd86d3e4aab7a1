"""The newest facts of the log, kept once for all readers, within bounds; pure.

Each run has a lane. A lane knows all facts of its run above its floor: what was pushed out of it, and what was stored
before anybody kept count, is at or below the floor and must be read from the log.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from workers.gateway.feed.events import encoded, fact_event
from workers.runtime.ports import Stored

Key = tuple[str, str]
"""Tenant and run."""


class Waiting(Protocol):
    """Who is told that a lane has news."""

    def wake(self) -> None:
        """There is news."""
        ...


class Kept:
    """A kept fact, and the bytes that readers get of it, made when the first one asks."""

    __slots__ = ("_frame", "_prefix", "key", "stored")

    def __init__(self, key: Key, stored: Stored, prefix: str) -> None:
        self.key, self.stored, self._prefix = key, stored, prefix
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """The fact as an event on the wire; raises `NotASubject` for what is outside of the grammar."""
        if self._frame is None:
            self._frame = encoded(fact_event(self.stored, self._prefix))
        return self._frame


@dataclass(eq=False)
class Lane:
    """The kept facts of one run, in order, and who reads it."""

    floor: int
    kept: deque[Kept] = field(default_factory=deque)
    readers: set[Waiting] = field(default_factory=set)

    def after(self, sequence: int) -> list[Kept]:
        """The kept facts above a sequence; complete only when that is at or above the floor."""
        found: list[Kept] = []
        for one in reversed(self.kept):
            if one.stored.sequence <= sequence:
                break
            found.append(one)
        found.reverse()
        return found


class Recent:
    """The newest facts of all runs: at most so many, and so many bytes of payload. `upto` is the newest's sequence."""

    def __init__(self, after: int, most: int, most_bytes: int) -> None:
        self.upto = self.floor = after
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._all: deque[Kept] = deque()
        self._lanes: dict[Key, Lane] = {}

    def __len__(self) -> int:
        return len(self._all)

    def lane(self, key: Key) -> Lane:
        """The lane of a run, made when there is none."""
        found = self._lanes.get(key)
        if found is None:
            found = self._lanes[key] = Lane(self.floor)
        return found

    def leave(self, key: Key, reader: Waiting) -> None:
        """A reader of a run is gone."""
        lane = self.lane(key)
        lane.readers.discard(reader)
        self._drop_idle(key, lane)

    def take(self, one: Kept) -> None:
        """Keep the next fact and wake who reads its run. What is not above `upto` was taken before."""
        if one.stored.sequence <= self.upto:
            return
        self.upto = one.stored.sequence
        lane = self.lane(one.key)
        self._all.append(one)
        lane.kept.append(one)
        self._bytes += len(one.stored.data)
        while len(self._all) > self._most or (self._bytes > self._most_bytes and self._all):
            self._push_out()
        for reader in lane.readers:
            reader.wake()

    def _push_out(self) -> None:
        oldest = self._all.popleft()
        self._bytes -= len(oldest.stored.data)
        lane = self._lanes[oldest.key]
        lane.kept.popleft()
        self.floor = lane.floor = oldest.stored.sequence
        self._drop_idle(oldest.key, lane)

    def _drop_idle(self, key: Key, lane: Lane) -> None:
        if not lane.kept and not lane.readers:
            self._lanes.pop(key, None)
