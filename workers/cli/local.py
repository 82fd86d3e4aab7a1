"""A fleet in this process or in processes of its own, on an embedded broker or on a given one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from workers.cli.complaints import Complaint, Misused
from workers.cli.outside import Outside
from workers.runtime.settings import Settings


@asynccontextmanager
async def running_fleet(
    outside: Outside, settings: Settings, names: Sequence[str], processes: bool = False
) -> AsyncIterator["asyncio.Task[None]"]:
    """Workers that take work while the block runs. The task ends early only when the fleet breaks."""
    ready, stop = asyncio.Event(), asyncio.Event()
    fleet = asyncio.create_task(outside.fleet.run(settings, names, processes, ready, stop))
    try:
        await _until(ready, fleet)
        yield fleet
    finally:
        stop.set()
        await asyncio.gather(fleet, return_exceptions=True)


async def _until(ready: asyncio.Event, fleet: "asyncio.Task[None]") -> None:
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({waiting, fleet}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if not ready.is_set():
        raise broken(fleet)


def broken(fleet: "asyncio.Task[None]") -> Complaint:
    """What to say about a fleet that ended by itself."""
    from workers.llm.models_file import BadModels  # noqa: PLC0415 - a fleet that reads files has loaded these by now
    from workers.orchestrator.blueprint_file import BadBlueprint  # noqa: PLC0415

    error = None if fleet.cancelled() else fleet.exception()
    if isinstance(error, BadModels | BadBlueprint):
        return Misused(str(error))
    return Complaint(f"the fleet ended by itself: {error or 'no error was given'}; see what its workers logged")
