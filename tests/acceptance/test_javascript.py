"""The JavaScript example of the documentation, run by Node.js as it is, is a client like any other."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts.v1.runs import RunClosed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("node") is None, reason="the JavaScript client needs Node.js"),
]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SCRIPT = EXAMPLES / "submit.mjs"
IDEA = "A recipe box: recipes have a name and a number of servings."
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example with its one package, in a folder of its own."""
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("submit.mjs", "package.json"):
        shutil.copy(EXAMPLES / name, folder)
    subprocess.run(INSTALL, cwd=folder, stdin=subprocess.DEVNULL, check=True, timeout=120)
    return folder


@pytest.fixture
def submit(fleet, installed, outside, tmp_path):
    """Runs the example; returns the lines that it printed."""

    def ran(*arguments):
        environment = outside.plain_environment(tmp_path / "home", NATS_URL=fleet.server.url)
        said = subprocess.run(
            ("node", "submit.mjs", *arguments), cwd=installed, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        return [line.split(" ", 3) for line in said.stdout.splitlines()]

    return ran


def test_it_prints_every_fact_of_its_run_to_the_end(fleet, submit):
    lines = submit(IDEA)
    run = lines[0][0].split(".")[2]
    facts = fleet.facts(run)
    assert [line[0].split(".", 3)[3] for line in lines] == facts.names
    assert lines[-1][:3] == [f"flotilla.default.{run}.run.closed", "run_closed", "completed"]


def test_a_request_without_an_idea_is_refused_and_says_so(fleet, submit):
    requested, closed = submit()
    assert requested[1] == "run_requested"
    assert closed[1:3] == ["run_closed", "refused"] and "idea" in closed[3]
    [end] = fleet.facts(closed[0].split(".")[2]).of(RunClosed)
    assert [error.field for error in end.errors] == ["idea"]


def test_the_example_is_short_and_needs_one_package():
    assert len(SCRIPT.read_text().splitlines()) <= 14
    package = json.loads((EXAMPLES / "package.json").read_text())
    assert list(package["dependencies"]) == ["@nats-io/transport-node"]
    assert sorted(path.name for path in EXAMPLES.iterdir()) == ["package.json", "submit.mjs"]
