import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import contracts
from contracts.schema_files import PUBLISHED, SCHEMAS, identity_of, kind_of, schema_files, schema_of, version_of

FILES = schema_files()


def validator(cls):
    return Draft202012Validator(schema_of(cls))


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_schema_that_is_checked_in_is_the_one_that_holds(name):
    path = Path(contracts.__file__).parent / "schemas" / name
    assert path.exists() and path.read_text(encoding="utf-8") == FILES[name], (
        f"contracts/schemas/{name} is out of date: run `python -m contracts.schema_files`, and read docs/contracts.md "
        "first if the message was released"
    )


def test_no_schema_is_left_over_from_a_message_that_is_gone():
    versions = {kind_of(cls): version_of(cls) for cls in PUBLISHED}
    for path in SCHEMAS.iterdir():
        kind, version, _ = path.name.split(".")
        assert int(version.removeprefix("v")) <= versions[kind]


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
def test_a_schema_is_sound_has_no_address_and_says_the_subject(cls):
    schema = schema_of(cls)
    Draft202012Validator.check_schema(schema)
    assert "$id" not in json.dumps(schema)
    assert all(f"{{{field}}}" in schema["x-subject"] for field in identity_of(cls))


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
def test_a_golden_payload_fits_its_schema_with_or_without_what_the_subject_says(goldens, cls):
    _, payload = goldens[f"v1/{kind_of(cls)}"]
    short = {field: value for field, value in payload.items() if field not in identity_of(cls)}
    assert [fault.message for one in (payload, short) for fault in validator(cls).iter_errors(one)] == []


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
@pytest.mark.parametrize("field", ["kind", "version"])
def test_a_payload_that_does_not_say_what_it_is_does_not_fit(goldens, cls, field):
    _, payload = goldens[f"v1/{kind_of(cls)}"]
    assert not validator(cls).is_valid({key: value for key, value in payload.items() if key != field})
    assert not validator(cls).is_valid({**payload, field: "something else"})
