"""Leases: a worker holds each delivery for as long as it works on it, and no longer.

FastStream hands a message over and gets its answer at once; the lease's own task works, settles and
lets go. So a slow task holds up nothing else, the number of leases held is the worker's concurrency,
and one heartbeat loop keeps all of them. A crash is noticed after `lease_s`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from workers.runtime.errors import Verdict
from workers.runtime.trace_ids import header_in

HEARTBEATS_A_LEASE = 3
LOOK_AGAIN_S = 1.0

GIVE_BACK = Verdict("nak")
LOOK_AGAIN = Verdict("nak", delay_s=LOOK_AGAIN_S)


@dataclass(frozen=True)
class Delivery:
    """One hand-over of a message. `number` counts hand-overs of the same message from 1.

    `sequence` is the message's place in its stream, `turn` the hand-over's in its consumer, over all workers.
    `stored_at` is in seconds since the epoch, `traceparent` the message's header of that name (W3C), if it has one.
    """

    subject: str
    data: bytes
    number: int
    sequence: int
    turn: int
    stored_at: float
    traceparent: str = ""


Handle = Callable[[Delivery], Awaitable[Verdict]]


Publish = Callable[[str, bytes], Awaitable[None]]
"""Publishes (subject, payload) on core NATS."""


class _Held:
    """A delivery that is being worked on; `cut` is what becomes of it when its work is cut short."""

    __slots__ = ("begun", "cut", "delivery", "reply", "task")

    def __init__(self, msg: Msg) -> None:
        self.reply, self.delivery = msg.reply, _delivery(msg)
        self.begun = False
        self.cut: Verdict | None = None
        self.task: asyncio.Task[None] | None = None


class Leases:
    """The deliveries that a worker holds, at most `concurrency`. `released` is awaited after each that is let go."""

    def __init__(self, handle: Handle, concurrency: int, lease_s: float) -> None:
        self._handle, self._concurrency, self._lease_s = handle, concurrency, lease_s
        self._held: set[_Held] = set()
        self._publish: Publish | None = None
        self._released: Callable[[], Awaitable[None]] | None = None
        self._beating: asyncio.Task[None] | None = None
        self.renewals = 0

    def start(self, publish: Publish, released: Callable[[], Awaitable[None]]) -> None:
        """Hold deliveries from now on, on a connection that can publish."""
        self._publish, self._released = publish, released
        self._beating = asyncio.create_task(self._beat())

    def __len__(self) -> int:
        return len(self._held)

    def room(self) -> int:
        """How many more deliveries can be held."""
        return self._concurrency - len(self._held)

    def take(self, msg: Msg) -> None:
        """Hold a message and start to work on it, or give it back when there is no room."""
        held = _Held(msg)
        if self.room() <= 0:  # a wish that was taken for lost was heard after all, as happens around a reconnect
            held.cut = LOOK_AGAIN
        self._held.add(held)
        held.task = asyncio.create_task(self._work(held))

    async def _work(self, held: _Held) -> None:
        held.begun = True
        try:
            verdict = held.cut or await self._handle(held.delivery)
        except asyncio.CancelledError:
            verdict = held.cut or GIVE_BACK
        finally:
            self._held.discard(held)
        await self._say(held, _words(verdict))
        if self._released is not None:
            with contextlib.suppress(NatsError):
                await self._released()

    async def _say(self, held: _Held, words: bytes) -> None:
        """Settle or renew; when the broker is away the lease runs out by itself."""
        assert self._publish is not None
        with contextlib.suppress(NatsError):
            await self._publish(held.reply, words)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / HEARTBEATS_A_LEASE)
            for held in tuple(self._held):
                await self._say(held, b"+WPI")
                self.renewals += 1

    def cancel(self, is_meant: Callable[[str], bool]) -> None:
        """Stop the work on every delivery whose subject is meant; each is looked at again in a moment."""
        for held in tuple(self._held):
            if held.task is not None and is_meant(held.delivery.subject):
                held.cut = LOOK_AGAIN
                if held.begun:  # a task that is cancelled before its first step never reaches its own clean-up
                    held.task.cancel()

    async def drain(self, patience_s: float) -> None:
        """Let the work finish for a while, then give the rest back at once. Nothing may be taken meanwhile."""
        tasks = [held.task for held in self._held if held.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5.0)
        if self._beating is not None:
            self._beating.cancel()


def _words(verdict: Verdict) -> bytes:
    """The acknowledgement as the broker reads it (ADR-15)."""
    match verdict.settle:
        case "ack":
            return b"+ACK"
        case "term":
            return b"+TERM"
        case _ if verdict.delay_s > 0:
            return f'-NAK {{"delay": {int(verdict.delay_s * 1e9)}}}'.encode()
        case _:
            return b"-NAK"


def _delivery(msg: Msg) -> Delivery:
    """Read off the ack subject: $JS.ACK.[domain.account.]stream.consumer.number.sequence.turn.time.pending (ADR-15)."""
    number, sequence, turn, nanoseconds = _numbers(msg.reply)
    return Delivery(msg.subject, msg.data, number, sequence, turn, nanoseconds / 1e9, header_in(msg.headers))


def _numbers(reply: str) -> tuple[int, int, int, int]:
    tokens = reply.split(".")
    first = 4 if len(tokens) == 9 else 6
    number, sequence, turn, nanoseconds = (int(token) for token in tokens[first : first + 4])
    return number, sequence, turn, nanoseconds
