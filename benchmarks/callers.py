"""Ways to call a model, each in a process of its own: started by `benchmarks/gateway.py`, which reads what they print.

    python -m benchmarks.callers {bare|gateway|shared} URL CALLS

bare      the openai SDK by itself: one streamed Chat Completion, its pieces joined
gateway   the same call through the gateway: plan, price, breaker; records in this process, as LiteLLM's Router has them
shared    the same, with limits and budgets of run and day, in records on a NATS server that this process starts
"""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

WARM_UP = 50
TOGETHER = 16
MODEL = "bench"
SCHEMA = {
    "title": "Answer",
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["ok", "why"],
    "additionalProperties": False,
}
PROMPT = "Look at this design and say whether it is sound. " * 40

Ask = Callable[[int], Awaitable[str]]


async def measure(ask: Ask, calls: int) -> dict[str, float]:
    """CPU and time of one call after the other, then of several together; times in ms."""
    for n in range(WARM_UP):
        await ask(n)
    cpu, waits = time.process_time(), []
    for n in range(calls):
        began = time.perf_counter()
        await ask(WARM_UP + n)
        waits.append((time.perf_counter() - began) * 1e3)
    alone = (time.process_time() - cpu) * 1e3 / calls
    cpu = time.process_time()
    await asyncio.gather(*(_several(ask, WARM_UP + calls * (k + 1), calls // TOGETHER) for k in range(TOGETHER)))
    together = (time.process_time() - cpu) * 1e3 / (calls // TOGETHER * TOGETHER)
    return {"cpu_ms": alone, "p50_ms": statistics.median(waits), "cpu_together_ms": together}


async def _several(ask: Ask, first: int, calls: int) -> None:
    for n in range(calls):
        await ask(first + n)


async def bare(url: str, stack: AsyncExitStack) -> Ask:
    """The SDK by itself."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - importing is measured

    client = AsyncOpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
    stack.push_async_callback(client.close)
    schema: Any = {"type": "json_schema", "json_schema": {"name": "Answer", "schema": SCHEMA, "strict": True}}

    async def ask(n: int) -> str:
        stream: Any = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": PROMPT}],
            response_format=schema,
            max_completion_tokens=1_000,
            stream=True,
            stream_options={"include_usage": True},
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return "".join(said)

    return ask


async def gateway(url: str, stack: AsyncExitStack) -> Ask:
    """Through the gateway, with records in this process."""
    from workers.llm.records import MemoryRecords  # noqa: PLC0415

    return await _through(url, stack, MemoryRecords(), MemoryRecords(), limited=False)


async def shared(url: str, stack: AsyncExitStack) -> Ask:
    """Through the gateway, with limits and two budgets on a NATS server."""
    from workers.runtime.bus import connect  # noqa: PLC0415
    from workers.runtime.embedded import EmbeddedNats  # noqa: PLC0415
    from workers.runtime.settings import Settings  # noqa: PLC0415
    from workers.runtime.topology import BUDGETS, MODELS, provision  # noqa: PLC0415

    folder = stack.enter_context(TemporaryDirectory())
    server = EmbeddedNats(Path(folder))
    await server.start()
    stack.push_async_callback(server.stop)
    settings = Settings(nats_url=server.url)
    bus = await stack.enter_async_context(connect(settings, "benchmark"))
    await provision(bus.js, settings, ())
    return await _through(url, stack, bus.records(MODELS), bus.records(BUDGETS), limited=True)


async def _through(url: str, stack: AsyncExitStack, models: Any, budgets: Any, *, limited: bool) -> Ask:
    from contracts.v1.budgets import Budget  # noqa: PLC0415
    from workers.llm.calls import Call  # noqa: PLC0415
    from workers.llm.catalogue import Catalogue  # noqa: PLC0415
    from workers.llm.gateway import Gateway  # noqa: PLC0415
    from workers.llm.known_accounts import KnownAccounts  # noqa: PLC0415
    from workers.llm.ledger import Ledger, cap_of  # noqa: PLC0415
    from workers.llm.model import ModelRequest, PromptMessage  # noqa: PLC0415
    from workers.llm.offers import Offers  # noqa: PLC0415
    from workers.llm.targets import Limits, Price, Route, Target  # noqa: PLC0415
    from workers.runtime.models import provider_for  # noqa: PLC0415

    limits = Limits(requests_per_minute=10**6, tokens_per_minute=10**10) if limited else Limits()
    target = Target(
        name=MODEL,
        provider="openai",
        model=MODEL,
        base_url=f"{url}/v1",
        api_key_env="KEY",
        limits=limits,
        price=Price(input=1.0, output=1.0),
    )
    catalogue = Catalogue({MODEL: target}, (Route(name="all", targets=(MODEL,)),))
    plenty = Budget(usd=10_000.0) if limited else None
    made = Gateway(
        Offers(catalogue, MODEL, provider_for, {"KEY": "none"}), KnownAccounts(models), Ledger(budgets, cap_of(plenty))
    )
    stack.push_async_callback(made.close)
    request = ModelRequest(
        messages=(PromptMessage(role="user", text=PROMPT),), reply_schema=SCHEMA, max_output_tokens=1_000
    )

    async def ask(n: int) -> str:
        call = Call(f"acme/r{n % 100}/llm.t.1.{n}", "", "architect", "x", time.time() + 60.0, budget=plenty)
        return (await made.complete(call, request)).text

    return ask


async def _main(way: str, url: str, calls: int) -> None:
    began = time.perf_counter()
    make = {"bare": bare, "gateway": gateway, "shared": shared}[way]
    async with AsyncExitStack() as stack:
        ask = await make(url, stack)
        await ask(0)
        ready_s = time.perf_counter() - began
        figures = await measure(ask, calls)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**figures, "ready_s": ready_s, "memory_mb": used}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
