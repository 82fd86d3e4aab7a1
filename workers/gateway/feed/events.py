"""Server-Sent Events (WHATWG HTML, 9.2), as bytes and back; pure.

A fact has the stream's sequence as `id`, its noun as `event` (`result`, `vote`, `run.closed`) and as `data` the object
`{"sequence", "at", "name", "fact"}`, or `spoiled` with the reason in place of `fact` when the payload is no JSON
object. Live output has the event `live`, no id, and `{"task", "said"}`. An event without an id leaves a browser's
`Last-Event-ID` as it is.
"""

import json
import re
from dataclasses import dataclass

from contracts import subjects
from contracts.codec import NotJson, object_in
from workers.runtime.ports import Stored

HEARTBEAT = b": still here\n\n"
LIVE, LIVE_SKIPPED, RECONNECT = "live", "live_skipped", "reconnect"
HIGHEST_SEQUENCE = 2**63 - 1

_LINE_END = re.compile("\r\n|\r|\n")
_NUMBER = re.compile(r"[0-9]{1,19}")


class NotAnEventId(ValueError):
    """A `Last-Event-ID` that this feed never gave out."""


@dataclass(frozen=True)
class Event:
    """One event. Without `id` a reader's place stays where it is; `retry_ms` changes how soon it reconnects."""

    data: str
    event: str = ""
    id: int | None = None
    retry_ms: int | None = None


def encoded(event: Event) -> bytes:
    """The event on the wire. Raises `ValueError` when its name would end the line."""
    if _LINE_END.search(event.event):
        raise ValueError(f"an event can't be named {event.event!r}: the name must stay on one line")
    lines = [] if event.retry_ms is None else [f"retry: {event.retry_ms}"]
    if event.id is not None:
        lines.append(f"id: {event.id}")
    if event.event:
        lines.append(f"event: {event.event}")
    lines += [f"data: {line}" for line in _LINE_END.split(event.data)]
    return "\n".join((*lines, "", "")).encode()


def retry(milliseconds: int) -> bytes:
    """How long a reader waits before it reconnects; goes first on a connection."""
    return f"retry: {milliseconds}\n\n".encode()


def last_event_id(text: str | None) -> int:
    """The sequence behind a `Last-Event-ID`, 0 without one. Raises `NotAnEventId`."""
    if text is None or not text.strip():
        return 0
    if _NUMBER.fullmatch(text.strip()) is None or (number := int(text)) > HIGHEST_SEQUENCE:
        raise NotAnEventId(f"Last-Event-ID is {text[:40]!r}; send the id of an event of this feed, or none")
    return number


def fact_event(stored: Stored, prefix: str = subjects.PREFIX) -> Event:
    """A fact as an event. Raises `NotASubject` for what anybody has stored outside of the grammar."""
    address = subjects.parse(stored.subject, prefix)
    head = {"sequence": stored.sequence, "at": stored.at.isoformat(), "name": address.name}
    try:
        object_in(stored.data)
        # As it is stored: written again, a number or the order of keys could come out as something else.
        data = f'{json.dumps(head)[:-1]}, "fact": {stored.data.decode("utf-8-sig")}}}'
    except NotJson as error:
        data = json.dumps({**head, "spoiled": str(error)})
    return Event(data, address.noun, stored.sequence)


def live_event(task: str, payload: bytes) -> Event | None:
    """A piece of live output as an event; None when it is no JSON object."""
    try:
        return Event(json.dumps({"task": task, "said": object_in(payload)}), LIVE)
    except NotJson:
        return None


def skipped_event(pieces: int) -> Event:
    """Pieces of live output that this reader was too slow for. They are not stored, so they are gone."""
    return Event(json.dumps({"pieces": pieces}), LIVE_SKIPPED)


def reconnect_event(reason: str, retry_ms: int) -> Event:
    """The last event of a connection: come back with the `Last-Event-ID`, and nothing is lost."""
    return Event(json.dumps({"reason": reason}), RECONNECT, retry_ms=retry_ms)
