"""A fake provider for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fakes.provider import FakeProvider


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    """A provider over real HTTP on a free port."""
    async with FakeProvider() as running:
        yield running
