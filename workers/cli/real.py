"""The composition root of the command: the real broker, the real fleet, the real terminal."""

import getpass
import os
import secrets
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from workers.cli.brokers import reach
from workers.cli.complaints import Misused
from workers.cli.outside import Bus, Outside
from workers.cli.signals import listening
from workers.cli.upfile import is_alive, state_dir
from workers.runtime.settings import Settings

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Letters and digits that nobody mistakes for one another."""


def outside() -> Outside:
    """Everything that the command touches, as it is."""
    from workers.cli.fleets import RealFleets  # noqa: PLC0415

    return Outside(
        settings=settings,
        reach=reach,
        connect=connect,
        fleet=RealFleets(),
        signals=listening,
        console=Console,
        now=lambda: datetime.now(UTC),
        new_id=new_id,
        state_dir=state_dir(os.environ, Path.home()),
        pid=os.getpid(),
        alive=is_alive,
        user=user,
    )


def user() -> str:
    """The name of the account; an account without one is just the command."""
    try:
        return getpass.getuser() or "flotilla"
    except (OSError, KeyError):
        return "flotilla"


def settings() -> Settings:
    """The settings of the environment; complains about each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"FLOTILLA_{'_'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in wrong)
        raise Misused(f"the settings are wrong: {said}") from None


def connect(settings: Settings) -> AbstractAsyncContextManager[Bus]:
    """A connection of nats-py."""
    from workers.runtime import bus  # noqa: PLC0415 - only commands that talk to a broker pay for the import

    return bus.connect(settings, name="cli")


def new_id() -> str:
    """The id of a run or a raise, which sorts by time: `261122-101502-k3f9`."""
    tail = "".join(secrets.choice(ALPHABET) for _ in range(4))
    return f"{datetime.now(UTC):%y%m%d-%H%M%S}-{tail}"
