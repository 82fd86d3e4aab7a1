"""A receiver on the loopback that says what it is told to and keeps what it heard."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contracts.v1.approvals import GateOpened
from workers.gateway.notify.settings import Notifications
from workers.gateway.notify.settings_file import parse
from workers.gateway.notify.sources import Sources
from workers.gateway.notify.tokens import Keyring

Answering = Callable[["Receiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A real server of HTTP/1.1; `answer` is all that it sends after each request."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    heard: list[Heard] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    port: int = 0
    hold_open: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers["content-length"]))
            self.heard.append(Heard(head[0], headers, body))
            writer.write(self.answer)
            await writer.drain()
            if self.hold_open:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(receiver: Receiver, **options: Any) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, **options)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as started:
        yield started


@pytest.fixture
def started() -> Callable[..., Any]:
    """Starts further receivers: `async with started(answer=…, ssl=…) as receiver`."""

    def start(ssl: Any = None, **fields: Any) -> Any:
        return listening(Receiver(**fields), **({"ssl": ssl} if ssl else {}))

    return start


@pytest.fixture
def keyring() -> Keyring:
    return Keyring([b"k" * 32])


@pytest.fixture
def gate() -> GateOpened:
    return GateOpened(
        tenant="acme", run="r42", gate="release", question="Release <b>it</b>?", subject_task="package", deadline_s=3600
    )


SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture
def secrets() -> tuple[str, str]:
    """The present secret and the one before it."""
    return SECRET, OLDER


@pytest.fixture
def environment() -> dict[str, str]:
    return {"OPS_SECRETS": f"{SECRET} {OLDER}", "TOKEN_KEYS": base64.b64encode(b"k" * 32).decode()}


@pytest.fixture
def sources(tmp_path: Path, environment: Mapping[str, str]) -> Sources:
    return Sources(tmp_path, environment)


@pytest.fixture
def notifications() -> Callable[..., Notifications]:
    """Settings with these endpoints and everything else as it must be."""

    def make(*endpoints: dict[str, Any], **more: Any) -> Notifications:
        content = {"public_url": "https://flotilla.example.org", "token_keys": {"env": "TOKEN_KEYS"}}
        return parse({**content, "endpoints": list(endpoints), **more}, "notifications.yaml")

    return make
