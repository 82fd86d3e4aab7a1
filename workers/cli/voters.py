"""`flotilla voters`: how often each voter turned out to be right, and the weight that follows from it."""

import json as jsonlib

import typer

from workers.cli.figures import count
from workers.cli.loops import go
from workers.cli.options import Json, Nats, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.progress import progress
from workers.cli.sessions import session


def voters(context: typer.Context, tenant: Tenant = "", json: Json = False, nats: Nats = "") -> None:
    """List voters by what outcomes have taught of them: right, seen, rate, weight."""
    go(_voters(outside_of(context), tenant, json, nats))


async def _voters(outside: Outside, tenant: str, json: bool, nats: str) -> None:
    from workers.cli.ballottext import page_of  # noqa: PLC0415 - they bring along what other commands don't need
    from workers.cli.opening import known_voters  # noqa: PLC0415
    from workers.cli.votertable import listed  # noqa: PLC0415
    from workers.consensus.outcomes import voters_seen  # noqa: PLC0415

    async with session(outside, nats, tenant) as opened:
        with progress(outside, "reading outcomes"):
            known = await known_voters(opened)
    rows = voters_seen(known)
    if json:
        for row in rows:
            say(jsonlib.dumps(row._asdict()))
        return
    if not rows:
        whose = f"nothing is known of voters of tenant {opened.tenant} yet"
        note(f"{whose}; `flotilla ballot outcome` says what came out")
        return
    for line in listed(rows, page_of(outside.console())):
        say(line)
    learned = f"learned from {count(len(known.counted), 'outcome')}"
    alike = "; voters weigh the same until they are known to differ" if len({row.weight for row in rows}) == 1 else ""
    note(f"{learned}; the expected rate is drawn towards that of all voters{alike}")
