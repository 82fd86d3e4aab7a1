"""Live output: what a model says while it says it, on core NATS for whoever watches. Nothing of it is stored."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

GATHER_S = 0.1
"""Pieces of text are sent together, at most ten times a second."""

_logger = structlog.get_logger(__name__)


class LiveTask:
    """The live output of one task; `publish` takes (subject, payload). What can't be sent is forgotten."""

    def __init__(self, publish: Callable[[str, bytes], Awaitable[None]], subject: str, notice: dict[str, Any]) -> None:
        self._publish, self._subject, self._notice = publish, subject, notice
        self._texts: list[str] = []
        self._later: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Future[None]] = set()

    def announce_after(self, seconds: float) -> None:
        """Say who works on the task, unless it is over by then."""
        self._later = asyncio.get_running_loop().call_later(seconds, self._announce)

    def heard(self, text: str) -> None:
        """A model has said a piece of its answer."""
        self._texts.append(text)
        if len(self._texts) == 1:
            asyncio.get_running_loop().call_later(GATHER_S, self._flush)

    def end(self) -> None:
        """The task is over."""
        if self._later is not None:
            self._later.cancel()
        self._texts.clear()

    def _announce(self) -> None:
        self._send({"state": "working", **self._notice})

    def _flush(self) -> None:
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            self._send({"state": "saying", **self._notice, "text": text})

    def _send(self, said: dict[str, Any]) -> None:
        sending = asyncio.ensure_future(self._publish(self._subject, json.dumps(said).encode()))
        self._sending.add(sending)
        sending.add_done_callback(self._sent)

    def _sent(self, sending: "asyncio.Future[None]") -> None:
        self._sending.discard(sending)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            _logger.debug("live_notice_lost", error=repr(error))
