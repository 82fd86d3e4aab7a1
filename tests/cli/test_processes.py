"""The command as a process of its own, against a real broker and a real terminal."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from contracts.v1.runs import RunRequested
from workers.fleet import provision
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
async def broker() -> AsyncIterator[Settings]:
    """A provisioned broker with one run that nobody works on."""
    async with EmbeddedNats() as server:
        settings = Settings(nats_url=server.url)
        await provision(settings)
        async with connect(settings) as bus:
            await bus.log.say(RunRequested(tenant="default", run="r1", idea="Keep track of books"))
        yield settings


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLOTILLA_")}
    return {**own, "XDG_STATE_HOME": str(tmp_path), "COLUMNS": "100", "TERM": "xterm"}


@pytest.fixture
def flotilla(environment: dict[str, str]) -> Run:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command, env = [sys.executable, "-m", "workers.cli", *arguments], {**environment, **more}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


async def test_runs_of_a_real_broker_are_listed_and_shown(broker: Settings, flotilla: Run) -> None:
    listed = await asyncio.to_thread(flotilla, "ls", "--nats", broker.nats_url)
    shown = await asyncio.to_thread(flotilla, "show", "r1", "--nats", broker.nats_url)
    assert listed.returncode == shown.returncode == 0
    assert "Keep track of books" in listed.stdout
    assert "run.requested" in shown.stdout


async def test_a_request_is_stored_once(broker: Settings, flotilla: Run) -> None:
    first = await asyncio.to_thread(flotilla, "submit", "Books", "--run-id", "mine", FLOTILLA_NATS_URL=broker.nats_url)
    again = await asyncio.to_thread(flotilla, "submit", "Books", "--run-id", "mine", FLOTILLA_NATS_URL=broker.nats_url)
    assert (first.returncode, first.stdout) == (0, "mine\n")
    assert again.returncode == 2
    assert "run mine exists already" in again.stderr


async def test_a_broker_without_streams_says_to_provision(flotilla: Run) -> None:
    async with EmbeddedNats() as server:
        result = await asyncio.to_thread(flotilla, "ls", "--nats", server.url)
    assert result.returncode == 3
    assert "flotilla provision" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_broker_is_exit_code_3_without_a_traceback(flotilla: Run) -> None:
    result = flotilla("ls", "--nats", "nats://127.0.0.1:1")
    assert result.returncode == 3
    assert "Traceback" not in result.stderr


def test_a_wrong_setting_names_its_variable(flotilla: Run) -> None:
    result = flotilla("config", FLOTILLA_REPLICAS="nine")
    assert result.returncode == 2
    assert "FLOTILLA_REPLICAS" in result.stderr


async def test_ctrl_c_without_a_terminal_leaves_the_run_running(broker: Settings, environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", "watch", "r1", "--nats", broker.nats_url,
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readuntil(b"run.requested")
    process.send_signal(signal.SIGINT)
    _, stderr = await process.communicate()
    assert process.returncode == 130
    assert b"run r1 goes on" in stderr


@pytest.mark.parametrize(
    ("answer", "code", "said"), [(b"l\n", 130, b"run r1 goes on"), (b"\x03", 130, b"run r1 goes on")]
)
async def test_ctrl_c_on_a_terminal_asks(
    broker: Settings, environment: dict[str, str], answer: bytes, code: int, said: bytes
) -> None:
    process, ours = _on_a_terminal(environment, "watch", "r1", "--nats", broker.nats_url)
    try:
        await asyncio.to_thread(_read_until, ours, b"waiting")
        os.write(ours, b"\x03")
        await asyncio.to_thread(_read_until, ours, b"[c/l/g]")
        os.write(ours, answer)
        rest = await asyncio.to_thread(_read_until, ours, said)
        assert said in rest
        assert await asyncio.to_thread(process.wait, 20) == code
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _on_a_terminal(environment: dict[str, str], *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """The command with a terminal of its own, and our end of it."""
    ours, theirs = pty.openpty()
    login = "import os, sys; os.login_tty(0); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-c", login, sys.executable, "-m", "workers.cli", *arguments]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return process, ours


def _read_until(terminal: int, wanted: bytes) -> bytes:
    """What the terminal shows until the wanted bytes appear, or it closes."""
    seen = b""
    while wanted not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break
    return seen


async def test_people_hold_a_ballot_on_a_real_broker(broker: Settings, flotilla: Run) -> None:
    ask = ("--question", "Which?", "--options", "a,b", "--voters", "ada,bob", "--name", "b1", "--no-wait")

    def on(*arguments: str) -> subprocess.CompletedProcess[str]:
        return flotilla(*arguments, FLOTILLA_NATS_URL=broker.nats_url)

    opened = await asyncio.to_thread(on, "ballot", "open", *ask)
    voted = await asyncio.to_thread(on, "ballot", "vote", "b1", "--as", "ada", "--choice", "a")
    again = await asyncio.to_thread(on, "ballot", "vote", "b1", "--as", "ada", "--choice", "b")
    shown = await asyncio.to_thread(on, "ballot", "show", "b1")
    assert (opened.returncode, opened.stdout) == (0, "b1\n")
    assert (voted.returncode, again.returncode, shown.returncode) == (0, 1, 0)
    assert "ada votes a" in voted.stdout
    assert "1 of 2 votes: bob" in shown.stdout


async def test_a_ballot_brings_its_own_broker_and_fleet_and_is_decided(flotilla: Run) -> None:
    ask = ("--question", "Which?", "--options", "a,b,c", "--voters", "5", "--deadline", "30s")
    result = await asyncio.to_thread(flotilla, "ballot", "open", *ask)
    assert result.returncode == 0, result.stderr
    assert "embedded" in result.stderr
    assert "the same, counted again from the log" in result.stdout
