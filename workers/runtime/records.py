"""Shared records in a key-value bucket, changed by compare-and-set, many changes in one write.

    change ─▶ waiting ─▶ one write for all that wait: applied in order to the content that is known
                             ├ stored: every result is out         (one round trip when nobody else wrote)
                             └ somebody was faster: pause, read, apply all of them anew

A write whose acknowledgement is lost must not be applied twice. So each write says in a header who wrote it and how
many it was of that writer's, and carries on the others' numbers: whoever reads the record sees which of its own writes
are in it, even below later ones. A writer is forgotten once `MOST_WRITERS` others wrote after it.
"""

import asyncio
import random
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from workers.llm.records import Change, R, RecordsUnavailable
from workers.runtime.direct_get import READ_TIMEOUT_S
from workers.runtime.errors import BusUnavailable
from workers.runtime.publish import RETRY_DELAY_S, Publisher
from workers.runtime.record_versions import NOTHING, WRITERS, Version, version_of

MOST_KNOWN = 1_024
"""Records whose content is kept here, those that are used most recently."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.05
"""Bounds of the random pause before a write is tried anew; it doubles when others were faster, and halves again."""

_logger = structlog.get_logger(__name__)
_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(eq=False)
class _Asked:
    """A change that somebody waits for."""

    change: Change[Any]
    done: asyncio.Future[Any]
    deadline: float


Applied = list[tuple[_Asked, Any]]


@dataclass
class _Line:
    """The changes of one key that wait, and those writes of them of which it is not known whether they are stored."""

    waiting: list[_Asked] = field(default_factory=list)
    tried: dict[int, Applied] = field(default_factory=dict)
    pause_s: float = 0.0


@dataclass
class _Watch:
    seen: list[Callable[[bytes], None]] = field(default_factory=list)
    told: int = 0
    subscribing: asyncio.Task[Any] | None = None


class KeyValueRecords:
    """Records of one bucket. One instance for each connection and bucket: two of them would be rivals.

    `heard_on` is the subject below which the broker repeats what it has stored (`topology.records_subject`).
    """

    def __init__(self, client: Client, publisher: Publisher, bucket: str, heard_on: str, patience_s: float) -> None:
        self._client, self._publisher = client, publisher
        self._bucket, self._heard_on, self._patience_s = bucket, heard_on, patience_s
        self._writer = secrets.token_urlsafe(6)
        self._numbers = count(1)
        self._known: dict[str, Version] = {}
        self._lines: dict[str, _Line] = {}
        self._pauses: dict[str, float] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._watched: dict[str, _Watch] = {}

    async def change(self, key: str, change: Change[R]) -> R:
        """Apply a change atomically and return its result; raises `RecordsUnavailable` after the patience at most.

        After that error the change may still come to be stored. A caller that is cancelled leaves its change undone,
        or done as a whole.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(change, loop.create_future(), loop.time() + self._patience_s)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[_checked(key)] = _Line(pause_s=self._pauses.pop(key, 0.0))
            working = loop.create_task(self._work(key, line))
            self._busy.add(working)
            working.add_done_callback(partial(self._worked, key, line))
        line.waiting.append(asked)
        result: R = await asked.done
        return result

    async def read(self, key: str) -> bytes | None:
        """The content now; raises `RecordsUnavailable`."""
        _checked(key)
        if (watch := self._watched.get(key)) is not None and watch.subscribing is not None:
            await asyncio.wait((watch.subscribing,))  # nothing may be missed between this and what is heard later
        try:
            async with asyncio.timeout(self._patience_s):
                return (await self._read(key)).content
        except TimeoutError:
            raise self._unavailable(key) from None

    def watch(self, key: str, seen: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        """Have `seen` called with each new content, never with an older one after a newer; returns what ends that.

        What is stored while the connection is away is not heard of; the next read, change or write of others tells it.
        """
        watch = self._watched.get(key)
        if watch is None:
            watch = self._watched[_checked(key)] = _Watch()
            subject = f"{self._heard_on}.{key}"
            watch.subscribing = asyncio.create_task(self._client.subscribe(subject, cb=self._heard))
        watch.seen.append(seen)

        async def end() -> None:
            if seen in watch.seen:
                watch.seen.remove(seen)
            if not watch.seen and self._watched.get(key) is watch and watch.subscribing is not None:
                del self._watched[key]
                with suppress(NatsError):
                    await (await watch.subscribing).unsubscribe()

        return end

    async def _work(self, key: str, line: _Line) -> None:
        """Work off what waits for a key, until nothing does."""
        while line.waiting:
            try:
                async with asyncio.timeout_at(line.waiting[0].deadline):
                    await self._round(key, line)
            except (TimeoutError, BusUnavailable) as error:
                _fail(self._given_up(line, error), self._unavailable(key, error))
            except Exception as error:  # a message that is too large, a refusal: theirs who asked
                _fail(line.waiting, error)
                line.waiting = []
            line.waiting = [asked for asked in line.waiting if not asked.done.done()]
        del self._lines[key]
        if line.pause_s:  # the others are most likely still at it
            self._pauses[key] = line.pause_s
            _bounded(self._pauses)

    def _worked(self, key: str, line: _Line, working: asyncio.Task[None]) -> None:
        self._busy.discard(working)
        if self._lines.get(key) is line:  # cancelled, by a loop that closes: nobody would work off what waits
            del self._lines[key]
            _fail(line.waiting, self._unavailable(key, BusUnavailable("the event loop closes")))

    async def _round(self, key: str, line: _Line) -> None:
        """Apply all that waits and write it. What is not stored yet keeps waiting."""
        base = self._known.get(key) if not line.pause_s and not line.tried else None
        fresh = base is None
        if base is None:
            base = await self._read_back(key, line)
        content, applied = _apply(line.waiting, base.content)
        if content is None and not fresh:  # what others wrote since might call for a change
            base = await self._read(key)
            content, applied = _apply(line.waiting, base.content)
        if content is None:
            _succeed(applied)
            return
        number = next(self._numbers)
        line.tried[number] = applied
        writers = base.signed(self._writer, number)
        headers = {"Nats-Expected-Last-Subject-Sequence": str(base.revision), WRITERS: " ".join(writers)}
        said = await self._publisher.publish(f"$KV.{self._bucket}.{key}", content, headers)
        if said.news:
            line.tried.clear()
            line.pause_s = line.pause_s / 2 if line.pause_s > FIRST_PAUSE_S else 0.0
            self._learn(key, Version(said.sequence, content, writers))
            _succeed(applied)
        else:
            self._known.pop(key, None)
            line.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, line.pause_s * 2))

    async def _read_back(self, key: str, line: _Line) -> Version:
        """The record as it is, after a pause when others are at it; what of one's own is in it is no longer waiting."""
        if line.pause_s:
            await asyncio.sleep(random.uniform(0.0, line.pause_s))
        base = await self._read(key)
        if line.tried:
            _succeed(line.tried.pop(base.last_of(self._writer), ()))
            line.waiting = [asked for asked in line.waiting if not asked.done.done()]
        return base

    async def _read(self, key: str) -> Version:
        """The record as the broker has it; asks until it answers, so the caller must have a time-out."""
        subject = f"$JS.API.DIRECT.GET.KV_{self._bucket}.$KV.{self._bucket}.{key}"
        while True:
            try:
                answer = await self._client.request(subject, b"", timeout=READ_TIMEOUT_S)
            except ConnectionClosedError as error:
                raise BusUnavailable("the connection is closed") from error
            except (NatsError, OSError):
                await asyncio.sleep(RETRY_DELAY_S)
                continue
            if (found := version_of(answer)) is not None:
                self._learn(key, found)
                return self._known[key] if found.revision else found  # a replica may lag behind
            await asyncio.sleep(RETRY_DELAY_S)

    async def _heard(self, msg: Msg) -> None:
        if (found := version_of(msg)) is not None:
            self._learn(msg.subject[len(self._heard_on) + 1 :], found)

    def _learn(self, key: str, found: Version) -> None:
        """Keep a version unless a later one is known, and tell those who watch."""
        kept = self._known.pop(key, NOTHING)
        self._known[key] = found if found.revision >= kept.revision or not found.revision else kept
        _bounded(self._known)
        watch = self._watched.get(key)
        if watch is not None and found.revision > watch.told:
            watch.told = found.revision
            if found.content is not None:
                for seen in tuple(watch.seen):
                    _tell(key, seen, found.content)

    def _given_up(self, line: _Line, error: Exception) -> list[_Asked]:
        if isinstance(error, BusUnavailable):  # all of the publisher's patience went into it
            return line.waiting
        now = asyncio.get_running_loop().time()
        return [asked for asked in line.waiting if asked.deadline <= now]

    def _unavailable(self, key: str, error: Exception | None = None) -> RecordsUnavailable:
        why = str(error) if isinstance(error, BusUnavailable) else f"no success in {self._patience_s:g} s"
        return RecordsUnavailable(
            f"record {key} of bucket {self._bucket}: {why}; is the broker up and provisioned? (flotilla provision)"
        )


def _bounded(kept: dict[str, Any]) -> None:
    if len(kept) > MOST_KNOWN:
        del kept[next(iter(kept))]


def _tell(key: str, seen: Callable[[bytes], None], content: bytes) -> None:
    """A watcher that breaks must not break the change that it is told of."""
    try:
        seen(content)
    except Exception:
        _logger.exception("watcher_failed", record=key)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a record; use A-Z a-z 0-9 _ - and single dots between them")
    return key


def _apply(waiting: list[_Asked], before: bytes | None) -> tuple[bytes | None, Applied]:
    """All changes in order: the new content, None when there is none, and what each of them said."""
    content, new, applied = before, None, []
    for asked in waiting:
        if asked.done.done():
            continue
        try:
            changed, result = asked.change(content)
        except Exception as error:  # theirs who asked; the others' changes go on
            asked.done.set_exception(error)
            continue
        if changed is not None:
            content = new = changed
        applied.append((asked, result))
    return new, applied


def _succeed(applied: "Applied | tuple[()]") -> None:
    for asked, result in applied:
        if not asked.done.done():
            asked.done.set_result(result)


def _fail(given_up: list[_Asked], error: Exception) -> None:
    for asked in given_up:
        if not asked.done.done():
            asked.done.set_exception(error)
