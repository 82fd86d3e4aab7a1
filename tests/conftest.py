"""Shared by all tests: a real broker for each module, settings for it, and a bus."""

import os
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import pytest_asyncio

from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging

# The suite says the same of the same code whenever it is run; `make soak` looks for examples that nobody has met yet.
hypothesis.settings.register_profile("suite", derandomize=True)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests see no `FLOTILLA_…` variable of the machine that they run on."""
    for name in [name for name in os.environ if name.startswith("FLOTILLA_")]:
        monkeypatch.delenv(name)
    yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker() -> AsyncIterator[EmbeddedNats]:
    """A nats-server with JetStream on a free port, one for each test module."""
    async with EmbeddedNats() as server:
        yield server


@pytest.fixture
def settings(broker: EmbeddedNats) -> Settings:
    """Settings for that broker, with a short lease so that crashes are noticed in a test's time."""
    configured = Settings(nats_url=broker.url, lease_s=2.0, publish_timeout_s=10.0, log_level="error")
    configure_logging(configured)
    return configured


@pytest_asyncio.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """A bus on that broker."""
    async with connect(settings, "test") as connected:
        yield connected
