"""An experiment while it runs: a picture on the terminal, a line per change or JSON lines into a pipe."""

import asyncio
import json as jsonlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from rich.console import Console
from rich.live import Live
from rich.text import Text

from workers.cli.ballottext import Page, page_of
from workers.cli.complaints import INTERRUPTED
from workers.cli.experimenttext import Standing, as_json, end_in_words, kept_up, shown
from workers.cli.outside import Outside, say
from workers.gateway.pictures.arms import tasks_of
from workers.prompting.evidence_curves import curves_of, odds

LOOK_S = 1.0
"""Outcomes come when runs end, so a look per second misses nothing."""

Look = Callable[[], Awaitable[Standing]]


async def watched(outside: Outside, look: Look, json: bool) -> int:
    """Show how it stands until it has ended; returns the exit code."""
    console = outside.console()
    with outside.signals() as signals:
        left = asyncio.create_task(signals.next())
        shown_by = asyncio.create_task(_shown(outside, console, look, json))
        try:
            await asyncio.wait([left, shown_by], return_when=asyncio.FIRST_COMPLETED)
            if shown_by.done():
                shown_by.result()
                return 0
            return INTERRUPTED
        finally:
            for task in (left, shown_by):
                task.cancel()
            await asyncio.gather(left, shown_by, return_exceptions=True)


async def _shown(outside: Outside, console: Console, look: Look, json: bool) -> None:
    if json or not console.is_terminal or console.is_dumb_terminal:
        async with aclosing(_changes(outside, look)) as changes:
            async for standing in changes:
                say(jsonlib.dumps(as_json(standing)) if json else line(standing))
        return
    page, last = page_of(console), None
    with Live(console=console, auto_refresh=False) as live:
        async with aclosing(_changes(outside, look)) as changes:
            async for last in changes:
                live.update(_picture(last, page, console.height), refresh=True)
            live.transient = True  # what is over is shown whole; what is left alone stays as it is
    for text in shown(last, page, outside.now()) if last is not None else ():
        say(text)


def _picture(standing: Standing, page: Page, height: int) -> Text:
    return Text("\n".join(kept_up(standing, page, height)), no_wrap=True, overflow="ellipsis")


async def _changes(outside: Outside, look: Look) -> AsyncGenerator[Standing, None]:
    """How it stands, each time that this is something new, up to its end."""
    last: Standing | None = None
    while True:
        standing = await look()
        if standing != last:
            last = standing
            yield standing
        if standing.verdict != "running":
            return
        await asyncio.sleep(min(LOOK_S, 5 * outside.tick_s))


def line(standing: Standing) -> str:
    """How it stands on one line."""
    arms = (("live", standing.live), ("candidate", standing.candidate))
    counts = ", ".join(f"{name} {done.won} of {tasks_of(done)}" for name, done in arms)
    found = ", ".join(f"{curve.name} {odds(curve.now)}" for curve in curves_of(standing.started, standing.curve))
    end = "" if standing.verdict == "running" else f"; {end_in_words(standing)}"
    return f"{standing.outcomes:>6} outcomes  {counts}  {found}{end}"
