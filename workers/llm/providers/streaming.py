"""One call through an SDK, from the request to the last piece; the APIs differ only in who listens to the events.

Events are read as plain dicts, not as the SDK's models: servers differ in what they add and leave out, and a dict
costs a fraction of the time. A server that ignores `stream` and answers in one piece is understood as well.
"""

import asyncio
import inspect
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from workers.llm.failures import CallFailed
from workers.llm.model import Began, End, ModelRequest, Piece, Text
from workers.llm.providers.faults import shown
from workers.llm.providers.headers import allowance_of
from workers.llm.providers.sdk import guarded

Json = dict[str, Any]


class Listener(Protocol):
    """Puts one answer together from its events. `finish` is "" until the provider says that it is complete."""

    finish: str

    def hear(self, event: Json) -> str:
        """Take an event and return its text, "" for none; raises `CallFailed` for an error in it."""
        ...

    def end(self) -> End:
        """The end of a complete answer."""
        ...


@dataclass(frozen=True)
class Api:
    """How an SDK is used: `connect` makes its client, `ask` sends a request and returns the raw response, `events` is
    the type of its stream of plain dicts, `listener` makes what listens to an answer."""

    connect: Callable[[], Any]
    ask: Callable[[Any, ModelRequest], Awaitable[Any]]
    events: Callable[[], Any]
    listener: Callable[[], Listener]


class Streaming:
    """A provider that speaks one API. Its client is made at the first call and reused."""

    def __init__(self, api: Api, key: str) -> None:
        self._api, self._key = api, key
        self._client: Any = None
        self._connecting = asyncio.Lock()

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """Ask once."""
        return guarded(self._pieces(request), self._key)

    async def close(self) -> None:
        """Close the client, if there is one; another call makes another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> Any:
        """The client. An SDK takes a second to import, and the loop must send heartbeats meanwhile."""
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._api.connect)
        return self._client

    async def _pieces(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        client = await self._connected()
        try:
            raw = await self._api.ask(client, request)
        except Exception as error:
            if getattr(error, "code", None) != "content_filter":
                raise
            yield Began()
            yield End("refusal", "content_filter", None, shown(str(getattr(error, "message", "")), self._key))
            return
        try:
            yield Began(allowance_of(raw.headers, time.time()))
            listener = self._api.listener()
            async with aclosing(self._texts(raw, listener)) as texts:
                async for text in texts:
                    yield text
            if listener.finish:
                yield listener.end()
        finally:
            await raw.http_response.aclose()

    async def _texts(self, raw: Any, listener: Listener) -> AsyncGenerator[Text, None]:
        try:
            async with aclosing(self._events(raw)) as events:
                async for event in events:
                    if not isinstance(event, dict):
                        raise CallFailed("server_error", f"an event is {type(event).__name__} and not an object")
                    if text := listener.hear(event):
                        yield Text(text)
        except Exception:
            if not listener.finish:  # else all of it is here, and only the count of tokens may be missing
                raise

    async def _events(self, raw: Any) -> AsyncGenerator[object, None]:
        kind = raw.headers.get("content-type", "")
        if "json" in kind:
            yield json.loads(await raw.http_response.aread())
            return
        if "html" in kind:
            raise CallFailed("server_error", "a web page came instead of an answer; look at base_url")
        stream = raw.parse(to=self._api.events())
        if inspect.isawaitable(stream):
            stream = await stream
        async for event in stream:
            yield event
