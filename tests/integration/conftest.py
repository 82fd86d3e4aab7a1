"""Fleets of no-op workers on a real broker, and ways to wait for facts instead of for luck."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from contracts.codec import decode
from contracts.message import Message
from contracts.subjects import address_of
from contracts.v1.failures import DeadLetter
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import Outcome, PerformTask, RoleBrief, Task, TaskPerformed
from workers.dead_letters.worker import DeadLetters
from workers.orchestrator.policy import Policy
from workers.orchestrator.worker import Orchestrator
from workers.runtime import topology
from workers.runtime.app import WorkerApp
from workers.runtime.bootstrap import role_service
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.role import Job, Role
from workers.runtime.service import Service
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging
from workers.runtime.toolkit import Toolkit
from workers.timekeeper.worker import Timekeeper

TENANT = "acme"
PATIENCE_S = 20.0

Handle = Callable[[PerformTask, Toolkit], Awaitable[Outcome]]


async def until(happened: Callable[[], Awaitable[Any]], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while not (found := await happened()):
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {patience_s} s"
        await asyncio.sleep(0.02)
    return found


async def performed(task: PerformTask, tools: Toolkit) -> Outcome:
    """What a role does that does nothing."""
    return tools.report(TaskPerformed, output=f"{task.task} is done")


@dataclass
class Ward:
    """A broker with services on it; each test has its own, so that nothing of another test is delivered to it."""

    server: EmbeddedNats
    settings: Settings
    bus: Bus
    apps: list[WorkerApp] = field(default_factory=list)

    until = staticmethod(until)
    performed = staticmethod(performed)

    async def provision(self, *roles: str, **changed: Any) -> tuple[str, ...]:
        """Streams, buckets and the consumers of these roles; `changed` replaces settings."""
        return await topology.provision(self.bus.js, self.settings.model_copy(update=changed), roles)

    async def set_log_limit(self, log_max_bytes: int) -> None:
        """Let the log hold so many bytes."""
        await self.provision(log_max_bytes=log_max_bytes)

    async def start(self, service: Service, **changed: Any) -> WorkerApp:
        """Start a service with its own connection; `changed` replaces settings."""
        app = WorkerApp(service, self.settings.model_copy(update=changed))
        self.apps.append(app)
        await app.app.start()
        return app

    async def role(self, name: str, handle: Handle = performed, **changed: Any) -> WorkerApp:
        """Start a worker of a role that performs tasks."""
        service = role_service(Role(name, "is tested", (Job(PerformTask, handle),)), self.settings)
        return await self.start(service, **changed)

    async def orchestrator(self, roles: Sequence[str] = (), delivery_limit: int = 20, **limits: Any) -> WorkerApp:
        """Start an orchestrator that knows these roles."""
        briefs = tuple(RoleBrief(name=name, purpose="is tested") for name in roles)
        return await self.start(Orchestrator(Policy(roles=briefs, **limits)), delivery_limit=delivery_limit)

    async def timekeeper(self) -> WorkerApp:
        """Start the timekeeper."""
        return await self.start(Timekeeper())

    async def dead_letters(self) -> WorkerApp:
        """Start the dead-letter worker."""
        return await self.start(DeadLetters())

    async def stop(self, app: WorkerApp) -> None:
        """Stop a worker as SIGTERM does."""
        self.apps.remove(app)
        await app.app.stop()

    async def crash(self, app: WorkerApp) -> None:
        """End a worker as SIGKILL does: the connection goes first, so that nothing is settled or given back."""
        self.apps.remove(app)
        assert app._bus is not None
        with contextlib.suppress(OSError):
            await app._bus.nc.close()
        for held in tuple(app.leases._held):
            assert held.task is not None
            held.task.cancel()
        with contextlib.suppress(Exception):
            await app.app.stop()

    async def say(self, *messages: Message) -> None:
        """Publish, and see that each was news."""
        for message in messages:
            assert (await self.bus.log.say(message)).news, f"{address_of(message).name} was taken"

    async def publish(self, name: str, data: bytes) -> None:
        """Publish raw bytes under the prefix, as any client may."""
        await self.bus.publisher.publish(f"{self.settings.prefix}.{name}", data)

    def task(self, role: str, run: str, task: str = "t", attempt: int = 1) -> PerformTask:
        """A command to a role."""
        return PerformTask(tenant=TENANT, run=run, role=role, task=task, attempt=attempt, idea="x")

    def plan(self, *roles: str) -> Plan:
        """A plan of tasks t0, t1, … one after another."""
        return Plan(
            tasks=tuple(
                PlannedTask(task=f"t{n}", role=role, needs=(f"t{n - 1}",) if n else ()) for n, role in enumerate(roles)
            )
        )

    def request(self, run: str, *roles: str, **more: Any) -> RunRequested:
        """A request with such a plan."""
        return RunRequested(tenant=TENANT, run=run, idea="x", plan=self.plan(*roles), **more)

    async def fact(self, run: str, name: str, patience_s: float = PATIENCE_S) -> Message:
        """The fact of that name, once it is there."""
        subject = f"{self.settings.prefix}.{TENANT}.{run}.{name}"
        stored = await until(lambda: self.bus.log.find(subject), f"{run} {name}", patience_s)
        return decode(stored.subject, stored.data, self.settings.prefix)

    async def closed(self, run: str, patience_s: float = PATIENCE_S) -> RunClosed:
        """The end of a run, once it is there."""
        end = await self.fact(run, "run.closed", patience_s)
        assert isinstance(end, RunClosed)
        return end

    async def names(self, run: str) -> list[str]:
        """The names in a run's history, in order."""
        skip = len(f"{self.settings.prefix}.{TENANT}.{run}.")
        return [stored.subject[skip:] for stored in await self.bus.log.history(TENANT, run)]

    async def letters(self, at_least: int = 0) -> list[DeadLetter]:
        """The dead letters, once there are so many."""

        async def look() -> list[DeadLetter] | None:
            state = (await self.bus.js.stream_info(topology.DEAD)).state
            if state.messages < at_least:
                return None
            found = [await self.bus.js.get_msg(topology.DEAD, n) for n in range(1, state.last_seq + 1)]
            return [DeadLetter.model_validate_json(letter.data or b"") for letter in found]

        if at_least == 0:
            return await look() or []
        letters: list[DeadLetter] = await until(look, f"{at_least} dead letters")
        return letters

    async def settled(self, consumer: str, stream: str = topology.LOG, patience_s: float = PATIENCE_S) -> None:
        """Wait until a consumer has nothing waiting and nothing held."""

        async def look() -> bool:
            found = await self.bus.js.consumer_info(stream, consumer)
            return not found.num_pending and not found.num_ack_pending

        await until(look, f"{consumer} settles", patience_s)

    async def redelivered(self, consumer: str) -> int:
        """How many messages a consumer holds that were handed over more than once."""
        return (await self.bus.js.consumer_info(topology.LOG, consumer)).num_redelivered or 0


