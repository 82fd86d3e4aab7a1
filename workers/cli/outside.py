"""Everything that the command touches besides its arguments, as one value, so that tests hand it another one."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rich.console import Console
from typer import Context

from workers.llm.records import Records
from workers.runtime.ports import Artifacts, Log, Stored
from workers.runtime.settings import Settings

if TYPE_CHECKING:
    from workers.prompting.templates import Prompts
    from workers.runtime.prompt_store import PromptStore


class Listed(NamedTuple):
    """A run as the log lists it; `closed` is None while it goes on."""

    run: str
    requested: Stored | None
    closed: Stored | None


class RunLog(Log, Protocol):
    """A log that can also say which runs there are, and look across them."""

    async def runs(self, tenant: str) -> Sequence[tuple[str, Stored | None, Stored | None]]:
        """(run, request, end) of every run of a tenant, oldest first."""
        ...

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All facts under a wildcard with a sequence above `after`, in order."""
        ...

    async def find_all(self, subjects: list[str]) -> list[Stored]:
        """Those of these names that the log has; at most 1,000 names."""
        ...


class Bus(Protocol):
    """A connection to the broker."""

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands now; it is made again by itself."""
        ...

    @property
    def log(self) -> RunLog:
        """The facts."""
        ...

    @property
    def artifacts(self) -> Artifacts:
        """The content."""
        ...

    def records(self, bucket: str) -> Records:
        """The shared records of a bucket."""
        ...

    def prompt_store(self, files: "Prompts") -> AbstractAsyncContextManager["PromptStore"]:
        """What the fleet says of prompts, beside these files."""
        ...


class Server(Protocol):
    """A broker that was started here."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        ...


class Signals(Protocol):
    """What the person or the system interrupts with, and what the person says when asked."""

    async def next(self) -> bool:
        """Wait for the next Ctrl-C, SIGTERM or SIGHUP; True if it came from a person who can be asked."""
        ...

    async def ask(self, question: str) -> str:
        """Ask on the terminal and return the answer's line; safe to cancel."""
        ...


class WorkerLine(NamedTuple):
    """A worker as `flotilla roles` lists it. `takes` names the commands of a role; other workers take none."""

    name: str
    purpose: str
    takes: tuple[str, ...] = ()


class FleetControl(Protocol):
    """How fleets are started."""

    @property
    def names(self) -> Sequence[str]:
        """All workers, in the order in which they are listed."""
        ...

    def roles(self) -> Sequence[WorkerLine]:
        """All workers with what they are for."""
        ...

    def server(self, data: Path | None) -> AbstractAsyncContextManager[Server]:
        """An embedded broker; without `data` what it stores goes when it stops."""
        ...

    async def provision(self, settings: Settings) -> Sequence[str]:
        """Bring streams, buckets and consumers to the wanted state; a line for each."""
        ...

    async def run(self, settings: Settings, names: Sequence[str], processes: bool, ready: Any, stop: Any) -> None:
        """Run these workers until `stop` is set; sets `ready` when all of them take work (both `asyncio.Event`)."""
        ...


@dataclass(frozen=True)
class Outside:
    """The composition root's value for the command.

    `reach` returns or raises `Unreachable` within about 3 s. `new_id` makes ids that sort by time. `tick_s` is
    how often the live view is drawn, `cancel_wait_s` how long the end of a cancelled run is waited for, `retry_s` how
    often a worker looks for its broker, `gone_s` how long one that watches does without it before it is told. `user`
    is who sits at the terminal.
    """

    settings: Callable[[], Settings]
    reach: Callable[[str], Awaitable[None]]
    connect: Callable[[Settings], AbstractAsyncContextManager[Bus]]
    fleet: FleetControl
    signals: Callable[[], AbstractContextManager[Signals]]
    console: Callable[[], Console]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    state_dir: Path
    pid: int
    alive: Callable[[int], bool]
    tick_s: float = 0.2
    cancel_wait_s: float = 15.0
    retry_s: float = 1.0
    gone_s: float = 5.0
    user: Callable[[], str] = lambda: "flotilla"


def outside_of(context: Context) -> Outside:
    """The value that `main`, or a test, gave to the command."""
    found = context.find_object(Outside)
    if found is None:
        raise RuntimeError("the command was started without its outside; call workers.cli.app:main")
    return found


def say(text: str) -> None:
    """A line of output, at once even through a pipe."""
    print(text, flush=True)


def note(text: str) -> None:
    """A line that is no output: which broker is used, what to do next."""
    with suppress(OSError):  # a terminal that is gone must not keep anybody from cleaning up
        print(text, file=sys.stderr, flush=True)
