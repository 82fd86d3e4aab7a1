"""A browser's half of Server-Sent Events, and a broker with a hub on it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from contracts.v1.tasks import TaskPerformed
from workers.gateway.feed.hub import Hub, Limits
from workers.runtime import topology
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging

TENANT = "acme"
PATIENCE_S = 30.0


@dataclass
class Browser:
    """Reads a stream by the rules of WHATWG HTML 9.2.6; keeps (event, data, last event id)."""

    last_id: str = ""
    retry_ms: int = 0
    comments: int = 0
    events: list[tuple[str, str, str]] = field(default_factory=list)
    _left: str = ""
    _name: str = ""
    _lines: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The ids of the facts seen, in the order of arrival."""
        return [int(last) for name, _, last in self.events if name not in ("live", "live_skipped", "reconnect")]

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.events]

    def feed(self, chunk: bytes) -> None:
        """Take in bytes, wherever they were cut."""
        *lines, self._left = re.split("\r\n|\r|\n", self._left + chunk.decode())
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        if not line:
            if self._lines:
                self.events.append((self._name or "message", "\n".join(self._lines), self.last_id))
            self._name, self._lines = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
            case "event":
                self._name = value
            case "data":
                self._lines.append(value)
            case "id":
                self.last_id = value
            case "retry":
                self.retry_ms = int(value)


async def until(happened: Callable[[], Any], what: str) -> None:
    """Let the loop run until it is true."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not happened():
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {PATIENCE_S} s"
        await asyncio.sleep(0.01)


@dataclass
class Stand:
    """A broker that can be killed and comes back on its port, and a hub."""

    server: EmbeddedNats
    settings: Settings
    bus: Bus
    hub: Hub
    reading: list[asyncio.Task[None]] = field(default_factory=list)

    until = staticmethod(until)

    async def say(self, run: str, *tasks: str, output: str = "done") -> None:
        """Facts of a run, stored in this order."""
        for task in tasks:
            fact = TaskPerformed(tenant=TENANT, run=run, task=task, output=output)
            assert (await self.bus.log.say(fact)).news

    async def sequences(self, run: str) -> list[int]:
        """What the log has of a run."""
        return [stored.sequence for stored in await self.bus.log.history(TENANT, run)]

    def read(self, run: str, browser: Browser, slow_s: float = 0.0) -> "asyncio.Task[None]":
        """Connect a browser as the HTTP layer does; cancel the task to cut the connection."""
        self.reading.append(asyncio.create_task(self._read(run, browser, slow_s)))
        return self.reading[-1]

    async def _read(self, run: str, browser: Browser, slow_s: float) -> None:
        async with self.hub.join(TENANT, run, int(browser.last_id or 0)) as reader, aclosing(reader.chunks()) as chunks:
            async for chunk in chunks:
                browser.feed(chunk)
                await asyncio.sleep(slow_s)

    async def new_hub(self, limits: Limits) -> Hub:
        """Another gateway on the same bus takes over."""
        await self.hub.stop()
        self.hub = Hub(self.bus, limits)
        await self.hub.start()
        return self.hub

    async def end(self) -> None:
        for task in self.reading:
            task.cancel()
        await asyncio.gather(*self.reading, return_exceptions=True)
        await self.hub.stop()


@pytest.fixture(scope="session")
def browser() -> type[Browser]:
    """Makes browsers."""
    return Browser


@pytest_asyncio.fixture
async def stand(tmp_path) -> AsyncIterator[Stand]:
    """A broker of its own for each test, whose data stays when it is killed."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        settings = Settings(nats_url=server.url, publish_timeout_s=20.0, log_level="error")
        configure_logging(settings)
        async with connect(settings, "feed") as bus:
            await topology.provision(bus.js, settings, [])
            hub = Hub(bus)
            await hub.start()
            here = Stand(server, settings, bus, hub)
            yield here
            await here.end()
        server.kill()
