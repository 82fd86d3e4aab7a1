"""What every worker has in common: one consumer, one handler, and one place where errors become verdicts."""

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from contracts import subjects
from contracts.subjects import Address
from contracts.v1.failures import DeadLetter
from workers.llm.calls import Parked
from workers.runtime import topology
from workers.runtime.bus import Bus
from workers.runtime.endings import Endings
from workers.runtime.errors import Verdict, is_surprise, verdict_on
from workers.runtime.lease import Delivery
from workers.runtime.redaction import Clean
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics, logger

ACK = Verdict("ack")
LARGEST_BURIED = 600_000
"""Bytes of a payload that a dead letter holds itself: as base64 in JSON, with a long reason, the broker carries it."""


@dataclass(frozen=True)
class Environment:
    """What a service is handed by the composition root."""

    settings: Settings
    metrics: Metrics
    bus: Bus
    endings: Endings = field(default_factory=Endings)
    clean: Clean = str
    """Hides the secrets that this process knows; for every text that is said of an error."""


class Service(ABC):
    """One consumer's worker. Subclasses say what is done with a delivery; errors become verdicts here."""

    stream: ClassVar[str] = topology.LOG
    watches_runs: ClassVar[bool] = False
    """Whether the work on a run stops when the run is cancelled or closed."""
    told_elsewhere: ClassVar[tuple[type[Exception], ...]] = (Parked,)
    """Errors of which others tell, once: a task that waits comes back again and again, for as long as it may."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: Any = logger(name)
        self._env: Environment | None = None

    @property
    def env(self) -> Environment:
        """What the service works with, once it is started."""
        if self._env is None:
            raise RuntimeError(f"worker {self.name} is not started")
        return self._env

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected and before the first delivery."""
        self._env = env
        self._settled = {how: env.metrics.verdicts.labels(self.name, how) for how in ("ack", "nak", "term")}

    async def stop(self) -> None:
        """Called when the worker stops and holds no delivery any more."""
        return None

    @abstractmethod
    async def work(self, delivery: Delivery) -> Verdict:
        """Do what the delivery asks for; raise what goes wrong."""

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """Record what a verdict wants recorded, beyond the dead letter; by default there is nothing more."""
        return None

    async def handle(self, delivery: Delivery) -> Verdict:
        """Work on a delivery and turn what goes wrong into a verdict."""
        try:
            verdict = await self._guarded(delivery)
        except Exception as error:
            # Recording the failure failed, mostly because the broker is away: nothing is lost, try again.
            self.log.error("verdict_not_recorded", subject=delivery.subject, error=repr(error))
            verdict = Verdict("nak", delay_s=1.0)
        self._settled[verdict.settle].inc()
        return verdict

    async def _guarded(self, delivery: Delivery) -> Verdict:
        limit = self.env.settings.delivery_limit
        try:
            return await self.work(delivery)
        except Exception as error:
            verdict = verdict_on(error, delivery.number, limit)
            self._tell(delivery, verdict, error)
            if verdict.dead_letter:
                await self.bury(delivery, f"{type(error).__name__}: {error}")
            await self.failed(delivery, verdict, error)
            return verdict

    def _tell(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        expected = isinstance(error, self.told_elsewhere)
        tell = self.log.error if verdict.dead_letter else self.log.debug if expected else self.log.warning
        tell(
            "delivery_failed",
            subject=delivery.subject,
            delivery=delivery.number,
            settled=verdict.settle,
            delay_s=verdict.delay_s,
            error=f"{type(error).__name__}: {error}",
            exc_info=is_surprise(error),
        )

    async def bury(self, delivery: Delivery, reason: str, stream: str = "") -> None:
        """Keep a message that can't be handled in `DEAD`, with the reason. `stream`: where it is from, if elsewhere."""
        stream, reason = stream or self.stream, self.env.clean(reason)
        kept = delivery.data
        if len(kept) > LARGEST_BURIED:
            kept, reason = b"", f"{reason[:19_000]} (its {len(kept)} bytes are in {stream} at {delivery.sequence})"
        letter = DeadLetter(
            subject=delivery.subject,
            payload=base64.b64encode(kept).decode(),
            reason=reason[:20_000],
            worker=self.name,
            stream=stream,
            sequence=delivery.sequence,
            deliveries=delivery.number,
        )
        subject = topology.dead_subject(self.env.settings, self.name)
        headers = {"Nats-Msg-Id": f"{stream}.{delivery.sequence}"}
        await self.env.bus.publisher.publish(subject, letter.model_dump_json().encode(), headers)
        self.env.metrics.dead.labels(self.name).inc()

    async def address_of(self, delivery: Delivery) -> Address | None:
        """Where a delivery belongs. None for a subject outside of the grammar, which is buried then."""
        try:
            return subjects.parse(delivery.subject, self.env.settings.prefix)
        except subjects.NotASubject as error:
            await self.bury(delivery, str(error))
            return None

    async def is_closed(self, tenant: str, run: str) -> bool:
        """Whether the log has the run's end."""
        subject = Address(tenant, run, "run.closed").subject(self.env.settings.prefix)
        return await self.env.bus.log.find(subject) is not None
