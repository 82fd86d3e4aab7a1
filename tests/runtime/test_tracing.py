"""Traces: ids from names, what spans say, and that tracing never stands in the way of work."""

import asyncio
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled, Try
from contracts.v1.runs import RunClosed, RunRequested, Spent
from contracts.v1.tasks import TaskPerformed
from workers.llm import conventions
from workers.llm.conventions import Attempt, FailedCall
from workers.llm.failures import CallFailed
from workers.llm.model import ModelRequest, PromptMessage
from workers.llm.targets import Capabilities, Target
from workers.runtime import spans as spans_module
from workers.runtime.lease import Delivery
from workers.runtime.otel import OtelTracing
from workers.runtime.settings import Settings
from workers.runtime.spans import LastWords, Spans, Telling, exported
from workers.runtime.trace_ids import Place, header_in, place_in, span_of, trace_of
from workers.runtime.tracing import NO_TRACING, Origin, TracingNotInstalled, tracing_of

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "canary-4711"
ROOT = Path(__file__).parents[2]


def entry(n=1, **more):
    fields = {
        "tenant": "acme", "run": "r1", "task": "design", "attempt": 1, "n": n, "role": "architect",
        "target": "smart", "prompt": "architect/design", "prompt_version": "v7", "request_sha256": "0" * 64,
        "input_tokens": 120, "output_tokens": 30, "cost_usd": 0.5, "latency_ms": 2_000.0, "completion": SECRET,
        "asked": "default", "finish": "stop",
        "parameters": {"max_output_tokens": 32_000, "seed": 1, "reply_schema": "Design"},
        "cached_input_tokens": 20, "reasoning_tokens": 5, "first_token_ms": 250.0,
        "tries": (Try(target="other", kind="overloaded", reason=SECRET),),
    }  # fmt: skip
    return ModelCalled(**{**fields, **more})


TARGET = Target(name="smart", provider="azure", model="gpt-x", base_url="https://me@models.example:8443/v1")
OTHER = Target(name="other", provider="anthropic", model="claude-x")


def failed_call(kind="overloaded", began=1_000.0):
    request = ModelRequest(messages=(PromptMessage(role="user", text=SECRET),), reply_schema=None, seed=3)
    return FailedCall(OTHER, request, CallFailed(kind, SECRET), began, began + 2)


def command(number=1, traceparent="", run="r1", task="design", attempt=1, stored_at=900.0):
    subject = f"flotilla.acme.{run}.task.architect.{task}.{attempt}"
    return Delivery(subject, b"{}", number, 7, 7, stored_at, traceparent)


def result(run="r1", task="design", attempt=1):
    return TaskPerformed(tenant="acme", run=run, task=task, attempt=attempt, output=SECRET)


def failure(error="malformed_reply"):
    return TaskFailed(
        tenant="acme", run="r1", role="architect", task="design", attempt=1, error=error, retry=True, reason=SECRET
    )


def closed(status="completed", **more):
    spent = Spent(calls=3, input_tokens=10, output_tokens=4, cost_usd=0.25)
    return RunClosed(tenant="acme", run="r1", status=status, reason=SECRET, spent=spent, **more)


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter):
    made = OtelTracing("architect", "flotilla", Spans("architect", SimpleSpanProcessor(exporter)))
    made.targets({"smart": TARGET, "other": OTHER}.__getitem__)
    return made


def ids(span):
    return span.context.trace_id, span.context.span_id, span.parent.span_id if span.parent else 0


# ids


def test_ids_are_the_beginning_of_the_digest_of_the_name():
    assert f"{trace_of('acme', 'r1'):032x}" == "522eb0cc43417c4954dcb32a0be3d589"
    assert f"{span_of('acme', 'r1'):016x}" == "522eb0cc43417c49"
    assert span_of("acme", "r1", "design", 1) != span_of("acme", "r1", "design", 2)
    assert span_of("acme", "r1", "design", 1) == span_of("acme", "r1", "design", "1")


