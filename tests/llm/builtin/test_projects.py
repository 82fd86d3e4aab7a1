"""What the built-in model writes: whole projects, whose own tests are run, and whose server is used."""

import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from workers.llm.builtin import BuiltinModel
from workers.llm.builtin.project.mutations import MISTAKES, applicable

EVERY_TYPE = (
    "Track visits with a title, a visitor e-mail (unique), a page url, a fee, a weight in kg, a count, a day (date), "
    "a start time, an arrival (timestamp), paid (yes/no), and a mood (good, bad or odd, defaults to good); "
    "visits can have many tags; each visit belongs to a host and can have a parent visit; hosts have a name"
)
IDEAS = {
    "one kind, every type": EVERY_TYPE,
    "one-to-many": (
        "Build a library service that tracks books (title, author, ISBN unique, price as money, published date, "
        "genre: fiction/non-fiction/poetry) and members with a required e-mail; a member can borrow many books"
    ),
    "many-to-many": "Track courses (title, credits (integer)) and students (name); a student can attend many courses",
    "names with other meanings": (
        "A service register with services (name, order (integer), group, select yes/no) and classes (path, value); "
        "each service belongs to a class; tests have a sample and a record; each test belongs to a service"
    ),
    "two links to one kind": (
        "Teams have a name (unique). Each match has a home team, an away team, a date and a score. "
        "Matches must have a home team."
    ),
    "no field is required": "Log of readings with temperature, humidity and time; sensors have a place and a note",
}
QUICK = ("one kind, every type", "one-to-many")
MEASURED = ("--cov", "--cov-report=json:coverage.json")


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in IDEAS]
)
def test_the_suite_of_a_project_is_green_and_covers_it(case, build, tested, tmp_path):
    project = build(IDEAS[case])

    result = tested(project.save(tmp_path), *MEASURED)

    assert result.returncode == 0, result.stdout[-3_000:]
    coverage = json.loads((tmp_path / "coverage.json").read_text())["totals"]["percent_covered"]
    assert coverage > 85


@pytest.mark.parametrize("case", IDEAS)
def test_a_project_is_clean_by_ruff(case, build, ran, tmp_path):
    folder = build(IDEAS[case]).save(tmp_path)

    for arguments in (("check", "."), ("format", "--check", "--diff", ".")):
        result = ran(folder, "ruff", *arguments, "--no-cache")
        assert result.returncode == 0, result.stdout


def checked_by_mypy(case, build, ran, tmp_path):
    return ran(build(IDEAS[case]).save(tmp_path), "mypy", "--strict", "--cache-dir", str(tmp_path / ".cache"))


@pytest.mark.parametrize("case", ["one kind, every type"])
def test_a_project_is_clean_by_mypy(case, build, ran, tmp_path):
    result = checked_by_mypy(case, build, ran, tmp_path)

    assert result.returncode == 0, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in IDEAS if case != "one kind, every type"])
def test_every_project_is_clean_by_mypy(case, build, ran, tmp_path):
    result = checked_by_mypy(case, build, ran, tmp_path)

    assert result.returncode == 0, result.stdout


NO_SOCKETS = """
import socket

class Refusing(socket.socket):
    def __init__(self, family=-1, *more, **named):
        if family in (-1, socket.AF_INET, socket.AF_INET6):
            raise PermissionError("no sockets here")
        super().__init__(family, *more, **named)

socket.socket = Refusing
"""


def test_the_suite_of_a_project_runs_without_sockets(build, tested, tmp_path):
    folder = build(IDEAS["many-to-many"]).save(tmp_path)
    (folder / "tests" / "nosockets.py").write_text(NO_SOCKETS)
    conftest = folder / "tests" / "conftest.py"
    conftest.write_text(f"import nosockets\n{conftest.read_text()}")

    result = tested(folder, *MEASURED)

    assert result.returncode == 0, result.stdout[-3_000:]
    assert json.loads((tmp_path / "coverage.json").read_text())["totals"]["percent_covered"] > 85


@pytest.fixture(scope="module")
def library(build, tmp_path_factory):
    project = build(IDEAS["one-to-many"])
    return project, project.save(tmp_path_factory.mktemp("library"))


# One mistake of each file in the fast suite; the slow one makes them all.
SOME = ("unknown fields accepted", "uniqueness dropped", "page off by one", "wrong status of a new record")


def make(mistake, library, tested) -> subprocess.CompletedProcess[str]:
    project, folder = library
    path = next(path for path, known in applicable(project.files) if known is mistake)
    right = project.files[path]
    (folder / path).write_text(right.replace(mistake.right, mistake.wrong))
    try:
        return tested(folder, "-x")
    finally:
        (folder / path).write_text(right)


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if m.name in SOME], ids=lambda mistake: mistake.name)
def test_a_mistake_turns_the_suite_red(mistake, library, tested):
    assert make(mistake, library, tested).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("mistake", [m for m in MISTAKES if m.name not in SOME], ids=lambda mistake: mistake.name)
def test_every_mistake_turns_the_suite_red(mistake, library, tested):
    assert make(mistake, library, tested).returncode != 0


def test_wrong_code_is_red_and_its_repair_is_green(build, tested, tmp_path):
    project = build(IDEAS["many-to-many"], "builtin:wrong_code=0.5,seed=3")
    assert tested(project.save(tmp_path), "-x").returncode != 0

    for file in project.repair(BuiltinModel()).files:
        (tmp_path / file.path).write_text(file.content)

    assert tested(tmp_path).returncode == 0


class Running:
    """The service as its README starts it."""

    def __init__(self, folder: Path, database: Path) -> None:
        command = [sys.executable, "-m", "library", "--port", "0"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "src", "LIBRARY_DB": str(database)}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        self.port = int(self.line.rpartition(":")[2])

    def ask(self, method, path, document=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = None if document is None else json.dumps(document)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, json.loads(content) if content else None

    def stop(self, how=signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=10)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def test_the_server_works_and_a_restart_keeps_its_records(library, tmp_path):
    _, folder = library
    running = Running(folder, tmp_path / "data.sqlite3")
    try:
        assert running.line.startswith("library listens on http://127.0.0.1:")
        status, book = running.ask("POST", "/books", {"title": "Emma", "price": "12.50", "genre": "fiction"})
        assert (status, book["price"], book["member_id"]) == (201, "12.50", None)
        assert running.ask("PATCH", "/books/1", {"price": 13})[1]["price"] == "13.00"
        status, refused = running.ask("POST", "/books", {"price": "cheap", "colour": "red"})
        assert (status, set(refused["error"]["fields"])) == (422, {"title", "price", "colour"})
        assert running.ask("GET", "/books?genre=poetry")[1]["total"] == 0
    finally:
        assert running.stop() == 0

    again = Running(folder, tmp_path / "data.sqlite3")
    try:
        assert again.ask("GET", "/books/1")[1]["title"] == "Emma"
        assert again.ask("DELETE", "/books/1") == (204, None)
    finally:
        assert again.stop(signal.SIGINT) == 0
