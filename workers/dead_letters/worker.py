"""Dead letters: what the broker says was given up becomes a dead letter and a failure.

Workers write their own dead letters before they give a message up. This one follows the broker's
advisories, for messages that were given up by a client that did not.
"""

import json

from faststream import FastStream
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.codec import NotJson
from contracts.v1.failures import TaskFailed
from workers.runtime import topology
from workers.runtime.bootstrap import service_app
from workers.runtime.errors import Verdict
from workers.runtime.lease import Delivery
from workers.runtime.service import ACK, Service
from workers.runtime.trace_ids import header_in


class DeadLetters(Service):
    """Buries what nobody buried, and records the failure of the attempt that it was."""

    stream = topology.ADVISORIES

    def __init__(self) -> None:
        super().__init__(topology.DEAD_LETTERS)

    async def work(self, delivery: Delivery) -> Verdict:
        """Take an advisory: it names stream, consumer, sequence and deliveries."""
        try:
            advisory = json.loads(delivery.data)
            stream, sequence = str(advisory["stream"]), int(advisory["stream_seq"])
            consumer, deliveries = str(advisory["consumer"]), int(advisory["deliveries"])
        except (ValueError, KeyError, TypeError) as error:
            raise NotJson(f"the advisory can't be read: {error}") from None
        try:
            lost = await self.env.bus.js.get_msg(stream, sequence)
        except NotFoundError:
            return ACK
        reason = f"worker {consumer} gave it up after {deliveries} deliveries"
        subject, data, at = lost.subject or "", lost.data or b"", lost.time.timestamp() if lost.time else 0.0
        given_up = Delivery(subject, data, deliveries, sequence, 0, at, header_in(lost.headers))
        await self.bury(given_up, reason, stream)
        with self.env.bus.tracing.task(given_up):
            await self._record(subject, consumer, reason)
        return ACK

    async def _record(self, subject: str, consumer: str, reason: str) -> None:
        """Fail the attempt, if it was its own role that gave it up: anybody may have a consumer that reads along."""
        try:
            address = subjects.parse(subject, self.env.settings.prefix)
            if address.noun != "task" or address.names[0] != consumer:
                return
            role, task, attempt = address.names
            failure = TaskFailed(
                tenant=address.tenant,
                run=address.run,
                role=role,
                task=task,
                attempt=int(attempt),
                error="crashed",
                retry=True,
                reason=reason,
            )
        except ValueError:
            return
        result = subjects.Address(address.tenant, address.run, "result", (task,)).subject(self.env.settings.prefix)
        if await self.env.bus.log.find(result) is None:
            await self.env.bus.log.say(failure)


def app() -> FastStream:
    """The worker's application."""
    return service_app(lambda _: DeadLetters())
