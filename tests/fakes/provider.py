"""A local provider of models over real HTTP, for tests: it speaks every API and plays what it is told.

In a test: `async with FakeProvider() as fake: fake.script(rate_limited(2), Play("yes")); … fake.url …`.
As a process: `python -m tests.fakes.provider --port 0 --builtin` prints `{"port": …, "url": …}` and serves until
SIGTERM or until its parent is gone; there `GET /_fake` tells what was counted, in all and by model, `POST /_fake` takes
a list of plays (fields of `Play` as JSON, with `model` for that one only) to be played next, and `DELETE /_fake`
forgets what has not been played.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, Self

from tests.fakes import chat, messages, responses
from tests.fakes.asked import Asked, read
from tests.fakes.http1 import Connection, Cut, Heard, HungUp
from tests.fakes.script import Play
from tests.fakes.turn import Bill, Turn
from workers.llm.builtin import BuiltinModel
from workers.llm.model import ModelUnavailable, Usage

Answer = Play | Callable[[Asked], Play | Awaitable[Play]]

_DIALECTS: dict[str, ModuleType] = {
    "chat": chat,
    "groq": chat,
    "azure": chat,
    "responses": responses,
    "messages": messages,
    "bedrock": messages,
    "vertex": messages,
}


class Billed(NamedTuple):
    """All tokens that the provider would charge for."""

    input_tokens: int
    output_tokens: int


class FakeProvider:
    """The server. `requests` holds every request to a model's API in order, so its length is the number of calls.

    A request takes the next play of its model's script, else of the common script, else `default`: a play, or what
    makes one from the request. `builtin` is the target (e.g. `builtin:latency_ms=20`) that answers by default.
    """

    def __init__(self, default: Answer | None = None, *, builtin: str | None = None, port: int = 0) -> None:
        self.default: Answer = default or (Builtin(builtin) if builtin else Play())
        self.requests: list[Heard] = []
        self.bills: list[Bill] = []
        self.connections = 0
        self.port = port
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def url(self) -> str:
        """Where it listens; the base of every API's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def billed(self) -> Billed:
        """The tokens of all bills."""
        return Billed(sum(bill.input_tokens for bill in self.bills), sum(bill.output_tokens for bill in self.bills))

    def script(self, *plays: Answer, model: str = "") -> None:
        """Play these next, one for each request; with `model` only for requests to that model."""
        self._scripts[model].extend(plays)

    async def idle(self) -> None:
        """Wait until no request is being answered; then `requests` and `bills` are final."""
        await self._idle.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for serving in tuple(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        self._serving.add(this)
        self.connections += 1
        connection = Connection(reader, writer)
        try:
            while (heard := await connection.receive()) is not None:
                await self._hear(connection, heard)
        except (Cut, HungUp, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The connection is over; what it means is in the request's outcome.
        finally:
            self._serving.discard(this)
            connection.close()

    async def _hear(self, connection: Connection, heard: Heard) -> None:
        with contextlib.suppress(ValueError):
            heard.body = json.loads(heard.raw or b"null")
        asked = read(heard)
        if asked is None:
            await self._control(connection, heard)
            return
        heard.api, heard.model = asked.api, asked.model
        self.requests.append(heard)
        self._idle.clear()
        try:
            await self._answer(connection, asked, await self._next(asked))
            heard.outcome = "answered"
        except Cut:
            heard.outcome = "cut"
            raise
        except HungUp:
            heard.outcome = "hung up"
            raise
        finally:
            if all(request.outcome for request in self.requests):
                self._idle.set()

    async def _next(self, asked: Asked) -> Play:
        script = self._scripts[asked.model] or self._scripts[""]
        answer = script.popleft() if script else self.default
        if isinstance(answer, Play):
            return answer
        made = answer(asked)
        return made if isinstance(made, Play) else await made

    async def _answer(self, connection: Connection, asked: Asked, play: Play) -> None:
        dialect = _DIALECTS[asked.api]
        connection.cut_at = play.cut_at
        headers = {"x-request-id": "req_fake", "request-id": "req_fake", **dialect.limits(play.allowance)}
        headers.update(play.headers)
        if play.body:
            await connection.pause(play.first_s)
            await connection.head(play.status, headers, len(play.body))
            await connection.send(play.body)
            return
        if play.status != 200:
            if asked.api == "bedrock" and play.code:
                headers["x-amzn-errortype"] = play.code
            await connection.pause(play.first_s)
            await _send(connection, play.status, headers, dialect.error(asked, play))
            return
        usage = play.usage or Usage(asked.input_tokens, -(-len(play.text) // 4))
        bill = Bill(asked.model, usage.input_tokens)
        self.bills.append(bill)
        turn = Turn(connection, dialect, asked, play, usage, bill)
        await (turn.stream(headers) if asked.stream else turn.whole(headers))

    async def _control(self, connection: Connection, heard: Heard) -> None:
        if heard.path != "/_fake":
            await _send(connection, 404, {}, {"error": {"message": f"The fake has no {heard.path}.", "code": "none"}})
            return
        if heard.method == "POST":
            for fields in heard.body:
                model = fields.pop("model", "")
                self.script(Play.parse(fields), model=model)
        if heard.method == "DELETE":
            self._scripts.clear()
        models = {model: self._of(model) for model in {request.model for request in self.requests}}
        counted = {"requests": len(self.requests), "connections": self.connections, "billed": self.billed._asdict()}
        await _send(connection, 200, {}, {**counted, "models": models})

    def _of(self, model: str) -> dict[str, int]:
        """What was counted for one model; `hung_up` are requests whose client left."""
        requests = [request for request in self.requests if request.model == model]
        bills = [bill for bill in self.bills if bill.model == model]
        return {
            "requests": len(requests),
            "open": sum(not request.outcome for request in requests),
            "hung_up": sum(request.outcome == "hung up" for request in requests),
            "input_tokens": sum(bill.input_tokens for bill in bills),
            "output_tokens": sum(bill.output_tokens for bill in bills),
        }


class Builtin:
    """Answers what the built-in model says to the same messages, schema and seed, with its token counts."""

    def __init__(self, target: str, play: Play | None = None) -> None:
        self._model = BuiltinModel(target)
        self._play = play or Play()

    async def __call__(self, asked: Asked) -> Play:
        """The built-in model's answer as a play; its outage is a 503."""
        try:
            said = await self._model.complete(asked.request)
        except ModelUnavailable as outage:
            return Play(status=503, message=str(outage))
        usage = Usage(said.input_tokens, said.output_tokens)
        return replace(self._play, text=said.text, stop=said.stop, usage=usage)


async def _send(connection: Connection, status: int, headers: dict[str, str], content: Any) -> None:
    body = json.dumps(content).encode()
    await connection.head(status, {"content-type": "application/json", **headers}, len(body))
    await connection.send(body)


async def _serve(options: argparse.Namespace) -> None:
    play = Play(pieces=options.pieces, first_s=options.first_ms / 1000, each_s=options.each_ms / 1000)
    default: Answer = Builtin(options.target, play) if options.builtin else replace(play, text=options.text)
    stopped, parent = asyncio.Event(), os.getppid()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with FakeProvider(default, port=options.port) as fake:
        print(json.dumps({"port": fake.port, "url": fake.url}), flush=True)
        while not stopped.is_set() and os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 0.5)


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.provider", description="A fake provider of models.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--builtin", action="store_true", help="answer what the built-in model says")
    parser.add_argument("--target", default="builtin", help="the built-in model's options, e.g. builtin:error=0.1")
    parser.add_argument("--text", default=Play().text, help="what to answer without --builtin")
    parser.add_argument("--pieces", type=int, default=4)
    parser.add_argument("--first-ms", type=float, default=0.0, help="before the headers")
    parser.add_argument("--each-ms", type=float, default=0.0, help="after each piece")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
