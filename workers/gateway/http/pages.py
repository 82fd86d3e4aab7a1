"""Lists in pages. A cursor is a place in the log, so that a page is the same whatever was said since.

Facts are numbered by the log and never move: the page behind sequence 700 begins there for ever. So a reader who goes
from page to page sees each entry once, and none twice, while facts come in at one end and expire at the other.

A cursor belongs to one list of one tenant with one set of filters; with another it is refused. It is sealed against
being made up where the gateway has a secret (all its replicas the same one), and against mistakes where it has none.
Even a forged one would only name another place in a list that its reader may read anyway.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

DEFAULT_LIMIT = 50
MOST_ENTRIES = 200
LATEST = 2**63 - 1
"""The largest sequence that a cursor can name."""

_SEAL_BYTES = 16
_FORM = b"\x01"

Order = Literal["newest_first", "oldest_first"]
T = TypeVar("T")


class BadLimit(ValueError):
    """A `limit` that is no number of entries."""


class BadCursor(ValueError):
    """A cursor that belongs to no list, or to another."""


def limit_of(text: str | None) -> int:
    """How many entries a page may have, from 1 to `MOST_ENTRIES`; raises `BadLimit`."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MOST_ENTRIES):
        raise BadLimit(f"limit must be a whole number from 1 to {MOST_ENTRIES}")
    return int(text)


@dataclass(frozen=True)
class Listing:
    """Which list is read: its path, its tenant, its filters as query parameters, and its order."""

    path: str
    tenant: str
    filters: tuple[tuple[str, str], ...] = ()
    order: Order = "newest_first"

    @property
    def name(self) -> bytes:
        """What tells it from every other list. Each part comes with its length, so no two lists are named alike."""
        parts = [self.path, self.tenant, self.order, *(part for pair in sorted(self.filters) for part in pair)]
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)

    def holds(self, sequence: int, after: int | None) -> bool:
        """Whether an entry comes behind the cursor, None being before the first entry."""
        if after is None:
            return True
        return sequence < after if self.order == "newest_first" else sequence > after


class Cursors:
    """Writes and reads cursors: 34 characters that say nothing to a client."""

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = b"flotilla-cursor-1\0" + secret

    def written(self, listing: Listing, sequence: int) -> str:
        """The cursor of the place right behind the entry at `sequence`, from 0 to `LATEST`."""
        body = _FORM + sequence.to_bytes(8, "big")
        return urlsafe_b64encode(body + self._seal(listing, body)).decode().rstrip("=")

    def read(self, listing: Listing, text: str | None) -> int | None:
        """The sequence behind which a page begins, None for the first page; raises `BadCursor`."""
        if text is None:
            return None
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)) if len(text) <= 64 else b""
        except (UnicodeEncodeError, NotBase64):
            raw = b""
        body, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        sequence = int.from_bytes(body[1:], "big")
        if len(body) != 9 or not hmac.compare_digest(seal, self._seal(listing, body)):
            raise BadCursor("the cursor is not one of this list with these filters; begin again without it")
        # Base64 can be written in more than one way; a cursor has one.
        if body[:1] != _FORM or self.written(listing, sequence) != text:
            raise BadCursor("the cursor is not written as it was given; begin again without it")
        return sequence

    def _seal(self, listing: Listing, body: bytes) -> bytes:
        return hmac.digest(self._secret, body + listing.name, "sha256")[:_SEAL_BYTES]


@dataclass(frozen=True)
class Page(Generic[T]):
    """Entries in the list's order; `next` is the cursor of the page behind, None on the last."""

    entries: tuple[T, ...]
    next: str | None = None


def page_of(
    found: Sequence[T], sequence_of: Callable[[T], int], listing: Listing, limit: int, cursors: Cursors
) -> Page[T]:
    """The first `limit` of what was found behind the cursor, in the list's order.

    Read one entry more than `limit`, so that the last page can be told from the one before it.
    """
    entries = tuple(found[:limit])
    more = len(found) > limit
    return Page(entries, cursors.written(listing, sequence_of(entries[-1])) if more else None)


def links(listing: Listing, limit: int, following: str | None) -> str:
    """The value of the `Link` header (RFC 8288): `first`, and `next` where there is a page behind."""
    first = f'<{_target(listing, {"limit": str(limit)})}>; rel="first"'
    if following is None:
        return first
    after = f'<{_target(listing, {"limit": str(limit), "cursor": following})}>; rel="next"'
    return f"{first}, {after}"


def _target(listing: Listing, more: Mapping[str, str]) -> str:
    asked = [*listing.filters, *more.items()]
    return f"{quote(listing.path, safe='/')}?{urlencode(asked, errors='replace')}"
