"""Which broker a command talks to, whether it answers, and how its address is shown."""

import asyncio
import os
from typing import NamedTuple
from urllib.parse import urlsplit

from workers.cli.complaints import Misused, Unreachable
from workers.cli.upfile import Up
from workers.runtime.settings import Settings, without_password

REACH_TIMEOUT_S = 2.5
GREETING_TIMEOUT_S = 0.5
DEFAULT_PORT = 4222


class Broker(NamedTuple):
    """Where the broker is, and how that is known."""

    url: str
    known_from: str

    def __str__(self) -> str:
        return f"{without_password(self.url)} ({self.known_from})"


def given_broker(option: str, settings: Settings, up: Up | None) -> Broker | None:
    """The broker that was named: by `--nats`, by the environment, or by a fleet that is up. None if nobody did."""
    if option:
        return Broker(option, "--nats")
    if "nats_url" in settings.model_fields_set:
        return Broker(settings.nats_url, "FLOTILLA_NATS_URL")
    if up is not None:
        return Broker(up.url, f"flotilla up, process {up.pid}")
    return None


def some_broker(option: str, settings: Settings, up: Up | None) -> Broker:
    """The broker that was named, else the default address."""
    return given_broker(option, settings, up) or Broker(settings.nats_url, "the default")


async def reach(url: str) -> None:
    """Return if a broker answers at one of the addresses; raise `Unreachable` within about 3 s otherwise."""
    tries = await asyncio.gather(*(_reach(*address) for address in addresses(url)))
    if not any(trouble is None for trouble in tries):
        why = "; ".join(dict.fromkeys(trouble for trouble in tries if trouble))
        raise Unreachable(
            f"no NATS broker can be reached at {without_password(url)}: {why}. "
            "Start a fleet with `flotilla up`, or name a broker with --nats or FLOTILLA_NATS_URL."
        )


def addresses(url: str) -> list[tuple[str, int]]:
    """Host and port of every server in the comma-separated list."""
    return [_address(one.strip()) for one in url.split(",") if one.strip()]


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise Misused(f"{without_password(url)!r} is no address of a broker; it looks like nats://host:4222")
    return host, port


async def _reach(host: str, port: int) -> str | None:
    """None if something answers that may be a broker, else what is wrong."""
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer in {REACH_TIMEOUT_S:g} s"
    except OSError as error:
        return _reason(error)
    try:
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            greeting = await reader.read(4)
    except TimeoutError:
        return None  # with TLS first, or over WebSocket, the client speaks first
    except OSError as error:
        return _reason(error)
    finally:
        writer.close()
    return None if greeting == b"INFO" else "what answers there is no NATS broker"


def _reason(error: OSError) -> str:
    """The system's words; the event loops have different ones of their own."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()
