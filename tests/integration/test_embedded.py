"""The embedded broker."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from workers.cli.loops import go
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings

STARTS_ONE = """
import asyncio
from workers.runtime.embedded import EmbeddedNats
async def main():
    server = EmbeddedNats(tied=True)
    await server.start()
    print(server.process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_tied_broker_ends_with_the_process_that_started_it_even_by_kill_9():
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS_ONE, stdout=asyncio.subprocess.PIPE)
    broker = int(await owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    async with asyncio.timeout(10):
        while is_running(broker):  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.02)
    assert not is_running(broker)


def is_running(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


async def test_a_broker_that_is_stopped_and_started_in_its_place_keeps_its_data(tmp_path):
    first = EmbeddedNats(tmp_path)
    await first.start()
    await first.stop()
    assert (tmp_path / "jetstream").is_dir()
    async with EmbeddedNats(tmp_path, first.port) as second:
        assert second.url == first.url
        assert is_running(second.process.pid)
        assert os.getpgid(second.process.pid) != os.getpgrp()


def test_a_connection_whose_broker_has_gone_for_good_is_let_go_of_in_silence(capfd, caplog):
    async def outlives_its_broker():
        broker = EmbeddedNats()
        await broker.start()
        async with connect(Settings(nats_url=broker.url)) as bus:
            await broker.stop()
            async with asyncio.timeout(5):
                while bus.is_connected:  # noqa: ASYNC110 - another process has no event to wait for
                    await asyncio.sleep(0.02)
            await bus.nc.publish("unheard", b"")

    go(outlives_its_broker())
    assert (*capfd.readouterr(), caplog.text) == ("", "", "")
