"""Pulling: a worker says how many messages it has room for, and the broker never hands it more.

The wish stays open at the broker and is topped up as room comes free, so a message arrives as fast as
with a push consumer, yet each of many workers gets only what it can hold at once. Protocol: ADR-13
(pull consumers) and ADR-37 (how clients keep pulls overlapping).
"""

import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping

EXPIRES_S = 30.0
HEARTBEAT_S = 5.0
SILENCE_S = 2.5 * HEARTBEAT_S
"""Without a message or a heartbeat for this long an open wish is taken for lost, and said again."""

ORDINARY_ENDS = ("404", "408")
"""A wish that ended so may be said again at once; after others, as when the consumer is gone, that would spin."""

NANOSECONDS = 1_000_000_000

Publish = Callable[[str, bytes, str], Awaitable[None]]
"""Publishes (subject, payload, reply subject) on core NATS."""


class Puller:
    """One consumer's open wishes. `room` says how many more messages can be held; `inbox` is where they arrive."""

    def __init__(self, stream: str, durable: str, inbox: str, room: Callable[[], int], at_once: int) -> None:
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox, self._room = inbox, room
        self._worth_a_wish = max(1, at_once // 4)
        self._numbers = itertools.count(1)
        self._oldest = 1
        self._publish: Publish | None = None
        self._open = 0
        self._heard_at = 0.0
        self._resting = False

    def start(self, publish: Publish) -> None:
        """Wish from now on."""
        self._publish, self._heard_at = publish, time.monotonic()

    def stop(self) -> None:
        """Wish no more."""
        self._publish = None

    def arrived(self) -> None:
        """A message has come."""
        self._heard_at = time.monotonic()
        if self._open:
            self._open -= 1

    def told(self, subject: str, headers: Mapping[str, str]) -> None:
        """A status has come on the inbox of a wish: a heartbeat, or that the wish is over and what was left of it."""
        self._heard_at = time.monotonic()
        status = headers.get("Status")
        number, batch = subject.rsplit(".", 1)[1].split("-")
        if status == "100" or int(number) < self._oldest:
            return
        self._resting = status not in ORDINARY_ENDS
        # A wish that is refused ends without a count: all of it is left, and the other wishes are still open.
        self._open = max(0, self._open - int(headers.get("Nats-Pending-Messages", batch)))

    def forget(self) -> None:
        """Take all open wishes for lost, as after a reconnect."""
        self._oldest, self._open = next(self._numbers), 0

    def rested(self) -> None:
        """Wish again after the broker refused a wish; to be called now and then."""
        self._resting = False

    def silent(self) -> bool:
        """Whether the broker owes a sign of life."""
        return self._open > 0 and time.monotonic() - self._heard_at > SILENCE_S

    async def top_up(self) -> None:
        """Wish for what there is room for, unless it is too little to be worth a message."""
        wanted = self._room() - self._open
        if self._publish is None or self._resting or wanted <= 0 or (self._open and wanted < self._worth_a_wish):
            return
        if not self._open:
            self._heard_at = time.monotonic()  # while nothing was open, the broker owed nothing
        self._open += wanted
        wish = {
            "batch": wanted,
            "expires": int(EXPIRES_S * NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_S * NANOSECONDS),
        }
        await self._publish(self._subject, json.dumps(wish).encode(), f"{self._inbox}.{next(self._numbers)}-{wanted}")
