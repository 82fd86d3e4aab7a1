"""A run on the terminal while it happens: the picture, kept up to date."""

from collections.abc import Callable
from datetime import datetime
from textwrap import wrap

from rich.console import Console
from rich.live import Live
from rich.text import Text

from workers.cli.ending import Hints, ending
from workers.cli.entries import Entry
from workers.cli.picture import RUN_STYLES, Size, picture
from workers.cli.view import RunView

ENDLESS = 10_000
HANG = 12


class Screen:
    """Shows the picture and keeps it up to date; leaves the last one on the terminal, with the ending below."""

    def __init__(self, run: str, console: Console, hints: Hints) -> None:
        self._run, self._console, self._hints = run, console, hints
        self._live: Live | None = None

    def see(self, entry: Entry, view: Callable[[], RunView]) -> None:
        """A fact came in; the next tick shows it."""

    def tick(self, view: RunView, now: datetime) -> None:
        """Show the view as of now."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        # A terminal scrolls past its height only once: for the last picture.
        size = Size(self._console.width, ENDLESS if view.is_over else self._console.height)
        self._live.update(picture(self._run, view, now, size, self._hints), refresh=not view.is_over)

    def pause(self) -> None:
        """Leave the picture as it is; the next tick begins another one below."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def end(self, view: RunView) -> None:
        """Leave the picture; if the run is over, the last one and the last lines."""
        if view.ended is not None:
            self.tick(view, view.ended)
        self.pause()
        if view.is_over:
            for place, text in enumerate(ending(self._run, view, self._hints)):
                style = RUN_STYLES.get(view.state, "") if place == 0 else ""
                self._console.print(Text(hanging(text, self._console.width), style), soft_wrap=True)


def hanging(line: str, width: int) -> str:
    """An ending's line, wrapped at words below its second column; digests and paths stay whole, to be copied."""
    hang = " " * HANG if line.startswith(" ") else ""
    return "\n".join(wrap(line, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False))
