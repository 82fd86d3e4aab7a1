"""`flotilla voters`: how often each voter turned out to be right, and the weight that follows from it."""

import json as jsonlib
from collections.abc import Iterator, Sequence

import typer

from workers.cli.ballottext import BLOCK, PLAIN_BLOCK, Page, page_of
from workers.cli.figures import count, short
from workers.cli.loops import go
from workers.cli.options import Json, Nats, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.sessions import session
from workers.consensus.outcomes import VoterSeen, voters_seen

WIDEST_BAR, NARROWEST_BAR, FIGURES = 24, 6, 36
"""Columns of the bar, and of all figures and gaps besides it and the name."""


def voters(context: typer.Context, tenant: Tenant = "", json: Json = False, nats: Nats = "") -> None:
    """List voters by what outcomes have taught of them: right, seen, rate, weight."""
    go(_voters(outside_of(context), tenant, json, nats))


async def _voters(outside: Outside, tenant: str, json: bool, nats: str) -> None:
    from workers.cli.opening import known_voters  # noqa: PLC0415 - it brings along what other commands don't need

    async with session(outside, nats, tenant) as opened:
        known = await known_voters(opened)
    rows = voters_seen(known)
    if json:
        for row in rows:
            say(jsonlib.dumps(row._asdict()))
        return
    if not rows:
        note(f"nothing is known of voters of tenant {opened.tenant} yet; `flotilla ballot outcome` says what came out")
        return
    for line in listed(rows, page_of(outside.console())):
        say(line)
    note(f"learned from {count(len(known.counted), 'outcome')}; the expected rate is drawn towards that of all voters")


def listed(rows: Sequence[VoterSeen], page: Page) -> Iterator[str]:
    """The table; the bar is as long as the weight, the heaviest fills it."""
    name_width = max(len("voter"), *(len(row.voter) for row in rows))
    if page.width is not None:
        name_width = min(name_width, max(8, page.width - FIGURES - 2 - NARROWEST_BAR))
    room = WIDEST_BAR if page.width is None else min(WIDEST_BAR, page.width - FIGURES - name_width - 2)
    most, block = max(row.weight for row in rows), BLOCK if page.unicode else PLAIN_BLOCK
    yield f"{'voter':<{name_width}}  {'right':>5}  {'seen':>5}  {'rate':>5}  {'expected':>8}  weight"
    for row in rows:
        bar = block * max(1, round(room * row.weight / most)) if row.weight else ""
        figures = f"{row.right:>5}  {row.seen:>5}  {_rate(row.rate):>5}  {_rate(row.expected):>8}"
        yield f"{short(row.voter, name_width):<{name_width}}  {figures}  {row.weight / 1_000_000:.2f} {bar}".rstrip()


def _rate(share: float) -> str:
    return f"{100 * share:.0f} %"
