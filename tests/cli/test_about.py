"""config, asyncapi, schemas, version, and the documentation."""

import json
from importlib.metadata import version as installed
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.codec import MESSAGES
from contracts.schema_files import schema_files
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
    def test_it_has_every_message_under_the_prefix_of_the_settings(self, desk):
        desk.settings = Settings(prefix="fleet2")
        document = json.loads(desk("asyncapi").stdout)
        assert document["asyncapi"].startswith("3.")
        kinds = {message.model_fields["kind"].default for message in MESSAGES}
        assert kinds <= set(document["components"]["messages"])
        assert any(channel["address"].startswith("fleet2.") for channel in document["channels"].values())


class TestSchemas:
    def test_every_message_has_a_valid_schema(self, desk):
        schemas = json.loads(desk("schemas").stdout)
        assert len(schemas) >= len(MESSAGES)
        for schema in schemas.values():
            Draft202012Validator.check_schema(schema)
        assert "idea" in schemas["run_requested.v1"]["properties"]

    def test_they_can_be_written_to_a_folder(self, desk, tmp_path):
        assert desk("schemas", "--out", str(tmp_path / "s")).exit_code == 0
        assert {path.name: path.read_text() for path in (tmp_path / "s").iterdir()} == schema_files()


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
