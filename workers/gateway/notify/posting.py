"""One HTTP POST to an address that was judged, with the standard library's streams.

No client library: this one request must not follow redirects, must not look for proxies in the environment, must not
ask for the name again, and reads no more than it has to.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from workers.gateway.notify.addresses import Destination

CONNECT_S = 5.0
TOTAL_S = 20.0
DRAIN_S = 1.0
MOST_HEAD = 16_384
MOST_BODY = 65_536
MOST_INTERIM = 5
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_RETRY_AFTER = re.compile(rb"(?mi)^retry-after:[ \t]*([0-9]{1,9})[ \t]*\r?$")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")


class NotSent(OSError):
    """No answer came; the message names the host and what happened, and nothing of what was sent."""


@dataclass(frozen=True)
class Answered:
    """What the receiver said. `retry_after_s` is 0 unless it gave seconds. The body is dropped: it may echo secrets."""

    status: int
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Patience:
    """How long one try may take, in seconds."""

    connect_s: float = CONNECT_S
    total_s: float = TOTAL_S
    drain_s: float = DRAIN_S


async def post(
    to: Destination, headers: Mapping[str, str], body: bytes, tls: ssl.SSLContext | None = None,
    patience: Patience = Patience(),
) -> Answered:  # fmt: skip
    """Send a body and read the head of the answer; raises `NotSent`. The certificate must be for the URL's host."""
    place = to.url.place
    request = _request(to, headers, body)
    try:
        async with asyncio.timeout(patience.total_s):
            reader, writer = await _connected(to, tls, patience.connect_s)
            try:
                writer.write(request)
                await writer.drain()
                answered = await _head(reader, place)
                await _drain(reader, patience.drain_s)
                return answered
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise NotSent(f"{place} gave no answer within {patience.total_s:g} s") from None
    except (asyncio.IncompleteReadError, ConnectionError):
        raise NotSent(f"{place} closed the connection before it answered") from None


async def _connected(
    to: Destination, tls: ssl.SSLContext | None, within_s: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one."""
    secure = to.url.scheme == "https"
    context = (tls or ssl.create_default_context()) if secure else None
    name = to.url.host.rstrip(".") if secure else None
    why = "no address"
    for address in to.addresses:
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.open_connection(
                    address, to.url.port, ssl=context, server_hostname=name, limit=MOST_HEAD
                )
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is not accepted ({error.verify_message})"
        except ssl.SSLError as error:
            why = f"TLS failed ({error.reason})"
        except TimeoutError:
            why = f"no connection within {within_s:g} s"
        except OSError as error:
            why = error.strerror if error.errno and error.strerror else "the connection failed"
    raise NotSent(f"{to.url.place} can't be reached: {why}")


def _request(to: Destination, headers: Mapping[str, str], body: bytes) -> bytes:
    sent = {
        "Host": to.url.authority, "User-Agent": "flotilla", "Accept": "*/*", "Connection": "close",
        "Content-Length": str(len(body)), **headers,
    }  # fmt: skip
    lines = [f"POST {to.url.target} HTTP/1.1"]
    for name, text in sent.items():
        if not _HEADER_NAME.fullmatch(name) or not (text.isascii() and text.isprintable()):
            raise ValueError(f"the header {name[:100]!r} can't be sent: a header is one line of plain ASCII")
        lines.append(f"{name}: {text}")
    return "\r\n".join((*lines, "\r\n")).encode("ascii") + body


async def _head(reader: asyncio.StreamReader, place: str) -> Answered:
    for _ in range(MOST_INTERIM):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise NotSent(f"{place} answered with more than {MOST_HEAD} bytes of headers") from None
        found = _STATUS.match(head)
        if found is None:
            raise NotSent(f"{place} doesn't speak HTTP/1.1")
        status = int(found[1])
        if status >= 200:
            wait = _RETRY_AFTER.search(head)
            return Answered(status, float(wait[1]) if wait else 0.0)
    raise NotSent(f"{place} sent more than {MOST_INTERIM} interim answers and no last one")


async def _drain(reader: asyncio.StreamReader, within_s: float) -> None:
    """Take some of the body, so that a receiver which is still writing doesn't see a broken connection."""
    left = MOST_BODY
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(within_s):
            while left > 0 and (part := await reader.read(min(left, 8_192))):
                left -= len(part)
