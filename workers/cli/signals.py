"""Ctrl-C as something to wait for, and questions on the terminal that can be given up."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminalSignals:
    """Interrupts of this process, and its terminal. Use inside of `listening`."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[int] = asyncio.Queue()

    async def next(self) -> bool:
        """Wait for the next interrupt; True for Ctrl-C by a person who can be asked."""
        number = await self._arrived.get()
        return number == signal.SIGINT and sys.stdin.isatty() and sys.stderr.isatty()

    async def ask(self, question: str) -> str:
        """Ask, and wait for a line without a thread, because a thread that reads can't be given up.

        A terminal that is gone answers nothing.
        """
        print(f"\n{question} ", end="", file=sys.stderr, flush=True)
        loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
        line: asyncio.Future[str] = loop.create_future()

        def arrived() -> None:
            if not line.done():
                line.set_result(_read(stdin))

        loop.add_reader(stdin, arrived)
        try:
            return await line
        except asyncio.CancelledError:
            print(file=sys.stderr, flush=True)
            raise
        finally:
            loop.remove_reader(stdin)

    def interrupt(self, number: int) -> None:
        """An interrupt has arrived."""
        self._arrived.put_nowait(number)


@contextmanager
def listening() -> Iterator[TerminalSignals]:
    """Take SIGINT, SIGTERM and SIGHUP for the running loop while the block runs."""
    loop, signals = asyncio.get_running_loop(), TerminalSignals()
    for number in INTERRUPTS:
        loop.add_signal_handler(number, signals.interrupt, number)
    try:
        yield signals
    finally:
        for number in INTERRUPTS:
            loop.remove_signal_handler(number)


def _read(stdin: int) -> str:
    try:
        return os.read(stdin, 1024).decode(errors="replace").strip()
    except OSError:
        return ""
