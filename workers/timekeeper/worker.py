"""Timekeeper: records each timer that fires in the log, under its own name."""

from faststream import FastStream

from contracts.codec import WrongName
from contracts.v1.timers import DeadlinePassed
from workers.runtime import topology
from workers.runtime.bootstrap import service_app
from workers.runtime.errors import Verdict
from workers.runtime.lease import Delivery
from workers.runtime.service import ACK, Service
from workers.runtime.tracing import Origin


class Timekeeper(Service):
    """Hands what the broker's clock says over to the log, unless the run is over."""

    stream = topology.TIMERS

    def __init__(self) -> None:
        super().__init__(topology.TIMEKEEPER)

    async def work(self, delivery: Delivery) -> Verdict:
        """Record a deadline; the subject is `<prefix>-timers.due.<tenant>.<run>.<name>`."""
        try:
            tenant, run, name = delivery.subject.split(".")[2:]
            passed = DeadlinePassed(tenant=tenant, run=run, name=name)
        except ValueError:
            raise WrongName(f"{delivery.subject} names no timer of a run") from None
        if not await self.is_closed(tenant, run):
            with self.env.bus.tracing.run(Origin(tenant, run, delivery.traceparent)):
                await self.env.bus.log.say(passed)
        return ACK


def app() -> FastStream:
    """The worker's application."""
    return service_app(lambda _: Timekeeper())
