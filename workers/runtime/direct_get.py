"""Reading the log by direct gets (ADR-31): any replica may answer, and many messages come for one question.

One wildcard inbox takes all answers; a subscription for each question would cost more than the read.
"""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from workers.runtime.errors import BusUnavailable
from workers.runtime.losses import on_loss
from workers.runtime.ports import Stored
from workers.runtime.trace_ids import header_in

PAGE = 1_000
READ_TIMEOUT_S = 5.0
Page = tuple[list[Stored], bool]
"""Messages in order, and whether more is pending behind them."""


@dataclass
class _Question:
    """A question whose answers are still coming. Only a question for many is closed by a status message."""

    many: bool
    answered: asyncio.Future[Page]
    found: list[Stored] = field(default_factory=list)


class DirectGets:
    """Asks one stream; start it once the client is connected."""

    def __init__(self, client: Client, stream: str) -> None:
        self._client, self._stream, self._subject = client, stream, f"$JS.API.DIRECT.GET.{stream}"
        self._inbox = ""
        self._open: dict[str, _Question] = {}
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Subscribe to the answers."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._came)
        on_loss(self._client, self._lose_open)

    def _lose_open(self) -> None:
        for question in tuple(self._open.values()):
            _give_up(question.answered)

    async def ask(self, request: dict[str, Any]) -> Page:
        """One page of what the stream has; raises `BusUnavailable` when nothing answers in time."""
        loop = asyncio.get_running_loop()
        number = str(next(self._numbers))
        question = _Question("batch" in request, loop.create_future())
        self._open[number] = question
        late = loop.call_later(READ_TIMEOUT_S, _give_up, question.answered)
        try:
            await self._client.publish(self._subject, json.dumps(request).encode(), reply=f"{self._inbox}.{number}")
            return await question.answered
        except (TimeoutError, NatsError) as error:
            raise BusUnavailable(f"{self._failed}: {str(error) or 'no answer in time'}") from error
        finally:
            late.cancel()
            self._open.pop(number, None)

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages under a wildcard with a sequence above `after`, in order; raises as `ask` does."""
        found: list[Stored] = []
        while True:
            page, more = await self.ask({"batch": PAGE, "seq": after + 1, "next_by_subj": subjects})
            found += page
            if not more or not page:
                return found
            after = page[-1].sequence

    @property
    def _failed(self) -> str:
        return f"the stream {self._stream} could not be read"

    async def _came(self, msg: Msg) -> None:
        question = self._open.get(msg.subject.rsplit(".", 1)[1])
        if question is None or question.answered.done():
            return
        headers = msg.headers or {}
        status = headers.get("Status")
        # Stored messages have a sequence; one of a client may have a header "Status" of its own as well.
        if "Nats-Sequence" in headers:
            question.found.append(_stored(msg, headers))
            if not question.many:
                question.answered.set_result((question.found, False))
        elif status in ("204", "404"):
            more = int(headers.get("Nats-Num-Pending", "0")) > 0
            question.answered.set_result((question.found, more))
        else:
            # nats-py takes the header behind a status without a description (503: nobody answers) for one.
            said = headers.get("Description", "").partition("\n")[0].strip() or "nobody answers"
            question.answered.set_exception(
                BusUnavailable(f"{self._failed}: {status} {said}; is it provisioned? (flotilla provision)")
            )


def _give_up(answered: asyncio.Future[Page]) -> None:
    if not answered.done():
        answered.set_exception(TimeoutError())


def _stored(msg: Msg, headers: dict[str, str]) -> Stored:
    at = datetime.fromisoformat(headers["Nats-Time-Stamp"]).astimezone(UTC)
    return Stored(int(headers["Nats-Sequence"]), at, headers["Nats-Subject"], msg.data, header_in(headers))
