"""What a project must do to come out as passed, and what does not help."""

import tempfile
from pathlib import Path

import pytest

from workers.sandbox.levels import Level, SandboxTooWeak, reachable, serves_loopback
from workers.sandbox.libraries import libraries
from workers.sandbox.limits import Limits
from workers.sandbox.pytest_run import UnsafeProject, verify
from workers.sandbox.shelf import shelf

CODE = {
    "src/app/__init__.py": b"",
    "src/app/core.py": b"def double(n):\n    return 2 * n\n\n\ndef unused():\n    return 0\n",
}
GREEN = {"tests/test_core.py": b"from app.core import double\n\n\ndef test_double():\n    assert double(2) == 4\n"}
RED = {"tests/test_core.py": b"from app.core import double\n\n\ndef test_double():\n    assert double(2) == 5\n"}


async def verdict_on(files, **limits):
    return await verify({**CODE, **files}, Limits(wall_s=30, **limits), Level.LIMITS)


async def test_a_project_whose_tests_pass_is_passed_with_its_coverage():
    verdict = await verdict_on(GREEN)
    assert (verdict.passed, verdict.tests, verdict.failed, verdict.reason) == (True, 1, 0, "")
    assert verdict.coverage == 75.0
    assert verdict.level == reachable()
    assert b"<testcase" in verdict.junit_xml


async def test_a_red_test_is_told_with_its_message_and_without_places_of_this_machine():
    verdict = await verdict_on(RED)
    assert (verdict.passed, verdict.tests, verdict.failed) == (False, 1, 1)
    ((case, message),) = verdict.failures
    assert case == "tests.test_core::test_double"
    assert "assert 4 == 5" in message
    assert verdict.reason.startswith("1 of 1 tests failed")
    assert "flotilla-" not in message + verdict.output


async def test_a_syntax_error_is_a_failure_that_names_file_and_line():
    verdict = await verdict_on({**GREEN, "src/app/core.py": b"def double(n:\n    return 2\n"})
    assert not verdict.passed
    text = verdict.failures[0][1]
    assert "src/app/core.py" in text
    assert "SyntaxError" in text


async def test_a_module_that_is_not_in_the_sandbox_is_named():
    verdict = await verdict_on({"tests/test_core.py": b"import requests\n\n\ndef test_it(): pass\n"})
    assert "No module named 'requests'" in verdict.failures[0][1]


async def test_a_broken_conftest_is_told_although_there_is_no_report():
    verdict = await verdict_on({**GREEN, "tests/conftest.py": b"raise RuntimeError('broken set-up')\n"})
    assert not verdict.passed
    assert "broken set-up" in verdict.failures[0][1]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no test ran"),
        ({"tests/test_core.py": b"import pytest\n\n\n@pytest.mark.skip\ndef test_it(): pass\n"}, "no test ran"),
        ({**GREEN, "tests/conftest.py": b"def pytest_collection_modifyitems(items): items.clear()\n"}, "no test ran"),
        ({**GREEN, "pyproject.toml": b"[tool.pytest.ini_options]\naddopts = '--collect-only -p no:junitxml'\n"}, ""),
    ],
    ids=["no tests", "all skipped", "all deselected", "addopts that switch pytest off"],
)
async def test_settings_that_keep_tests_from_running_do_not_help(files, reason):
    verdict = await verdict_on(files)
    assert verdict.passed is (not reason)
    assert verdict.reason.startswith(reason)


SWAP = """
import atexit, os
def swap():
    for name in os.listdir("."):
        if name.startswith("junit"):
            os.unlink(name)
            {}
    os._exit(0)
def pytest_configure(config):
    atexit.register(swap)
"""
CASE = '<testsuites><testcase classname="{}" name="t"/></testsuites>'


def forged(report: str) -> str:
    return SWAP.format(f"open(name, 'w').write({report!r})")


