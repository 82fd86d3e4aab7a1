"""How soon a fact reaches every reader of its run: one follower for all, or the naive way, a consumer for each reader.

    python -m benchmarks.feed [--readers 500] [--runs 10] [--rate 10] [--seconds 10] [--cuts 20] [--way hub|naive|both]

A gateway process serves Server-Sent Events over real sockets of this machine. Readers in a second process note how long
after its publish each fact came; some of them are cut off and come back with their Last-Event-ID. `--rate` is facts a
second over all runs; the p99 is over all readers and facts. CPU and memory are those of the gateway process alone.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import aclosing, suppress

from benchmarks.processes import cpu_s, resident_mb
from contracts.v1.tasks import TaskPerformed
from workers.gateway.feed.events import encoded, fact_event
from workers.gateway.feed.hub import Hub
from workers.runtime import topology
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings

TENANT = "bench"
PATIENCE_S = 30.0


async def gateway(url: str, way: str) -> None:
    """Serve readers until killed. A request is one line: run and last event id."""
    async with connect(Settings(nats_url=url), "feed") as bus:
        hub = Hub(bus)
        await hub.start()

        async def serve(asked: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            run, after = (await asked.readline()).decode().split()
            with suppress(ConnectionError):
                await (_by_hub(hub, run, int(after), writer) if way == "hub" else _alone(bus, run, int(after), writer))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1_000)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


async def _by_hub(hub: Hub, run: str, after: int, writer: asyncio.StreamWriter) -> None:
    async with hub.join(TENANT, run, after) as reader, aclosing(reader.chunks()) as chunks:
        async for chunk in chunks:
            writer.write(chunk)
            await writer.drain()


async def _alone(bus: Bus, run: str, after: int, writer: asyncio.StreamWriter) -> None:
    """The naive way: an ordered consumer for this reader alone."""
    async for stored in bus.log.follow(TENANT, run, after):
        writer.write(encoded(fact_event(stored)))
        await writer.drain()


class Watcher:
    """A browser without a page: takes note of ids and of delays."""

    def __init__(self, port: int, run: str) -> None:
        self.port, self.run = port, run
        self.ids: list[int] = []
        self.delays: list[float] = []
        self.reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        source, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        try:
            writer.write(f"{self.run} {self.ids[-1] if self.ids else 0}\n".encode())
            number = 0
            async for line in source:
                if line.startswith(b"id: "):
                    number = int(line[4:])
                elif line.startswith(b"data: ") and number:
                    self.delays.append(time.time() - float(json.loads(line[6:])["fact"]["output"]))
                    self.ids.append(number)
        finally:
            writer.close()

    def connect(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
        self.reading = asyncio.create_task(self.read())


async def _publish(bus: Bus, number: int, run: str, stored: dict[str, list[int]]) -> None:
    fact = TaskPerformed(tenant=TENANT, run=run, task=f"t{number}", output=str(time.time()))
    stored[run].append((await bus.log.say(fact)).sequence)


async def _load(bus: Bus, watchers: list[Watcher], options: argparse.Namespace) -> dict[str, list[int]]:
    """Publish at the rate, and cut `--cuts` readers off, evenly over the time."""
    stored: dict[str, list[int]] = {f"r{number}": [] for number in range(options.runs)}
    total = options.rate * options.seconds
    begun, saying = time.monotonic(), []
    for number in range(total):
        await asyncio.sleep(max(0.0, begun + number / options.rate - time.monotonic()))
        saying.append(asyncio.create_task(_publish(bus, number, f"r{number % options.runs}", stored)))
        if options.cuts and number % max(1, total // options.cuts) == 0:
            watchers[number * 7 % len(watchers)].connect()
    await asyncio.gather(*saying)
    return stored


async def _all_have(stored: dict[str, list[int]], watchers: list[Watcher]) -> None:
    """Wait until every reader has as many facts as its run has, or patience ends."""
    for _ in range(int(PATIENCE_S / 0.1)):
        if all(len(one.ids) >= len(stored[one.run]) for one in watchers):
            return
        await asyncio.sleep(0.1)


def _seen(stored: dict[str, list[int]], watchers: list[Watcher]) -> dict[str, float]:
    delays = [delay * 1_000 for one in watchers for delay in one.delays]
    return {
        "p50_ms": statistics.median(delays),
        "p99_ms": statistics.quantiles(delays, n=100)[98],
        "longest_ms": max(delays),
        "exact_readers": sum(one.ids == sorted(stored[one.run]) for one in watchers),
    }


async def measured(way: str, options: argparse.Namespace) -> dict[str, float]:
    """One way on a broker of its own."""
    async with EmbeddedNats() as server, connect(Settings(nats_url=server.url), "bench") as bus:
        await topology.provision(bus.js, bus.settings, [])
        command = (sys.executable, "-m", "benchmarks.feed", "--gateway", way, server.url)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None and server.process is not None
        watchers: list[Watcher] = []
        try:
            port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
            watchers = [Watcher(port, f"r{number % options.runs}") for number in range(options.readers)]
            for one in watchers:
                one.connect()
                await asyncio.sleep(0.005)
            await asyncio.sleep(2.0)  # naive readers make their consumers now
            before, cpu, broker = resident_mb(process.pid), cpu_s(process.pid), cpu_s(server.process.pid)
            stored = await _load(bus, watchers, options)
            await _all_have(stored, watchers)
            return _seen(stored, watchers) | {
                "cpu_share": (cpu_s(process.pid) - cpu) / options.seconds,
                "broker_cpu_share": (cpu_s(server.process.pid) - broker) / options.seconds,
                "memory_before_mb": before,
                "memory_after_mb": resident_mb(process.pid),
            }
        finally:
            for one in watchers:
                if one.reading is not None:
                    one.reading.cancel()
            process.kill()
            await process.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rate", type=int, default=10, help="facts a second, over all runs")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--cuts", type=int, default=20, help="readers that are cut off and come back")
    parser.add_argument("--way", choices=("hub", "naive", "both"), default="both")
    parser.add_argument("--gateway", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.gateway:
        asyncio.run(gateway(options.gateway[1], options.gateway[0]))
        return
    for way in ("hub", "naive") if options.way == "both" else (options.way,):
        figures = asyncio.run(measured(way, options))
        print(way, json.dumps({name: round(value, 2) for name, value in figures.items()}), flush=True)
    print("goal: 500 readers, p99 ≤ 100 ms, every reader exact, memory flat")


if __name__ == "__main__":
    main()
