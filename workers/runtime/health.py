"""`/healthz`, `/readyz` and `/metrics` of a worker, as one small ASGI application."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Ready = Callable[[], Awaitable[str]]
"""Returns why the worker is not ready; empty when it is."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def health_app(ready: Ready, registry: CollectorRegistry) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application. Health: the loop turns. Readiness: the broker is there and knows the consumer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/healthz":
                await _answer(send, 200, b'{"status":"ok"}')
            case "/readyz":
                why_not = await ready()
                said = {"status": "ready"} if not why_not else {"status": "not ready", "reason": why_not}
                await _answer(send, 503 if why_not else 200, json.dumps(said).encode())
            case "/metrics":
                await _answer(send, 200, generate_latest(registry), CONTENT_TYPE_LATEST)
            case _:
                await _answer(send, 404, b'{"error":"there is /healthz, /readyz and /metrics"}')

    return app


async def _answer(send: Send, status: int, body: bytes, content_type: str = "application/json") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type.encode())]})
    await send({"type": "http.response.body", "body": body})


class HealthServer:
    """Serves a health application on the running loop."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], host: str, port: int) -> None:
        config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start; raises `OSError` when the port is taken."""
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        try:
            await self._server.startup()
        except SystemExit:
            raise OSError(
                f"port {self._server.config.port} on {self._server.config.host} can't be listened on"
            ) from None
        self._task = asyncio.create_task(self._server.main_loop())

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            await self._server.shutdown()
