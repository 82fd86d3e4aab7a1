"""Whole fleets: in this process, and as FastStream's own command starts a worker."""

import asyncio
import gc
import json
import os
import signal
import sys

import pytest
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from contracts.v1.runs import RunRequested
from workers import fleet
from workers.llm.catalogue import BadModels
from workers.runtime import topology
from workers.runtime.app import NotProvisioned
from workers.runtime.settings import Settings

NET = ("orchestrator", "timekeeper", "dead_letters")


async def run(settings, names):
    """A fleet that is running: (its task, stop)."""
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(fleet.run_in_process(settings, names, ready, stop))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not ready.is_set():
        await asyncio.wait_for(running, 1)
    return running, stop


async def test_a_fleet_in_this_process_starts_serves_and_stops_without_leaving_anything(ward):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    running, stop = await run(ward.settings, fleet.worker_names())
    await ward.say(RunRequested(tenant="acme", run="r1", idea="x", plan=ward.plan("nobody")))
    assert (await ward.closed("r1")).status == "refused"
    stop.set()
    await asyncio.wait_for(running, 20)

    async def ended():
        return not (asyncio.all_tasks() - before - {asyncio.current_task()})

    await ward.until(ended, f"tasks end: {asyncio.all_tasks() - before}", 5)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
    await only_the_test_is_connected(ward)


async def only_the_test_is_connected(ward):
    async def look():
        return await connections(ward) == ["flotilla test"]

    await ward.until(look, "the workers' connections close", 5)


async def connections(ward):
    """The names of the clients that the broker has."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ward.server.monitor_url.rsplit(":", 1)[1]))
    writer.write(b"GET /connz HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return sorted(found["name"] for found in json.loads(answer.partition(b"\r\n\r\n")[2])["connections"])


async def test_a_fleet_that_can_not_start_stops_what_it_had_started(ward, monkeypatch):
    real = topology.consumers

    def all_but_one(settings, roles):
        return tuple(found for found in real(settings, roles) if found[1].durable_name != "timekeeper")

    await ward.bus.js.delete_consumer("TIMERS", "timekeeper")
    monkeypatch.setattr(topology, "consumers", all_but_one)
    before = asyncio.all_tasks()
    with pytest.raises(NotProvisioned, match="timekeeper"):
        await run(ward.settings, NET)

    async def ended():
        return not (asyncio.all_tasks() - before - {asyncio.current_task()})

    await ward.until(ended, "tasks end", 5)
    await only_the_test_is_connected(ward)


async def test_a_name_that_is_no_workers_is_said(ward):
    with pytest.raises(fleet.NoSuchWorker, match="there is no worker 'plumber'; there are "):
        await run(ward.settings, ("plumber",))


async def test_an_unknown_name_is_said_without_a_broker(settings):
    nowhere = settings.model_copy(update={"nats_url": "nats://127.0.0.1:1"})
    with pytest.raises(fleet.NoSuchWorker):
        await run(nowhere, ("plumber",))


async def faststream(ward, worker):
    """FastStream's own command, as a container runs it."""
    environment = {**os.environ, "FLOTILLA_NATS_URL": ward.settings.nats_url, "FLOTILLA_LOG_LEVEL": "info"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faststream", "run", worker, "--factory",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def test_faststreams_command_starts_a_worker_and_ends_it_on_sigterm(ward):
    process = await faststream(ward, "workers.timekeeper.worker:app")
    try:

        async def listening():
            return (await ward.bus.js.consumer_info("TIMERS", "timekeeper")).num_waiting

        await ward.until(listening, "the worker pulls")
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), 15)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode in (0, -signal.SIGTERM), said.decode()
    assert "Traceback" not in said.decode()


async def test_a_worker_that_finds_no_broker_waits_for_it(ward):
    ward.server.kill()
    process = await faststream(ward, "workers.timekeeper.worker:app")
    try:
        await asyncio.sleep(1.5)
        assert process.returncode is None
        await ward.server.start()

        async def listening():
            return (await ward.bus.js.consumer_info("TIMERS", "timekeeper")).num_waiting

        await ward.until(listening, "the worker pulls")
    finally:
        process.kill()
        await process.communicate()


async def test_a_worker_that_waits_for_its_broker_ends_on_sigterm(ward):
    ward.server.kill()
    process = await faststream(ward, "workers.timekeeper.worker:app")
    try:
        await asyncio.sleep(1.5)
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
        await ward.server.start()
    assert process.returncode in (0, -signal.SIGTERM), said.decode()
    assert "Traceback" not in said.decode()


async def test_faststreams_command_ends_with_the_advice_when_nothing_is_provisioned(ward):
    await ward.bus.js.delete_consumer("TIMERS", "timekeeper")
    process = await faststream(ward, "workers.timekeeper.worker:app")
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode != 0
    assert "run: flotilla provision" in said.decode()


async def test_a_worker_leaves_when_its_consumer_goes(ward, monkeypatch):
    from workers.runtime import app as worker_app

    monkeypatch.setattr(worker_app, "WATCH_EVERY_S", 0.1)
    app = fleet.worker_app("timekeeper", ward.settings)
    running = asyncio.create_task(app.app.run())
    await asyncio.wait_for(app.ready.wait(), 10)
    await ward.bus.js.delete_consumer("TIMERS", "timekeeper")
    await asyncio.wait_for(running, 10)
    assert app.lost.is_set()


async def test_a_worker_whose_connection_is_closed_for_good_leaves(ward, monkeypatch):
    from workers.runtime import app as worker_app

    monkeypatch.setattr(worker_app, "WATCH_EVERY_S", 0.1)
    app = fleet.worker_app("timekeeper", ward.settings)
    running = asyncio.create_task(app.app.run())
    await asyncio.wait_for(app.ready.wait(), 10)
    await app._bus.nc._process_err("'Authorization Violation'")  # as when its user was taken away
    with pytest.raises(ConnectionClosedError):  # FastStream's own last word on a connection that it can't drain
        await asyncio.wait_for(running, 10)
    assert app.lost.is_set()


async def test_a_fleet_in_this_process_ends_when_a_worker_can_not_go_on(ward, monkeypatch):
    from workers.runtime import app as worker_app

    monkeypatch.setattr(worker_app, "WATCH_EVERY_S", 0.1)
    running, _ = await run(ward.settings, NET)
    await ward.bus.js.delete_consumer("TIMERS", "timekeeper")
    with pytest.raises(fleet.WorkerLost, match="timekeeper"):
        await asyncio.wait_for(running, 10)
    await only_the_test_is_connected(ward)


async def test_a_worker_that_its_broker_refuses_for_a_while_goes_on_afterwards(ward, monkeypatch):
    await ward.provision("step")
    app = await ward.role("step")
    ward.server.kill()
    with monkeypatch.context() as guarded:
        command = ward.server._command
        guarded.setattr(ward.server, "_command", lambda ports: [*command(ports), "--user", "u", "--pass", "p"])
        await ward.server.start()

        async def refused():
            return isinstance(app._bus.nc.last_error, NatsError)

        await ward.until(refused, "the broker refuses the worker")
        ward.server.kill()
    await ward.server.start()
    await ward.say(ward.task("step", "r1"))
    assert (await ward.fact("r1", "result.t")).output == "t is done"


async def test_processes_that_could_not_use_the_models_file_are_not_started(tmp_path):
    ready = asyncio.Event()
    with pytest.raises(BadModels, match="can't be read"):
        await fleet.run_processes(Settings(models_file=tmp_path / "none.yaml"), NET, ready, asyncio.Event())
    assert not ready.is_set()