def test_a_traceparent_is_read_as_it_was_written():
    place = Place(trace_of("acme", "r1"), span_of("acme", "r1"), sampled=False)
    assert place_in(place.header) == place
    assert place_in(CLIENT).header == CLIENT


@pytest.mark.parametrize(
    "header",
    [
        "", "nonsense", CLIENT[:-1], CLIENT.upper(), CLIENT + "-more", "ff" + CLIENT[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
    ],
)  # fmt: skip
def test_a_traceparent_that_says_nothing_usable_is_none(header):
    assert place_in(header) is None


def test_a_newer_version_of_the_header_may_say_more():
    assert place_in("01" + CLIENT[2:] + "-more") == place_in(CLIENT)


def test_the_header_is_found_as_gos_carrier_writes_it_too():
    assert header_in(None) == header_in({"other": "x"}) == ""
    assert header_in({"traceparent": CLIENT}) == header_in({"Traceparent": CLIENT}) == CLIENT


# what spans say


def test_a_call_says_what_the_conventions_ask_for():
    said = conventions.of_call(entry(), TARGET)
    assert conventions.call_name(TARGET) == "chat gpt-x"
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.max_tokens": 16_384,
        "gen_ai.request.seed": 1,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gpt-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.output.type": "json",
        "gen_ai.prompt.name": "architect/design",
        "gen_ai.prompt.version": "v7",
        "server.address": "models.example",
        "server.port": 8443,
        "flotilla.tenant": "acme",
        "flotilla.run": "r1",
        "flotilla.task": "design",
        "flotilla.role": "architect",
        "flotilla.attempt": 1,
        "flotilla.call": "llm.design.1.1",
        "flotilla.target": "smart",
        "flotilla.asked": "default",
        "flotilla.cost_usd": 0.5,
        "flotilla.estimated": False,
        "flotilla.lost": False,
        "flotilla.tries": 1,
    }


def test_what_is_not_known_is_not_said():
    bare = entry(cost_usd=None, asked="", finish="", parameters={}, first_token_ms=None)
    said = conventions.of_call(bare, Target(name="here", provider="builtin"))
    assert said["gen_ai.response.finish_reasons"] == ("end",)
    assert said["gen_ai.request.model"] == "here"
    absent = {"flotilla.cost_usd", "flotilla.asked", "server.address", "server.port", "gen_ai.request.seed"}
    assert not absent & set(said)
    assert None not in said.values()


def test_a_seed_is_said_only_where_it_is_sent():
    assert "gen_ai.request.seed" not in conventions.of_failed_call(Attempt("a", "r", "x", "t", 1), failed_call())
    can = OTHER.model_copy(update={"capabilities": Capabilities(seed=True)})
    assert conventions.of_call(entry(), can)["gen_ai.request.seed"] == 1


def all_said():
    attempt = Attempt("acme", "r1", "architect", "design", 1)
    return {
        "run": {**conventions.of_run(closed("failed", failed_task="design")), "flotilla.capsule": ""},
        "task": conventions.of_task(attempt, "malformed_reply", 2),
        "call": {**conventions.of_call(entry(), TARGET), **conventions.of_failed_call(attempt, failed_call())},
    }


def test_no_span_holds_text():
    assert SECRET not in str(all_said())


def test_names_of_the_conventions_are_those_of_the_conventions():
    registry = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    newer = {"gen_ai.prompt.version"}
    used = {name for said in all_said().values() for name in said if name.startswith("gen_ai.")}
    assert used <= registry | newer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        well_known = {provider.value for provider in gen_ai_attributes.GenAiProviderNameValues}
    assert set(conventions.PROVIDERS.values()) <= well_known


