"""What a worker says of itself over HTTP, while its broker comes and goes."""

import asyncio
import json
import re
import socket

from nats.errors import Error as NatsError
from prometheus_client import CollectorRegistry

from workers.runtime.telemetry import Metrics


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def get(port, path):
    """(status, body) of a GET."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def healthy(ward, **changed):
    """A worker of `step` with its port."""
    await ward.provision("step")
    port = free_port()
    await ward.role("step", http_port=port, **changed)
    return port


async def test_a_worker_is_healthy_and_ready(ward):
    port = await healthy(ward)
    assert await get(port, "/healthz") == (200, '{"status":"ok"}')
    status, body = await get(port, "/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ready"})
    assert (await get(port, "/nothing"))[0] == 404


async def test_a_worker_is_not_ready_while_the_broker_is_down_and_says_why_and_is_ready_after(ward):
    port = await healthy(ward)
    ward.server.kill()

    async def not_ready():
        status, body = await get(port, "/readyz")
        return body if status == 503 else None

    body = json.loads(await ward.until(not_ready, "the worker notices"))
    assert body["status"] == "not ready"
    assert ward.settings.nats_url in body["reason"] or "does not answer" in body["reason"]
    assert (await get(port, "/healthz"))[0] == 200
    await ward.server.start()

    async def ready():
        return (await get(port, "/readyz"))[0] == 200

    await ward.until(ready, "the worker is ready again")


async def test_a_worker_whose_consumer_is_gone_is_not_ready(ward):
    port = await healthy(ward)
    await ward.bus.js.delete_consumer("LOG", "step")
    status, body = await get(port, "/readyz")
    assert status == 503
    assert "step" in json.loads(body)["reason"]


async def test_every_metric_is_there_and_no_label_names_a_run(ward):
    port = await healthy(ward)
    await ward.say(ward.task("step", "a-run-of-its-own"))
    await ward.fact("a-run-of-its-own", "result.t")
    await ward.settled("step")
    status, text = await get(port, "/metrics")
    assert status == 200
    for family in Metrics(CollectorRegistry()).registry.collect():
        assert f"# TYPE {family.name}" in text, family.name
    assert "a-run-of-its-own" not in text
    labels = {"role", "outcome", "worker", "settled", "consumer", "status", "target", "direction"}
    ours = "\n".join(line for line in text.splitlines() if line.startswith("flotilla_"))
    assert set(re.findall(r"[{,](\w+)=", ours)) <= labels
    assert 'flotilla_tasks_total{outcome="done",role="step"} 1.0' in text
    assert 'flotilla_deliveries_total{settled="ack",worker="step"} 1.0' in text


async def test_a_port_that_is_taken_is_said_at_the_start(ward):
    await ward.provision("step")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        try:
            await ward.role("step", http_port=port)
        except OSError as error:
            assert str(port) in str(error)
        else:
            raise AssertionError("the worker started on a port that is taken")


class Heard:
    """A logger that remembers."""

    def __init__(self):
        self.warnings = []

    def warning(self, event, **more):
        self.warnings.append((event, more["error"]))


async def test_what_the_broker_refuses_asynchronously_is_in_the_log_and_an_outage_is_not(ward):
    await ward.provision("step")
    app = await ward.role("step")
    app.service.log = heard = Heard()
    tell = app._bus.nc._error_cb
    await tell(ConnectionRefusedError("nobody listens"))
    await tell(NatsError('nats: permissions violation for publish to "$JS.API.CONSUMER.MSG.NEXT.LOG.step"'))
    ((event, error),) = heard.warnings
    assert event == "connection_error" and "MSG.NEXT" in error
