"""`flotilla up --processes`: one process for each worker, found by other commands, gone when it is told to stop."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers.fleet import worker_names

pytestmark = pytest.mark.slow

IDEA = "A recipe box: recipes have a name and a number of servings."
STOP_PATIENCE_S = 40.0


def parents():
    """Every process and its parent, from /proc; those that are over and only not yet collected don't count."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                found[int(entry.name)] = int(parent)
    return found


def below(pid):
    """All processes under this one."""
    known, wanted = parents(), {pid}
    while more := {child for child, parent in known.items() if parent in wanted} - wanted:
        wanted |= more
    return wanted - {pid}


def commands(pids):
    """What runs there, for a test's message and for counting."""
    said = {}
    for pid in pids & parents().keys():
        try:
            said[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return said


class Up:
    """`flotilla up --processes` with its log, and the commands of the same user."""

    def __init__(self, folder, environment, until):
        self.folder, self.environment, self.until = folder, environment, until
        self.log = folder / "up.log"
        self.started = set()

    def start(self):
        """Start it and wait until it says that it is up."""
        self.log.write_text("")
        command = (sys.executable, "-m", "workers.cli", "up", "--processes", "--data", str(self.folder / "data"))
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.until(lambda: "workers up" in self.log.read_text() or self.process.poll() is not None, "up")
        assert self.process.poll() is None, self.log.read_text()

    def flotilla(self, *arguments):
        """Run the command as another process of the same user."""
        command = (sys.executable, "-m", "workers.cli", *arguments)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def workers(self):
        """The process of each worker, by its name."""
        running = commands(below(self.process.pid))
        return {command.split(" work ")[1].split()[0]: pid for pid, command in running.items() if " work " in command}

    def stop(self, number):
        """Send it a signal; returns its exit code and what of it is still there afterwards."""
        mine = below(self.process.pid)
        self.process.send_signal(number)
        code = self.process.wait(STOP_PATIENCE_S)
        return code, mine, commands(mine)


@pytest.fixture
def up(tmp_path, outside):
    fleet = Up(tmp_path, outside.plain_environment(tmp_path / "home"), outside.until)
    yield fleet
    for pid in commands(fleet.started | {fleet.process.pid} | below(fleet.process.pid)):
        os.kill(pid, signal.SIGKILL)
    fleet.process.wait()


def test_others_find_it_and_it_leaves_no_process_behind_but_its_data(up):
    up.start()
    first = up.flotilla("run", IDEA, "--run-id", "first", "--out", str(up.folder / "project"), "--json")
    assert first.returncode == 0, first.stdout[-2_000:] + first.stderr
    assert f"process {up.process.pid}" in first.stderr
    assert json.loads(first.stdout.splitlines()[-1])["status"] == "completed"
    assert (up.folder / "project" / "README.md").is_file()

    assert sorted(up.workers()) == sorted(worker_names()), "one process for each worker"
    code, mine, left = up.stop(signal.SIGTERM)
    assert len(mine) >= len(worker_names()) + 1, "the workers and the broker"
    assert (code, left) == (0, {}), up.log.read_text()[-3_000:]

    up.start()
    listed = up.flotilla("ls")
    assert listed.returncode == 0 and "first" in listed.stdout and "completed" in listed.stdout
    code, _, left = up.stop(signal.SIGINT)
    assert (code, left) == (0, {}), up.log.read_text()[-3_000:]
    assert "no NATS broker can be reached" in up.flotilla("ls").stderr


def test_a_worker_that_dies_is_started_again(up):
    up.start()
    before = up.until(lambda: up.workers().get("architect"), "an architect")
    os.kill(before, signal.SIGKILL)
    up.until(lambda: up.workers().get("architect", before) != before, "another architect")
    code, _, left = up.stop(signal.SIGTERM)
    assert (code, left) == (0, {}), up.log.read_text()[-3_000:]


def test_a_fleet_that_is_killed_takes_its_workers_along(up):
    up.start()
    up.until(lambda: len(up.workers()) == len(worker_names()), "all workers")
    workers = set(up.workers().values())
    up.started |= below(up.process.pid)
    up.process.kill()
    up.process.wait()
    up.until(lambda: not commands(workers), "the workers notice and end")
    assert not commands(workers)
