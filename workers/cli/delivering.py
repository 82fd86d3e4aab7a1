"""From a run that is over to what stays of it: its capsule checked and unpacked, or at least its facts."""

import asyncio
import json
import shlex
from collections.abc import Collection, Iterable
from pathlib import Path

from workers.cli.complaints import Complaint, Misused
from workers.cli.ending import as_json
from workers.cli.entries import Entry
from workers.cli.figures import count, plain
from workers.cli.outside import note
from workers.cli.sessions import Session
from workers.cli.view import RunView
from workers.packager.capsule import CapsuleRefused
from workers.packager.manifest import Manifest
from workers.packager.opening import open_capsule
from workers.packager.unpack import TargetTaken, unpack, verify
from workers.runtime.ports import ArtifactMissing

README = "README.md"


def checked_no_ballot(session: Session, run: str, view: RunView) -> RunView:
    """The run; complains when it is none, but a ballot of its own, which nothing ends and which makes nothing."""
    if view.is_only_ballots:
        raise Misused(f"{run} is a ballot of its own; see it with `flotilla ballot show {run}{session.options}`")
    return view


async def deliver(session: Session, run: str, view: RunView, out: Path, trusted: Collection[str] = ()) -> list[str]:
    """Unpack the run's capsule into `out` and say so; complains, and writes nothing, when it does not verify."""
    capsule = view.capsule
    if capsule is None:
        hint = f"see `flotilla show {run}{session.options}`" if view.is_over else "it is not over yet"
        raise Complaint(f"run {run} is {view.state} and has no capsule; {hint}")
    try:
        archive = await session.bus.artifacts.get(capsule.sha256)
        verify(archive, capsule.sha256, capsule.signature, capsule.public_key, tuple(trusted) or None)
        manifest = await asyncio.to_thread(_unpacked, archive, out, session.tenant, run)
    except ArtifactMissing as error:
        raise Complaint(f"the capsule of run {run} is gone: {error}") from None
    except CapsuleRefused as error:
        raise Complaint(f"run {run}: {error}; nothing was written") from None
    except (TargetTaken, OSError) as error:
        raise Complaint(f"run {run} could not be written to {out}: {error}") from None
    lines = [f"  project   {count(len(manifest.files), 'file')} in {out}, verified, signed by {capsule.public_key}"]
    if any(file.path == README for file in manifest.files):
        lines.append(f"  start it  as {out / README} says")
    elif manifest.start:
        lines.append(f"  start it  cd {shlex.quote(str(out))} && {plain(shlex.join(manifest.start))}")
    return lines


def _unpacked(archive: bytes, out: Path, tenant: str, run: str) -> Manifest:
    made_by = open_capsule(archive).manifest
    if (made_by.tenant, made_by.run) != (tenant, run):
        raise CapsuleRefused("", f"it was made by run {made_by.run} of tenant {made_by.tenant}")
    return unpack(archive, out)


def leave_behind(file: Path, entries: Iterable[Entry]) -> None:
    """Keep the facts of a run whose broker ends with the command, as JSON lines."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{json.dumps(as_json(entry))}\n" for entry in entries))
    except OSError as error:
        note(f"the facts could not be kept: {error}")
