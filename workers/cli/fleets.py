"""Real fleets: the embedded broker, the workers of the runtime, the roster of roles.

Imports happen when something is wanted: a command that only looks at runs does not load the workers.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from workers.cli.outside import Server, WorkerLine
from workers.runtime.settings import Settings

KEEPERS = {
    "orchestrator": "folds the facts of runs and says what they call for",
    "timekeeper": "records deadlines that have passed",
    "dead_letters": "keeps what could not be handled",
    "consensus": "opens voting, counts votes, says what was decided",
}
"""Workers that are no roles."""


class RealFleets:
    """The fleet of this installation."""

    @property
    def names(self) -> Sequence[str]:
        """All workers."""
        from workers.fleet import worker_names  # noqa: PLC0415

        return worker_names()

    def roles(self) -> Sequence[WorkerLine]:
        """Roles with their purpose and commands, after the workers that keep runs going."""
        from workers.runtime.roster import roles  # noqa: PLC0415

        known = {
            role.name: WorkerLine(role.name, role.purpose, tuple(job.consumes.__name__ for job in role.jobs))
            for role in roles()
        }
        return [known.get(name) or WorkerLine(name, KEEPERS.get(name, "")) for name in self.names]

    def server(self, data: Path | None) -> AbstractAsyncContextManager[Server]:
        """An nats-server from the wheel."""
        from workers.runtime.embedded import EmbeddedNats  # noqa: PLC0415

        return EmbeddedNats(data, tied=True)

    async def provision(self, settings: Settings) -> Sequence[str]:
        """The runtime's provisioning."""
        from workers.fleet import provision  # noqa: PLC0415

        return await provision(settings)

    async def run(
        self, settings: Settings, names: Sequence[str], processes: bool, ready: asyncio.Event, stop: asyncio.Event
    ) -> None:
        """Workers in this process, or one process for each; both provision first."""
        from workers.fleet import run_in_process, run_processes  # noqa: PLC0415
        from workers.runtime.telemetry import configure_logging  # noqa: PLC0415

        configure_logging(settings)
        await (run_processes if processes else run_in_process)(settings, names, ready, stop)
