"""Commands that look at runs without touching them: ls, show, fetch."""

import json as jsonlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from contracts.v1.runs import RunClosed, RunRequested
from workers.cli.calls import as_json as calls_as_json
from workers.cli.calls import journal_of, listed
from workers.cli.delivering import checked_no_ballot, deliver
from workers.cli.ending import Hints, as_json, standing, summary, waits_as_json
from workers.cli.entries import Entry, read
from workers.cli.figures import plain, seconds
from workers.cli.gist import gist
from workers.cli.loops import go
from workers.cli.options import Json, Nats, RunName, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.sessions import Session, checked_out, checked_run, session
from workers.cli.view import RunView, view_of
from workers.runtime.ports import Stored

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the newest runs.")]
Calls = Annotated[bool, typer.Option("--calls", help="The model calls of the run instead, and what they came to.")]
Target = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write the project; new or empty.")]
Trusted = Annotated[
    list[str] | None, typer.Option("--trusted", metavar="KEY", help="Accept only capsules signed by this key (U…).")
]


def ls(context: typer.Context, tenant: Tenant = "", limit: Limit = 20, json: Json = False, nats: Nats = "") -> None:
    """List runs, the newest first."""
    go(_ls(outside_of(context), tenant, limit, json, nats))


async def _ls(outside: Outside, tenant: str, limit: int, json: bool, nats: str) -> None:
    async with session(outside, nats, tenant) as opened:
        runs = list(await opened.bus.log.runs(opened.tenant))[-limit:][::-1]
        views = await _views_of_waiting(opened, {run for run, _, closed in runs if closed is None})
        rows = [_listed(*run, opened.settings.prefix, outside.now()) | _waits(views.get(run[0])) for run in runs]
    if json:
        for row in rows:
            say(jsonlib.dumps(row))
        return
    if not rows:
        note(f"tenant {opened.tenant} has no runs yet; start one with `flotilla run IDEA`")
        return
    states = [views[row["run"]].standing if row["run"] in views else row["state"] for row in rows]
    width = max(9, *map(len, states))
    lines = [_columns(width, "run", "state", "took", "idea")]
    _print(outside, lines + [_line(width, row, state) for row, state in zip(rows, states, strict=True)])


def _listed(run: str, requested: Stored | None, closed: Stored | None, prefix: str, now: datetime) -> dict[str, Any]:
    request, closing = (_message(stored, prefix) for stored in (requested, closed))
    began = requested.at if requested else None
    until = closed.at if closed else now
    return {
        "run": run,
        "state": closing.status if isinstance(closing, RunClosed) else ("failed" if closed else "running"),
        "idea": request.idea if isinstance(request, RunRequested) else "",
        "requested_at": began.isoformat() if began else None,
        "closed_at": closed.at.isoformat() if closed else None,
        "elapsed_s": round(max(0.0, (until - began).total_seconds()), 3) if began else 0.0,
        "reason": closing.reason if isinstance(closing, RunClosed) else "",
    }


async def _views_of_waiting(opened: Session, going_on: set[str]) -> dict[str, RunView]:
    """The runs of which a task has waited, or that have a gate; few do, so only these are read whole."""
    if not going_on:
        return {}
    prefix = opened.settings.prefix
    own = f"{prefix}.{opened.tenant}.*"
    stops = [*await opened.bus.log.scan(f"{own}.wait.>"), *await opened.bus.log.scan(f"{own}.gate.*")]
    waited = going_on & {stop.subject.removeprefix(f"{prefix}.").split(".")[1] for stop in stops}
    return {run: view_of(await opened.entries(run)) for run in sorted(waited)}


def _waits(view: RunView | None) -> dict[str, Any]:
    return {"waits": waits_as_json(view) if view else []}


def _message(stored: Stored | None, prefix: str) -> object:
    return read(stored, prefix).message if stored else None


def _line(width: int, row: dict[str, Any], state: str) -> str:
    return _columns(width, row["run"], state, seconds(row["elapsed_s"]), plain(row["idea"]) or "(spoiled request)")


def _columns(width: int, run: str, state: str, took: str, idea: str) -> str:
    return f"{run:<22}  {state:<{width}}  {took:>11}  {idea}"


def _print(outside: Outside, lines: list[str]) -> None:
    """On a terminal cut to its width; into a pipe whole."""
    console = outside.console()
    for line in lines:
        if console.is_terminal:
            console.print(Text(short_right(line, console.width)), soft_wrap=True)
        else:
            say(line)


def short_right(line: str, width: int) -> str:
    """The line cut at the right, with its columns left in place."""
    return line if len(line) <= width else line[: width - 1] + "…"


def show(
    context: typer.Context, run: RunName, calls: Calls = False, tenant: Tenant = "", json: Json = False, nats: Nats = ""
) -> None:
    """List the facts of RUN in order: sequence, time (UTC), name, gist; then how it stands."""
    go(_show(outside_of(context), run, calls, tenant, json, nats))


async def _show(outside: Outside, run: str, calls: bool, tenant: str, json: bool, nats: str) -> None:
    checked_run(run)
    async with session(outside, nats, tenant) as opened:
        entries = await opened.entries(run)
    if calls:
        _show_calls(outside, journal_of(entries), json)
        return
    view = view_of(entries)
    if json:
        for entry in entries:
            say(jsonlib.dumps(as_json(entry)))
        say(jsonlib.dumps(summary(opened.tenant, run, view)))
        return
    widest = max(len(entry.name) for entry in entries)
    _print(outside, [_fact(entry, widest) for entry in entries])
    for line in standing(run, view, outside.now(), Hints.kept(run, opened.options)):
        say(line)


def _show_calls(outside: Outside, journal: tuple[Entry, ...], json: bool) -> None:
    console = outside.console()
    width = console.width if console.is_terminal else None
    for line in map(jsonlib.dumps, calls_as_json(journal)) if json else listed(journal, width):
        say(line)


def _fact(entry: Entry, widest: int) -> str:
    at = f"{entry.at:%Y-%m-%d %H:%M:%S}.{entry.at.microsecond // 1000:03d}"
    return f"{entry.sequence:>8}  {at}  {plain(entry.name):<{widest}}  {gist(entry)}"


def fetch(
    context: typer.Context, run: RunName, out: Target, trusted: Trusted = None, tenant: Tenant = "", nats: Nats = ""
) -> None:
    """Check the capsule of RUN and unpack it into DIR; a changed one is refused."""
    go(_fetch(outside_of(context), run, out, trusted or [], tenant, nats))


async def _fetch(outside: Outside, run: str, out: Path, trusted: list[str], tenant: str, nats: str) -> None:
    checked_run(run)
    target = checked_out(out)
    async with session(outside, nats, tenant) as opened:
        view = checked_no_ballot(opened, run, view_of(await opened.entries(run)))
        for line in await deliver(opened, run, view, target, trusted):
            say(line.strip())
