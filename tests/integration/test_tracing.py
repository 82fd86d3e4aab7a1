"""Traces of real fleets: one run is one trace, whoever restarts, repeats or was asked by somebody with a trace."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contracts.codec import encode
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import TaskPerformed
from workers import fleet
from workers.runtime.trace_ids import Place, place_in, span_of, trace_of

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ACME = "acme"
IDEA = "A small service that keeps track of plants. Every plant has a unique nickname and a height in cm."


class Seen:
    """A span as the collector has it; ids are numbers."""

    def __init__(self, worker, span):
        self.worker, self.name = worker, span.name
        self.trace, self.id = int.from_bytes(span.trace_id), int.from_bytes(span.span_id)
        self.above = int.from_bytes(span.parent_span_id)
        self.begin, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.said = {pair.key: pair.value for pair in span.attributes}

    def says(self, name):
        value = self.said[name]
        return getattr(value, value.WhichOneof("value"))


class Collector:
    """Takes OTLP over HTTP on a free port and keeps every span."""

    def __init__(self):
        self.spans = spans = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                for of_worker in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = {pair.key: pair.value.string_value for pair in of_worker.resource.attributes}
                    assert resource["service.name"] == "flotilla"
                    for scope in of_worker.scope_spans:
                        spans.extend(Seen(resource["flotilla.worker"], span) for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def named(self, beginning):
        return [span for span in self.spans if span.name.startswith(beginning)]


@pytest.fixture
def collector(monkeypatch) -> Iterator[Collector]:
    collector = Collector()
    threading.Thread(target=collector.server.serve_forever, daemon=True).start()
    for name, value in {"EXPORTER_OTLP_ENDPOINT": collector.url, "BSP_SCHEDULE_DELAY": "50"}.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


async def request(ward, asked, traceparent=""):
    headers = {"traceparent": traceparent} if traceparent else None
    subject = f"{ward.settings.prefix}.{ACME}.{asked.run}.run.requested"
    assert (await ward.bus.publisher.publish(subject, encode(asked), headers)).news


async def header(ward, run, name):
    """What the log has as the traceparent of a fact."""
    return place_in((await ward.bus.log.find(f"{ward.settings.prefix}.{ACME}.{run}.{name}")).traceparent)


async def exported(ward, collector, beginning, count):
    async def look():
        return len(collector.named(beginning)) >= count

    await ward.until(look, f"{count} spans {beginning}")
    return collector.named(beginning)


async def whole_run(ward, traceparent="", **changed):
    """The end of a project's run through a whole fleet, which is stopped by then."""
    settings = ward.settings.model_copy(update={"otel": True, **changed})
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(fleet.run_in_process(settings, fleet.worker_names(), ready, stop))
    starting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, starting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    await request(ward, RunRequested(tenant=ACME, run="r1", idea=IDEA), traceparent)
    end = await ward.closed("r1", 120)
    stop.set()
    await asyncio.wait_for(running, 30)
    assert end.status == "completed", end.reason
    return end


@pytest.mark.parametrize("traceparent", ["", CLIENT])
async def test_a_whole_run_is_one_trace_from_its_request_to_its_capsule(collector, ward, traceparent):
    end = await whole_run(ward, traceparent)
    facts = [await ward.fact("r1", name) for name in await ward.names("r1")]

    by_id = {span.id: span for span in collector.spans}
    assert len(by_id) == len(collector.spans)
    client = place_in(traceparent) or Place(trace_of(ACME, "r1"), 0)
    assert {span.trace for span in collector.spans} == {client.trace}
    run = by_id[span_of(ACME, "r1")]
    assert (run.name, run.above, run.worker) == ("run", client.span, "orchestrator")
    assert (run.says("flotilla.status"), run.says("flotilla.capsule")) == ("completed", end.capsule)
    assert run.says("flotilla.calls") == end.spent.calls

    tasks = {(fact.task, fact.attempt) for fact in facts if fact.noun == "task"}
    assert {span_of(ACME, "r1", *task) for task in tasks} == {span.id for span in collector.named("task ")}
    assert {span.above for span in collector.named("task ")} == {run.id}
    assert {"task packager", "task sandbox", "task architect"} <= {span.name for span in collector.spans}

    calls = {span_of(ACME, "r1", fact.cited().entry): fact for fact in facts if isinstance(fact, ModelCalled)}
    assert calls
    assert set(calls) == {span.id for span in collector.named("chat ")}
    for span, fact in ((by_id[id], fact) for id, fact in calls.items()):
        assert span.above == span_of(ACME, "r1", fact.task, fact.attempt)
        assert span.says("gen_ai.usage.output_tokens") == fact.output_tokens
        assert span.says("gen_ai.provider.name") == "builtin"
    assert all(by_id[span.above].begin <= span.begin <= span.end for span in collector.spans if span is not run)
    assert len(collector.spans) == 1 + len(tasks) + len(calls)


