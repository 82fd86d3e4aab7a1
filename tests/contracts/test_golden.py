import json
import runpy
from pathlib import Path

import pytest

from contracts.codec import MESSAGES, decode, encode
from contracts.schema_files import PUBLISHED, kind_of
from contracts.subjects import subject_of
from contracts.v1.failures import DeadLetter

HERE = Path(__file__).parent
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in (HERE / "golden").glob("*/*.json"))
LOGGED = {kind_of(cls) for cls in MESSAGES}
IN_THE_LOG = [name for name in NAMES if name.partition("/")[2] in LOGGED]


def test_every_kind_has_a_golden_payload(goldens):
    assert {payload["kind"] for _, payload in goldens.values()} == {kind_of(cls) for cls in PUBLISHED}


@pytest.mark.parametrize("name", IN_THE_LOG)
def test_a_golden_payload_decodes_and_encodes_to_an_equal_message(goldens, name):
    subject, payload = goldens[name]
    message = decode(subject, json.dumps(payload).encode())
    assert decode(subject, encode(message)) == message
    assert subject_of(message) == subject


@pytest.mark.parametrize("name", IN_THE_LOG)
def test_nothing_of_a_golden_payload_is_lost(goldens, name):
    """Every field that was recorded is still there; newer ones may have come."""
    subject, payload = goldens[name]
    assert contains(json.loads(encode(decode(subject, json.dumps(payload).encode()))), payload)


@pytest.mark.parametrize("name", IN_THE_LOG)
def test_what_the_subject_says_may_be_left_out_of_the_payload(goldens, name):
    subject, payload = goldens[name]
    whole = decode(subject, json.dumps(payload).encode())
    identity = ("tenant", "run", *(field for field in payload if f".{payload[field]}." in f"{subject}."))
    short = {field: value for field, value in payload.items() if field not in identity or field in ("kind", "version")}
    assert "tenant" not in short
    assert decode(subject, json.dumps(short).encode()) == whole


def test_the_golden_dead_letter_decodes_and_encodes_to_an_equal_one(goldens):
    subject, payload = goldens["v1/dead_letter"]
    letter = DeadLetter.model_validate(payload)
    assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter
    assert subject == f"flotilla-dead.{letter.worker}"


def test_the_golden_script_fills_gaps_and_overwrites_nothing(tmp_path):
    script = runpy.run_path(str(HERE / "make_golden.py"))
    assert len(script["write"](tmp_path)) == len(PUBLISHED)
    old = tmp_path / "vote_cast.json"
    old.write_text("recorded long ago")
    (tmp_path / "gate_opened.json").unlink()
    assert script["write"](tmp_path) == [tmp_path / "gate_opened.json"]
    assert old.read_text() == "recorded long ago"


def contains(whole, part):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return whole == part
