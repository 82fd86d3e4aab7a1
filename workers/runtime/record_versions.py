"""A shared record as it is stored: its revision, its content, and which writes of whom are in it."""

from typing import NamedTuple

from nats.aio.msg import Msg

WRITERS = "Flotilla-Writers"
"""The header of a stored record: `<writer>:<number of its last write> …`, the latest first."""

MOST_WRITERS = 64


class Version(NamedTuple):
    """`revision` is the stream's sequence, 0 where nothing is stored."""

    revision: int
    content: bytes | None
    writers: tuple[str, ...]

    def last_of(self, writer: str) -> int:
        """The number of that writer's last write that is in it; 0 for none."""
        for entry in self.writers:
            name, _, number = entry.partition(":")
            if name == writer:
                return int(number)
        return 0

    def signed(self, writer: str, number: int) -> tuple[str, ...]:
        """The writers of a version that this writer puts in its place."""
        others = [other for other in self.writers if not other.startswith(f"{writer}:")]
        return (f"{writer}:{number}", *others[: MOST_WRITERS - 1])


NOTHING = Version(0, None, ())


def version_of(msg: Msg) -> Version | None:
    """What a repeated message or a direct get's answer holds; None when nobody answered for the stream."""
    headers = msg.headers or {}
    if "Nats-Sequence" in headers:
        gone = "KV-Operation" in headers or "Nats-Marker-Reason" in headers
        writers = tuple(headers.get(WRITERS, "").split())
        return Version(int(headers["Nats-Sequence"]), None if gone else msg.data, writers)
    return NOTHING if headers.get("Status") == "404" else None
