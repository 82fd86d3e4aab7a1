"""A connection for the time of a command, with what the command was told about tenant and run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.subjects import is_token
from workers.cli.brokers import Broker, some_broker
from workers.cli.complaints import Misused, Unreachable
from workers.cli.entries import Entry, read
from workers.cli.figures import short
from workers.cli.outside import Bus, Outside, note
from workers.cli.upfile import read_up
from workers.runtime.errors import BusUnavailable
from workers.runtime.settings import Settings, without_password

RECENT = 5
PATIENCE_S = 10.0
"""Seconds that a command retries a publish; workers wait longer, but nobody watches them."""


@dataclass(frozen=True)
class Session:
    """An open connection. `options` is what a command must be given to get here again."""

    outside: Outside
    bus: Bus
    settings: Settings
    tenant: str
    options: str = ""

    async def entries(self, run: str) -> list[Entry]:
        """The facts of a run so far; complains when there is no such run, and says which there are."""
        stored = await self.bus.log.history(self.tenant, run)
        if not stored:
            raise Misused(await self._unknown(run))
        return [read(fact, self.settings.prefix) for fact in stored]

    async def _unknown(self, run: str) -> str:
        runs = [name for name, *_ in await self.bus.log.runs(self.tenant)]
        if not runs:
            return f"there is no run {run}, and tenant {self.tenant} has no runs at all"
        return f"there is no run {run} of tenant {self.tenant}; recent runs: {', '.join(runs[-RECENT:][::-1])}"


@asynccontextmanager
async def session(outside: Outside, nats: str, tenant: str) -> AsyncIterator[Session]:
    """Connect to the broker that was named or found; says which one on stderr."""
    settings = outside.settings()
    broker = some_broker(nats, settings, read_up(outside.state_dir, outside.alive))
    note(f"broker {broker}")
    async with connected(outside, broker, checked_tenant(tenant or settings.tenant), settings) as opened:
        yield opened


@asynccontextmanager
async def connected(outside: Outside, broker: Broker, tenant: str, settings: Settings) -> AsyncIterator[Session]:
    """Connect to this broker; complains within about 3 s when it does not answer."""
    await outside.reach(broker.url)
    settings = settings.model_copy(update={"nats_url": broker.url, "publish_timeout_s": PATIENCE_S})
    async with AsyncExitStack() as stack:
        try:
            bus = await stack.enter_async_context(outside.connect(settings))
        except BusUnavailable as error:
            why = short(str(error).replace(broker.url, without_password(broker.url)), 300)
            raise Unreachable(f"{why}. Are the credentials right (FLOTILLA_NATS_CREDS, user in the URL)?") from None
        yield Session(outside, bus, settings, tenant, _options(broker, tenant, settings))


def _options(broker: Broker, tenant: str, settings: Settings) -> str:
    nats = f" --nats {without_password(broker.url)}" if broker.known_from == "--nats" else ""
    return nats + (f" --tenant {tenant}" if tenant != settings.tenant else "")


def checked_tenant(tenant: str) -> str:
    """The tenant, if it may be part of a subject."""
    return _checked("tenant", tenant)


def checked_run(run: str) -> str:
    """The run's id, if it may be part of a subject."""
    return _checked("run id", run)


def checked_raise(name: str) -> str:
    """The id of a raise, if it may be part of a subject."""
    return _checked("raise id", name)


def checked_ballot(name: str) -> str:
    """The name of a ballot, if it may be part of a subject."""
    return _checked("name of a ballot", name)


def checked_gate(name: str) -> str:
    """The name of a gate, if it may be part of a subject."""
    return _checked("name of a gate", name)


def _checked(what: str, token: str) -> str:
    if not is_token(token):
        raise Misused(f"{short(token)!r} is no {what}: use 1 to 64 characters of A-Z a-z 0-9 _ -")
    return token


def checked_out(out: Path) -> Path:
    """A folder that a project can be written to: new, or empty, and not the current one."""
    target = out.resolve()
    if target == Path.cwd():
        raise Misused(f"--out {out} is the current folder; name a new one")
    if target.is_dir() and any(target.iterdir()):
        raise Misused(f"--out {out} is not empty; name another folder or empty it")
    if target.exists() and not target.is_dir():
        raise Misused(f"--out {out} is a file; name a folder")
    return out


def checked_workers(wanted: str, known: Sequence[str]) -> tuple[str, ...]:
    """The workers named, or all of them."""
    names = tuple(name.strip() for name in wanted.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise Misused(f"there is no worker {name!r}; there are {', '.join(known)}")
    return names or tuple(known)
