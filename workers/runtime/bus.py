"""The bus as workers use it: the log of named facts, artifacts, and the connection under both."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import nats
from nats.aio.client import Client
from nats.errors import ConnectionClosedError, NoServersError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api

from contracts.codec import encode
from contracts.message import Message
from contracts.subjects import run_filter, subject_of
from workers.runtime.artifacts import ObjectStoreArtifacts
from workers.runtime.direct_get import PAGE, READ_TIMEOUT_S, DirectGets
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import Artifacts, Log, Said, Stored
from workers.runtime.publish import Publisher
from workers.runtime.records import KeyValueRecords
from workers.runtime.settings import Settings, without_password
from workers.runtime.topology import LOG, live_subject, records_subject, timers_subject
from workers.runtime.trace_ids import header_in
from workers.runtime.tracing import NO_TRACING, Tracing

if TYPE_CHECKING:
    from workers.prompting.templates import Prompts
    from workers.runtime.prompt_store import PromptStore

FOLLOW_HEARTBEAT_S = 1.0
"""A follower whose broker was killed starts anew after two to four of these."""


class JetStreamLog(Log):
    """The log in the stream `LOG`. Reads are direct gets: any replica may answer."""

    def __init__(
        self, client: Client, publisher: Publisher, gets: DirectGets, prefix: str, tracing: Tracing = NO_TRACING
    ) -> None:
        self._client, self._publisher, self._gets, self._prefix = client, publisher, gets, prefix
        self._tracing = tracing

    async def say(self, message: Message) -> Said:
        """Publish a message under its name."""
        subject, payload, tracing = subject_of(message, self._prefix), encode(message), self._tracing
        if not tracing.on:
            return await self._publisher.publish(subject, payload)
        at = time.time()
        said = await self._publisher.publish(subject, payload, tracing.headers(message.tenant, message.run))
        tracing.said(message, said.news, at)
        return said

    async def find(self, subject: str) -> Stored | None:
        """The fact of that name, or None."""
        page, _ = await self._gets.ask({"last_by_subj": subject})
        return page[0] if page else None

    async def taken_by(self, message: Message) -> Stored:
        """What the log has under the name of a message that was no news. Raises `BusUnavailable`."""
        subject = subject_of(message, self._prefix)
        stored = await self.find(subject)
        if stored is None:
            raise BusUnavailable(f"{subject} is taken, but can't be read yet")
        return stored

    async def find_all(self, subjects: list[str]) -> list[Stored]:
        """Those of these names that the log has; at most 1,000 names."""
        page, _ = await self._gets.ask({"multi_last": subjects, "batch": PAGE})
        return page

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        """All facts of a run with a sequence above `after`, in order."""
        return await self.scan(run_filter(tenant, run, self._prefix), after)

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages under a wildcard with a sequence above `after`, in order."""
        return await self._gets.scan(subjects, after)

    async def before(self, subjects: str, at: datetime) -> int | None:
        """The sequence below the first message under a wildcard that was stored then or later; None without one."""
        since = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        page, _ = await self._gets.ask({"batch": 1, "start_time": since, "next_by_subj": subjects})
        return page[0].sequence - 1 if page else None

    async def runs(self, tenant: str) -> list[tuple[str, Stored, Stored | None]]:
        """Every run of a tenant, oldest first: its id, its request, its end."""
        requested = await self.scan(f"{self._prefix}.{tenant}.*.run.requested")
        closed = {_run(fact): fact for fact in await self.scan(f"{self._prefix}.{tenant}.*.run.closed")}
        return [(_run(fact), fact, closed.get(_run(fact))) for fact in requested]

    async def follow(self, tenant: str, run: str, after: int = 0) -> AsyncIterator[Stored]:
        """The facts of a run in order, then those to come, without end."""
        js = self._client.jetstream()
        start = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1)
        subscription = await js.subscribe(
            run_filter(tenant, run, self._prefix),
            stream=LOG,
            ordered_consumer=True,
            config=start,
            idle_heartbeat=FOLLOW_HEARTBEAT_S,
        )
        try:
            async for msg in subscription.messages:
                at = msg.metadata.timestamp
                yield Stored(msg.metadata.sequence.stream, at, msg.subject, msg.data, header_in(msg.headers))
        finally:
            with suppress(ConnectionClosedError):
                await subscription.unsubscribe()


def _run(fact: Stored) -> str:
    return fact.subject.split(".")[2]


