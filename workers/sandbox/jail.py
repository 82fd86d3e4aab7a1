"""Runs one command on one throw-away project, and says how it ended.

The fleet's side of the launcher (`launch.py` has the theory): start it, read what the command prints, and close the
control pipe when there is too much of that or when this task is cancelled. The launcher then kills the tree.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.sandbox.cell import HOME, TEMPORARY, bare_environment, launcher, specification
from workers.sandbox.levels import Level, bwrap, reachable
from workers.sandbox.limits import Limits
from workers.sandbox.owner import hand_over, spare_uid
from workers.sandbox.report import Report, read_report
from workers.sandbox.shelf import Shelf, shelf

TAIL = 32 * 1024
GRACE_S = 15.0
_SIGXCPU = 128 + signal.SIGXCPU


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `exit_code` is None when it was killed for a limit: `killed_because` is then "time",
    "memory", "output" or "disk". A code of 128 + n is a death by signal n. `loopback`: servers on 127.0.0.1 could be
    started. `stdout_tail` has standard error in it."""

    exit_code: int | None
    killed_because: str
    stdout_tail: str
    duration_s: float
    level: Level
    loopback: bool = False


class SandboxBroken(Exception):
    """The jail could not be set up; the command did not run. Trying again on another machine may help."""


async def run(
    command: Sequence[str], project: Path, limits: Limits, level: Level | None = None, *, namespaces: bool = True
) -> Outcome:
    """Run `command` (its first word a path, or "python" for the sandbox's) in `project`, which it may change at will.

    The directory must be thrown away afterwards: with a fleet that is root it belongs to another uid from now on.
    Without `level`, the highest that is reachable. `namespaces=False` makes the level `landlock` what it is in a
    container that gives no namespaces. Cancelling kills every process of the run before this returns.
    """
    place = await asyncio.to_thread(shelf)
    reached = await asyncio.to_thread(reachable) if level is None else level
    started = time.monotonic()
    uid = spare_uid(reached)
    project = await asyncio.to_thread(_ready, project, uid)
    spec = specification(command, project, limits, reached, shelf=place, uid=uid, bwrap=bwrap(), namespaces=namespaces)
    printed, over, report = await _attended(place, json.dumps(spec), limits)
    if report.error:
        raise SandboxBroken(f"the sandbox could not start {command[0]!r} at level {str(reached)!r}: {report.error}")
    killed = "output" if over else _cause(report)
    return Outcome(
        exit_code=None if killed else report.ended,
        killed_because=killed,
        stdout_tail=printed.decode(errors="replace"),
        duration_s=round(time.monotonic() - started, 3),
        level=reached,
        loopback=report.contained or reached < Level.LANDLOCK,
    )


def _ready(project: Path, uid: int | None) -> Path:
    """Landlock and bubblewrap name the directory itself, so it must not be reached through links."""
    for name in (HOME, TEMPORARY):
        (project / name).mkdir(exist_ok=True)
    hand_over(project, uid)
    return project.resolve()


def _cause(report: Report) -> str:
    return report.killed or ("time" if report.ended == _SIGXCPU else "")


async def _attended(place: Shelf, spec: str, limits: Limits) -> tuple[bytes, bool, Report]:
    warden = await asyncio.create_subprocess_exec(
        *launcher(place, "warden"), spec, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        env=bare_environment(place), cwd="/", start_new_session=True,
    )  # fmt: skip
    assert warden.stdin
    assert warden.stdout
    assert warden.stderr
    printed = asyncio.create_task(_read(warden.stdout, limits.output_kb * 1024, warden.stdin))
    reported = asyncio.create_task(warden.stderr.read())
    try:
        async with asyncio.timeout(limits.wall_s + GRACE_S):
            tail, over = await asyncio.shield(printed)
            return tail, over, read_report(await asyncio.shield(reported))
    except TimeoutError:
        return b"", False, Report(None, killed="time")
    finally:
        ending = asyncio.create_task(_end(warden))
        while not ending.done():
            # a second cancel must not leave the tree alive either
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        await asyncio.gather(printed, reported, return_exceptions=True)


async def _read(stream: asyncio.StreamReader, most: int, control: asyncio.StreamWriter) -> tuple[bytes, bool]:
    """Read to the end, keep the tail. Past `most` bytes close the control pipe, and go on reading: a full pipe would
    keep the launcher from being heard."""
    tail, total = b"", 0
    while chunk := await stream.read(65536):
        total += len(chunk)
        if total <= most:
            tail = (tail + chunk)[-TAIL:]
        elif not control.is_closing():
            tail = (tail + chunk[: most - total])[-TAIL:]
            control.close()
    return tail, total > most


async def _end(warden: Process) -> None:
    assert warden.stdin
    warden.stdin.close()
    try:
        async with asyncio.timeout(GRACE_S):
            await warden.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(warden.pid, signal.SIGKILL)
        await warden.wait()