def test_the_page_lists_every_attribute_of_every_span():
    rows = re.findall(r"^\| `([a-z_.]+)` \|([^|]*)\|", (ROOT / "docs/tracing.md").read_text(), re.MULTILINE)
    listed = {span: {name for name, spans in rows if span in spans.split()} for span in ("run", "task", "call")}
    assert listed == {span: set(said) for span, said in all_said().items()}


# the tree


def test_run_task_and_call_make_one_tree(tracing, exporter):
    origin = Origin("acme", "r1", "", 800.0)
    with tracing.run(origin):
        headers = tracing.headers("acme", "r1")
    with tracing.task(command(traceparent=headers["traceparent"])):
        tracing.said(entry(), True, 1_000.0)
        below = tracing.headers("acme", "r1")["traceparent"]
        tracing.said(result(), True, 1_001.0)
    with tracing.run(origin):
        tracing.said(closed(), True, 1_002.0)
    call, task, run = exporter.get_finished_spans()
    trace = trace_of("acme", "r1")
    assert ids(run) == (trace, span_of("acme", "r1"), 0)
    assert ids(task) == (trace, span_of("acme", "r1", "design", 1), span_of("acme", "r1"))
    assert ids(call) == (trace, span_of("acme", "r1", "llm.design.1.1"), task.context.span_id)
    assert place_in(below) == Place(trace, task.context.span_id)
    assert [span.name for span in (run, task, call)] == ["run", "task architect", "chat gpt-x"]
    assert [span.kind for span in (run, task, call)] == [SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.CLIENT]
    assert (call.start_time, call.end_time) == (998 * 10**9, 1_000 * 10**9)
    assert (run.start_time, task.start_time) == (800 * 10**9, 900 * 10**9)
    assert {span.status.status_code for span in (run, task, call)} == {StatusCode.UNSET}


