"""Small JSON records that the whole fleet changes together, by compare-and-set."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

R = TypeVar("R")

Change = Callable[[bytes | None], tuple[bytes | None, R]]
"""From a record's content (None: there is none) to its new content (None: leave it as it is) and a result.

It is pure and may be called several times: whenever somebody else was faster.
"""


class Records(Protocol):
    """Records by key. A key is of `A-Z a-z 0-9 _ - .`."""

    async def change(self, key: str, change: Change[R]) -> R:
        """Apply a change atomically and return its result; raises `RecordsUnavailable`."""
        ...

    async def read(self, key: str) -> bytes | None:
        """The content now; raises `RecordsUnavailable`."""
        ...

    def watch(self, key: str, seen: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        """Have `seen` called with each new content, as far as it is heard of; returns what ends that."""
        ...


class RecordsUnavailable(Exception):
    """The records can't be reached now."""


class MemoryRecords:
    """Records of one process: for tests, and where nothing is shared."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self._seen: dict[str, list[Callable[[bytes], None]]] = {}

    async def change(self, key: str, change: Change[R]) -> R:
        """Apply a change; nothing comes between here."""
        content, result = change(self.kept.get(key))
        if content is not None:
            self.kept[key] = content
            for seen in self._seen.get(key, ()):
                seen(content)
        return result

    async def read(self, key: str) -> bytes | None:
        """The content now."""
        return self.kept.get(key)

    def watch(self, key: str, seen: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        """Have `seen` called with each new content."""
        self._seen.setdefault(key, []).append(seen)

        async def end() -> None:
            self._seen[key].remove(seen)

        return end
