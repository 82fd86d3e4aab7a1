"""Publishing with an acknowledgement, on a table of our own of the acknowledgements that are open.

One wildcard inbox takes all acknowledgements, and a dictionary finds the publish that waits. This is
half the CPU of a request per publish (measured: 18 µs against 42 µs), and it is where a name that is
taken becomes "already said" instead of an error. Error 10077 alone doesn't say so: the broker answers
with it whenever it could not store, when the log is full too.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, MaxPayloadError
from nats.errors import Error as NatsError

from workers.runtime.errors import BusUnavailable, TooLarge
from workers.runtime.losses import on_loss
from workers.runtime.ports import Said

NOT_STORED = 10077
NAME_IS_TAKEN = "maximum messages per subject exceeded"
NOT_THE_FIRST = (10071, 10164)
"""The subject has a message already, for a publish that was to be its first; the second code is a cluster's."""

ACK_TIMEOUT_S = 5.0
RETRY_DELAY_S = 0.25


class LogRefused(RuntimeError):
    """The broker refused a publish for a reason that a retry does not mend; the message holds its words."""


class Publisher:
    """Publishes to JetStream over a connection and waits for what the stream says."""

    def __init__(self, client: Client, patience_s: float = 60.0) -> None:
        self._client = client
        self._patience_s = patience_s
        self._inbox = ""
        self._open: dict[str, asyncio.Future[Msg]] = {}
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Subscribe to the acknowledgements; call once the client is connected."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        on_loss(self._client, self._lose_open)

    def _lose_open(self) -> None:
        """No acknowledgement comes over a connection that is gone: what waits for one is tried again at once."""
        for waiting in tuple(self._open.values()):
            _give_up(waiting)

    async def _acknowledged(self, msg: Msg) -> None:
        waiting = self._open.pop(msg.subject.rsplit(".", 1)[1], None)
        if waiting is not None and not waiting.done():
            waiting.set_result(msg)

    async def publish(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> Said:
        """Store under a subject; retries while the broker is away, then raises `BusUnavailable`.

        A retry after a lost acknowledgement finds the name taken, and that is success.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        # The broker counts headers too and closes the connection on what is over; nats-py looks at the payload alone.
        if (size := len(data) + _size(headers)) > self._client.max_payload:
            raise TooLarge(subject, size)
        while True:
            try:
                answer = await self._once(subject, data, headers)
            except MaxPayloadError as error:
                raise TooLarge(subject, len(data)) from error
            except (TimeoutError, NatsError, OSError) as error:
                if isinstance(error, ConnectionClosedError):
                    raise BusUnavailable(f"{subject} was not published: the connection is closed") from error
                if loop.time() >= deadline:
                    raise BusUnavailable(
                        f"the broker did not acknowledge {subject} in {self._patience_s:.0f} s"
                    ) from error
                await asyncio.sleep(RETRY_DELAY_S)
                continue
            if (said := _read(subject, answer)) is not None:
                return said
            if loop.time() >= deadline:
                raise BusUnavailable(
                    f"no stream answered for {subject} in {self._patience_s:.0f} s; is it provisioned?"
                )
            await asyncio.sleep(RETRY_DELAY_S)

    async def _once(self, subject: str, data: bytes, headers: Mapping[str, str] | None) -> Msg:
        loop = asyncio.get_running_loop()
        number = str(next(self._numbers))
        waiting: asyncio.Future[Msg] = loop.create_future()
        self._open[number] = waiting
        late = loop.call_later(ACK_TIMEOUT_S, _give_up, waiting)
        try:
            await self._client.publish(
                subject, data, reply=f"{self._inbox}.{number}", headers=dict(headers) if headers else None
            )
            return await waiting
        finally:
            late.cancel()
            self._open.pop(number, None)


def _size(headers: Mapping[str, str] | None) -> int:
    """Bytes of the headers on the wire (ADR-4)."""
    lines = [f"{name}: {value}\r\n" for name, value in (headers or {}).items()]
    return len("NATS/1.0\r\n\r\n") + len("".join(lines).encode()) if lines else 0


def _give_up(waiting: asyncio.Future[Msg]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())


def _read(subject: str, answer: Msg) -> Said | None:
    """What the acknowledgement says; None when no stream is there to answer right now."""
    if answer.headers and answer.headers.get("Status") == "503":
        return None
    said = json.loads(answer.data)
    error = said.get("error")
    if error is None:
        return Said(said["seq"], True)
    if error.get("err_code") in NOT_THE_FIRST:
        return Said(0, False)
    if error.get("err_code") == NOT_STORED:
        if error.get("description") == NAME_IS_TAKEN:
            return Said(0, False)
        raise BusUnavailable(
            f"the broker could not store {subject}: {error.get('description')}; if the stream is full, raise its limit"
        )
    if error.get("code") == 503:
        return None
    raise LogRefused(f"the broker refused {subject}: {error.get('description', error)}")
