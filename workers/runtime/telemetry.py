"""Logs and metrics, in the words of the design. Every log line of a task names its run, task, attempt and role."""

import logging
import sys
from collections.abc import Collection
from typing import Any

import structlog
from faststream.message import StreamMessage
from faststream.nats.prometheus.provider import NatsMetricsSettingsProvider
from faststream.prometheus import ConsumeAttrs
from faststream.prometheus.middleware import PrometheusMiddleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contracts.v1.journal import Call
from contracts.v1.prompts import ExperimentEnded, OutcomeScored
from workers.llm.conventions import FailedCall
from workers.llm.model import Completion
from workers.runtime.redaction import Clean, CleanLines, clean_other_output, redactor_for
from workers.runtime.settings import Settings

Logger = structlog.stdlib.BoundLogger


def configure_logging(settings: Settings, clean: Clean | None = None) -> None:
    """One line an event on standard error, JSON by default, without secrets. `clean` hides those that are known."""
    clean = clean or redactor_for(settings).clean
    level = getattr(logging, settings.log_level.upper())
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if settings.log_format == "text" else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
            CleanLines(clean),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("nats").setLevel(logging.ERROR)
    clean_other_output(clean)


def logger(worker: str) -> Any:
    """A logger whose lines name the worker."""
    return structlog.get_logger().bind(worker=worker)


_OUTCOMES = {True: "won", False: "lost", None: "missing"}

WAITS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)
"""Buckets of what models take, in seconds."""


class _OfWorker(NatsMetricsSettingsProvider):
    """FastStream's metrics with the worker's name where it would put the subject, which is unbounded."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def get_consume_attrs_from_message(self, msg: StreamMessage[Any]) -> ConsumeAttrs:
        together = msg.raw_message
        size = sum(len(one.data) for one in together)
        return {"destination_name": self._worker, "message_size": size, "messages_count": len(together)}


def faststream_metrics(worker: str, registry: CollectorRegistry) -> PrometheusMiddleware[Any, Any]:
    """FastStream's own metrics of a worker's subscriber: messages received, their size, time in the handler."""
    return PrometheusMiddleware(settings_provider_factory=lambda _: _OfWorker(worker), registry=registry)


class Metrics:
    """Every metric of a process. Labels are bounded: never a run, a tenant or a subject.

    Any number of targets may be named ad hoc by requests: those count under their provider.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.configured: Collection[str] = ()
        """The targets that have a label of their own."""
        r = self.registry
        self.runs = Counter("flotilla_runs", "runs that have closed", ["status"], registry=r)
        self.tasks = Counter("flotilla_tasks", "attempts at tasks by outcome", ["role", "outcome"], registry=r)
        self.calls = Counter("flotilla_model_calls", "model calls of recorded attempts", ["target"], registry=r)
        self.tokens = Counter("flotilla_model_tokens", "tokens of those calls", ["target", "direction"], registry=r)
        self.cost = Counter("flotilla_model_cost_usd", "cost of those calls where it is known", ["target"], registry=r)
        self.failures = Counter(
            "flotilla_model_failures", "model calls without an answer", ["target", "kind"], registry=r
        )
        self.first_token = Histogram(
            "flotilla_model_first_token_seconds",
            "from a call to its first token",
            ["target"],
            registry=r,
            buckets=WAITS_S,
        )
        self.call_time = Histogram(
            "flotilla_model_call_seconds", "from a call to its whole answer", ["target"], registry=r, buckets=WAITS_S
        )
        self.waits = Counter("flotilla_waits", "tasks put back for models or budget", ["role", "what"], registry=r)
        self.votes = Counter("flotilla_votes", "votes by what became of them", ["how"], registry=r)
        self.ballots = Counter("flotilla_ballots", "ballots by what decided them", ["by"], registry=r)
        self.outcomes = Counter(
            "flotilla_prompt_outcomes", "outcomes of tasks in experiments", ["template", "arm", "outcome"], registry=r
        )
        self.proven = Counter(
            "flotilla_prompt_verdicts", "experiments by what outcomes have proven", ["template", "verdict"], registry=r
        )
        self.dead = Counter("flotilla_dead_letters", "messages that could not be handled", ["worker"], registry=r)
        self.verdicts = Counter(
            "flotilla_deliveries", "deliveries by how they were settled", ["worker", "settled"], registry=r
        )
        self.held = Gauge("flotilla_leases_held", "deliveries that are being worked on", ["worker"], registry=r)
        self.renewals = Gauge("flotilla_lease_renewals", "heartbeats sent since the start", ["worker"], registry=r)
        self.lag = Gauge("flotilla_queue_lag", "messages waiting or held, of a consumer", ["consumer"], registry=r)

    def count_calls(self, calls: tuple[Call, ...]) -> None:
        """Count the journal entries of an attempt that was recorded."""
        for call in calls:
            target = self.target(call.target)
            self.calls.labels(target).inc()
            self.tokens.labels(target, "input").inc(call.input_tokens)
            self.tokens.labels(target, "output").inc(call.output_tokens)
            if call.cost_usd is not None:
                self.cost.labels(target).inc(call.cost_usd)

    def count_outcome(self, scored: OutcomeScored) -> None:
        """Count how a task of an experiment went."""
        outcome = "void" if scored.void else _OUTCOMES[scored.won]
        self.outcomes.labels(scored.template, scored.arm, outcome).inc()

    def count_verdict(self, ended: ExperimentEnded) -> None:
        """Count how an experiment ended."""
        self.proven.labels(ended.template, ended.verdict).inc()

    def target(self, name: str) -> str:
        """The label of a target."""
        return name if name in self.configured else name.partition(":")[0]


class ModelMetrics:
    """Tells the metrics of the gateway's calls."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def answered(self, target: str, completion: Completion) -> None:
        """A target has answered."""
        label = self._metrics.target(target)
        self._metrics.call_time.labels(label).observe(completion.duration_s)
        if completion.first_token_s is not None:
            self._metrics.first_token.labels(label).observe(completion.first_token_s)

    def failed(self, failed: FailedCall) -> None:
        """A call gave no answer."""
        self._metrics.failures.labels(self._metrics.target(failed.target.name), failed.error.kind).inc()
