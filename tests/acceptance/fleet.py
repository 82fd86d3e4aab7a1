"""A fleet as production runs it: a real broker and one operating system process for each worker."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contracts.codec import ContractError, decode
from contracts.message import Message
from contracts.subjects import noun_filter, parse
from contracts.v1.runs import RunRequested
from workers.fleet import provision, worker_names
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.ports import Stored
from workers.runtime.settings import Settings

STOP_PATIENCE_S = 30.0
LOG_TAIL = 3_000
"""Characters of each worker's log that a failed test shows."""


def apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in a thread with a loop of its own, so that pytest's loops do not mind."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def until(happened: Callable[[], Any], what: str, patience_s: float = 30.0) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + patience_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what}: not within {patience_s} s"
        time.sleep(0.05)
    return found


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """What a process sees: no setting of the machine, and no fleet of its user."""
    home.mkdir(parents=True, exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '/usr/bin:/bin')}"
    return {"PATH": path, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "LANG": "C.UTF-8", **more}


class Facts:
    """The history of one run, in order of the log. A fact that does not decode has a name and no message."""

    def __init__(self, said: Sequence[tuple[str, Message | None]]) -> None:
        self.said = tuple(said)
        self.names = [name for name, _ in self.said]

    def of(self, kind: type[Message]) -> list[Any]:
        """The facts of this class."""
        return [message for _, message in self.said if isinstance(message, kind)]


class Fleet:
    """A broker and its workers, several of one kind as `architect-1`, `architect-2`. Use it in a `with` block."""

    until = staticmethod(until)

    def __init__(
        self,
        folder: Path,
        replicas: dict[str, int] | None = None,
        workers: Sequence[str] | None = None,
        **settings: str,
    ) -> None:
        self.folder, self._replicas, self._workers = folder, replicas or {}, workers
        self._named = {f"FLOTILLA_{name.upper()}": value for name, value in settings.items()}
        # Not below pytest's folder, which nobody else may enter: where the fleet is root, generated code is not.
        self.temporary = Path(tempfile.mkdtemp(prefix="flotilla-acceptance-"))
        self.temporary.chmod(0o755)
        self.server = EmbeddedNats(folder / "nats")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        apart(self.server.start())
        named = {"FLOTILLA_NATS_URL": self.server.url, "TMPDIR": str(self.temporary), **self._named}
        self.environment = plain_environment(self.folder / "home", **named)
        self.settings = Settings(nats_url=self.server.url)
        apart(provision(self.settings))
        for worker in worker_names() if self._workers is None else self._workers:
            for number in range(1, self._replicas.get(worker, 1) + 1):
                self.start(f"{worker}-{number}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in self.processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        apart(self.server.stop())
        shutil.rmtree(self.temporary, ignore_errors=True)

    def start(self, name: str) -> None:
        """Start a worker; what it says goes to its log."""
        command = (sys.executable, "-m", "workers.cli", "work", name.rpartition("-")[0])
        log = self._log(name)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def kill_broker(self) -> None:
        """End the broker as a crash of its machine would; its data stays."""
        self.server.kill()

    def start_broker(self) -> None:
        """Start the broker again, where it was, with what it had."""
        apart(self.server.start())

    def kill(self, name: str) -> None:
        """End a worker as a crash of its machine would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.processes[name].send_signal(number)

    def flotilla(self, *arguments: str, timeout_s: float = 150.0) -> subprocess.CompletedProcess[str]:
        """Run the command against this fleet."""
        command = (sys.executable, "-m", "workers.cli", *arguments)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip

    def ask(self, question: Callable[[Bus], Coroutine[Any, Any, Any]]) -> Any:
        """The answer to a question to the broker, on a connection of its own."""

        async def asked() -> Any:
            async with connect(self.settings, "test") as bus:
                return await question(bus)

        return apart(asked())

    def facts(self, run: str, tenant: str = "default") -> Facts:
        """The facts of a run so far."""
        stored = self.ask(lambda bus: bus.log.history(tenant, run))
        return Facts([(parse(fact.subject).name, _read(fact)) for fact in stored])

    def closed(self, run: str, patience_s: float = 60.0, tenant: str = "default") -> Facts:
        """The facts of a run once it is over."""
        until(lambda: self.facts(run, tenant).names[-1:] == ["run.closed"], f"the end of run {run}", patience_s)
        return self.facts(run, tenant)

    def deliveries(self, worker: str) -> int:
        """How often the log has handed a message to the workers of that name, redeliveries included."""
        return int(self.ask(lambda bus: bus.js.consumer_info("LOG", worker)).delivered.consumer_seq)

    def commands(self, role: str) -> list[Any]:
        """All commands to a role that are in the log."""
        return self.ask(lambda bus: bus.log.scan(noun_filter("task", role)))  # type: ignore[no-any-return]

    def settled(self, worker: str) -> bool:
        """Whether the workers of that name have nothing waiting and hold nothing."""
        found = self.ask(lambda bus: bus.js.consumer_info("LOG", worker))
        return not found.num_pending and not found.num_ack_pending

    def busy(self, workers: Sequence[str]) -> list[str]:
        """Those of the workers that hold a message now."""

        async def look(bus: Bus) -> list[str]:
            found = [await bus.js.consumer_info("LOG", worker) for worker in workers]
            return [consumer.name for consumer in found if consumer.num_ack_pending]

        return self.ask(look)  # type: ignore[no-any-return]

    def request(self, run: str, idea: str, model: str = "") -> None:
        """Hand in an idea, as any client does, and do not wait."""
        request = RunRequested(tenant="default", run=run, idea=idea, model=model)
        assert self.ask(lambda bus: bus.log.say(request)).news, f"there is a run {run} already"

    @staticmethod
    def at_work_in(folder: Path) -> list[int]:
        """The processes whose current folder lies in this one."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def logs(self) -> str:
        """The end of what every worker said."""
        files = sorted((self.folder / "logs").glob("*.log"))
        said = [(file.stem, file.read_text(errors="replace")[-LOG_TAIL:]) for file in files]
        return "\n".join(f"--- {name}\n{text}" for name, text in said if text)

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


def _read(fact: Stored) -> Message | None:
    try:
        return decode(fact.subject, fact.data)
    except ContractError:
        return None
