"""Just enough of an HTTP/1.1 server: it can drop a connection at any byte, stall, and see a hang-up."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


class HungUp(Exception):
    """The client closed the connection."""


class Cut(Exception):
    """The fake dropped the connection on purpose."""


@dataclass
class Heard:
    """One request as it came over the wire. `headers` have lower-case names; `at` is monotonic seconds.

    `outcome` is empty while it is being answered, then `answered`, `cut` (by the fake) or `hung up` (by the client).
    """

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)
    body: Any = None
    api: str = ""
    model: str = ""
    outcome: str = ""


class Connection:
    """One TCP connection. `cut_at` is the number of bytes of the present response after which it drops."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.cut_at: int | None = None
        self._sent = 0

    async def receive(self) -> Heard | None:
        """The next request; None when the client is done."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self._sent, self.cut_at = 0, None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        raw = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Heard(method, path, headers, raw)

    async def head(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """Send status line and headers; without a length the body goes out in chunks."""
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Overloaded"
        framing = f"content-length: {length}" if length is not None else "transfer-encoding: chunked"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {text}" for name, text in headers.items()), framing]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def chunk(self, content: bytes) -> None:
        """Send one chunk of a body without a length."""
        await self.send(b"%x\r\n%b\r\n" % (len(content), content))

    async def last_chunk(self) -> None:
        """End a body without a length."""
        await self.send(b"0\r\n\r\n")

    async def send(self, content: bytes) -> None:
        """Send bytes; raises `Cut` at the byte where the connection is to drop, `HungUp` when nobody listens."""
        if self._reader.at_eof() or self._writer.is_closing():
            raise HungUp
        room = len(content) if self.cut_at is None else self.cut_at - self._sent
        self._writer.write(content[:room])
        self._sent += min(room, len(content))
        try:
            await self._writer.drain()
        except ConnectionError:
            raise HungUp from None
        if room < len(content) or self._sent == self.cut_at:
            raise Cut

    async def pause(self, seconds: float) -> None:
        """Wait; raises `HungUp` when the client closes meanwhile."""
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self.hang(), seconds)
        except TimeoutError:
            return

    async def hang(self) -> None:
        """Say nothing until the client closes, then raise `HungUp`."""
        try:
            while await self._reader.read(4096):
                pass
        except ConnectionError:
            pass
        raise HungUp

    def close(self) -> None:
        """Let the connection go; what was sent still arrives."""
        self._writer.close()
