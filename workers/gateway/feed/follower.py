"""Follows the whole log: each fact once, in order, for as long as it runs, past every loss of the broker.

The same as nats-py's ordered consumer (ADR-17), with three differences: it starts anew as soon as the connection is
back and not seconds later, it starts anew where it was even if nothing had come yet (nats-py starts over at sequence 1
then), and it tries until it succeeds.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api

from workers.runtime.losses import on_loss
from workers.runtime.ports import Stored
from workers.runtime.topology import LOG
from workers.runtime.trace_ids import header_in

HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 3.5
"""A consumer that was not heard of for so long is gone."""
RETRY_S: Final = 0.1

_logger = structlog.get_logger(__name__)


class Follower:
    """Hands each message of `LOG` under `subjects` with a sequence above `after` to `take`, once, in order."""

    def __init__(
        self, client: Client, js: JetStreamContext, subjects: str, after: int, take: Callable[[Stored], None]
    ) -> None:
        self._client, self._js, self._subjects, self._take = client, js, subjects, take
        self.upto = after
        self._subscription: Subscription | None = None
        self._delivered, self._heard_at = 0, 0.0
        self._lost = asyncio.Event()
        self._stopped = False
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow; what was stored before now comes right after."""
        on_loss(self._client, self._lost.set)
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End; nothing is handed over after this."""
        self._stopped = True
        self._lost.set()
        if self._following is not None:
            self._following.cancel()  # which nats-py makes a time-out of while it waits for an answer
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        try:
            while not self._stopped:
                self._lost.clear()
                try:
                    if self._client.is_connected:
                        await self._open()
                        await self._until_lost()
                except Exception as error:  # whatever it was, readers wait for this loop to go on
                    _logger.warning("feed_not_followed", error=repr(error), upto=self.upto)
                await asyncio.sleep(RETRY_S)
        finally:
            await self._close()

    async def _open(self) -> None:
        """A new consumer behind what was handed over, on a new inbox, so that nothing old comes on it."""
        await self._close()
        inbox = self._client.new_inbox()
        self._delivered, self._heard_at = 0, asyncio.get_running_loop().time()
        self._subscription = await self._client.subscribe(inbox, cb=self._came)
        await self._js.add_consumer(
            LOG,
            api.ConsumerConfig(
                deliver_subject=inbox,
                filter_subject=self._subjects,
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.upto + 1,
                ack_policy=api.AckPolicy.NONE,
                max_deliver=1,
                flow_control=True,
                idle_heartbeat=HEARTBEAT_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )

    async def _until_lost(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._lost.is_set() and loop.time() - self._heard_at < SILENCE_S:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), HEARTBEAT_S)
        _logger.info("feed_follows_anew", upto=self.upto)

    async def _close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError, OSError, RuntimeError):
                await subscription.unsubscribe()

    async def _came(self, msg: Msg) -> None:
        # What is still queued of a consumer that was given up must not be counted for its successor.
        if self._subscription is None or msg.sid != self._subscription._id or self._lost.is_set():
            return
        self._heard_at = asyncio.get_running_loop().time()
        if msg.headers and msg.headers.get("Status") == "100" and "$JS.ACK" not in msg.reply:
            await self._told(msg, msg.headers)
            return
        at = msg.metadata
        self._delivered += 1
        if at.sequence.consumer != self._delivered:
            self._lost.set()
        elif at.sequence.stream > self.upto:
            self.upto = at.sequence.stream
            self._take(Stored(self.upto, at.timestamp, msg.subject, msg.data, header_in(msg.headers)))

    async def _told(self, msg: Msg, headers: dict[str, str]) -> None:
        """Flow control is answered once all before it is taken; a heartbeat says how many were sent."""
        if reply := msg.reply or headers.get("Nats-Consumer-Stalled"):
            await self._client.publish(reply)
        if int(headers.get("Nats-Last-Consumer", self._delivered)) != self._delivered:
            self._lost.set()