@dataclass(frozen=True)
class Bus:
    """A connection with what workers ask of it. `nc` and `js` are nats-py's own."""

    nc: Client
    js: JetStreamContext
    publisher: Publisher
    log: JetStreamLog
    artifacts: Artifacts
    settings: Settings
    tracing: Tracing = NO_TRACING
    _records: dict[str, KeyValueRecords] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands now."""
        return self.nc.is_connected

    def records(self, bucket: str) -> KeyValueRecords:
        """The shared records of a bucket; the same ones each time, for two would be rivals."""
        if bucket not in self._records:
            heard_on = records_subject(self.settings, bucket)
            patience_s = self.settings.publish_timeout_s
            self._records[bucket] = KeyValueRecords(self.nc, self.publisher, bucket, heard_on, patience_s)
        return self._records[bucket]

    @asynccontextmanager
    async def prompt_store(self, files: "Prompts") -> AsyncIterator["PromptStore"]:
        """What the fleet says of prompts, beside these files; followed for as long as the context lasts."""
        from workers.runtime.prompt_store import PromptStore  # noqa: PLC0415 - only who asks pays for Jinja

        store = PromptStore(self.nc, self.publisher, files, self.settings.prefix)
        await store.start()
        try:
            yield store
        finally:
            await store.stop()

    async def tell_over(self, tenant: str, run: str) -> None:
        """Tell the workers on core NATS that a run ended with tasks left; one that misses it works in vain."""
        await self.nc.publish(live_subject(self.settings, tenant, run, "run", "closed"), b"")

    async def set_timer(self, tenant: str, run: str, name: str, at: datetime, unless_set: bool = False) -> Said:
        """Have the broker fire a timer; setting it again moves it, or is no news with `unless_set`."""
        tokens = (tenant, run, name)
        headers = {
            "Nats-Schedule": f"@at {at.astimezone(UTC).isoformat(timespec='milliseconds').replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": timers_subject(self.settings, "due", *tokens),
        }
        if unless_set:
            headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        if self.tracing.on:
            headers |= self.tracing.headers(tenant, run) or {}
        return await self.publisher.publish(timers_subject(self.settings, "set", *tokens), b"{}", headers)


def connection_options(settings: Settings, name: str) -> dict[str, Any]:
    """How every process connects: for ever, noticing a dead peer within half a minute."""
    options: dict[str, Any] = {
        "name": f"flotilla {name}",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.5,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
        "connect_timeout": 3,
    }
    if settings.nats_creds:
        options["user_credentials"] = str(settings.nats_creds)
    if settings.nats_nkey_seed:
        options["nkeys_seed"] = str(settings.nats_nkey_seed)
    return options


def servers(settings: Settings) -> list[str]:
    """The brokers' addresses."""
    return [url.strip() for url in settings.nats_url.split(",") if url.strip()]


async def bus_on(client: Client, settings: Settings, tracing: Tracing = NO_TRACING) -> Bus:
    """A bus on a connection that stands."""
    publisher = Publisher(client, settings.publish_timeout_s)
    await publisher.start()
    js = client.jetstream(timeout=READ_TIMEOUT_S)
    gets = DirectGets(client, LOG)
    await gets.start()
    log = JetStreamLog(client, publisher, gets, settings.prefix, tracing)
    return Bus(client, js, publisher, log, ObjectStoreArtifacts(js), settings, tracing)


@asynccontextmanager
async def connect(settings: Settings, name: str = "client") -> AsyncIterator[Bus]:
    """Connect, or raise `BusUnavailable` within seconds when no broker answers."""
    options = connection_options(settings, name)
    try:
        client = await nats.connect(servers(settings), allow_reconnect=True, error_cb=_quiet, **_first_try(options))
    except (NoServersError, OSError, TimeoutError, NatsError) as error:
        raise BusUnavailable(f"no broker answers at {without_password(settings.nats_url)}: {error}") from error
    client.options["max_reconnect_attempts"] = options["max_reconnect_attempts"]
    try:
        yield await bus_on(client, settings)
    finally:
        # nats-py flushes first, and the broker may be gone; uvloop says RuntimeError of what is written then.
        with suppress(OSError, NatsError, RuntimeError):
            await client.close()


def _first_try(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "max_reconnect_attempts": 1}


async def _quiet(error: Exception) -> None:
    """Connection errors of clients surface as `BusUnavailable` of the call that met them."""
