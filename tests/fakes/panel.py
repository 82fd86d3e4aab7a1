"""A fake provider in a thread, for tests that are not async: who is asked what is looked at and changed at any time."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from tests.fakes.asked import Asked
from tests.fakes.provider import Answer, Builtin, FakeProvider
from tests.fakes.script import Play

START_TIMEOUT_S = 10.0


def slowly(seconds: float) -> "Builtin":
    """The built-in model's answer, after a while."""
    return Builtin("builtin", Play(first_s=seconds))


class FakePanel:
    """Models by name, each with an answer of its own in `says`; a kind of reply (its schema's title) goes before them.

    What is not in `says` is answered as the built-in model does. `asked` are (model, all that it was shown) in order.
    """

    def __init__(self) -> None:
        self.says: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self._builtin = Builtin("builtin")
        self._provider = FakeProvider(self._answer)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    @property
    def url(self) -> str:
        """The base of every API's address."""
        return self._provider.url

    def shown(self, model: str) -> list[str]:
        """What a model was shown, request by request."""
        return [text for name, text in self.asked if name == model]

    def outcomes(self, model: str) -> list[str]:
        """How the requests to a model ended: `answered`, `hung up` when the client left; empty while they are open."""
        return [request.outcome for request in tuple(self._provider.requests) if request.model == model]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_S), "the fake provider starts"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with self._provider:
            self._started.set()
            await self._stop.wait()

    async def _answer(self, asked: Asked) -> Play:
        self.asked.append((asked.model, "\n".join(message.text for message in asked.request.messages)))
        title = (asked.request.reply_schema or {}).get("title", "")
        answer = self.says.get(title) or self.says.get(asked.model) or self._builtin
        if isinstance(answer, Play):
            return answer
        made = answer(asked)
        return made if isinstance(made, Play) else await made
