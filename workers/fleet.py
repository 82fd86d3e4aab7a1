"""The fleet: every worker in this process, or one process for each, from the same code."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from workers.runtime import topology
from workers.runtime.app import WorkerApp
from workers.runtime.bootstrap import role_service
from workers.runtime.bus import connect
from workers.runtime.health import HealthServer, health_app
from workers.runtime.roster import role_names, roles
from workers.runtime.service import Service
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics, logger

STOP_PATIENCE_S = 30.0


class NoSuchWorker(ValueError):
    """The name is no worker's; the message lists those that there are."""


class WorkerLost(RuntimeError):
    """A worker can't go on; the message names it, and its log says why."""


def services() -> Mapping[str, Callable[[Settings], Service]]:
    """How to make the service of every worker, by name."""
    from workers.consensus.worker import Consensus  # noqa: PLC0415 - workers import the runtime
    from workers.dead_letters.worker import DeadLetters  # noqa: PLC0415
    from workers.orchestrator.worker import orchestrator  # noqa: PLC0415
    from workers.prompt_lab.worker import prompt_lab  # noqa: PLC0415
    from workers.timekeeper.worker import Timekeeper  # noqa: PLC0415

    fixed: dict[str, Callable[[Settings], Service]] = {
        topology.ORCHESTRATOR: orchestrator,
        topology.CONSENSUS: lambda _: Consensus(),
        topology.TIMEKEEPER: lambda _: Timekeeper(),
        topology.DEAD_LETTERS: lambda _: DeadLetters(),
    }
    thinking = {role.name: (lambda settings, role=role: role_service(role, settings)) for role in roles()}
    return {**fixed, **thinking, topology.PROMPT_LAB: prompt_lab}


def worker_names() -> tuple[str, ...]:
    """The names of all workers of this installation."""
    return tuple(services())


def worker_app(name: str, settings: Settings, metrics: Metrics | None = None) -> WorkerApp:
    """The application of one worker."""
    _require_known([name])
    return WorkerApp(services()[name](settings), settings, metrics)


def _require_known(names: Iterable[str]) -> None:
    known = worker_names()
    for name in names:
        if name not in known:
            raise NoSuchWorker(f"there is no worker {name!r}; there are {', '.join(known)}")


async def provision(settings: Settings) -> tuple[str, ...]:
    """Bring the broker to the wanted state; returns a line for each stream, bucket and consumer."""
    async with connect(settings, "provision") as bus:
        return await topology.provision(bus.js, settings, role_names(settings))


async def run_in_process(settings: Settings, names: Sequence[str], ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Run workers in this process until `stop` is set; provisions first and sets `ready` when all of them listen.

    Raises `WorkerLost` when one of them can't go on.
    """
    metrics = Metrics()
    apps = [worker_app(name, settings.model_copy(update={"http_port": 0}), metrics) for name in names]
    health = HealthServer(
        health_app(lambda: _why_not_ready(apps), metrics.registry), settings.http_host, settings.http_port
    )
    await provision(settings)
    started: list[WorkerApp] = []
    try:
        if settings.http_port:
            await health.start()
        for app in apps:
            started.append(app)  # first: one that fails half-way has a connection to close too
            await app.app.start()
        ready.set()
        await _until_lost(apps, stop)
    finally:
        await health.stop()
        await asyncio.gather(*(app.app.stop() for app in reversed(started)), return_exceptions=True)


async def _until_lost(apps: Sequence[WorkerApp], stop: asyncio.Event) -> None:
    """Wait for `stop`; raises `WorkerLost` when a worker can't go on before that."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, *(app.lost for app in apps))]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    if not stop.is_set():
        gone = ", ".join(app.service.name for app in apps if app.lost.is_set())
        raise WorkerLost(f"worker {gone} can't go on without its consumer or connection; its log says which")


async def _why_not_ready(apps: Sequence[WorkerApp]) -> str:
    reasons = [f"{app.service.name}: {why}" for app in apps if (why := await app.why_not_ready())]
    return "; ".join(reasons)


async def run_processes(settings: Settings, names: Sequence[str], ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Run one process per worker until `stop` is set; a process that dies is started again after a second."""
    _require_known(names)
    _refuse_bad_files(settings)  # else each process would say the same fault, again and again
    await provision(settings)
    keepers = [asyncio.create_task(_keep(name, settings, stop)) for name in names]
    ready.set()
    await stop.wait()
    await asyncio.gather(*keepers)


def _refuse_bad_files(settings: Settings) -> None:
    """Read what workers read as they start. Raises `BadModels` and `BadBlueprint`."""
    from workers.orchestrator.configured import policy_of  # noqa: PLC0415 - workers import the runtime

    policy_of(settings)


async def _keep(name: str, settings: Settings, stop: asyncio.Event) -> None:
    environment = {**os.environ, "FLOTILLA_NATS_URL": settings.nats_url, "FLOTILLA_HTTP_PORT": "0"}
    command = (sys.executable, "-m", "workers.cli", "work", name, "--parent", str(os.getpid()))
    while not stop.is_set():
        try:
            process = await asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True)
        except OSError as error:  # no memory or no process left; there may be in a moment
            logger("fleet").error("worker_not_started", name=name, error=str(error))
            await _wait(stop, 1.0)
            continue
        gone, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(process)
            return
        await _wait(stop, 1.0)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_PATIENCE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
