"""Tracing where it is on: which facts end which spans, and what stands above what."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from contracts import subjects
from contracts.message import Message, Result
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunClosed
from workers.llm import conventions
from workers.llm.conventions import Attempt, FailedCall
from workers.llm.targets import Target
from workers.runtime.lease import Delivery
from workers.runtime.spans import Ended, Spans
from workers.runtime.telemetry import logger
from workers.runtime.trace_ids import HEADER, Place, place_in, span_of, trace_of
from workers.runtime.tracing import Origin, Tracing


@dataclass(frozen=True)
class _Work:
    """An attempt that is worked on: its command's place and time, this delivery's time, and its calls that failed."""

    attempt: Attempt
    above: Place
    stored_at: float
    delivery: int
    began_at: float
    failed_calls: Iterator[int] = field(default_factory=itertools.count)


@dataclass(frozen=True)
class _Scope:
    """What this process is at now: `place` stands above what is said of the run meanwhile."""

    tenant: str
    run: str
    place: Place
    origin: Origin | None = None
    work: _Work | None = None


_scope: ContextVar[_Scope | None] = ContextVar("flotilla_trace_scope", default=None)


class OtelTracing(Tracing):
    """Traces the work of one worker."""

    on = True

    def __init__(self, worker: str, prefix: str, spans: Spans) -> None:
        self._prefix, self._spans, self._log = prefix, spans, logger(worker)
        self._target_named: Callable[[str], Target] = conventions.target_called

    def targets(self, named: Callable[[str], Target]) -> None:
        """How targets are found by name."""
        self._target_named = named

    def headers(self, tenant: str, run: str) -> dict[str, str] | None:
        """The `traceparent` of a message that is published now."""
        scope = _scope.get()
        if scope is not None and scope.run == run and scope.tenant == tenant:
            return {HEADER: scope.place.header}
        return {HEADER: self._place_of(Origin(tenant, run)).header}

    @contextlib.contextmanager
    def run(self, origin: Origin) -> Iterator[None]:
        """While the orchestrator works on a run."""
        with _within(_Scope(origin.tenant, origin.run, self._place_of(origin), origin=origin)):
            yield

    @contextlib.contextmanager
    def task(self, delivery: Delivery) -> Iterator[None]:
        """While a command is worked on."""
        attempt = self._attempt(delivery.subject)
        if attempt is None:
            yield
            return
        above = place_in(delivery.traceparent) or self._place_of(Origin(attempt.tenant, attempt.run))
        span = span_of(attempt.tenant, attempt.run, attempt.task, attempt.attempt)
        work = _Work(attempt, above, delivery.stored_at, delivery.number, time.time())
        with _within(_Scope(attempt.tenant, attempt.run, above._replace(span=span), work=work)):
            yield

    def _attempt(self, subject: str) -> Attempt | None:
        try:
            address = subjects.parse(subject, self._prefix)
            if address.noun != "task":
                return None
            role, task, attempt = address.names
            return Attempt(address.tenant, address.run, role, task, int(attempt))
        except ValueError:
            return None

    def _place_of(self, origin: Origin) -> Place:
        """A run's span: in its client's trace, or else in its own."""
        span, client = span_of(origin.tenant, origin.run), place_in(origin.traceparent)
        if client is not None:
            return client._replace(span=span)
        own = trace_of(origin.tenant, origin.run)
        return Place(own, span, self._spans.samples(own, conventions.RUN))

    def said(self, message: Message, news: bool, at: float) -> None:
        """Export the span that ends with this fact. An attempt's is made again by whoever reports it again."""
        scope = _scope.get()
        match message:
            case ModelCalled() if news:
                self._record(self._call(message, at, scope))
            case RunClosed() if news:
                self._record(self._run(message, scope.origin if scope else None))
            case Result() | TaskFailed() if scope and scope.work and _reports(message, scope.work.attempt):
                outcome = message.error if isinstance(message, TaskFailed) else conventions.DONE
                self._record(_task(scope, scope.work, outcome))
            case _:
                pass

    def dropped(self) -> None:
        """Export the span of an attempt whose run is over; calls of deliveries before this one stand below it."""
        scope = _scope.get()
        if scope is not None and scope.work is not None:
            self._record(_task(scope, scope.work, conventions.DROPPED))

    def call_failed(self, failed: FailedCall) -> None:
        """Export the span of a call that no journal has; each delivery numbers its own from 0."""
        scope = _scope.get()
        if scope is None or scope.work is None:
            return
        work = scope.work
        span = span_of(*work.attempt, work.delivery, "failed", next(work.failed_calls))
        name, said = conventions.call_name(failed.target), conventions.of_failed_call(work.attempt, failed)
        place = scope.place._replace(span=span)
        self._record(Ended(name, place, scope.place, said, failed.began_at, failed.ended_at, client=True))

    def _run(self, end: RunClosed, known: Origin | None) -> Ended:
        now, origin = time.time(), known or Origin(end.tenant, end.run)
        place, above = self._place_of(origin), place_in(origin.traceparent)
        return Ended(conventions.RUN, place, above, conventions.of_run(end), min(origin.at or now, now), now)

    def _call(self, entry: ModelCalled, at: float, scope: _Scope | None) -> Ended:
        if scope is not None and scope.work is not None:
            above = scope.place
        else:
            span = span_of(entry.tenant, entry.run, entry.task, entry.attempt)
            above = self._place_of(Origin(entry.tenant, entry.run))._replace(span=span)
        try:
            target = self._target_named(entry.target)
        except LookupError:
            target = conventions.target_called(entry.target)
        place = above._replace(span=span_of(entry.tenant, entry.run, entry.cited().entry))
        name, said = conventions.call_name(target), conventions.of_call(entry, target)
        return Ended(name, place, above, said, at - entry.latency_ms / 1_000.0, at, client=True)

    def _record(self, ended: Ended) -> None:
        try:
            self._spans.record(ended)
        except Exception as error:  # what is traced has happened: a fault here must not undo it
            self._log.error("span_not_made", span=ended.name, error=repr(error))

    async def stop(self) -> None:
        """Export what is left, for a few seconds at most."""
        await self._spans.stop()


@contextlib.contextmanager
def _within(scope: _Scope) -> Iterator[None]:
    before = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(before)


def _reports(message: Result | TaskFailed, attempt: Attempt) -> bool:
    return (message.task, message.attempt) == (attempt.task, attempt.attempt)


def _task(scope: _Scope, work: _Work, outcome: str) -> Ended:
    """From the storage of the command on, so that the calls of all its deliveries are within."""
    now, start = time.time(), work.stored_at or work.began_at
    delivered = ("delivered", work.began_at, conventions.of_delivery(work.delivery))
    said = conventions.of_task(work.attempt, outcome, work.delivery)
    name = conventions.task_name(work.attempt)
    return Ended(name, scope.place, work.above, said, min(start, now), now, events=(delivered,))
