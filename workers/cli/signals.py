"""Ctrl-C as something to wait for, and questions on the terminal that can be given up."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class TerminalSignals:
    """SIGINT and SIGTERM of this process, and its terminal. Use inside of `listening`."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[None] = asyncio.Queue()

    async def next(self) -> None:
        """Wait for the next interrupt."""
        await self._arrived.get()

    @property
    def can_ask(self) -> bool:
        """Whether both ends are a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    async def ask(self, question: str) -> str:
        """Ask, and wait for a line without a thread, because a thread that reads can't be given up."""
        print(f"\n{question} ", end="", file=sys.stderr, flush=True)
        loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
        line: asyncio.Future[str] = loop.create_future()

        def arrived() -> None:
            if not line.done():
                line.set_result(os.read(stdin, 1024).decode(errors="replace").strip())

        loop.add_reader(stdin, arrived)
        try:
            return await line
        except asyncio.CancelledError:
            print(file=sys.stderr, flush=True)
            raise
        finally:
            loop.remove_reader(stdin)

    def interrupt(self) -> None:
        """An interrupt has arrived."""
        self._arrived.put_nowait(None)


@contextmanager
def listening() -> Iterator[TerminalSignals]:
    """Take SIGINT and SIGTERM for the running loop while the block runs."""
    loop, signals = asyncio.get_running_loop(), TerminalSignals()
    for number in INTERRUPTS:
        loop.add_signal_handler(number, signals.interrupt)
    try:
        yield signals
    finally:
        for number in INTERRUPTS:
            loop.remove_signal_handler(number)
