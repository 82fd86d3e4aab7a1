import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import LONGEST_MESSAGE, MAX_ERRORS, MESSAGES, Malformed, NotJson, WrongName, decode, encode
from contracts.schema_files import kind_of
from contracts.subjects import NOUNS, subject_of
from tests.contracts.hostile import TOKENS, Wire, envelopes, places, replaced, values

REQUEST = "flotilla.acme.r42.run.requested"
KINDS = [kind_of(cls) for cls in MESSAGES]
VALUES = values(KINDS)
endures = Wire(decode, encode, subject_of).endures


@st.composite
def subjects(draw):
    """A subject of the grammar, or nearly."""
    noun = draw(st.sampled_from(sorted(NOUNS)))
    names = [draw(TOKENS) for _ in NOUNS[noun]]
    return ".".join(("flotilla", "acme", "r42", noun, *names))


@given(subjects(), st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_worse(subject, data):
    assert endures(subject, data)


@given(st.text(), VALUES)
def test_random_subjects_are_refused_and_nothing_worse(subject, value):
    assert endures(subject, json.dumps(value).encode())


@given(subjects(), VALUES)
def test_random_json_is_refused_and_nothing_worse(subject, value):
    assert endures(subject, json.dumps(value).encode())


@given(
    subjects(),
    st.dictionaries(st.sampled_from(("tenant", "run", "task", "attempt", "n", "role")), VALUES),
    envelopes(KINDS),
)
def test_random_fields_of_a_known_kind_are_refused_and_nothing_worse(subject, fields, envelope):
    assert endures(subject, json.dumps({**fields, **envelope}).encode())


@given(st.data())
def test_a_good_payload_with_anything_anywhere_is_refused_and_nothing_worse(goldens, data):
    subject, payload = goldens[f"v1/{data.draw(st.sampled_from(KINDS))}"]
    path = data.draw(st.sampled_from(list(places(payload))))
    assert endures(subject, json.dumps(replaced(payload, path, data.draw(VALUES))).encode())


@given(st.data())
def test_a_good_payload_with_a_damaged_byte_is_refused_and_nothing_worse(goldens, data):
    subject, payload = goldens[f"v1/{data.draw(st.sampled_from(KINDS))}"]
    damaged = bytearray(json.dumps(payload, ensure_ascii=False).encode())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert endures(subject, bytes(damaged))


def request(field, value):
    return b'{"kind":"run_requested","version":1,"idea":"x",%s:%s}' % (json.dumps(field).encode(), value)


@pytest.mark.parametrize("field", ["kind", "version", "tenant", "idea", "plan", "whatever"])
@pytest.mark.parametrize("depth", [10, 300, *range(900, 1_000, 7), 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused_and_nothing_worse(field, depth, opening, closing):
    assert endures(REQUEST, request(field, opening * depth + b"1" + closing * depth))


@pytest.mark.parametrize("field", ["kind", "version", "tenant", "deadline_s", "whatever"])
@pytest.mark.parametrize("digits", [20, 400, 4_299, 4_300, 4_301, 100_000])
def test_huge_numbers_are_refused_and_nothing_worse(field, digits):
    assert endures(REQUEST, request(field, b"9" * digits))
    assert endures(REQUEST, request(field, b"9" * digits + b".5"))
    assert endures(REQUEST, request(field, b"-" + b"9" * digits))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_what_is_no_finite_number_is_no_json(goldens, number):
    """Python would read it, and encode it as null: a fact that can't be read again."""
    subject, payload = goldens["v1/project_verified"]
    payload = replaced(payload, ("evidence", "duration_s"), math.pi)
    with pytest.raises(NotJson):
        decode(subject, json.dumps(payload).encode().replace(str(math.pi).encode(), number))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"42", b'"x"', b"{", b"\xff\xfe", b'{"idea": "\xed\xa0\x80"}', b"\x80", b'{"a": "\0"}'],
)
def test_what_is_no_json_object_in_utf_8_is_told_apart(data):
    with pytest.raises(NotJson):
        decode(REQUEST, data)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("idea", '"a list of \\ud83d"', "idea"),
        ("whatever", '["\\ud83d"]', "whatever.0"),
        ("whatever", '{"\\udc00": 1}', "whatever.[key]"),
    ],
)
def test_text_that_was_cut_within_a_character_is_refused_by_field(field, value, named):
    """JavaScript strings can hold such text, and `JSON.stringify` writes it."""
    with pytest.raises(Malformed) as refused:
        decode(REQUEST, request(field, value.encode()))
    assert [where for where, _ in refused.value.errors] == [named]


