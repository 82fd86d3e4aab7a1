"""Artifacts: content in the object store, named by its SHA-256 and checked on the way out."""

import asyncio
from collections import OrderedDict
from hashlib import sha256

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import ObjectNotFoundError
from nats.js.object_store import ObjectStore

from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import ArtifactMissing, Artifacts
from workers.runtime.topology import ARTIFACTS

CACHE_BYTES = 32 * 1024**2
GET_PATIENCE_S = 20.0


class ObjectStoreArtifacts(Artifacts):
    """Artifacts in JetStream's object store, behind a small cache: content never changes under its name."""

    def __init__(self, js: JetStreamContext, patience_s: float = GET_PATIENCE_S) -> None:
        self._js, self._patience_s = js, patience_s
        self._store: ObjectStore | None = None
        self._cache = _Recent(CACHE_BYTES)

    async def put(self, content: bytes) -> str:
        """Store it, unless it is there, and return the hexadecimal digest."""
        digest = sha256(content).hexdigest()
        if self._cache.get(digest) is not None:
            return digest
        try:
            store = await self._opened()
            if not await _has(store, digest):
                await store.put(digest, content)
        except (TimeoutError, NatsError) as error:
            raise BusUnavailable(f"artifact {digest[:12]} could not be stored: {error}") from error
        self._cache.keep(digest, content)
        return digest

    async def get(self, digest: str) -> bytes:
        """The content; raises `ArtifactMissing` when it is not there or is something else."""
        if (kept := self._cache.get(digest)) is not None:
            return kept
        try:
            content = await self._read(digest)
        except ObjectNotFoundError:
            raise ArtifactMissing(f"no artifact {digest} is stored") from None
        except (TimeoutError, NatsError) as error:
            raise BusUnavailable(
                f"artifact {digest[:12]} could not be read: {str(error) or 'no answer in time'}"
            ) from error
        if sha256(content).hexdigest() != digest:
            raise ArtifactMissing(f"what is stored as artifact {digest} has another digest")
        self._cache.keep(digest, content)
        return content

    async def _read(self, digest: str) -> bytes:
        """Read it whole. nats-py waits for ever on chunks that are gone, as when the same content is put again."""
        store = await self._opened()
        try:
            found = await asyncio.wait_for(store.get(digest), self._patience_s)
        except TimeoutError:
            found = await asyncio.wait_for(store.get(digest), self._patience_s)
        return found.data or b""

    async def _opened(self) -> ObjectStore:
        if self._store is None:
            self._store = await self._js.object_store(ARTIFACTS)
        return self._store


async def _has(store: ObjectStore, digest: str) -> bool:
    try:
        await store.get_info(digest)
    except ObjectNotFoundError:
        return False
    return True


class _Recent:
    """The most recently used content, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        if digest in self._kept:
            self._kept.move_to_end(digest)
        return self._kept.get(digest)

    def keep(self, digest: str, content: bytes) -> None:
        if digest in self._kept or len(content) > self._limit:
            return
        self._kept[digest] = content
        self._size += len(content)
        while self._size > self._limit:
            self._size -= len(self._kept.popitem(last=False)[1])
