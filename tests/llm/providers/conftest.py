"""A server that replays recorded bytes over real HTTP, and providers that are pointed at it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.http1 import Connection, Cut, Heard, HungUp
from workers.llm.failures import CallFailed
from workers.llm.model import ModelRequest, Piece, PromptMessage, Provider
from workers.llm.presets import PRESETS
from workers.llm.targets import Target

pytest.register_assert_rewrite("tests.llm.providers.claude")

KEY = "sk-canary-0123456789"
RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Answer:
    """One response: its body in `chunks` as they are sent. `cut`: the connection drops after them; `hang`: it stays."""

    chunks: Sequence[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


class Tape:
    """The server. `heard` holds every request in order, so its length is the number of calls."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.url = ""
        self.hung_up = asyncio.Event()
        self._answers: deque[Answer | None] = deque()

    def play(self, *chunks: bytes, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        """Answer the next request with these chunks of a body, as a stream of events unless headers say otherwise."""
        kind = {"content-type": "text/event-stream; charset=utf-8"} if status == 200 else {}
        self._answers.append(Answer(chunks, status, {**kind, **(headers or {})}, **more))

    def fail(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request with an error."""
        content = json.dumps(body).encode()
        self.play(content, status=status, headers={"content-type": "application/json", **(headers or {})})

    def drop(self) -> None:
        """Drop the connection of the next request without a word."""
        self._answers.append(None)

    def recorded(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request with a recorded stream, cut into odd pieces as networks do."""
        body = (RECORDED / f"{name}.sse").read_bytes()
        self.play(*(body[at : at + 97] for at in range(0, len(body), 97)), headers=headers)

    @property
    def body(self) -> Any:
        """The JSON of the last request."""
        return json.loads(self.heard[-1].raw)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        connection = Connection(reader, writer)
        try:
            while (heard := await connection.receive()) is not None:
                self.heard.append(heard)
                answer = self._answers.popleft()
                if answer is None:
                    break
                await self._answer(connection, answer)
        except HungUp:
            self.hung_up.set()
        except (Cut, asyncio.CancelledError):
            pass
        finally:
            connection.close()

    async def _answer(self, connection: Connection, answer: Answer) -> None:
        await connection.head(answer.status, answer.headers, None)
        for chunk in answer.chunks:
            await connection.chunk(chunk)
        if answer.cut:
            raise Cut
        if answer.hang:
            await connection.hang()
        await connection.last_chunk()


@pytest_asyncio.fixture
async def tape() -> AsyncIterator[Tape]:
    """A server that replays what it is given."""
    tape = Tape()
    serving: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        await tape.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    tape.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield tape
    server.close()
    for task in tuple(serving):
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


Make = Callable[..., Provider]


@pytest_asyncio.fixture
async def provider(tape: Tape) -> AsyncIterator[Make]:
    """Makes providers of a preset that are pointed at the tape; `fields` are those of their target."""
    made: list[Provider] = []

    def make(preset: str, path: str = "", key: str = KEY, **fields: Any) -> Provider:
        target = Target(**{"name": "t", "provider": preset, "model": "m", "base_url": tape.url + path, **fields})
        adapter = import_module(f"workers.llm.providers.{PRESETS[preset].adapter}")
        made.append(adapter.make(target, PRESETS[preset], key))
        return made[-1]

    yield make
    for each in made:
        await each.close()


SCHEMA = {
    "title": "Vote",
    "type": "object",
    "properties": {"choice": {"type": "string"}, "why": {"type": "string", "default": ""}},
    "required": ["choice"],
}


@pytest.fixture
def request_() -> ModelRequest:
    """A request with a system message, a question and a schema."""
    messages = (PromptMessage(role="system", text="You vote."), PromptMessage(role="user", text="Tea or coffee?"))
    return ModelRequest(messages=messages, reply_schema=SCHEMA, max_output_tokens=500, seed=7)


Heard_ = tuple[list[Piece], CallFailed | None]


@pytest.fixture
def pieces() -> Callable[[Provider, ModelRequest], Any]:
    """Asks once; returns the pieces that came and the failure, if there was one."""

    async def ask(provider: Provider, request: ModelRequest) -> Heard_:
        got: list[Piece] = []
        try:
            async for piece in provider.stream(request):
                got.append(piece)
        except CallFailed as failure:
            return got, failure
        return got, None

    return ask
