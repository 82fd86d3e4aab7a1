"""What generated code can't use up, and that nothing of it is left when a run is over."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from workers.sandbox.jail import run
from workers.sandbox.limits import Limits

HANG = "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n"
LEAVE_BEHIND = """
import os, sys, time
def linger():
    os.setsid()
    if os.fork(): os._exit(0)
    os.setsid()
    time.sleep(600)
for _ in range(3):
    if os.fork() == 0: linger()
time.sleep(0.2)
"""


def running(mark: str) -> list[str]:
    """Processes that carry the mark on their command line, as every child of a run does."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        found += [f"{process.name} {text}"] if mark in text and int(process.name) != os.getpid() else []
    return found


@pytest.fixture
def mark() -> str:
    return f"mark-{os.urandom(6).hex()}"


async def test_an_endless_loop_is_killed_when_its_time_is_up(attempt, tree, mark):
    outcome = await attempt(tree, "while True: pass", mark, wall_s=1)
    assert (outcome.exit_code, outcome.killed_because) == (None, "time")
    assert outcome.duration_s < 3
    assert not running(mark)


async def test_cpu_time_is_counted_over_all_processes(attempt, tree, mark):
    code = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    outcome = await attempt(tree, code, mark, cpu_s=1, wall_s=20)
    assert outcome.killed_because == "time"
    assert outcome.duration_s < 5
    assert not running(mark)


async def test_a_fork_bomb_runs_into_the_number_of_processes(attempt, tree, mark):
    code = (
        "import os, time\nchildren = 0\ntry:\n"
        " while True:\n  if os.fork() == 0: time.sleep(60)\n  children += 1\n"
        "except OSError as error: print(children, error.strerror)"
    )
    outcome = await attempt(tree, code, mark, processes=20)
    children, _, why = outcome.stdout_tail.partition(" ")
    assert 10 <= int(children) <= 20
    assert why == "Resource temporarily unavailable\n"
    assert not running(mark)


async def test_a_bomb_whose_children_fork_too_is_cleared_away(attempt, tree, mark):
    code = "import os\nwhile True:\n try: os.fork()\n except OSError: pass"
    outcome = await attempt(tree, code, mark, processes=24, wall_s=1)
    assert outcome.killed_because == "time"
    assert not running(mark)


def children():
    """The processes that this one has to reap; other tests may have some too."""
    listed = [Path(thread, "children").read_text().split() for thread in Path("/proc/self/task").iterdir()]
    return {pid for pids in listed for pid in pids}


async def test_a_second_run_has_all_its_processes_although_the_first_left_zombies(attempt, tree):
    zombies = "import os\nfor _ in range(15):\n if os.fork() == 0: os._exit(0)\nprint('done')"
    before = children()
    for _ in range(2):
        assert (await attempt(tree, zombies, processes=20)).stdout_tail == "done\n"
    assert children() <= before


async def test_orphans_are_reaped_while_a_run_goes_on(attempt, tree):
    code = """
import os, time
def orphan():
    child = os.fork()
    if child == 0:
        if os.fork() == 0: time.sleep(0.02)
        os._exit(0)
    os.waitpid(child, 0)
for _ in range(4):
    for _ in range(8): orphan()
    time.sleep(0.15)
print("done")
"""
    assert (await attempt(tree, code, processes=16)).stdout_tail == "done\n"


async def test_one_process_cannot_have_more_memory_than_allowed(attempt, tree):
    code = "try: bytearray(400 << 20)\nexcept MemoryError: print('refused')"
    assert (await attempt(tree, code, memory_mb=256)).stdout_tail == "refused\n"


async def test_many_processes_cannot_have_more_memory_together(attempt, tree, mark):
    code = (
        "import os, time\n"
        "for n in range(8):\n if os.fork() == 0: keep = os.urandom(1) * (60 << 20); time.sleep(60)\n"
        "time.sleep(60)"
    )
    outcome = await attempt(tree, code, mark, memory_mb=200, wall_s=20)
    assert outcome.killed_because == "memory"
    assert not running(mark)