class Attempts:
    """A role's work that can be watched: who works on what, how often, and how many at once."""

    def __init__(self, work: Callable[[Task], Awaitable[Any]] | None = None) -> None:
        self._work = work
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.now = self.most = 0
        self.begins = asyncio.Event()

    async def __call__(self, task: PerformTask, tools: Toolkit) -> Outcome:
        key = f"{task.run}.{task.task}.{task.attempt}"
        self.begun[key] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.begins.set()
        try:
            if self._work is not None:
                await self._work(task)
            self.ended[key] += 1
            return tools.report(TaskPerformed, output="ok")
        except asyncio.CancelledError:
            self.cancelled[key] += 1
            raise
        finally:
            self.now -= 1


@pytest.fixture
def attempts() -> type[Attempts]:
    """Makes work that can be watched."""
    return Attempts


@pytest_asyncio.fixture
async def ward() -> AsyncIterator[Ward]:
    """A broker with streams, for one test; whatever it started ends with it."""
    async with EmbeddedNats(monitor=True) as server:
        settings = Settings(nats_url=server.url, lease_s=1.0, publish_timeout_s=15.0, drain_s=1.0, log_level="error")
        configure_logging(settings)
        async with connect(settings, "test") as bus:
            here = Ward(server, settings, bus)
            await here.provision()
            yield here
            await asyncio.gather(*(here.crash(app) for app in tuple(here.apps)))
        server.kill()
