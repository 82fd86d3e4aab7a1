"""One event loop per command."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

T = TypeVar("T")


def go(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on a loop of its own, uvloop's where it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - not installed everywhere

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