def test_the_resource_names_the_worker(tracing, exporter, monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=lab")
    other = OtelTracing("sandbox", "flotilla", Spans("sandbox", SimpleSpanProcessor(exporter)))
    other.said(closed(), True, 1_000.0)
    said = exporter.get_finished_spans()[0].resource.attributes
    assert (said["service.name"], said["flotilla.worker"], said["deployment.environment"]) == (
        "flotilla", "sandbox", "lab",
    )  # fmt: skip
    assert said["service.instance.id"].startswith("sandbox@")


def test_whoever_has_no_header_derives_the_same_parents(tracing, exporter):
    derived = Place(trace_of("acme", "r1"), span_of("acme", "r1")).header
    assert tracing.headers("acme", "r1") == {"traceparent": derived}
    for delivery in (command(), command(traceparent=derived)):
        with tracing.task(delivery):
            tracing.said(result(), True, 1_001.0)
    first, second = exporter.get_finished_spans()
    assert ids(first) == ids(second)


def test_a_redelivered_task_makes_the_same_spans(tracing, exporter):
    for number in (1, 2):
        with tracing.task(command(number)):
            tracing.said(entry(), True, 1_000.0)
            tracing.said(result(), number == 1, 1_001.0)
    call, task, call_again, task_again = exporter.get_finished_spans()
    assert (ids(call), ids(task)) == (ids(call_again), ids(task_again))
    assert task.start_time == task_again.start_time
    assert (task.attributes["flotilla.delivery"], task_again.attributes["flotilla.delivery"]) == (1, 2)
    assert task_again.events[0].name == "delivered"


def test_a_delivery_that_is_put_back_ends_no_span(tracing, exporter):
    with pytest.raises(ConnectionError), tracing.task(command()):
        raise ConnectionError
    assert exporter.get_finished_spans() == ()


def test_a_client_that_is_in_a_trace_stands_above_the_run(tracing, exporter):
    origin = Origin("acme", "r1", CLIENT, 800.0)
    with tracing.run(origin):
        header = tracing.headers("acme", "r1")["traceparent"]
        tracing.said(closed(), True, 1_002.0)
    client, run = place_in(CLIENT), exporter.get_finished_spans()[0]
    assert ids(run) == (client.trace, span_of("acme", "r1"), client.span)
    with tracing.task(command(traceparent=header)):
        tracing.said(result(), True, 1_001.0)
    assert ids(exporter.get_finished_spans()[1])[0] == client.trace


def test_a_client_that_is_not_sampled_is_not_traced(tracing, exporter):
    with tracing.run(Origin("acme", "r1", CLIENT[:-2] + "00", 800.0)):
        header = tracing.headers("acme", "r1")["traceparent"]
        tracing.said(closed(), True, 1_002.0)
    assert header.endswith("-00")
    with tracing.task(command(traceparent=header)):
        tracing.said(entry(), True, 1_000.0)
        tracing.said(result(), True, 1_001.0)
    assert exporter.get_finished_spans() == ()


def test_the_standard_sampler_decides_on_whole_runs(exporter, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    tracing = OtelTracing("architect", "flotilla", Spans("architect", SimpleSpanProcessor(exporter)))
    for n in range(40):
        with tracing.task(command(run=f"r{n}")):
            tracing.said(result(run=f"r{n}"), True, 1_000.0)
        tracing.said(RunClosed(tenant="acme", run=f"r{n}", status="completed"), True, 1_000.0)
    runs = [span.attributes["flotilla.run"] for span in exporter.get_finished_spans()]
    assert 5 < len(set(runs)) < 35
    assert all(runs.count(run) == 2 for run in runs)


def test_calls_without_an_answer_are_told_apart_over_deliveries(tracing, exporter):
    for number in (1, 2):
        with tracing.task(command(number)):
            tracing.call_failed(failed_call())
            tracing.call_failed(failed_call("timeout"))
    seen = exporter.get_finished_spans()
    assert len({span.context.span_id for span in seen}) == 4
    assert {span.parent.span_id for span in seen} == {span_of("acme", "r1", "design", 1)}
    assert [span.attributes["error.type"] for span in seen] == ["overloaded", "timeout"] * 2
    assert {(span.name, span.status.status_code, span.status.description) for span in seen} == {
        ("chat claude-x", StatusCode.ERROR, None)
    }


def test_a_call_outside_of_a_task_is_not_traced(tracing, exporter):
    tracing.call_failed(failed_call())
    assert exporter.get_finished_spans() == ()


async def test_what_runs_beside_a_task_is_within_it(tracing, exporter):
    with tracing.task(command()):
        await asyncio.create_task(asyncio.to_thread(tracing.call_failed, failed_call()))
    assert exporter.get_finished_spans()[0].parent.span_id == span_of("acme", "r1", "design", 1)


def test_a_failed_attempt_and_a_failed_run_are_errors(tracing, exporter):
    with tracing.task(command()):
        tracing.said(failure(), True, 1_000.0)
    tracing.said(closed("failed", failed_task="design"), True, 1_000.0)
    task, run = exporter.get_finished_spans()
    assert (task.attributes["flotilla.outcome"], task.attributes["error.type"]) == ("malformed_reply",) * 2
    assert (run.attributes["flotilla.failed_task"], run.attributes["error.type"]) == ("design", "failed")
    assert {task.status.status_code, run.status.status_code} == {StatusCode.ERROR}
    assert SECRET not in task.to_json() + run.to_json()


def test_an_attempt_whose_run_is_over_is_no_error(tracing, exporter):
    with tracing.task(command(2)):
        tracing.dropped()
    task = exporter.get_finished_spans()[0]
    assert (task.attributes["flotilla.outcome"], task.status.status_code) == ("dropped", StatusCode.UNSET)


def test_only_news_of_its_own_end_a_span(tracing, exporter):
    tracing.said(closed(), False, 1_000.0)
    tracing.said(RunRequested(tenant="acme", run="r1", idea="x"), True, 1_000.0)
    tracing.said(result(), True, 1_000.0)
    with tracing.task(command()):
        tracing.said(entry(), False, 1_000.0)
        tracing.said(result(task="another"), True, 1_000.0)
        tracing.said(result(attempt=2), True, 1_000.0)
        assert tracing.headers("acme", "another")["traceparent"].startswith(f"00-{trace_of('acme', 'another'):032x}")
    with tracing.task(Delivery("flotilla.acme.r1.result.design", b"", 1, 1, 1, 1.0)):
        tracing.said(result(), True, 1_000.0)
    with tracing.task(Delivery("nonsense", b"", 1, 1, 1, 1.0)):
        tracing.said(result(), True, 1_000.0)
    assert exporter.get_finished_spans() == ()


def test_a_target_that_is_gone_is_read_off_its_name(tracing, exporter):
    with tracing.task(command()):
        tracing.said(entry(target="groq:llama-x"), True, 1_000.0)
    call = exporter.get_finished_spans()[0]
    assert (call.name, call.attributes["gen_ai.provider.name"]) == ("chat llama-x", "groq")


# off, and in the way of nobody


def test_nothing_is_traced_and_nothing_is_said_when_it_is_off():
    assert tracing_of(Settings(), "architect") is NO_TRACING
    assert not NO_TRACING.on
    with NO_TRACING.task(command()), NO_TRACING.run(Origin("acme", "r1")), NO_TRACING.task(command()):
        assert NO_TRACING.headers("acme", "r1") is None
        NO_TRACING.said(result(), True, 0.0)


def python(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_base_install_needs_no_opentelemetry_and_says_what_is_missing():
    said = python("""
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Gone())
import workers.fleet
from workers.runtime.settings import Settings
from workers.runtime.tracing import TracingNotInstalled, tracing_of
tracing_of(Settings(), "architect")
try:
    tracing_of(Settings(otel=True), "architect")
except TracingNotInstalled as error:
    print(error)
""")
    assert "FLOTILLA_OTEL is on" in said
    assert "pip install 'flotilla[otel]'" in said
    assert issubclass(TracingNotInstalled, RuntimeError)


def test_off_loads_nothing_of_the_sdk():
    assert python("import sys, workers.fleet; print('opentelemetry.sdk' in sys.modules)").strip() == "False"


def test_a_fault_in_tracing_is_logged_and_goes_no_further(tracing, monkeypatch):
    def broken(ended):
        raise ValueError("no")

    monkeypatch.setattr(tracing._spans, "record", broken)
    tracing._log = Heard()
    with tracing.task(command()):
        tracing.said(result(), True, 1_000.0)
    assert tracing._log.events == ["span_not_made"]


class Heard:
    """A logger that keeps the names of what it is told."""

    def __init__(self):
        self.events = []

    def info(self, event, **more):
        self.events.append(event)

    warning = error = info


class Flaky:
    """An exporter whose collector is away now and then."""

    def __init__(self, *results):
        self.results = list(results)

    def export(self, spans):
        return SpanExportResult.SUCCESS if self.results.pop(0) else SpanExportResult.FAILURE

    def shutdown(self):
        pass


def test_an_outage_of_the_collector_is_said_once():
    telling = Telling(Flaky(False, False, True, True, False), "architect", LastWords())
    telling._log = Heard()
    for _ in range(5):
        telling.export(())
    assert telling._log.events == ["spans_not_exported", "spans_exported_again", "spans_not_exported"]


async def test_a_collector_that_is_away_holds_up_nobody(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setattr(spans_module, "STOP_PATIENCE_S", 0.5)
    tracing = OtelTracing("architect", "flotilla", Spans("architect", exported("architect")))
    began = time.monotonic()
    for _ in range(500):
        tracing.said(closed(), True, 1_000.0)
    took = time.monotonic() - began
    await tracing.stop()
    assert took < 2.0
    assert time.monotonic() - began < 4.0
