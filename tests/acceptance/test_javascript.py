"""The JavaScript example of the documentation, run by Node.js as it is, is a client like any other."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts.v1.ballots import DecisionMade, VoteCast
from contracts.v1.runs import RunClosed
from workers.runtime.signing import Signer, new_seed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("node") is None, reason="the JavaScript client needs Node.js"),
]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SCRIPT = EXAMPLES / "submit.mjs"
IDEA = "A recipe box: recipes have a name and a number of servings."
VOTER = Path(__file__).with_name("vote.mjs")
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example with its one package, in a folder of its own."""
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("submit.mjs", "package.json"):
        shutil.copy(EXAMPLES / name, folder)
    shutil.copy(VOTER, folder)
    subprocess.run(INSTALL, cwd=folder, stdin=subprocess.DEVNULL, check=True, timeout=120)
    return folder


@pytest.fixture
def node(fleet, installed, outside, tmp_path):
    """Runs a script beside the fleet; returns what it printed."""

    def ran(*arguments):
        environment = outside.plain_environment(tmp_path / "home", NATS_URL=fleet.server.url)
        said = subprocess.run(
            ("node", *arguments), cwd=installed, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        return said.stdout

    return ran


@pytest.fixture
def submit(node):
    """Runs the example; returns the lines that it printed."""
    return lambda *arguments: [line.split(" ", 3) for line in node("submit.mjs", *arguments).splitlines()]


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


def test_a_ballot_is_opened_voted_on_with_an_nkey_and_read_from_another_language(fleet, node):
    seed = new_seed()
    said = json.loads(node("vote.mjs", "js-ballot", seed.decode()))
    assert said["key"] == Signer(seed).public_key, "it reads the seed as we do"
    [decision] = fleet.facts("js-ballot").of(DecisionMade)
    assert said["decision"]["option"] == decision.option == "go"
    assert [(vote.voter, vote.text) for vote in decision.counted] == [("ada", "Es läuft – ✓")]


def test_votes_that_are_unsigned_or_signed_for_or_by_somebody_else_are_invalid_with_the_reason(fleet, node):
    node("vote.mjs", "js-forged", new_seed().decode())
    facts = fleet.facts("js-forged")
    [decision] = facts.of(DecisionMade)
    reasons = {one.voter: one.reason for one in decision.invalid}
    assert set(reasons) == {"bob", "dan", "eve"}
    assert "is not signed" in reasons["bob"]
    assert all("the signature is wrong" in reasons[voter] for voter in ("dan", "eve"))
    assert len(facts.of(VoteCast)) == 4, "what did not count is in the log all the same"


def test_the_example_is_short_and_needs_one_package():
    assert len(SCRIPT.read_text().splitlines()) <= 14
    package = json.loads((EXAMPLES / "package.json").read_text())
    assert list(package["dependencies"]) == ["@nats-io/transport-node"]
    assert sorted(path.name for path in EXAMPLES.iterdir()) == ["package.json", "submit.mjs"]
