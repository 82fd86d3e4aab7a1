"""Artifacts in a real object store: content by its digest, stored once, checked on the way out."""

import asyncio
import os
from hashlib import sha256

import pytest
from nats.js.errors import NotFoundError

from workers.runtime.artifacts import ObjectStoreArtifacts
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import ArtifactMissing


def uncached(bus):
    """Artifacts as another process sees them."""
    return ObjectStoreArtifacts(bus.js)


async def messages_of(ward):
    return (await ward.bus.js.stream_info("OBJ_artifacts")).state.messages


async def test_what_is_put_can_be_got_by_another_process(ward):
    digest = await ward.bus.artifacts.put(b"hello")
    assert digest == sha256(b"hello").hexdigest()
    assert await uncached(ward.bus).get(digest) == b"hello"


async def test_empty_content_is_content(ward):
    digest = await ward.bus.artifacts.put(b"")
    assert await uncached(ward.bus).get(digest) == b""


async def test_the_same_content_is_stored_once(ward):
    await uncached(ward.bus).put(b"hello")
    before = await messages_of(ward)
    await uncached(ward.bus).put(b"hello")
    assert await messages_of(ward) == before


async def test_three_megabytes_come_back_whole(ward):
    content = os.urandom(3_000_000)
    digest = await uncached(ward.bus).put(content)
    assert await uncached(ward.bus).get(digest) == content


async def test_eight_tasks_that_put_the_same_content_at_once_leave_it_readable(ward):
    content = os.urandom(400_000)
    digests = await asyncio.gather(*(uncached(ward.bus).put(content) for _ in range(8)))
    assert len(set(digests)) == 1
    assert await uncached(ward.bus).get(digests[0]) == content


async def test_content_stays_readable_while_others_put_it_again(ward):
    content = os.urandom(300_000)
    digest = await uncached(ward.bus).put(content)

    async def read():
        return [await uncached(ward.bus).get(digest) == content for _ in range(10)]

    writing = [uncached(ward.bus).put(content) for _ in range(6)]
    seen, *_ = await asyncio.gather(read(), *writing)
    assert all(seen)


async def test_a_digest_that_is_not_stored_is_missing(ward):
    with pytest.raises(ArtifactMissing, match="no artifact"):
        await ward.bus.artifacts.get(sha256(b"nobody put this").hexdigest())


async def test_content_that_was_tampered_with_is_missing(ward):
    store = await ward.bus.js.object_store("artifacts")
    digest = sha256(b"right").hexdigest()
    await store.put(digest, b"wrong")
    with pytest.raises(ArtifactMissing, match="another digest"):
        await ward.bus.artifacts.get(digest)


async def test_an_artifact_whose_chunks_are_gone_keeps_nobody_waiting_for_ever(ward):
    digest = await uncached(ward.bus).put(os.urandom(300_000))
    store = await ward.bus.js.object_store("artifacts")
    found = await store.get_info(digest)
    await ward.bus.js.purge_stream("OBJ_artifacts", subject=f"$O.artifacts.C.{found.nuid}")
    with pytest.raises(BusUnavailable, match="no answer in time"):
        await asyncio.wait_for(ObjectStoreArtifacts(ward.bus.js, patience_s=0.5).get(digest), 5)


async def test_a_bucket_that_is_not_provisioned_is_said(settings, bus):
    with pytest.raises(BusUnavailable, match="artifact"):
        await bus.artifacts.put(b"hello")
    with pytest.raises(NotFoundError):
        await bus.js.stream_info("OBJ_artifacts")
