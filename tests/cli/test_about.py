"""config, asyncapi, schemas, version, and the documentation."""

import json
from importlib.metadata import version as installed
from pathlib import Path

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator

from contracts.codec import MESSAGES
from contracts.subjects import NOUNS
from workers.cli.app import GROUPS
from workers.runtime.settings import Settings

DOC = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = [command.__name__ for commands in GROUPS.values() for command in commands]


class TestConfig:
    def test_every_setting_is_listed_with_its_variable(self, desk):
        said = json.loads(desk("config", "--json").stdout)
        assert said["FLOTILLA_TENANT"] == "default"
        assert said["FLOTILLA_SANDBOX_MINIMUM"] == "landlock"
        flat = [name for name in Settings.model_fields if name != "sandbox"]
        assert {f"FLOTILLA_{name.upper()}" for name in flat} <= set(said)

    def test_secrets_are_masked_and_what_was_set_is_marked(self, desk):
        desk.settings = Settings(signing_seed="SUAVERYSECRET", nats_url="nats://ada:hunter2@there:4222")
        for output in (desk("config").stdout, desk("config", "--json").stdout):
            assert "VERYSECRET" not in output
            assert "hunter2" not in output
            assert "nats://***@there:4222" in output
        lines = desk("config").stdout.splitlines()
        assert [line.split()[0] for line in lines if line.endswith("(set)")] == [
            "FLOTILLA_NATS_URL", "FLOTILLA_SIGNING_SEED",
        ]  # fmt: skip


class TestAsyncApi:
    @pytest.fixture
    def document(self, desk) -> dict:
        return json.loads(desk("asyncapi").stdout)

    def test_it_is_an_asyncapi_3_document_to_faststream(self, document):
        ApplicationSchema.model_validate(document)
        assert document["asyncapi"] == "3.0.0"

    def test_every_noun_is_a_channel_and_every_message_is_in_one(self, document):
        assert len(document["channels"]) == len(NOUNS)
        kinds = {kind for channel in document["channels"].values() for kind in channel["messages"]}
        assert kinds == {message.model_fields["kind"].default for message in MESSAGES}
        assert document["channels"]["llm"]["address"] == "flotilla.{tenant}.{run}.llm.{task}.{attempt}.{n}"

    def test_every_reference_leads_somewhere(self, document):
        def references(value: object) -> list[str]:
            if isinstance(value, dict):
                found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
                return found + [ref for part in value.values() for ref in references(part)]
            return [ref for part in value for ref in references(part)] if isinstance(value, list) else []

        for reference in set(references(document)):
            part = document
            for step in reference.removeprefix("#/").split("/"):
                part = part[step]

    def test_every_parameter_of_an_address_is_described(self, document):
        for channel in document["channels"].values():
            assert all(f"{{{name}}}" in channel["address"] for name in channel["parameters"])
            assert channel["address"].count("{") == len(channel["parameters"])


class TestSchemas:
    def test_every_message_has_a_valid_schema(self, desk):
        schemas = json.loads(desk("schemas").stdout)
        assert len(schemas) == len(MESSAGES)
        for schema in schemas.values():
            Draft202012Validator.check_schema(schema)
        assert "idea" in schemas["run_requested.v1"]["properties"]

    def test_they_can_be_written_to_a_folder(self, desk, tmp_path):
        assert desk("schemas", "--out", str(tmp_path / "s")).exit_code == 0
        assert len(list((tmp_path / "s").glob("*.json"))) == len(MESSAGES)


def test_version_is_that_of_the_installation(desk):
    assert desk("version").stdout == f"flotilla {installed('flotilla')}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documentation_has_every_command_with_an_example(command):
    text = DOC.read_text()
    assert f"## `flotilla {command}" in text
    assert f"\nflotilla {command}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(command, desk):
    text = DOC.read_text()
    section = text[text.index(f"## `flotilla {command}") :].split("\n## ")[0]
    shown = desk(command, "--help").stdout
    options = {word.strip(",│") for word in shown.split() if word.startswith("--")} - {"--help"}
    options = {option for option in options if option.strip("-").replace("-", "").isalpha()}
    everywhere = text[: text.index("\n## `flotilla ")]
    assert [option for option in sorted(options) if option not in section and option not in everywhere] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command, desk):
    result = desk(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5
