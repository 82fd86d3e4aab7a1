"""What a process writes holds no secret, whichever way it comes out."""

import json
import logging
import subprocess
import sys

import pytest
import structlog

from workers.runtime.redaction import redactor_for
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging, logger

KEY = "a-key-that-is-no-well-known-kind"
SEED = "a-seed-for-signing"

MODELS = """
targets:
  one: {provider: openai, model: m, api_key_env: NOTHING_SPECIAL}
  two: {provider: openai, model: m, api_key_file: two.txt}
  three: {provider: openai, model: m, api_key_env: NOT_SET}
"""


@pytest.fixture(autouse=True)
def _logging_as_before():
    root, hook = logging.getLogger(), sys.excepthook
    handlers = root.handlers[:]
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    structlog.reset_defaults()


@pytest.fixture
def said(monkeypatch, capsys):
    """Configures logging with a secret in the environment; returns what was written since."""
    monkeypatch.setenv("SOME_API_KEY", KEY)

    def configured(**settings):
        configure_logging(Settings(**settings))
        return lambda: capsys.readouterr().err

    return configured


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_value_of_a_log_line_holds_a_secret(said, form):
    written = said(log_level="debug", log_format=form)
    try:
        raise RuntimeError(f"401 for {KEY}")
    except RuntimeError as error:
        logger("w").exception("failed", reason=f"for {KEY}", deep={"a": [KEY]}, error=error)
    line = written()
    assert KEY not in line and line.count("***") >= 4
    assert form == "text" or json.loads(line)["event"] == "failed"


def test_what_libraries_log_holds_no_secret_and_is_written_once(said):
    said()
    written = said()
    logging.getLogger("a.library").error("no access with %s", KEY)
    assert written() == "no access with ***\n"


def test_what_ends_the_process_holds_no_secret():
    program = (
        "from workers.runtime.settings import Settings; from workers.runtime.telemetry import configure_logging\n"
        "import os; configure_logging(Settings()); raise RuntimeError('401 for ' + os.environ['A_KEY'])"
    )
    environment = {"A_KEY": KEY, "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "RuntimeError: 401 for ***" in ended.stderr and KEY not in ended.stderr


def test_keys_of_targets_are_known_wherever_they_come_from(tmp_path):
    (tmp_path / "models.yaml").write_text(MODELS)
    (tmp_path / "two.txt").write_text("the-key-in-the-file\n")
    (tmp_path / "seed").write_text("the-seed-in-the-file\n")
    settings = Settings(
        models_file=tmp_path / "models.yaml", nats_url="nats://me:the-password@h:4222", signing_seed=SEED,
        signing_seed_file=tmp_path / "seed",
    )  # fmt: skip
    clean = redactor_for(settings, {"NOTHING_SPECIAL": KEY}).clean
    for secret in (KEY, SEED, "the-password", "the-key-in-the-file", "the-seed-in-the-file"):
        assert clean(f"<{secret}>") == "<***>"


def test_a_models_file_that_cant_be_used_does_not_keep_logs_from_being_written(tmp_path):
    (tmp_path / "models.yaml").write_text("targets: 7")
    clean = redactor_for(Settings(models_file=tmp_path / "models.yaml"), {"A_KEY": KEY}).clean
    assert clean(KEY) == "***"
