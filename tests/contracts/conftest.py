"""The recorded payloads, by kind."""

import json
from pathlib import Path

import pytest

from contracts.codec import MESSAGES
from contracts.schema_files import kind_of

pytest.register_assert_rewrite("tests.contracts.hostile")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def goldens():
    """(subject, payload) of every recorded message, by version folder and kind, e.g. `v1/vote_cast`."""
    found = {}
    for path in sorted(GOLDEN.glob("*/*.json")):
        golden = json.loads(path.read_text(encoding="utf-8"))
        found[f"{path.parent.name}/{path.stem}"] = (golden["subject"], golden["payload"])
    return found


@pytest.fixture(scope="session")
def logged(goldens):
    """The same of messages of the log."""
    kinds = {kind_of(cls) for cls in MESSAGES}
    return {name: golden for name, golden in goldens.items() if golden[1]["kind"] in kinds}
