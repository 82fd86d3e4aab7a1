"""The pages on ballots: blueprints load, messages decode, programs run, permissions hold, every field is told."""

import asyncio
import json
import os
import re
import runpy
import sys
from pathlib import Path

import nats
import pytest
from nats.js.errors import APIError

from contracts.codec import decode
from contracts.v1.ballots import VoteCast
from workers import fleet
from workers.cli.panels import PERSONAS
from workers.consensus.objections import objections
from workers.consensus.rules import RULES
from workers.consensus.signatures import fault
from workers.orchestrator.blueprint import Ballots, BallotTerms, Blueprint
from workers.orchestrator.blueprint_file import read_blueprint
from workers.prompting.templates import Prompts
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.settings import Settings

PAGE = "docs/consensus.md"
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SEED = re.search(r"`(SU[A-Z2-7]{56})`", TEXT)[1]
PUBLIC_KEY = re.search(r"`(U[A-Z2-7]{55})`", TEXT)[1]
SIGNED = "flotilla.acme.run-7.vote.release-1.ada"
PATIENCE_S = 30


@pytest.fixture
def read(tmp_path):
    def load(text: str) -> Blueprint:
        file = tmp_path / "blueprint.yaml"
        file.write_text(text, encoding="utf-8")
        return read_blueprint(file)

    return load


@pytest.fixture
def messages(page):
    """The messages on the pages by their subjects."""
    files = {**page(PAGE).files, **page("docs/contracts.md").files}
    return {subject: text for subject, text in files.items() if subject.startswith("flotilla.")}


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_blueprint_of_the_page_is_one(read, example):
    assert read(example)


def test_the_first_blueprint_of_the_page_is_what_holds_without_a_file(read):
    assert read(EXAMPLES[0]) == Blueprint()


def test_the_page_has_a_blueprint_without_ballots(read):
    assert read(EXAMPLES[1]).ballots == Ballots(design=None, release=None)


def test_the_page_tells_every_field_of_a_ballot_every_rule_and_every_persona(page):
    told = {cell.strip("`") for cell in page(PAGE).column("field of a ballot")}
    assert told == set(BallotTerms.model_fields)
    assert {cell.strip("`") for cell in page(PAGE).column("rule")} == set(RULES)
    assert set(PERSONAS) == set(Prompts.load().personas("reviewer"))
    assert all(f"`{persona}`" in page(PAGE).prose for persona in PERSONAS)


def test_each_message_of_the_pages_says_what_its_subject_names(messages):
    said = {subject: decode(subject, text.encode()) for subject, text in messages.items()}
    assert {message.kind for message in said.values()} == {
        "ballot_opened", "vote_cast", "decision_made", "outcome_seen",
    }  # fmt: skip
    assert [
        wrong for message in said.values() if message.kind == "ballot_opened" for wrong in objections(message)
    ] == []


def test_the_snippet_of_the_page_signs_as_the_page_shows_and_as_the_fleet_checks(page, messages, tmp_path):
    file = tmp_path / "sign.py"
    file.write_text(page(PAGE).files["sign.py"], encoding="utf-8")
    sign = runpy.run_path(str(file))["signature"]
    shown, vote = json.loads(messages[SIGNED]), decode(SIGNED, messages[SIGNED].encode())
    assert isinstance(vote, VoteCast)
    assert vote.signed_bytes.decode() + "\n" == page(PAGE).files["release-1"]
    assert sign(SEED.encode(), "acme", "run-7", "release-1", "ada", shown) == shown["signature"]
    opened = decode(
        "flotilla.acme.run-7.ballot.release-1",
        json.dumps({
            "kind": "ballot_opened", "version": 1, "question": "?", "electorate": ["ada"],
            "options": [{"option": "release"}, {"option": "repair"}], "signed": True, "keys": {"ada": PUBLIC_KEY},
        }).encode(),
    )  # fmt: skip
    assert fault(opened, vote) == ""
    assert "signature is wrong" in fault(opened, vote.model_copy(update={"choice": "repair"}))


async def test_the_program_of_the_page_gets_a_decision_and_may_be_run_again(page, tmp_path, settings):
    file = tmp_path / "lunch.py"
    file.write_text(page(PAGE).files["lunch.py"], encoding="utf-8")
    await fleet.provision(settings)
    consensus = fleet.worker_app("consensus", settings)
    await consensus.app.start()
    try:
        environment = {"PATH": os.environ["PATH"], "FLOTILLA_NATS_URL": settings.nats_url}
        said = [await output_of(file, environment) for _ in range(2)]
    finally:
        await consensus.app.stop()
    assert said == [b"soup soup wins by majority after 2 of 2 answers\n"] * 2


async def output_of(file: Path, environment: dict[str, str]) -> bytes:
    """What a Python file prints, as a process of its own that knows nothing of Flotilla."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(file), env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    return said


class Restricted(EmbeddedNats):
    """A server with the page's permissions."""

    config: Path

    def _command(self, ports: Path) -> list[str]:
        return [*super()._command(ports), "--config", str(self.config)]


async def test_with_the_permissions_of_the_page_a_voter_says_its_own_vote_and_nothing_else(page, tmp_path):
    [shown] = page(PAGE).blocks("conf")
    server = Restricted()
    server.config = tmp_path / "nats.conf"
    server.config.write_text(shown.replace("$FLEET_PASSWORD", "one").replace("$ADA_PASSWORD", "two"), encoding="utf-8")
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def heard(error: Exception) -> None:
        refused.put_nowait(str(error).lower())

    async with server:
        host = server.url.removeprefix("nats://")
        await fleet.provision(Settings(nats_url=f"nats://fleet:one@{host}"))
        ada = await nats.connect(f"nats://ada:two@{host}", error_cb=heard)
        js = ada.jetstream()
        await js.publish("flotilla.acme.lunch.vote.lunch.ada", b"{}")
        with pytest.raises(APIError) as again:
            await js.publish("flotilla.acme.lunch.vote.lunch.ada", b"{}")
        assert (again.value.err_code, again.value.description) == (10077, "maximum messages per subject exceeded")
        for other in ("vote.lunch.bob", "decision.lunch", "ballot.lunch"):
            await ada.publish(f"flotilla.acme.lunch.{other}", b"{}")
            assert "permissions violation for publish" in await asyncio.wait_for(refused.get(), PATIENCE_S)
        await ada.close()
    assert refused.empty()
