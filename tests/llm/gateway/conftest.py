"""The gateway in a world of its own: virtual time, providers with a script, records in memory. Nothing here waits."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from contracts.v1.budgets import Budget
from workers.llm.attempt import Patience
from workers.llm.calls import Call
from workers.llm.catalogue import Catalogue
from workers.llm.failures import CallFailed
from workers.llm.gateway import Gateway
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import Ledger, cap_of
from workers.llm.model import Allowance, Began, End, ModelRequest, Piece, PromptMessage, Text, Usage
from workers.llm.offers import Offers
from workers.llm.presets import Preset
from workers.llm.purse import Amount
from workers.llm.records import MemoryRecords
from workers.llm.targets import Price, Route, Target

T = TypeVar("T")
EPOCH = 1_800_000_000.0
USAGE = Usage(100, 10)
NOTHING_SAID = Allowance()


class _Instant(selectors.SelectSelector):
    """Waits by moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everything waits and nothing will ever happen")
        self.passed += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.passed


@dataclass(frozen=True)
class Says:
    """An answer in pieces, each after a pause; then what it took."""

    text: str = '{"ok": true}'
    pause_s: float = 0.0
    first_s: float = 0.0
    pieces: int = 2
    usage: Usage | None = USAGE
    stop: Any = "end"
    allowance: Allowance = NOTHING_SAID
    breaks: CallFailed | None = None
    """Raised after the pieces, in place of the end."""


class ScriptedProvider:
    """Plays its script, one step a call, and its last step for ever. `calls` are the times of all calls."""

    def __init__(self, world: "World", name: str, script: list[Any]) -> None:
        self.world, self.name, self.script = world, name, script
        self.calls: list[float] = []
        self.requests: list[ModelRequest] = []
        self.open = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        self.calls.append(self.world.now() - EPOCH)
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        self.open += 1
        try:
            async for piece in self._said(step):
                yield piece
        finally:
            self.open -= 1

    async def _said(self, step: Says) -> AsyncGenerator[Piece, None]:
        await asyncio.sleep(step.first_s)
        yield Began(step.allowance)
        size = max(1, -(-len(step.text) // step.pieces))
        for start in range(0, len(step.text), size):
            if start:
                await asyncio.sleep(step.pause_s)
            yield Text(step.text[start : start + size])
        if step.breaks is not None:
            raise step.breaks
        yield End(step.stop, str(step.stop), step.usage)

    async def close(self) -> None:
        pass


@dataclass
class World:
    """A catalogue with scripted targets; `gateway()` makes another worker on the same records."""

    loop: VirtualLoop
    models: MemoryRecords = field(default_factory=MemoryRecords)
    budgets: MemoryRecords = field(default_factory=MemoryRecords)
    targets: dict[str, Target] = field(default_factory=dict)
    providers: dict[str, ScriptedProvider] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    raises: list[tuple[str, Amount]] = field(default_factory=list)
    journal: dict[str, Amount] = field(default_factory=dict)
    day: Budget | None = None
    patience: Patience = field(default_factory=Patience)

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def target(self, target: str, *script: Any, price: float | None = 1.0, **more: Any) -> ScriptedProvider:
        """Add a target; its price is in dollars per million tokens, both ways."""
        known = None if price is None else Price(input=price, output=price)
        more = {"provider": "compatible", "base_url": "http://127.0.0.1:1/v1", "model": target, "price": known, **more}
        self.targets[target] = Target(name=target, **more)
        self.providers[target] = ScriptedProvider(self, target, list(script) or [Says()])
        return self.providers[target]

    def route(self, *targets: str, **more: Any) -> None:
        self.routes.append(Route(name=f"route-{len(self.routes)}", targets=targets, **more))

    def _made(self, target: Target, preset: Preset, key: str) -> ScriptedProvider:
        return self.providers[target.name]

    def gateway(self) -> Gateway:
        catalogue = Catalogue(self.targets, tuple(self.routes))
        ledger = Ledger(self.budgets, cap_of(self.day), self._raises, self._cost)
        offers = Offers(catalogue, "none", self._made, {})
        return Gateway(offers, KnownAccounts(self.models), ledger, self.patience, now=self.now)

    async def _raises(self, tenant: str, run: str) -> list[tuple[str, Amount]]:
        return self.raises

    async def _cost(self, name: str) -> Amount | None:
        return self.journal.get(name)

    def call(self, n: int = 1, *, within_s: float = 600.0, **more: Any) -> Call:
        return Call(
            **{
                "name": f"acme/r1/llm.design.1.{n}",
                "asked": "",
                "role": "architect",
                "kind": "design_system",
                "deadline": self.now() + within_s,
                **more,
            }
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def request(text: str = "design it", **more: Any) -> ModelRequest:
    return ModelRequest(messages=(PromptMessage(role="user", text=text),), reply_schema=None, **more)


@pytest.fixture
def world():
    loop = VirtualLoop()
    yield World(loop)
    loop.close()


@pytest.fixture
def says() -> type[Says]:
    return Says


@pytest.fixture
def ask(world: World) -> Callable[..., Any]:
    """Ask the gateway once, to its end: a completion, or the exception that it raised."""
    kept: list[Gateway] = []

    def asked(n: int = 1, *, max_output_tokens: int = 1_000, **more: Any) -> Any:
        if not kept:
            kept.append(world.gateway())
        question = request(max_output_tokens=max_output_tokens)
        return world.run(kept[0].complete(world.call(n, **more), question))

    return asked
