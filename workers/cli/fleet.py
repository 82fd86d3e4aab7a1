"""Commands that run workers and prepare brokers: up, work, provision, roles."""

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.brokers import Broker, given_broker, some_broker
from workers.cli.complaints import Misused, Unreachable
from workers.cli.figures import count
from workers.cli.local import broken, running_fleet
from workers.cli.loops import go
from workers.cli.options import Data, Json, Nats, Processes, Workers
from workers.cli.outside import Outside, Signals, note, outside_of, say
from workers.cli.sessions import checked_workers
from workers.cli.upfile import Up, read_up, remove_up, write_up
from workers.runtime.settings import Settings, without_password

Name = Annotated[str, typer.Argument(help="The worker's name; `flotilla roles` lists them.", metavar="NAME")]

Parent = Annotated[int, typer.Option("--parent", metavar="PID", help="Stop as well when this process is gone.")]


def up(
    context: typer.Context, processes: Processes = False, nats: Nats = "", data: Data = None, workers: Workers = ""
) -> None:
    """Run a fleet until Ctrl-C: all workers in this process, on an embedded broker unless one is named."""
    go(_up(outside_of(context), processes, nats, data, workers))


async def _up(outside: Outside, processes: bool, nats: str, data: Path | None, workers: str) -> None:
    names = checked_workers(workers, outside.fleet.names)
    settings = _readable(outside)
    async with _broker_for(outside, settings, nats, data) as (broker, note_it):
        settings = settings.model_copy(update={"nats_url": broker.url})
        with outside.signals() as signals:
            async with running_fleet(outside, settings, names, processes) as fleet:
                if note_it:
                    write_up(outside.state_dir, Up(outside.pid, broker.url))
                try:
                    note(f"broker {broker}")
                    note(f"{count(len(names), 'worker')} up; Ctrl-C stops the fleet")
                    await _until_stopped(fleet, signals)
                finally:
                    remove_up(outside.state_dir, outside.pid)


@asynccontextmanager
async def _broker_for(
    outside: Outside, settings: Settings, nats: str, data: Path | None
) -> AsyncIterator[tuple[Broker, bool]]:
    """The broker that was named, or one of our own; and whether other commands should find it through us."""
    running = read_up(outside.state_dir, outside.alive)
    named = given_broker(nats, settings, None)
    if named is not None:
        if data is not None:
            raise Misused("--data is for the embedded broker; a broker that is named keeps its own data")
        await outside.reach(named.url)
        yield named, running is None
        return
    if running is not None:
        raise Misused(
            f"a fleet is up already: process {running.pid}, broker {without_password(running.url)}. "
            "Stop it first, or add workers to it with --nats"
        )
    async with outside.fleet.server(data) as server:
        kept = f"embedded, data in {data}" if data else "embedded, its data is not kept: --data DIR keeps it"
        yield Broker(server.url, kept), True


async def _until_stopped(fleet: "asyncio.Task[None]", signals: Signals) -> None:
    stopped = asyncio.create_task(signals.next())
    await asyncio.wait({fleet, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        stopped.cancel()
        raise broken(fleet)
    note("stopping: what is held is finished first; Ctrl-C again stops at once")
    again = asyncio.create_task(signals.next())
    again.add_done_callback(lambda _: fleet.cancel())
    fleet.add_done_callback(lambda _: again.cancel())


def work(context: typer.Context, name: Name, nats: Nats = "", parent: Parent = 0) -> None:
    """Run one worker in this process until it is told to stop; it waits for its broker as long as it takes."""
    go(_work(outside_of(context), name, nats, parent))


async def _work(outside: Outside, name: str, nats: str, parent: int) -> None:
    names = checked_workers(name, outside.fleet.names)
    settings = _readable(outside)
    broker = some_broker(nats, settings, read_up(outside.state_dir, outside.alive))
    note(f"worker {name}, broker {broker}")
    settings = settings.model_copy(update={"nats_url": broker.url})
    with outside.signals() as terminal:
        signals = _WithParent(terminal, outside, parent) if parent else terminal
        if await _reached(outside, broker, signals):
            async with running_fleet(outside, settings, names) as fleet:
                await _until_stopped(fleet, signals)


class _WithParent:
    """Signals to which the end of another process is one more: workers must not outlive the fleet they belong to."""

    def __init__(self, signals: Signals, outside: Outside, parent: int) -> None:
        self._signals, self._outside, self._parent = signals, outside, parent

    async def next(self) -> bool:
        """Wait for the next interrupt, or for the end of the parent."""
        interrupt = asyncio.create_task(self._signals.next())
        try:
            while not interrupt.done() and self._outside.alive(self._parent):
                await asyncio.wait({interrupt}, timeout=self._outside.retry_s)
            return interrupt.done() and interrupt.result()
        finally:
            interrupt.cancel()

    async def ask(self, question: str) -> str:
        """Workers ask nothing."""
        return await self._signals.ask(question)


async def _reached(outside: Outside, broker: Broker, signals: Signals) -> bool:
    """Wait until the broker answers, however long its container takes; False when told to stop meanwhile."""
    answers, stopped = asyncio.create_task(_answers(outside, broker)), asyncio.create_task(signals.next())
    try:
        await asyncio.wait({answers, stopped}, return_when=asyncio.FIRST_COMPLETED)
        told_to_stop = stopped.done()
    finally:
        answers.cancel()
        stopped.cancel()
        await asyncio.gather(answers, stopped, return_exceptions=True)
    if not told_to_stop:
        answers.result()
    return not told_to_stop


async def _answers(outside: Outside, broker: Broker) -> None:
    waits = False
    while True:
        try:
            return await outside.reach(broker.url)
        except Unreachable as error:
            if not waits:
                note(f"{error} Waiting for it.")
            waits = True
            await asyncio.sleep(outside.retry_s)


def provision(context: typer.Context, nats: Nats = "") -> None:
    """Bring streams, buckets and consumers of the broker to the wanted state."""
    go(_provision(outside_of(context), nats))


async def _provision(outside: Outside, nats: str) -> None:
    settings = outside.settings()
    broker = some_broker(nats, settings, read_up(outside.state_dir, outside.alive))
    note(f"broker {broker}")
    await outside.reach(broker.url)
    for line in await outside.fleet.provision(settings.model_copy(update={"nats_url": broker.url})):
        say(line)


def roles(context: typer.Context, json: Json = False) -> None:
    """List the workers: roles with what they are for and the commands they take, and those that keep runs going."""
    rows = outside_of(context).fleet.roles()
    if json:
        for row in rows:
            say(jsonlib.dumps(row._asdict()))
        return
    widest = max(len(row.name) for row in rows)
    for row in rows:
        say(f"{row.name:<{widest}}  {row.purpose}{_takes(row.takes)}")


def _takes(commands: Sequence[str]) -> str:
    return f" ({', '.join(commands)})" if commands else ""


def _readable(outside: Outside) -> Settings:
    """The settings, with logs as text when a person reads them and nothing else was said."""
    settings = outside.settings()
    if "log_format" in settings.model_fields_set or not outside.console().is_terminal:
        return settings
    return settings.model_copy(update={"log_format": "text"})
