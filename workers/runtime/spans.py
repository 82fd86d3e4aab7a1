"""Spans by OpenTelemetry's SDK, and where they go: in batches, from a thread, to an OTLP/HTTP collector.

A span is made when what it is about is over: its parent and its id are known from names, so nothing has to be open.
The SDK comes with the extra `otel`; import this only where tracing is on.
"""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, Status, StatusCode

from workers.llm.conventions import Attributes
from workers.runtime.telemetry import logger
from workers.runtime.trace_ids import Place

STOP_PATIENCE_S = 3.0


@dataclass(frozen=True)
class Ended:
    """What is over. Times are in unix seconds; `above` is the parent's place, None for the root of a trace.

    `events` are names, times and attributes. A span that has an `error.type` is one of a failure.
    """

    name: str
    place: Place
    above: Place | None
    said: Attributes
    start: float
    end: float
    client: bool = False
    events: tuple[tuple[str, float, Attributes], ...] = ()


class Spans:
    """The spans of one worker; `processor` takes them."""

    def __init__(self, worker: str, processor: SpanProcessor) -> None:
        self._ids = _NamedIds()
        # The SDK's own end at exit would wait for half a minute.
        self._provider = TracerProvider(resource=_resource(worker), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("flotilla")

    def samples(self, trace_id: int, name: str) -> bool:
        """Whether a new trace is recorded, as the sampler says (`OTEL_TRACES_SAMPLER`)."""
        decided = self._provider.sampler.should_sample(Context(), trace_id, name)
        return decided.decision is Decision.RECORD_AND_SAMPLE

    def record(self, ended: Ended) -> None:
        """Make a span of it."""
        self._ids.next = ended.place
        parent = Context() if ended.above is None else trace.set_span_in_context(_remote(ended.above), Context())
        kind = SpanKind.CLIENT if ended.client else SpanKind.INTERNAL
        span = self._tracer.start_span(ended.name, parent, kind, ended.said, start_time=_ns(ended.start))
        for name, at, said in ended.events:
            span.add_event(name, said, _ns(at))
        if "error.type" in ended.said:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(max(ended.start, ended.end)))

    async def stop(self) -> None:
        """Export what is left. The SDK waits for half a minute for a collector that is away, so nobody waits for it."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=shut_down, name="flotilla-last-spans", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), STOP_PATIENCE_S)


class _NamedIds(IdGenerator):
    """Hands the SDK the ids of the one span that is being made; a worker makes them one at a time, on its loop."""

    def __init__(self) -> None:
        self.next = Place(1, 1)

    def generate_trace_id(self) -> int:
        return self.next.trace

    def generate_span_id(self) -> int:
        return self.next.span


def _remote(place: Place) -> trace.NonRecordingSpan:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if place.sampled else trace.TraceFlags.DEFAULT)
    return trace.NonRecordingSpan(trace.SpanContext(place.trace, place.span, is_remote=True, trace_flags=flags))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _resource(worker: str) -> Resource:
    """What all spans of a worker share; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word."""
    ours = {
        "service.name": "flotilla",
        "service.instance.id": f"{worker}@{socket.gethostname()}:{os.getpid()}",
        "flotilla.worker": worker,
    }
    return Resource.create(ours).merge(OTELResourceDetector().detect())


class LastWords(logging.Filter):
    """Keeps what the exporter logs, which it does at every try, and lets none of it through."""

    said = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let nothing through."""
        self.said = record.getMessage()[:300]
        return False


class Telling(SpanExporter):
    """Says once that spans can't be exported, and once that they can again."""

    def __init__(self, inner: SpanExporter, worker: str, last_words: LastWords) -> None:
        self._inner, self._log, self._last_words = inner, logger(worker), last_words
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export; work goes on either way."""
        result = self._inner.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            advice = "check OTEL_EXPORTER_OTLP_ENDPOINT and the collector; until then spans are lost"
            self._log.warning("spans_not_exported", error=self._last_words.said, advice=advice)
        elif self._failing and not failed:
            self._log.info("spans_exported_again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """Let go of connections."""
        self._inner.shutdown()


def exported(worker: str) -> SpanProcessor:
    """Sends spans to where the standard variables say (`OTEL_EXPORTER_OTLP_…`, `OTEL_BSP_…`)."""
    last_words, exporter_log = LastWords(), logging.getLogger(trace_exporter.__name__)
    for before in [known for known in exporter_log.filters if isinstance(known, LastWords)]:
        last_words = before  # one for all workers of a process
    exporter_log.addFilter(last_words)
    return BatchSpanProcessor(Telling(trace_exporter.OTLPSpanExporter(), worker, last_words))
