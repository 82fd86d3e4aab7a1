"""Voters as a table: what outcomes have taught of each."""

from collections.abc import Iterator, Sequence

from workers.cli.ballottext import BLOCK, PLAIN_BLOCK, Page
from workers.cli.figures import short
from workers.consensus.outcomes import VoterSeen

WIDEST_BAR, NARROWEST_BAR, FIGURES = 24, 6, 36
"""Columns of the bar, and of all figures and gaps besides it and the name."""


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
