"""Leases: a worker holds each delivery for as long as it works on it, and no longer.

FastStream hands a message over and gets its answer at once; the lease's own task works, settles and
lets go. So a slow task does not stop the next fetch, the number of leases held is the worker's
concurrency, and one heartbeat loop keeps all of them. A crash is noticed after `lease_s`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from workers.runtime.errors import Verdict

HEARTBEATS_A_LEASE = 3
CANCELLED_RUN_DELAY_S = 1.0

GIVE_BACK = Verdict("nak")
LOOK_AGAIN = Verdict("nak", delay_s=CANCELLED_RUN_DELAY_S)


@dataclass(frozen=True)
class Delivery:
    """One hand-over of a message. `number` counts hand-overs of the same message from 1.

    `sequence` is the message's place in its stream, `turn` the hand-over's in its consumer, over all workers.
    `stored_at` is in seconds since the epoch.
    """

    subject: str
    data: bytes
    number: int
    sequence: int
    turn: int
    stored_at: float


Handle = Callable[[Delivery], Awaitable[Verdict]]


class _Held:
    """A delivery that is being worked on; `parting` is what becomes of it when its work is cancelled."""

    def __init__(self, msg: Msg, delivery: Delivery) -> None:
        self.msg, self.delivery, self.parting = msg, delivery, GIVE_BACK
        self.task: asyncio.Task[None] | None = None


class Leases:
    """The deliveries that a worker holds, at most `concurrency`, of which `batch` may arrive at once."""

    def __init__(self, handle: Handle, concurrency: int, lease_s: float) -> None:
        self._handle, self._lease_s = handle, lease_s
        self.batch = max(1, min(concurrency // 4, 64))
        self._wanted_below = concurrency - self.batch
        self._held: set[_Held] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._beating: asyncio.Task[None] | None = None
        self._closing = False
        self.renewals = 0

    def __len__(self) -> int:
        return len(self._held)

    async def take(self, msg: Msg) -> None:
        """Hold a message and start to work on it; returns when there is room for a whole batch again."""
        if self._closing:
            await _settle(msg, GIVE_BACK)
            return
        held = _Held(msg, _delivery(msg))
        self._held.add(held)
        held.task = asyncio.create_task(self._work(held))
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        if len(self._held) > self._wanted_below:
            self._room.clear()
            await self._room.wait()

    async def _work(self, held: _Held) -> None:
        try:
            verdict = await self._handle(held.delivery)
        except asyncio.CancelledError:
            verdict = held.parting
        try:
            await _settle(held.msg, verdict)
        finally:
            self._held.discard(held)
            if len(self._held) <= self._wanted_below:
                self._room.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / HEARTBEATS_A_LEASE)
            for held in tuple(self._held):
                with contextlib.suppress(NatsError):
                    await held.msg.in_progress()
                    self.renewals += 1

    def cancel_run(self, beginning: str) -> None:
        """Stop the work on every delivery whose subject begins so; each is looked at again in a moment."""
        for held in tuple(self._held):
            if held.task is not None and held.delivery.subject.startswith(beginning):
                held.parting = LOOK_AGAIN
                held.task.cancel()

    async def drain(self, patience_s: float) -> None:
        """Take nothing more, let the work finish for a while, then give the rest back at once."""
        self._closing = True
        self._room.set()
        tasks = [held.task for held in self._held if held.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5.0)
        if self._beating is not None:
            self._beating.cancel()


async def _settle(msg: Msg, verdict: Verdict) -> None:
    """Ack, nak or term; when the broker is away the lease runs out by itself."""
    with contextlib.suppress(NatsError):
        match verdict.settle:
            case "ack":
                await msg.ack()
            case "nak":
                await msg.nak(delay=verdict.delay_s or None)
            case "term":
                await msg.term()


def _delivery(msg: Msg) -> Delivery:
    """Read off the ack subject: $JS.ACK.[domain.account.]stream.consumer.number.sequence.turn.time.pending (ADR-15)."""
    number, sequence, turn, nanoseconds = _numbers(msg.reply)
    return Delivery(msg.subject, msg.data, number, sequence, turn, nanoseconds / 1e9)


def _numbers(reply: str) -> tuple[int, int, int, int]:
    tokens = reply.split(".")
    first = 4 if len(tokens) == 9 else 6
    number, sequence, turn, nanoseconds = (int(token) for token in tokens[first : first + 4])
    return number, sequence, turn, nanoseconds