async def test_endless_output_is_cut_off(attempt, tree, mark):
    outcome = await attempt(tree, "while True: print('x' * 1000)", mark, output_kb=64)
    assert (outcome.exit_code, outcome.killed_because) == (None, "output")
    assert len(outcome.stdout_tail) <= 64 * 1024
    assert not running(mark)


async def test_the_tail_of_long_output_is_kept(attempt, tree):
    outcome = await attempt(tree, "for n in range(20000): print(n)", output_kb=1024)
    assert outcome.stdout_tail.endswith("19998\n19999\n")


async def test_one_file_cannot_be_larger_than_the_disk_limit(attempt, tree):
    code = "try: open('big', 'wb').write(bytes(9 << 20))\nexcept OSError as error: print(error.strerror)"
    assert (await attempt(tree, code, disk_mb=8)).stdout_tail == "File too large\n"


@pytest.mark.parametrize(
    "code",
    {
        "many files": "for n in range(1000): open(f'f{n}', 'wb').write(bytes(1 << 20))",
        "deleted files": "import os\nkept = []\nfor n in range(200):\n"
        " kept.append(open('f', 'wb', 0)); kept[-1].write(bytes(1 << 20)); os.unlink('f')",
        "empty files": "for n in range(50000): open(f'f{n}', 'w')",
        "folders in folders": "import os\nfor n in range(3000): os.mkdir('d'); os.chdir('d')",
    }.items(),
    ids=lambda item: item[0],
)
async def test_the_disk_cannot_be_filled(attempt, tree, code):
    outcome = await attempt(tree, code[1] + "\nimport time; time.sleep(60)", disk_mb=8, entries=400, wall_s=20)
    assert outcome.killed_because == "disk"


async def test_what_a_run_leaves_behind_is_killed_with_it(attempt, tree, mark):
    outcome = await attempt(tree, LEAVE_BEHIND, mark)
    assert outcome.exit_code == 0
    assert outcome.duration_s < 5
    assert not running(mark)


async def test_cancelling_kills_the_tree_before_it_returns(project, tree, mark):
    (project / "main.py").write_text(LEAVE_BEHIND + "open('here', 'w')\n" + HANG)
    command = ["python", "main.py", mark]
    task = asyncio.create_task(run(command, project, Limits(), tree.level, namespaces=tree.namespaces))
    await until((project / "here").exists)
    assert running(mark)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running(mark)


async def test_a_second_cancel_does_not_leave_the_tree_alive(project, tree, mark):
    (project / "main.py").write_text("open('here', 'w')\n" + HANG)
    command = ["python", "main.py", mark]
    task = asyncio.create_task(run(command, project, Limits(), tree.level, namespaces=tree.namespaces))
    await until((project / "here").exists)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running(mark)


async def test_a_run_that_ignores_every_signal_is_killed_all_the_same(attempt, tree, mark):
    code = "import signal\nfor n in range(1, 65):\n try: signal.signal(n, signal.SIG_IGN)\n except OSError: pass\n"
    assert (await attempt(tree, code + HANG, mark, wall_s=1)).killed_because == "time"
    assert not running(mark)


FLEET = """
import asyncio, json, sys
from pathlib import Path
from workers.sandbox.jail import run
from workers.sandbox.levels import Level
from workers.sandbox.limits import Limits
place, level, namespaces, mark = json.loads(sys.argv[1])
asyncio.run(run(["python", "main.py", mark], Path(place), Limits(), Level(level), namespaces=namespaces))
"""


async def test_a_fleet_that_is_killed_takes_its_runs_with_it(project, tree, mark):
    (project / "main.py").write_text(LEAVE_BEHIND + "open('here', 'w')\n" + HANG)
    told = json.dumps([str(project), tree.level.value, tree.namespaces, mark])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    root = Path(__file__).parents[2]
    fleet = await asyncio.create_subprocess_exec(sys.executable, "-c", FLEET, told, env=environment, cwd=root)
    await until((project / "here").exists)
    assert any("main.py" in process for process in running(mark) if process.split()[0] != str(fleet.pid))
    fleet.kill()
    await fleet.wait()
    await until(lambda: not running(mark))


async def until(condition, within: float = 10.0) -> None:
    """Wait for what must become true soon; it is an error if it does not."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)
