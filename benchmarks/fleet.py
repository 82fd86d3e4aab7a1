"""Flotilla itself with five roles that do nothing, one process each, and the real orchestrator."""

import asyncio

from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.tasks import Outcome, PerformTask, TaskPerformed
from workers.orchestrator.worker import orchestrator
from workers.runtime.app import WorkerApp
from workers.runtime.bootstrap import role_service
from workers.runtime.role import Job, Role
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging
from workers.runtime.toolkit import Toolkit

STEPS = 5
ROLES = tuple(f"step{n}" for n in range(1, STEPS + 1))
PLAN = Plan(
    tasks=tuple(
        PlannedTask(task=f"t{n}", role=f"step{n}", needs=(f"t{n - 1}",) if n > 1 else ()) for n in range(1, STEPS + 1)
    )
)


def settings(url: str, concurrency: int) -> Settings:
    """What every process of the benchmark is set to; all the rest is the default."""
    return Settings(nats_url=url, extra_roles=ROLES, concurrency=concurrency, log_level="warning")


def waiting_role(name: str, seconds: float) -> Role:
    """A role that waits, as one does for a model, and reports."""

    async def perform(task: PerformTask, tools: Toolkit) -> Outcome:
        if seconds:
            await asyncio.sleep(seconds)
        return tools.report(TaskPerformed, output="ok")

    return Role(name=name, purpose="waits", jobs=(Job(PerformTask, perform),))


async def work(url: str, name: str, concurrency: int, seconds: float) -> None:
    """Run one worker until the process ends."""
    configured = settings(url, concurrency)
    configure_logging(configured)
    service = (
        orchestrator(configured) if name == "orchestrator" else role_service(waiting_role(name, seconds), configured)
    )
    app = WorkerApp(service, configured)
    await app.app.start()
    print("ready", flush=True)
    await asyncio.Event().wait()
