"""What Flotilla adds: a durable run of five no-op tasks beside the same chain by hand on raw nats-py.

    python -m benchmarks.overhead [--runs 3000] [--rounds 3] [--reference-loop uvloop] [--json]

Flotilla's workers run on uvloop as they always do; the chain does too, unless it is told to run on asyncio's own loop.
One process per role and one for the orchestrator on both sides, one broker each, in turns, so that both meet the
same machine. CPU counts every process with the broker's, not the client's. Ratios are medians over rounds.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks import chain, fleet
from benchmarks.processes import Processes, resident_mb
from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.runs import RunRequested
from workers.runtime import topology
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.publish import Publisher

IN_FLIGHT = 64
CONCURRENCY = 256
Submit = Callable[[Publisher, str], Awaitable[object]]


@dataclass(frozen=True)
class Measured:
    """One side in one round: milliseconds, runs a second, CPU milliseconds a run, MB."""

    p50_alone: float
    p99_alone: float
    p50_loaded: float
    p99_loaded: float
    runs_a_second: float
    cpu_ms_a_run: float
    memory_mb: float


class Submitter:
    """Submits runs and waits for their ends, which it hears on core NATS."""

    def __init__(self, client: Client, publisher: Publisher, submit: Submit) -> None:
        self._client, self._publisher, self._submit = client, publisher, submit
        self._open: dict[str, asyncio.Future[None]] = {}
        self._numbers = iter(range(10**9))

    async def listen(self, subject: str, run_token: int) -> None:
        async def closed(msg: Msg) -> None:
            waiting = self._open.pop(msg.subject.split(".")[run_token], None)
            if waiting is not None:
                waiting.set_result(None)

        await self._client.subscribe(subject, cb=closed)

    async def run(self) -> float:
        """One run; returns its seconds."""
        name = f"r{next(self._numbers)}"
        waiting = self._open[name] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        await self._submit(self._publisher, name)
        await asyncio.wait_for(waiting, 60)
        return time.perf_counter() - began

    async def many(self, count: int, in_flight: int) -> list[float]:
        room = asyncio.Semaphore(in_flight)

        async def one() -> float:
            async with room:
                return await self.run()

        return await asyncio.gather(*(one() for _ in range(count)))


async def measure(client: Submitter, processes: Processes, runs: int) -> Measured:
    """Alone, then with 64 in flight."""
    await client.many(200, IN_FLIGHT)
    alone = sorted([await client.run() for _ in range(200)])
    cpu, began = processes.cpu_s(), time.perf_counter()
    loaded = sorted(await client.many(runs, IN_FLIGHT))
    took, cpu = time.perf_counter() - began, processes.cpu_s() - cpu
    return Measured(
        p50_alone=statistics.median(alone) * 1e3,
        p99_alone=alone[int(len(alone) * 0.99)] * 1e3,
        p50_loaded=statistics.median(loaded) * 1e3,
        p99_loaded=loaded[int(len(loaded) * 0.99)] * 1e3,
        runs_a_second=runs / took,
        cpu_ms_a_run=cpu / runs * 1e3,
        memory_mb=processes.memory_mb(),
    )


async def by_hand(runs: int, loop: str) -> Measured:
    """The reference on a broker of its own, its processes on the named event loop."""
    async with EmbeddedNats() as server:
        await chain.declare(server.url)
        processes = Processes(also=[server.process.pid])
        try:
            for n in range(1, chain.STEPS + 1):
                await processes.start(loop, server.url, str(n))
            await processes.start(loop, server.url, "0")

            async def submit(publisher: Publisher, run: str) -> object:
                return await publisher.publish(f"chain.command.1.{run}", json.dumps({"run": run, "input": ""}).encode())

            return await _measured(server.url, submit, "chain.closed.*", 2, processes, runs)
        finally:
            await processes.stop()


async def by_flotilla(runs: int) -> Measured:
    """Flotilla on a broker of its own."""
    async with EmbeddedNats() as server:
        await _provision(server.url)
        processes = Processes(also=[server.process.pid])
        try:
            for name in ("orchestrator", *fleet.ROLES):
                await processes.start("fleet", server.url, name, str(CONCURRENCY), "0")
            return await _measured(server.url, _request, "flotilla.*.*.run.closed", 2, processes, runs)
        finally:
            await processes.stop()


async def _provision(url: str) -> None:
    configured = fleet.settings(url, CONCURRENCY)
    async with connect(configured, "benchmark") as bus:
        await topology.provision(bus.js, configured, fleet.ROLES)


async def _request(publisher: Publisher, run: str) -> object:
    request = RunRequested(tenant="bench", run=run, idea="five steps", plan=fleet.PLAN)
    return await publisher.publish(subject_of(request), encode(request))


async def _measured(url: str, submit: Submit, closed: str, run_token: int, processes: Processes, runs: int) -> Measured:
    connection = await nats.connect(url)
    publisher = Publisher(connection)
    await publisher.start()
    client = Submitter(connection, publisher, submit)
    await client.listen(closed, run_token)
    try:
        return await measure(client, processes, runs)
    finally:
        await connection.close()


async def keeps_going(runs: int = 256, seconds: float = 0.1) -> float:
    """256 runs on a model that sleeps 100 ms: how many of 256 calls are going on average."""
    async with EmbeddedNats() as server:
        await _provision(server.url)
        processes = Processes()
        try:
            for name in ("orchestrator", *fleet.ROLES):
                await processes.start("fleet", server.url, name, "512", str(seconds if name != "orchestrator" else 0))
            connection = await nats.connect(server.url)
            publisher = Publisher(connection)
            await publisher.start()
            client = Submitter(connection, publisher, _request)
            await client.listen("flotilla.*.*.run.closed", 2)
            await client.many(runs, runs)
            began, rounds = time.perf_counter(), 4
            await client.many(runs * rounds, runs)
            took = time.perf_counter() - began
            await connection.close()
            return runs * rounds * fleet.STEPS * seconds / took
        finally:
            await processes.stop()


async def holds(calls: int = 1_000, seconds: float = 20.0) -> dict[str, float]:
    """One worker process holds 1,000 waiting calls: how many at once, memory before and after, redeliveries."""
    async with EmbeddedNats() as server:
        configured = fleet.settings(server.url, CONCURRENCY)
        await _provision(server.url)
        processes = Processes()
        try:
            await processes.start("fleet", server.url, "orchestrator", "256", "0")
            await processes.start("fleet", server.url, "step1", str(calls + 100), str(seconds))
            worker = processes.started[1].pid
            async with connect(configured, "benchmark") as bus:
                plan = fleet.PLAN.model_copy(update={"tasks": fleet.PLAN.tasks[:1]})
                for n in range(calls):
                    await bus.log.say(RunRequested(tenant="bench", run=f"w{n}", idea="wait", plan=plan))
                held, memory = 0, []
                for _ in range(int(seconds * 0.8)):
                    found = await bus.js.consumer_info(topology.LOG, "step1")
                    held = max(held, found.num_ack_pending or 0)
                    memory.append(resident_mb(worker))
                    await asyncio.sleep(1)
                found = await bus.js.consumer_info(topology.LOG, "step1")
                return {
                    "held_at_once": held,
                    "redelivered": found.num_redelivered or 0,
                    "memory_mb_when_all_held": memory[len(memory) // 3],
                    "memory_mb_at_the_end": memory[-1],
                }
        finally:
            await processes.stop()


async def child(kind: str, url: str, name: str, concurrency: str = "0", seconds: str = "0") -> None:
    """What a worker process runs."""
    if kind == "fleet":
        await fleet.work(url, name, int(concurrency), float(seconds))
    elif name == "0":
        await chain.orchestrator(url)
    else:
        await chain.step(url, int(name))


async def main(runs: int, rounds: int, loop: str, as_json: bool) -> None:
    """Measure both sides in turns and print the table."""
    hand: list[Measured] = []
    ours: list[Measured] = []
    for n in range(rounds):
        print(f"round {n + 1} of {rounds} …", flush=True)
        hand.append(await by_hand(runs, loop))
        ours.append(await by_flotilla(runs))
    going, held = await keeps_going(), await holds()
    found = summary(hand, ours) | {"calls_going_of_256": going} | held
    print(json.dumps(found, indent=2) if as_json else table(hand, ours, found))


def summary(hand: list[Measured], ours: list[Measured]) -> dict[str, float]:
    """Medians over rounds of the ratio of each pair."""
    names = list(asdict(hand[0]))
    return {
        f"ratio_{name}": statistics.median(getattr(o, name) / getattr(h, name) for h, o in zip(hand, ours, strict=True))
        for name in names
    }


def table(hand: list[Measured], ours: list[Measured], found: dict[str, float]) -> str:
    """The figures for people."""
    goals = {"runs_a_second": "≥ 0.50", "p50_alone": "≤ 2.00", "cpu_ms_a_run": "≤ 2.50"}
    lines = [f"{'median of rounds':<18}{'by hand':>12}{'flotilla':>12}{'ratio':>9}   goal"]
    for name in asdict(hand[0]):
        raw, own = (statistics.median(getattr(one, name) for one in side) for side in (hand, ours))
        lines.append(f"{name:<18}{raw:>12.2f}{own:>12.2f}{found[f'ratio_{name}']:>9.2f}   {goals.get(name, '')}")
    lines.append(
        f"\n256 runs on a model that sleeps 100 ms: {found['calls_going_of_256']:.0f} of 256 calls going (goal ≥ 200)"
    )
    lines.append(
        f"one process holds {found['held_at_once']:.0f} waiting calls, {found['redelivered']:.0f} redelivered, memory "
        f"{found['memory_mb_when_all_held']:.0f} MB → {found['memory_mb_at_the_end']:.0f} MB"
    )
    lines.append(f"machine: {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--reference-loop", choices=("uvloop", "asyncio"), default="uvloop")
    given = parser.parse_args()
    run = asyncio.run if given.child and given.child[0] == "asyncio" else uvloop.run
    run(child(*given.child) if given.child else main(given.runs, given.rounds, given.reference_loop, given.json))