MODELS = """
targets:
  gone: {provider: compatible, model: far, base_url: "http://127.0.0.1:1/v1", api_key_env: KEY_OF_GONE}
routes:
  - {name: patient, targets: [gone], fallback: [builtin]}
"""


async def test_a_call_that_gave_no_answer_stands_beside_the_one_that_did(collector, ward, tmp_path, monkeypatch):
    (tmp_path / "models.yaml").write_text(MODELS)
    monkeypatch.setenv("KEY_OF_GONE", "none")
    await whole_run(ward, model="patient", models_file=tmp_path / "models.yaml")
    failed = [span for span in collector.named("chat ") if "error.type" in span.said]
    assert {(span.name, span.says("error.type"), span.says("flotilla.target")) for span in failed} == {
        ("chat far", "unreachable", "gone")
    }
    answered = {span.above: span for span in collector.named("chat ") if "error.type" not in span.said}
    assert {span.above for span in failed} <= set(answered)
    assert all(answered[span.above].says("flotilla.tries") == 1 for span in failed)


async def test_every_message_of_a_worker_says_where_it_belongs(collector, ward):
    await ward.provision("step")
    await traced_orchestrator(ward)
    await ward.role("step", otel=True)
    await request(ward, ward.request("r1", "step", "step"), CLIENT)
    await ward.closed("r1")
    trace, run = place_in(CLIENT).trace, span_of(ACME, "r1")
    for attempt in ("t0", "t1"):
        assert await header(ward, "r1", f"task.step.{attempt}.1") == Place(trace, run)
        assert await header(ward, "r1", f"result.{attempt}") == Place(trace, span_of(ACME, "r1", attempt, 1))
    assert await header(ward, "r1", "run.closed") == Place(trace, run)


async def traced_orchestrator(ward):
    from contracts.v1.tasks import RoleBrief
    from workers.orchestrator.policy import Policy
    from workers.orchestrator.worker import Orchestrator

    briefs = (RoleBrief(name="step", purpose="is tested"),)
    return await ward.start(Orchestrator(Policy(roles=briefs, run_deadline_s=5)), otel=True)


async def test_a_redelivered_task_is_the_same_span(collector, ward):
    await ward.provision("step")
    tried = []

    async def at_the_second_try(task, tools):
        tried.append(task.task)
        if len(tried) == 1:
            raise TimeoutError("not yet")
        return tools.report(TaskPerformed, output="ok")

    await traced_orchestrator(ward)
    await ward.role("step", at_the_second_try, otel=True)
    await request(ward, ward.request("r1", "step"))
    await ward.closed("r1")
    (task,) = await exported(ward, collector, "task ", 1)
    (run,) = await exported(ward, collector, "run", 1)
    assert (task.trace, task.id, task.above) == (trace_of(ACME, "r1"), span_of(ACME, "r1", "t0", 1), run.id)
    assert task.says("flotilla.delivery") == 2
    assert task.begin >= run.begin


async def test_an_orchestrator_that_comes_later_reads_the_clients_trace_from_the_log(collector, ward):
    await ward.provision("step")
    first = await traced_orchestrator(ward)
    await request(ward, ward.request("r1", "step"), CLIENT)
    await ward.fact("r1", "task.step.t0.1")
    await ward.stop(first)
    await traced_orchestrator(ward)
    await ward.role("step", otel=True)
    await ward.closed("r1")
    (run,) = await exported(ward, collector, "run", 1)
    client = place_in(CLIENT)
    assert (run.trace, run.id, run.above) == (client.trace, span_of(ACME, "r1"), client.span)
    assert await header(ward, "r1", "run.closed") == Place(client.trace, run.id)


async def test_a_deadline_is_in_the_trace_of_its_run(collector, ward):
    from workers.timekeeper.worker import Timekeeper

    await ward.provision("step")
    await traced_orchestrator(ward)
    await ward.start(Timekeeper(), otel=True)
    await request(ward, ward.request("r1", "step", deadline_s=1), CLIENT)
    assert (await ward.closed("r1")).status == "failed"
    place = Place(place_in(CLIENT).trace, span_of(ACME, "r1"))
    assert await header(ward, "r1", "timer.run") == place


async def test_a_fleet_that_traces_nothing_sends_no_headers(collector, ward):
    await ward.provision("step")
    await ward.orchestrator(("step",))
    await ward.role("step")
    await request(ward, ward.request("r1", "step"), CLIENT)
    await ward.closed("r1")
    headers = {stored.traceparent for stored in (await ward.bus.log.history(ACME, "r1"))[1:]}
    assert headers == {""}
    assert collector.spans == []
