"""How far generated code is kept from the fleet, in an order, and how far this machine can go.

none        its own process group, an empty environment and a time limit: for machines that are thrown away
limits      + rlimits, sums watched, another uid where the fleet is root: holds accidents, not intentions
landlock    + Landlock (files) and seccomp (system calls, sockets); own network, process table and read-only view of
              the files as well, where the kernel gives them (namespaces.py)
bubblewrap  + a root directory with nothing in it but what is shown
"""

import json
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from workers.sandbox.cell import bare_environment, launcher, specification
from workers.sandbox.landlock import abi
from workers.sandbox.limits import Limits
from workers.sandbox.owner import hand_over, spare_uid
from workers.sandbox.report import Report, read_report
from workers.sandbox.shelf import shelf


class Level(StrEnum):
    """The text is what evidence records and what settings say."""

    NONE = "none"
    LIMITS = "limits"
    LANDLOCK = "landlock"
    BUBBLEWRAP = "bubblewrap"

    def __lt__(self, other: str) -> bool:
        order = list(Level)
        return order.index(self) < order.index(Level(other))

    def __gt__(self, other: str) -> bool:
        return Level(other) < self

    def __le__(self, other: str) -> bool:
        return not self > other

    def __ge__(self, other: str) -> bool:
        return not self < other


class SandboxTooWeak(Exception):
    """This machine can't keep generated code as far away as is wanted. Nothing was run."""


def bwrap() -> str:
    """Where bubblewrap is, or an empty text."""
    return shutil.which("bwrap") or ""


@cache
def reachable() -> Level:
    """The highest level at which a program really ran and really could not read a file outside. Asked once a process;
    takes about 0.2 s, which blocks."""
    return next((level for level in reversed(Level) if probe(level) is not None), Level.NONE)


@cache
def serves_loopback() -> bool:
    """Whether tests may start a server on 127.0.0.1 at the reachable level. Below `landlock`, nothing forbids it."""
    report = probe(reachable())
    return reachable() < Level.LANDLOCK or (report is not None and report.contained)


def require(minimum: Level | str) -> Level:
    """The reachable level, if it is at least `minimum`."""
    if reachable() >= Level(minimum):
        return reachable()
    raise SandboxTooWeak(
        f"the sandbox reaches the level {str(reachable())!r} here, and {str(minimum)!r} is the minimum:"
        f" {_missing(minimum)}. Nothing was run. If you know what generated code may do to this machine, set"
        " FLOTILLA_SANDBOX_MINIMUM lower."
    )


def _missing(minimum: str) -> str:
    if Level(minimum) == Level.BUBBLEWRAP and not bwrap():
        return "there is no bwrap on PATH; install bubblewrap"
    if Level(minimum) >= Level.LANDLOCK and not abi():
        return "the kernel has no Landlock; use Linux 5.13 or newer with landlock among its security modules (lsm=)"
    if closed := _closed_folder():
        return f"{closed} may not be entered by the user that runs generated code; let TMPDIR name a folder that may"
    if Level(minimum) == Level.BUBBLEWRAP:
        return "bwrap is installed but may not make namespaces here (a container, or user namespaces are off)"
    return "a probe at that level failed; the fleet needs to be root with CAP_SETUID, or not root at all"


def _closed_folder() -> Path | None:
    """What on the way to temporary files keeps other users out, where runs have another uid than the fleet."""
    if spare_uid(Level.LANDLOCK) is None:
        return None
    place = Path(tempfile.gettempdir()).resolve()
    return next((folder for folder in (place, *place.parents) if not folder.stat().st_mode & stat.S_IXOTH), None)


def probe(level: Level) -> Report | None:
    """Run a small program at `level` and see that it is held; None if the level is not to be had."""
    if (level == Level.BUBBLEWRAP and not bwrap()) or (level >= Level.LANDLOCK and not abi()):
        return None
    with tempfile.TemporaryDirectory(prefix="flotilla-probe-") as place:
        secret = Path(place, "secret")
        secret.write_text("read")
        project = Path(place, "project")
        project.mkdir()
        Path(place).chmod(0o755)
        return _probed(level, project, secret)


def _probed(level: Level, project: Path, secret: Path) -> Report | None:
    uid = spare_uid(level)
    code = f"try:\n print(open({str(secret)!r}).read())\nexcept OSError: print('held')"
    command = ["python", "-I", "-S", "-c", code]
    try:
        hand_over(project, uid)
        spec = specification(command, project, Limits(wall_s=10), level, shelf=shelf(), uid=uid, bwrap=bwrap())
        said, report = _ran(spec)
    except OSError:
        return None
    held = said.strip() == (b"held" if level >= Level.LANDLOCK else b"read")
    return report if held and report.ended == 0 and not report.error else None


def _ran(spec: Mapping[str, Any]) -> tuple[bytes, Report]:
    """Keep the control pipe open until the program has ended: to close it is to cancel."""
    place = shelf()
    arguments = [*launcher(place, "warden"), json.dumps(spec)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=bare_environment(place), cwd="/", start_new_session=True
    ) as warden:
        assert warden.stdout
        assert warden.stderr
        return warden.stdout.read(), read_report(warden.stderr.read())
