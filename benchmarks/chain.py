"""The reference: five steps on raw nats-py with an orchestrator between them, written by hand and lean.

A run is 11 publishes, 10 deliveries and 10 acks: the client publishes the first command, each step
publishes its result, the orchestrator publishes the next command or the end. Push consumers, manual
acks, publishes not waited for one after another. It validates nothing and can't fail over: it is
what the bus itself costs.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

STREAM, STEPS = "CHAIN", 5


async def declare(url: str) -> None:
    """Make the stream of the reference: stored in files, like the log."""
    client = await nats.connect(url)
    await client.jetstream().add_stream(
        api.StreamConfig(name=STREAM, subjects=["chain.>"], storage=api.StorageType.FILE, allow_direct=True)
    )
    await client.close()


async def consume(
    url: str, subject: str, durable: str, handle: Callable[[JetStreamContext, Msg], Awaitable[None]]
) -> None:
    """Handle every message of a subject, each in a task of its own, until the process ends."""
    client = await nats.connect(url)
    js = client.jetstream()
    running: set[asyncio.Task[None]] = set()

    async def work(msg: Msg) -> None:
        await handle(js, msg)
        await msg.ack()

    async def take(msg: Msg) -> None:
        task = asyncio.create_task(work(msg))
        running.add(task)
        task.add_done_callback(running.discard)

    config = api.ConsumerConfig(ack_wait=30, max_ack_pending=20_000)
    await js.subscribe(subject, durable=durable, stream=STREAM, cb=take, manual_ack=True, config=config)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def step(url: str, n: int) -> None:
    """One step: a command comes, a result goes."""

    async def handle(js: JetStreamContext, msg: Msg) -> None:
        run = msg.subject.split(".")[3]
        command = json.loads(msg.data)
        result = {"run": run, "step": n, "output": "ok", "input": command["input"]}
        await js.publish(f"chain.result.{n}.{run}", json.dumps(result).encode())

    await consume(url, f"chain.command.{n}.*", f"step{n}", handle)


async def orchestrator(url: str) -> None:
    """Between the steps: a result comes, the next command or the end goes."""

    async def handle(js: JetStreamContext, msg: Msg) -> None:
        n, run = int(msg.subject.split(".")[2]), msg.subject.split(".")[3]
        result = json.loads(msg.data)
        if n == STEPS:
            await js.publish(f"chain.closed.{run}", json.dumps({"run": run}).encode())
        else:
            await js.publish(
                f"chain.command.{n + 1}.{run}", json.dumps({"run": run, "input": result["output"]}).encode()
            )

    await consume(url, "chain.result.*.*", "orchestrator", handle)
