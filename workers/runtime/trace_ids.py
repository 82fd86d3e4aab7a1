"""Trace and span ids, made of names: whoever knows a name knows its id, so nobody keeps or asks for one.

    trace of a run        the client's, from the `traceparent` of its request, or else <tenant>.<run>
    span of a run         <tenant>.<run>
    span of an attempt    <tenant>.<run>.<task>.<attempt>
    span of a call        <tenant>.<run>.llm.<task>.<attempt>.<n>

An id is the beginning of the name's SHA-256. Headers are those of W3C Trace Context (https://www.w3.org/TR/trace-context).
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

HEADER = "traceparent"
_AS_GO_WRITES_IT = "Traceparent"
"""NATS headers know upper and lower case, and Go's OpenTelemetry carrier writes this."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Place(NamedTuple):
    """A span in a trace, as its children know it. A trace that is not `sampled` is recorded by nobody."""

    trace: int
    span: int
    sampled: bool = True

    @property
    def header(self) -> str:
        """It as a `traceparent`."""
        return f"00-{self.trace:032x}-{self.span:016x}-{int(self.sampled):02x}"


def trace_of(tenant: str, run: str) -> int:
    """The trace of a run whose client is in none: 128 bits."""
    return int.from_bytes(_digest(tenant, run)[:16]) or 1


def span_of(*names: str | int) -> int:
    """The span of what has this name: 64 bits, never 0, which W3C keeps for none."""
    return int.from_bytes(_digest(*names)[:8]) or 1


def _digest(*names: str | int) -> bytes:
    return sha256(".".join(map(str, names)).encode()).digest()


def header_in(headers: Mapping[str, str] | None) -> str:
    """The `traceparent` of a message, empty when it has none."""
    if not headers:
        return ""
    return headers.get(HEADER) or headers.get(_AS_GO_WRITES_IT, "")


def place_in(header: str) -> Place | None:
    """What a `traceparent` says; None when it says nothing that can be used."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    place = Place(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & 1))
    return place if place.trace and place.span else None
