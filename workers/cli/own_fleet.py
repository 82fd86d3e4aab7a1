"""The broker that was named, or one of the command's own with a fleet, for the time of the command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workers.cli.brokers import Broker, given_broker
from workers.cli.following import Fleet
from workers.cli.local import running_fleet
from workers.cli.outside import Outside, note
from workers.cli.sessions import Session, connected
from workers.cli.upfile import read_up


@asynccontextmanager
async def fleet_for(
    outside: Outside, nats: str, tenant: str, what: str = "run"
) -> AsyncIterator[tuple[Session, Fleet]]:
    """A connection to the broker that was named, or to one of our own with a fleet; and that fleet."""
    settings = outside.settings()
    broker = given_broker(nats, settings, read_up(outside.state_dir, outside.alive))
    if broker is not None:
        note(f"broker {broker}")
        async with connected(outside, broker, tenant, settings) as opened:
            yield opened, None
        return
    async with outside.fleet.server(None) as server:
        broker = Broker(server.url, f"embedded, with a fleet of its own for this {what}")
        note(f"broker {broker}")
        own = settings.model_copy(update={"nats_url": server.url, "log_level": "error", "http_port": 0})
        async with (
            running_fleet(outside, own, outside.fleet.names) as fleet,
            connected(outside, broker, tenant, own) as opened,
        ):
            yield opened, fleet
