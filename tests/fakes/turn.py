"""One accepted request being answered, with the faults that its play asks for."""

import json
from dataclasses import dataclass
from types import ModuleType

from tests.fakes import messages
from tests.fakes.asked import Asked
from tests.fakes.http1 import Connection, Cut
from tests.fakes.script import Play
from workers.llm.model import Usage

SSE = "text/event-stream; charset=utf-8"
PAGE = b"<html><body>Welcome to the proxy.</body></html>"


@dataclass
class Bill:
    """What one request that was taken costs: its input at once, its output as far as it was generated."""

    model: str
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass
class Turn:
    """One accepted request being answered: the text goes out in pieces, and the bill grows with it."""

    connection: Connection
    dialect: ModuleType
    asked: Asked
    play: Play
    usage: Usage
    bill: Bill

    async def stream(self, headers: dict[str, str]) -> None:
        """Answer in events."""
        connection, asked, play = self.connection, self.asked, self.play
        await self._before()
        kind = messages.AWS_STREAM_TYPE if asked.api == "bedrock" else SSE
        if play.fault == "nonsense":
            kind = "text/html"
        await connection.head(200, {**headers, "content-type": kind}, None)
        await self._fault("after_headers")
        if play.fault == "nonsense":
            await connection.chunk(PAGE)
        else:
            await self._events()
        await connection.last_chunk()

    async def _events(self) -> None:
        connection, asked, play = self.connection, self.asked, self.play
        for frame in self.dialect.begin(asked, play, self.usage):
            await connection.chunk(frame)
        parts = cut(play.text, play.pieces)
        for number, text in enumerate(parts):
            if number == min(play.after, len(parts) - 1):
                await self._fault("midway")
                if play.fault == "malformed":
                    await connection.chunk(self.dialect.broken(asked))
                elif play.fault == "error_midway":
                    await connection.chunk(self.dialect.error_event(asked, play))
                    return
                elif play.fault == "end_early":
                    return
            self._generated(number + 1, len(parts))
            await connection.chunk(self.dialect.piece(asked, play, text))
            await connection.pause(play.each_s)
        self._generated(1, 1)
        for frame in self.dialect.end(asked, play, self.usage):
            await connection.chunk(frame)

    async def whole(self, headers: dict[str, str]) -> None:
        """Answer in one piece of JSON."""
        connection, play = self.connection, self.play
        await self._before()
        parts = cut(play.text, play.pieces)
        for number in range(len(parts)):
            self._generated(number + 1, len(parts))
            await connection.pause(play.each_s)
        self._generated(1, 1)
        body = json.dumps(self.dialect.whole(self.asked, play, self.usage)).encode()
        if play.fault in ("malformed", "end_early"):
            body = body[: len(body) // 2]
        if play.fault == "nonsense":
            body = PAGE
        await connection.head(200, {**headers, "content-type": "application/json"}, len(body))
        await self._fault("after_headers")
        await connection.send(body[: len(body) // 2])
        await self._fault("midway")
        await connection.send(body[len(body) // 2 :])

    async def _before(self) -> None:
        await self._fault("before")
        await self.connection.pause(self.play.first_s)

    async def _fault(self, when: str) -> None:
        if self.play.fault == f"drop_{when}":
            raise Cut
        if self.play.fault == f"hang_{when}":
            await self.connection.hang()

    def _generated(self, done: int, parts: int) -> None:
        self.bill.output_tokens = -(-self.usage.output_tokens * done // parts)


def cut(text: str, pieces: int) -> list[str]:
    """A text in so many pieces of about the same length, none empty."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[at : at + size] for at in range(0, len(text), size)]
