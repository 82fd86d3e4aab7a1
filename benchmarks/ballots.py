"""How soon a ballot is decided: from its last vote in the log to its decision there, by the broker's clock.

    python -m benchmarks.ballots [--ballots 1000] [--open 2000] [--json]

Five votes of voters who answer at once, and a quorum of five, so that the decision falls at the slowest. One consensus
worker in a process of its own. Beside it, in turns, a reference that does no more than anybody must: a bare nats-py
consumer in its own process that publishes one fact at the fifth message of a subject. Then many ballots are open at the
same time, and the time from the first vote on any to the last decision is taken.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

from contracts.v1.ballots import BallotOpened, Option, VoteCast
from workers.fleet import provision, worker_app
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging

TENANT = "bench"
VOTERS = tuple(f"v{n}" for n in range(1, 6))
PATIENCE_S = 120.0
TOGETHER = 200


class Waits(NamedTuple):
    """Milliseconds from the last vote to the decision."""

    p50: float
    p99: float
    longest: float


def opened(name: str) -> BallotOpened:
    """A ballot that all five must answer."""
    return BallotOpened(
        tenant=TENANT, run=name, ballot=name, question="Is it?", options=(Option(option="yes"), Option(option="no")),
        electorate=VOTERS, quorum=len(VOTERS), deadline_s=600,
    )  # fmt: skip


def vote(name: str, voter: str) -> VoteCast:
    """A vote for yes."""
    return VoteCast(tenant=TENANT, run=name, ballot=name, voter=voter, choice="yes")


async def echo(url: str) -> None:
    """The reference: a fact at the fifth message of each subject, by hand."""
    client = await nats.connect(url)
    js, heard = client.jetstream(), Counter[str]()

    async def take(msg: nats.aio.msg.Msg) -> None:
        run = msg.subject.split(".")[2]
        heard[run] += 1
        if heard[run] == len(VOTERS):
            await js.publish(f"flotilla.{TENANT}.{run}.outcome.{run}", b'{"kind": "x", "version": 1}')
        await msg.ack()

    config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
    await js.subscribe(f"flotilla.{TENANT}.*.vote.>", stream="LOG", config=config, cb=take, manual_ack=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def count(url: str) -> None:
    """The consensus worker as it always is."""
    settings = Settings(nats_url=url, log_level="error")
    configure_logging(settings)
    await worker_app("consensus", settings).app.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


CHILDREN = {"bare": echo, "ours": count}


@asynccontextmanager
async def child(name: str, url: str) -> AsyncIterator[None]:
    """A process of its own, ready."""
    command = (sys.executable, "-m", "benchmarks.ballots", "--child", name, url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30.0)
        yield
    finally:
        process.kill()
        await process.wait()


async def one_by_one(bus: Bus, names: Sequence[str], outcome: str, opens: bool) -> Waits:
    """Hold ballots one after another; `outcome` is the noun of the fact that ends each."""
    waits = []
    for name in names:
        if opens:
            await bus.log.say(opened(name))
        await asyncio.gather(*(bus.log.say(vote(name, voter)) for voter in VOTERS))
        await _there(bus, name, outcome)
        stored = {fact.subject.split(".")[3]: fact.at.timestamp() for fact in await bus.log.history(TENANT, name)}
        waits.append((stored[outcome] - stored["vote"]) * 1_000)
    ordered = sorted(waits)
    return Waits(statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1])


async def _there(bus: Bus, name: str, noun: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while await bus.log.find(f"flotilla.{TENANT}.{name}.{noun}.{name}") is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{noun} of {name} did not come")
        await asyncio.sleep(0.001)


async def all_at_once(bus: Bus, count: int) -> float:
    """Seconds from the first vote to the last decision with so many ballots open."""
    names = [f"open-{n}" for n in range(count)]
    await _said(bus, [opened(name) for name in names])
    await _settled(bus)
    began = time.monotonic()
    await _said(bus, [vote(name, voter) for voter in VOTERS for name in names])
    for name in names:
        await _there(bus, name, "decision")
    return time.monotonic() - began


async def _settled(bus: Bus) -> None:
    while True:
        found = await bus.js.consumer_info("LOG", "consensus")
        if not found.num_pending and not found.num_ack_pending:
            return
        await asyncio.sleep(0.05)


async def _said(bus: Bus, messages: Sequence[BallotOpened | VoteCast]) -> None:
    for start in range(0, len(messages), TOGETHER):
        await asyncio.gather(*(bus.log.say(message) for message in messages[start : start + TOGETHER]))


async def measure(ballots: int, at_once: int) -> dict[str, object]:
    """All figures of one run."""
    async with EmbeddedNats() as server:
        settings = Settings(nats_url=server.url)
        await provision(settings)
        async with connect(settings, "benchmark") as bus:
            async with child("bare", server.url):
                bare = await one_by_one(bus, [f"bare-{n}" for n in range(ballots)], "outcome", opens=False)
            async with child("ours", server.url):
                await _settled(bus)  # the reference's votes are in the log too
                ours = await one_by_one(bus, [f"ballot-{n}" for n in range(ballots)], "decision", opens=True)
                together_s = await all_at_once(bus, at_once)
    return {"ballots": ballots, "ours": ours._asdict(), "bare": bare._asdict(), "open": at_once, "open_s": together_s}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ballots", type=int, default=1_000)
    parser.add_argument("--open", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, url = given.child
        asyncio.run(CHILDREN[name](url))
        return
    found = asyncio.run(measure(given.ballots, given.open))
    if given.json:
        print(json.dumps(found))
        return
    print(f"last vote → decision, {found['ballots']} ballots of five votes, milliseconds")
    for name in ("bare", "ours"):
        row = found[name]
        assert isinstance(row, dict)
        print(f"  {name:5} p50 {row['p50']:6.2f}   p99 {row['p99']:6.2f}   longest {row['longest']:6.2f}")
    print(f"{found['open']} ballots open at once: first vote → last decision {found['open_s']:.1f} s")


if __name__ == "__main__":
    main()
