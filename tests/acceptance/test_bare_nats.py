"""Bare NATS: whoever publishes the documented JSON is a client."""

import asyncio
import json

import nats
import pytest

from contracts.v1.failures import DeadLetter
from workers.runtime.topology import DEAD

PATIENCE_S = 15


@pytest.fixture
def published(fleet):
    """Publishes these bytes as the request of a run and returns what the run's subject then carries, to its end."""

    async def publish(run, data):
        client = await nats.connect(fleet.server.url)
        try:
            facts = await client.subscribe(f"flotilla.default.{run}.>")
            await client.publish(f"flotilla.default.{run}.run.requested", data)
            seen = []
            async with asyncio.timeout(PATIENCE_S):
                while not seen or not seen[-1][0].endswith(".run.closed"):
                    fact = await facts.next_msg(PATIENCE_S)
                    seen.append((fact.subject, fact.data))
            return seen, json.loads(seen[-1][1])
        finally:
            await client.close()

    return publish


@pytest.mark.parametrize("data", [b"\xff\xfe not text", b"{", b"[1, 2]", b""], ids=["bytes", "half", "list", "nothing"])
async def test_bytes_that_are_no_json_object_go_to_the_dead_letters_and_close_the_run(fleet, published, data, request):
    run = f"bad-{request.node.callspec.id}"
    seen, closed = await published(run, data)
    assert closed["status"] == "refused" and "JSON" in closed["reason"]
    assert [subject.split(".", 3)[3] for subject, _ in seen] == ["run.requested", "run.closed"]
    [letter] = [letter for letter in await letters(fleet) if letter.subject.split(".")[2] == run]
    assert letter.worker == "orchestrator" and "JSON" in letter.reason


async def test_a_request_that_does_not_validate_is_refused_by_field(published):
    request = {"kind": "run_requested", "version": 1, "idea": "", "deadline_s": "soon"}
    _, closed = await published("invalid", json.dumps(request).encode())
    assert closed["status"] == "refused"
    assert {error["field"] for error in closed["errors"]} == {"idea", "deadline_s"}


async def test_a_request_without_a_kind_is_refused(published):
    _, closed = await published("kindless", json.dumps({"idea": "Books have a title."}).encode())
    assert closed["status"] == "refused" and "kind" in closed["reason"] + str(closed["errors"])


async def test_nothing_of_it_is_redelivered(fleet, published):
    await published("bad-last", b"not JSON")
    nothing_left = "the orchestrator's consumer has nothing left"
    await asyncio.to_thread(fleet.until, lambda: fleet.settled("orchestrator"), nothing_left)
    assert len([letter for letter in await letters(fleet) if letter.subject.split(".")[2] == "bad-last"]) == 1


async def letters(fleet):
    """The dead letters so far."""

    async def look(bus):
        state = (await bus.js.stream_info(DEAD)).state
        return [await bus.js.get_msg(DEAD, n) for n in range(1, state.last_seq + 1)]

    return [DeadLetter.model_validate_json(letter.data) for letter in await asyncio.to_thread(fleet.ask, look)]
