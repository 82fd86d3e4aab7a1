"""One worker as a FastStream application: a service, a subscriber, leases, and their lifecycle.

FastStream brings connection, subscriber, middleware and lifecycle. Its subscriber listens to an inbox
that `pull.py` keeps wishes open for, argument injection is off, and a lease (`lease.py`) holds each
message. See docs/decisions/0001-leases-and-pulls.md for what that is worth.
"""

import asyncio
import contextlib
import gc
import secrets
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.message import StreamMessage
from faststream.nats import NatsBroker
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.v1.ballots import voting_task
from workers.runtime import topology
from workers.runtime.bus import Bus, bus_on, connection_options, servers
from workers.runtime.endings import Endings
from workers.runtime.health import HealthServer, health_app
from workers.runtime.lease import Leases
from workers.runtime.pull import Puller
from workers.runtime.redaction import redactor_for
from workers.runtime.service import Environment, Service
from workers.runtime.settings import Settings, without_password
from workers.runtime.telemetry import Metrics, faststream_metrics
from workers.runtime.tracing import NO_TRACING, Tracing, tracing_of

PULL_CHECK_S = 0.5
MOST_TOGETHER = 64
PENDING_BYTES = 1024**3
"""What may wait in memory between connection and lease; the room of a worker is what bounds it in truth."""

WATCH_EVERY_S = 10.0
WITHDRAW_PATIENCE_S = 2.0


class NotProvisioned(RuntimeError):
    """The worker's consumer isn't there; the message says how to make it."""


