"""A sign of life on a terminal while something takes its time."""

from contextlib import AbstractContextManager, nullcontext

from workers.cli.outside import Outside


def progress(outside: Outside, what: str) -> AbstractContextManager[object]:
    """Say what is going on while the block runs; nothing into a pipe."""
    console = outside.console()
    return console.status(what) if console.is_terminal else nullcontext()
