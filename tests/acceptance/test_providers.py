"""The whole job through each of the three SDKs, against a provider that says what the built-in model would say."""

import json
import subprocess
import sys
from pathlib import Path

import nkeys
import pytest

pytestmark = pytest.mark.slow

IDEA = "Books have a title, a price and a unique ISBN. A review belongs to a book and has a text."
PROVIDERS = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "groq": ""}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fake():
    """The fake provider as a process of its own; its address."""
    command = (sys.executable, "-m", "tests.fakes.provider", "--builtin")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@pytest.fixture(scope="module")
def made(fake, outside, tmp_path_factory):
    """The facts of the same run by each provider: a command of its own, with a fleet of its own."""
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER).decode()

    def by(provider: str) -> dict[str, dict]:
        folder = tmp_path_factory.mktemp(provider)
        models = folder / "models.yaml"
        endpoint = f"base_url: {fake}{PROVIDERS[provider]}"
        models.write_text(
            f"targets:\n  fake: {{provider: {provider}, model: any, {endpoint}, api_key_env: FAKE_KEY,"
            " capabilities: {json_schema: native}, price: {input: 0, output: 0}}\n"
        )
        environment = outside.plain_environment(
            folder / "home", FLOTILLA_MODELS_FILE=str(models), FLOTILLA_SIGNING_SEED=seed, FAKE_KEY="key-of-the-test"
        )
        command = (sys.executable, "-m", "workers.cli", "run", IDEA, "--run-id", "same", "--model", "fake", "--json")
        said = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
            check=False,
        )  # fmt: skip
        assert said.returncode == 0, f"{said.stdout[-2_000:]}\n{said.stderr}"
        facts = [json.loads(line) for line in said.stdout.splitlines()]
        return {fact["name"]: fact["message"] for fact in facts if "name" in fact}

    return {provider: by(provider) for provider in PROVIDERS}


def test_the_capsule_has_the_same_digest_whichever_sdk_asked(made):
    digests = {facts["capsule"]["sha256"] for facts in made.values()}
    assert len(digests) == 1


def test_every_call_went_to_the_fake_provider_and_is_journaled_with_its_tokens(made):
    for facts in made.values():
        calls = [message for name, message in facts.items() if name.startswith("llm.")]
        assert len(calls) >= 6
        assert {call["target"] for call in calls} == {"fake"}
        assert all(call["input_tokens"] and call["output_tokens"] and call["finish"] for call in calls)


def test_the_journals_are_the_same_word_for_word(made):
    said = [
        {name: message["completion_sha256"] for name, message in facts.items() if name.startswith("llm.")}
        for facts in made.values()
    ]
    assert all(other == said[0] for other in said)