class WorkerApp:
    """One service on one connection, with its lifecycle."""

    def __init__(self, service: Service, settings: Settings, metrics: Metrics | None = None) -> None:
        self.service, self.settings = service, settings
        self.metrics = metrics or Metrics()
        self.leases = Leases(service.handle, settings.concurrency, topology.lease_s(settings, service.name))
        # Counting each message costs, so it is done where somebody can read the counters.
        self._counted = [faststream_metrics(service.name, self.metrics.registry)] if settings.http_port else []
        self.broker = NatsBroker(
            servers(settings),
            apply_types=False,
            logger=None,
            middlewares=self._counted,
            **connection_options(settings, service.name),
        )
        self.inbox = inbox = f"_INBOX.{service.name}.{secrets.token_hex(8)}"
        self.endings = Endings()
        self.puller = Puller(service.stream, service.name, inbox, self.leases.room, settings.concurrency)
        self.subscriber = self.broker.subscriber(
            f"{inbox}.*",
            parser=_unparsed,
            decoder=_undecoded,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            include_in_schema=False,
        )
        self.subscriber(self._take)
        self.subscriber._create_subscription = self._subscribe  # type: ignore[method-assign]
        # FastStream would compile the inbox's pattern anew for each message, for log lines that it does not write here.
        self.subscriber.get_log_context = _no_log_context  # type: ignore[method-assign]
        self._arrived: list[Msg] = []
        self.app = FastStream(
            self.broker, on_startup=[self._start], after_startup=[self._started], on_shutdown=[self._stop], logger=None
        )
        self.ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self.lost = asyncio.Event()
        """Set when the worker can't go on: its consumer is gone, or its connection for good."""
        self._bus: Bus | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._health: HealthServer | None = None
        self._tracing: Tracing = NO_TRACING

    async def _subscribe(self) -> None:
        """FastStream asks for its subscription here: what has arrived by the time it looks goes through it together."""
        assert self._bus is not None
        self.subscriber.subscription = await self._bus.nc.subscribe(
            f"{self.inbox}.*", cb=self._arrive, pending_bytes_limit=PENDING_BYTES
        )

    async def _arrive(self, msg: Msg) -> None:
        """FastStream's pipeline is gone through where there is something in it, for it costs as much as the rest."""
        if not self._counted:
            await self._take([msg])
            return
        self._arrived.append(msg)
        subscription = self.subscriber.subscription
        more = subscription.pending_msgs if isinstance(subscription, Subscription) else 0
        if more == 0 or len(self._arrived) >= MOST_TOGETHER:
            together, self._arrived = self._arrived, []
            await self.subscriber.consume(together)  # type: ignore[arg-type]

    async def _take(self, together: list[Msg]) -> None:
        for msg in together:
            # A client's own message may have a header of that name; only the broker writes to the inbox itself.
            if msg.headers and "Status" in msg.headers and msg.subject.startswith(self.inbox):
                self.puller.told(msg.subject, msg.headers)
            else:
                self.puller.arrived()
                self.leases.take(msg)
        await self.puller.top_up()

    async def _start(self) -> None:
        self._tracing = tracing_of(self.settings, self.service.name)
        client = await self.broker.connect()
        # FastStream's own callback raises on a refusal, and nats-py would never try to reconnect again.
        client._error_cb = self._told_of
        self._bus = bus = await bus_on(client, self.settings, self._tracing)
        await self._require_consumer(bus)
        if self.service.watches_runs:
            for over in (
                subjects.noun_filter("run.cancel", prefix=self.settings.prefix),
                topology.live_subject(self.settings, "*", "*", "run", "closed"),
            ):
                await client.subscribe(over, cb=self._run_is_over)
            decided = subjects.noun_filter("decision", prefix=self.settings.prefix)
            await client.subscribe(decided, cb=self._ballot_is_decided)
        await self._listen(bus)
        await self.service.start(
            Environment(self.settings, self.metrics, bus, self.endings, redactor_for(self.settings).clean)
        )
        if self.settings.http_port:
            app = health_app(self.why_not_ready, self.metrics.registry)
            self._health = HealthServer(app, self.settings.http_host, self.settings.http_port)
            await self._health.start()

    async def _told_of(self, error: Exception) -> None:
        """Log what nobody waits for: refused publishes, broken callbacks. Outages come here too, and show elsewhere."""
        if not isinstance(error, OSError):
            self.service.log.warning("connection_error", error=repr(error))

    async def _require_consumer(self, bus: Bus) -> None:
        try:
            await bus.js.consumer_info(self.service.stream, self.service.name)
        except NotFoundError:
            raise NotProvisioned(
                f"consumer {self.service.name} of stream {self.service.stream} isn't there; run: flotilla provision"
            ) from None

    async def _listen(self, bus: Bus) -> None:
        if self.service.watches_runs:
            self.endings.listen((await bus.js.stream_info(topology.LOG)).state.last_seq)

    async def _run_is_over(self, msg: Msg) -> None:
        self.endings.hear(*msg.subject.split(".")[1:3])
        run = ".".join((self.settings.prefix, *msg.subject.split(".")[1:3], ""))
        self.leases.cancel(lambda subject: subject.startswith(run))

    async def _ballot_is_decided(self, msg: Msg) -> None:
        tenant, run, _, ballot = msg.subject.split(".")[1:]
        start, asked = f"{self.settings.prefix}.{tenant}.{run}.task.", f".{voting_task(ballot, '')}"
        self.leases.cancel(lambda subject: subject.startswith(start) and asked in subject)

    async def _started(self) -> None:
        assert self._bus is not None
        client = self._bus.nc
        self.puller.start(client.publish)
        self.leases.start(client.publish, self.puller.top_up)
        await self.puller.top_up()
        collect_garbage_seldom()
        self._watching = [asyncio.create_task(self._keep_pulling(self._bus)), asyncio.create_task(self._watch())]
        self.ready.set()

    async def _keep_pulling(self, bus: Bus) -> None:
        """Wish again after a reconnect, and when the broker has been silent for too long."""
        reconnects = bus.nc.stats["reconnects"]
        while not await self._stops_within(PULL_CHECK_S):
            if bus.nc.stats["reconnects"] != reconnects or self.puller.silent():
                reconnects = bus.nc.stats["reconnects"]
                self.endings.deaf()
                self.puller.forget()
            self.puller.rested()
            with contextlib.suppress(NatsError, TimeoutError):
                await self.puller.top_up()
                if self.endings.is_deaf:
                    await self._listen(bus)

    async def _watch(self) -> None:
        """Keep the gauges, and leave when the consumer is gone or the broker has closed the connection for good."""
        await self._look()
        while not await self._stops_within(WATCH_EVERY_S):
            await self._look()

    async def _stops_within(self, seconds: float) -> bool:
        """Wait for the worker to stop. nats-py can swallow a cancel, so the tasks beside the work look at this."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _look(self) -> None:
        assert self._bus is not None
        name = self.service.name
        self.metrics.held.labels(name).set(len(self.leases))
        self.metrics.renewals.labels(name).set(self.leases.renewals)
        try:
            found = await self._bus.js.consumer_info(self.service.stream, name)
            self.metrics.lag.labels(name).set((found.num_pending or 0) + (found.num_ack_pending or 0))
        except NotFoundError:
            self._leave("consumer_gone", "run: flotilla provision")
        except (NatsError, TimeoutError):
            if self._bus.nc.is_closed:
                self._leave("connection_closed", f"see what the broker refuses: {self._bus.nc.last_error}")
            else:
                self.service.log.warning("broker_away")

    def _leave(self, why: str, advice: str) -> None:
        self.service.log.error(why, stream=self.service.stream, advice=advice)
        self.lost.set()
        self.app.exit()

    async def why_not_ready(self) -> str:
        """Why the worker is not ready; empty when it is."""
        if self._bus is None or not self.ready.is_set():
            return "it is starting"
        if not self._bus.nc.is_connected:
            return f"no connection to {without_password(self.settings.nats_url)}"
        try:
            await self._bus.js.consumer_info(self.service.stream, self.service.name)
        except (NatsError, TimeoutError) as error:
            return f"the broker does not answer for consumer {self.service.name}: {error}"
        return ""

    async def _stop(self) -> None:
        """Stop fetching, let held work finish for a while, give the rest back."""
        self.ready.clear()
        self._stopping.set()
        for task in self._watching:
            task.cancel()
        await self._withdraw()
        await self.leases.drain(self.settings.drain_s)
        await self.service.stop()
        if self._health is not None:
            await self._health.stop()
        if self._bus is not None:
            with contextlib.suppress(NatsError, TimeoutError):
                await self._bus.nc.flush(2)
        await self._tracing.stop()

    async def _withdraw(self) -> None:
        """End the open wishes, and still take what was sent by then: it would have to wait for its lease to run out."""
        self.puller.stop()
        subscription, self.subscriber.subscription = self.subscriber.subscription, None
        if isinstance(subscription, Subscription):
            with contextlib.suppress(NatsError, TimeoutError):
                await asyncio.wait_for(subscription.drain(), WITHDRAW_PATIENCE_S)  # type: ignore[no-untyped-call]
        await self.subscriber.stop()


async def _unparsed(msg: Any) -> StreamMessage[Any]:
    """FastStream's parser for core messages marks them as acked and reads headers that no lease needs."""
    return StreamMessage(raw_message=msg, body=b"", content_type=None, correlation_id="-", message_id="-")


def _no_log_context(message: Any) -> dict[str, str]:
    return {}


async def _undecoded(message: StreamMessage[Any]) -> Any:
    return message.raw_message


def collect_garbage_seldom() -> None:
    """Facts are frozen and hold no cycles, so the collector finds next to nothing and runs all the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
