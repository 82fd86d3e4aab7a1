"""The note that `flotilla up` leaves for other commands: which process runs a fleet, on which broker."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

NAME = "up.json"


class Up(NamedTuple):
    """A fleet that is up."""

    pid: int
    url: str


def state_dir(environ: Mapping[str, str], home: Path) -> Path:
    """The folder for state of this user, by the XDG base directory rules."""
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "state") / "flotilla"


def read_up(folder: Path, alive: Callable[[int], bool]) -> Up | None:
    """The fleet that is up; None if there is no note, or it can't be read, or its process is gone."""
    try:
        said = json.loads((folder / NAME).read_text())
        up = Up(int(said["pid"]), str(said["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return up if alive(up.pid) else None


def write_up(folder: Path, up: Up) -> None:
    """Leave the note, readable by this user only, all at once."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{NAME}.{up.pid}"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(up._asdict(), file)
    draft.replace(folder / NAME)


def remove_up(folder: Path, pid: int) -> None:
    """Take the note away if it is this process's own."""
    try:
        said = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return
    if isinstance(said, dict) and said.get("pid") == pid:
        (folder / NAME).unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process of that number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return pid > 0
