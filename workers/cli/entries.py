"""Facts as the command reads them: decoded, or marked as spoiled with the reason."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from contracts import subjects
from contracts.codec import ContractError, NewerVersion, decode
from contracts.message import Message
from workers.runtime.ports import Stored


class Entry(NamedTuple):
    """A stored fact. `name` is its name within the run; `message` is None when it is spoiled."""

    sequence: int
    at: datetime
    name: str
    message: Message | None
    spoiled: str = ""


Entries = dict[int, Entry]
"""What is known of a run so far, by sequence. Treated as a value: `with_entry` returns another one."""


def read(stored: Stored, prefix: str = subjects.PREFIX) -> Entry:
    """Decode a stored fact; one that does not decode is kept with the reason."""
    name = _name_of(stored.subject, prefix)
    try:
        return Entry(stored.sequence, stored.at, name, decode(stored.subject, stored.data, prefix))
    except NewerVersion as error:
        return Entry(stored.sequence, stored.at, name, None, f"{error}; a newer flotilla can read it")
    except ContractError as error:
        return Entry(stored.sequence, stored.at, name, None, str(error))


def ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Each fact once, in the order of the log, however they arrived."""
    return tuple(entry for _, entry in sorted({entry.sequence: entry for entry in entries}.items()))


def _name_of(subject: str, prefix: str) -> str:
    try:
        return subjects.parse(subject, prefix).name
    except subjects.NotASubject:
        return subject
