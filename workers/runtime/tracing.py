"""Tracing: one trace for each run, from its request to its capsule.

    span    of                     ends with the fact             and is exported by
    run     a request to its end   run.closed                     the orchestrator that was first to say it
    task    an attempt             result.<task>, failure.<…>     the worker that says it
    call    an answer of a model   llm.<task>.<attempt>.<n>       the worker that asked

Ids are made of names (`trace_ids.py`), so processes share nothing but the `traceparent` of the messages. What is said
in the midst of `run(…)` or `task(…)` carries their span on. What stands here does nothing; `otel.py` does it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple

from contracts.message import Message
from workers.llm.conventions import FailedCall
from workers.llm.targets import Target
from workers.runtime.lease import Delivery
from workers.runtime.settings import Settings

_NOTHING = nullcontext()


class TracingNotInstalled(RuntimeError):
    """Tracing is on, but what it needs is not installed; the message says how to install it."""


class Origin(NamedTuple):
    """What the trace of a run needs of its request: its `traceparent`, and when it was stored, in unix seconds."""

    tenant: str
    run: str
    traceparent: str = ""
    at: float = 0.0


class Tracing:
    """Traces nothing."""

    on: ClassVar[bool] = False

    def headers(self, tenant: str, run: str) -> dict[str, str] | None:
        """The headers of a message of that run which is published now."""
        return None

    def said(self, message: Message, news: bool, at: float) -> None:
        """A message was published, from `at` on (unix seconds). Some facts are the end of a span."""

    def run(self, origin: Origin) -> AbstractContextManager[None]:
        """While the orchestrator works on a run."""
        return _NOTHING

    def task(self, delivery: Delivery) -> AbstractContextManager[None]:
        """While a command is worked on; other deliveries are let pass."""
        return _NOTHING

    def dropped(self) -> None:
        """The attempt that is worked on ends without result and failure, because its run is over."""

    def call_failed(self, failed: FailedCall) -> None:
        """A call in the midst of a task gave no answer."""

    def targets(self, named: Callable[[str], Target]) -> None:
        """How targets are found by the name that the journal has; may raise `LookupError`."""

    async def stop(self) -> None:
        """Export what is left, for a few seconds at most."""


NO_TRACING = Tracing()


def tracing_of(settings: Settings, worker: str) -> Tracing:
    """The tracing of one worker; raises `TracingNotInstalled`. Standard `OTEL_…` variables say where spans go."""
    if not settings.otel:
        return NO_TRACING
    try:
        from workers.runtime.otel import OtelTracing  # noqa: PLC0415 - it needs an extra
        from workers.runtime.spans import Spans, exported  # noqa: PLC0415
    except ImportError as error:
        raise TracingNotInstalled(
            f"FLOTILLA_OTEL is on, but {error.name or 'OpenTelemetry'} is not installed; "
            "run: pip install 'flotilla[otel]', or unset FLOTILLA_OTEL"
        ) from error
    return OtelTracing(worker, settings.prefix, Spans(worker, exported(worker)))