TAMPERING = {
    "ends before the first test": ("import os\nos._exit(0)\n", "exit code 0 and without a report"),
    "ends in a test": ("import os\n\ndef pytest_runtest_call(item): os._exit(0)\n", "without a report"),
    "calls a red session green": ("def pytest_sessionfinish(session): session.exitstatus = 0\n", "1 of 1 tests failed"),
    "deletes the report": (SWAP.format("pass"), "exit code 0 and without a report"),
    "links the report": (SWAP.format("os.symlink('/etc/hosts', name)"), "can't be read"),
    "reports tests of no file": (forged(CASE.format("a.b")), "files that the project does not have"),
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_a_project_with_a_red_test_is_not_passed_because_it(how):
    conftest, reason = TAMPERING[how]
    verdict = await verdict_on({**RED, "conftest.py": conftest.encode()})
    assert not verdict.passed
    assert reason in verdict.reason
    assert verdict.failures


async def test_a_report_that_the_project_brings_along_is_not_read():
    report = b'<testsuites><testcase classname="tests.test_core" name="t"/></testsuites>'
    brought = {f"junit-{n}.xml": report for n in range(3)} | {"junit.xml": report}
    verdict = await verdict_on({**brought, "tests/test_core.py": b"import os\nos._exit(0)\n"})
    assert (verdict.passed, verdict.tests) == (False, 0)


async def test_a_limit_that_was_passed_is_the_reason():
    verdict = await verdict_on({"tests/test_core.py": b"def test_it():\n    while True: pass\n"}, cpu_s=1)
    assert not verdict.passed
    assert verdict.reason.startswith("the run was killed: it took more than 1 s of CPU")


SERVER = b"""
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")


def test_the_server_says_hello():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for host in ("127.0.0.1", "localhost"):
        assert urllib.request.urlopen(f"http://{host}:{server.server_port}/").read() == b"hello"
    server.shutdown()
    server.server_close()
"""


async def test_a_test_may_start_a_server_wherever_the_level_has_a_loopback():
    verdict = await verdict_on({"tests/test_core.py": SERVER})
    assert verdict.passed is serves_loopback()
    assert verdict.passed or "no server can be started in this sandbox" in verdict.reason


USES = b"""
import asyncio, ctypes, decimal, email.message, hashlib, mimetypes, multiprocessing, pathlib, shutil, sqlite3, ssl
import subprocess, sys, tempfile, uuid, zoneinfo


def test_the_standard_library_works(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("create table t (a)")
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    assert subprocess.run([sys.executable, "-c", "import app.core; print(1)"], capture_output=True).stdout == b"1\\n"
    assert zoneinfo.available_timezones() is not None
    assert mimetypes.guess_type("a.html")[0] == "text/html"
    assert hashlib.sha256(b"").hexdigest()
    assert pathlib.Path.home().is_dir()
    assert tempfile.mkdtemp()


async def _run():
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(2)", stdout=-1)
    return (await child.communicate())[0]


def test_asyncio_works():
    assert asyncio.run(_run()) == b"2\\n"
"""


async def test_the_standard_library_works_inside():
    verdict = await verdict_on({"tests/test_core.py": USES})
    assert verdict.passed, verdict.output


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a\0b", ".home/x", ".tmp/x"])
async def test_a_path_that_leaves_the_project_is_refused(path):
    with pytest.raises(UnsafeProject):
        await verdict_on({path: b""})


async def test_a_file_that_is_a_folder_too_is_refused():
    with pytest.raises(UnsafeProject, match="at once"):
        await verdict_on({"a": b"", "a/b": b""})


async def test_more_files_than_the_disk_may_hold_are_refused():
    with pytest.raises(UnsafeProject, match="1 MB"):
        await verdict_on({"a": bytes(2 << 20)}, disk_mb=1)


async def test_nothing_is_run_below_the_minimum(monkeypatch):
    monkeypatch.setenv("PATH", "")
    reachable.cache_clear()
    try:
        with pytest.raises(SandboxTooWeak, match="install bubblewrap"):
            await verify({**CODE, **GREEN}, Limits(), Level.BUBBLEWRAP)
    finally:
        reachable.cache_clear()


async def test_no_directory_is_left_behind(monkeypatch, outside):
    before = list(outside.iterdir())
    await verdict_on({})  # the shelf and the level are found where they are; the next project is laid out elsewhere
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    await verdict_on({**RED, "tests/conftest.py": b"import os\nos.makedirs('locked/inner')\nos.chmod('locked', 0)\n"})
    assert list(outside.iterdir()) == before


def test_the_libraries_are_told_with_their_versions():
    told = libraries()
    assert {"python", "pytest", "coverage", "pytest-cov"} <= set(told)
    assert not {"faststream", "nats-py", "pydantic"} & set(told)
    assert sorted(Path(shelf().libraries).glob("pydantic*")) == []