def test_a_whole_surrogate_pair_is_a_character():
    assert decode(REQUEST, request("idea", b'"\\ud83d\\ude00"')).idea == "\U0001f600"


def test_json_in_another_encoding_is_refused(goldens):
    subject, payload = goldens["v1/run_requested"]
    with pytest.raises(NotJson):
        decode(subject, json.dumps(payload).encode("utf-16"))


def test_a_byte_order_mark_is_forgiven(goldens):
    subject, payload = goldens["v1/run_requested"]
    assert decode(subject, json.dumps(payload).encode("utf-8-sig")) == decode(subject, json.dumps(payload).encode())


@pytest.mark.parametrize("token", ["01", "1_0", "0001"])
def test_a_number_has_one_spelling_in_a_subject(goldens, token):
    """Two spellings would be two names, and each would be accepted once."""
    payload = {field: value for field, value in goldens["v1/task_failed"][1].items() if field != "attempt"}
    with pytest.raises(WrongName, match=rf"failure\.build_api\.{token}"):
        decode(f"flotilla.acme.r42.failure.build_api.{token}", json.dumps(payload).encode())


@pytest.mark.parametrize(("field", "value"), [("tenant", "evil"), ("run", "r43"), ("voter", "bob"), ("ballot", None)])
def test_a_payload_can_not_claim_another_name_than_its_subject(goldens, field, value):
    subject, payload = goldens["v1/vote_cast"]
    with pytest.raises(WrongName, match=field):
        decode(subject, json.dumps({**payload, field: value}).encode())


def test_a_message_under_the_noun_of_another_is_refused(goldens):
    _, payload = goldens["v1/run_requested"]
    for version in (1, 2, "x"):
        with pytest.raises(WrongName, match=r"published under 'run\.requested'"):
            decode("flotilla.acme.r42.run.closed", json.dumps({**payload, "version": version}).encode())


@pytest.mark.parametrize("version", [None, True, 0, -1, 1.0, "1", [], {}])
def test_a_payload_must_say_its_version_as_a_number(goldens, version):
    subject, payload = goldens["v1/vote_cast"]
    with pytest.raises(Malformed) as refused:
        decode(subject, json.dumps({**payload, "version": version}).encode())
    assert refused.value.errors == (("version", "must be a whole number from 1"),)


@pytest.mark.parametrize("kind", [None, 7, "no_such_kind", ["vote_cast"], {"a": 1}])
def test_a_payload_must_say_a_known_kind(goldens, kind):
    subject, payload = goldens["v1/vote_cast"]
    with pytest.raises(Malformed, match="must name a known kind"):
        decode(subject, json.dumps({**payload, "kind": kind}).encode())


def test_a_malformed_payload_names_each_field_and_says_what_is_wrong():
    with pytest.raises(Malformed) as refused:
        decode(REQUEST, b'{"kind": "run_requested", "version": 1, "idea": "  ", "deadline_s": 0}')
    assert [field for field, _ in refused.value.errors] == ["idea", "deadline_s"]
    assert all(message for _, message in refused.value.errors)


def test_what_is_said_of_a_bad_payload_stays_short_however_large_it_is(goldens):
    large = "x" * 900_000
    for payload in ({"tenant": large}, {"kind": large}, {"counts": {large: 1}}, {"option": [large] * 2}):
        for subject, golden in (goldens["v1/decision_made"], goldens["v1/run_requested"]):
            assert endures(subject, json.dumps({**golden, **payload}).encode())
    subject, payload = goldens["v1/run_requested"]
    many = replaced(payload, ("plan", "tasks"), [{"task": "-" * 1_000}] * 5_000)
    with pytest.raises(Malformed) as refused:
        decode(subject, json.dumps(many).encode())
    assert len(refused.value.errors) <= MAX_ERRORS
    assert all(len(part) <= LONGEST_MESSAGE for error in refused.value.errors for part in error)
