"""What a run is like from the fleet's side."""

import asyncio
import os

import pytest

from workers.sandbox.jail import SandboxBroken, run
from workers.sandbox.levels import Level
from workers.sandbox.limits import Limits
from workers.sandbox.owner import discard


async def test_the_exit_code_and_both_outputs_come_back(attempt, kind):
    code = "import sys\nprint('out')\nsys.stdout.flush()\nprint('err', file=sys.stderr)\nsys.exit(7)"
    outcome = await attempt(kind, code)
    assert (outcome.exit_code, outcome.killed_because, outcome.stdout_tail) == (7, "", "out\nerr\n")
    assert outcome.level == kind.level


async def test_a_death_by_signal_is_an_exit_code_above_128(attempt, kind):
    assert (await attempt(kind, "import ctypes; ctypes.string_at(0)")).exit_code == 128 + 11


async def test_standard_input_is_empty(attempt, kind):
    assert (await attempt(kind, "import sys; print(repr(sys.stdin.read()))")).stdout_tail == "''\n"


async def test_the_environment_is_the_same_whatever_the_fleets_is(attempt, kind, monkeypatch):
    code = "import os; print(sorted(os.environ.items()))"
    before = (await attempt(kind, code)).stdout_tail
    monkeypatch.setenv("SECRET", "value")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    assert (await attempt(kind, code)).stdout_tail == before


async def test_the_project_can_be_changed_at_will(attempt, kind, project):
    code = (
        "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nos.rename('a/b/c', 'a/d')\n"
        "os.symlink('d', 'a/e')\nos.chmod('a/d', 0o600)\nos.utime('a/d')\nos.rmdir('a/b')\nprint(os.listdir('a'))"
    )
    outcome = await attempt(kind, code)
    assert outcome.exit_code == 0, outcome.stdout_tail
    assert (project / "a/d").read_text() == "x"


async def test_a_command_that_is_not_there_is_an_error_of_the_sandbox_and_not_a_verdict(project, kind):
    with pytest.raises(SandboxBroken, match=f"'/no/such'.*{kind.level.value}"):
        await run(["/no/such"], project, Limits(), kind.level, namespaces=kind.namespaces)


async def test_without_any_protection_there_is_still_an_end_and_no_environment(project, monkeypatch):
    monkeypatch.setenv("SECRET", "value")
    code = "import os, time; print('SECRET' in os.environ, flush=True); time.sleep(60)"
    outcome = await run(["python", "-c", code], project, Limits(wall_s=1), Level.NONE)
    assert (outcome.killed_because, outcome.stdout_tail) == ("time", "False\n")


async def test_many_runs_at_once_do_not_disturb_each_other(kind, project):
    project.chmod(0o755)
    for n in range(8):
        (project / str(n)).mkdir()
    runs = (
        run(["python", "-c", f"print({n})"], project / str(n), Limits(), kind.level, namespaces=kind.namespaces)
        for n in range(8)
    )
    assert [outcome.stdout_tail for outcome in await asyncio.gather(*runs)] == [f"{n}\n" for n in range(8)]


def test_a_directory_is_discarded_however_deep_it_is_and_whatever_its_modes(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    place = tmp_path / "place"
    (place / "locked/inner").mkdir(parents=True)
    (place / "locked/inner/file").write_text("")
    (place / "link").symlink_to(outside)
    (place / "locked/inner").chmod(0)
    (place / "locked").chmod(0)
    with pytest.MonkeyPatch.context() as moved:
        moved.chdir(place)
        for _ in range(2000):
            moved.chdir(_made("d"))
    discard(place)
    assert not place.exists()
    assert (outside / "kept").read_text() == "kept"


def _made(name: str) -> str:
    os.mkdir(name)  # noqa: PTH102  (the path is longer than pathlib could name)
    return name
