import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import MAX_ERRORS, Malformed, NewerVersion, NotJson, WrongName
from contracts.prompt_facts import decode_prompt, encode_prompt, prompts_subject, subject_of_prompt, template_token
from contracts.schema_files import kind_of
from contracts.v1.orders import EvaluatePrompt, RevisePrompt, lab_order
from contracts.v1.prompts import PROMPT_FACTS, LabelMoved
from tests.contracts.hostile import TOKENS, Wire, envelopes, places, replaced, values

KINDS = [kind_of(cls) for cls in PROMPT_FACTS]
NAMES = [f"v1/{kind}" for kind in KINDS]
MOVED = "flotilla-prompts.architect.design.label.1"
VALUES = values(KINDS)
endures = Wire(decode_prompt, encode_prompt, subject_of_prompt).endures


@st.composite
def subjects(draw):
    """A subject of the stream, or nearly."""
    cls = draw(st.sampled_from(PROMPT_FACTS))
    names = [draw(TOKENS) for _ in cls.names]
    return prompts_subject("flotilla", "architect", draw(st.sampled_from(("design", "De-sign"))), cls.noun, *names)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_payload_decodes_and_encodes_to_an_equal_fact(goldens, name):
    subject, payload = goldens[name]
    fact = decode_prompt(subject, json.dumps(payload).encode())
    assert decode_prompt(subject, encode_prompt(fact)) == fact
    assert subject_of_prompt(fact) == subject
    assert {**json.loads(encode_prompt(fact)), **payload} == json.loads(encode_prompt(fact))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_subject_says_may_be_left_out_of_the_payload(goldens, name):
    subject, payload = goldens[name]
    cls = next(cls for cls in PROMPT_FACTS if kind_of(cls) == payload["kind"])
    short = {field: value for field, value in payload.items() if field not in ("role", "name", *cls.names)}
    whole = decode_prompt(subject, json.dumps(payload).encode())
    assert decode_prompt(subject, json.dumps(short).encode()) == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_fact_has_the_same_name_behind_any_prefix(goldens, name):
    subject, payload = goldens[name]
    elsewhere = subject.replace("flotilla", "fleet", 1)
    fact = decode_prompt(elsewhere, json.dumps(payload).encode(), "fleet")
    assert subject_of_prompt(fact, "fleet") == elsewhere
    with pytest.raises(WrongName, match="no subject of a fact about prompts"):
        decode_prompt(elsewhere, json.dumps(payload).encode())


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
    st.dictionaries(st.sampled_from(("role", "name", "k", "n", "id", "digest", "run")), VALUES),
    envelopes(KINDS),
)
def test_random_fields_of_a_known_kind_are_refused_and_nothing_worse(subject, fields, envelope):
    assert endures(subject, json.dumps({**fields, **envelope}).encode())


@given(st.data())
def test_a_good_payload_with_anything_anywhere_is_refused_and_nothing_worse(goldens, data):
    subject, payload = goldens[data.draw(st.sampled_from(NAMES))]
    path = data.draw(st.sampled_from(list(places(payload))))
    assert endures(subject, json.dumps(replaced(payload, path, data.draw(VALUES))).encode())


@given(st.data())
def test_a_good_payload_with_a_damaged_byte_is_refused_and_nothing_worse(goldens, data):
    subject, payload = goldens[data.draw(st.sampled_from(NAMES))]
    damaged = bytearray(json.dumps(payload, ensure_ascii=False).encode())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert endures(subject, bytes(damaged))


@pytest.mark.parametrize("field", ["kind", "version", "by", "to", "inputs", "whatever"])
@pytest.mark.parametrize("depth", [10, 150, 200, 250, 300, *range(900, 1_000, 7), 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused_and_nothing_worse(goldens, field, depth, opening, closing):
    deep = opening * depth + b"1" + closing * depth
    for name in ("v1/label_moved", "v1/example_kept"):
        subject, payload = goldens[name]
        rest = json.dumps({key: value for key, value in payload.items() if key != field})[1:].encode()
        assert endures(subject, b'{"%s": {"a": %s}, %s' % (field.encode(), deep, rest))
        assert endures(subject, b'{"%s": %s, %s' % (field.encode(), deep, rest))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_what_is_no_finite_number_is_no_json(goldens, number):
    subject, payload = goldens["v1/improvement_set"]
    assert payload["usd_each"] == 0.25
    with pytest.raises(NotJson):
        decode_prompt(subject, json.dumps(payload).encode().replace(b"0.25", number))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"by": "\ud83d"}, "by"),
        ({"inputs": {"ask": ["\udc00"]}}, "inputs.ask.0"),
        ({"reply": {"\ud83d": 1}}, "reply.[key]"),
    ],
)
def test_text_that_was_cut_within_a_character_is_refused_by_field(goldens, change, named):
    subject, payload = goldens["v1/example_kept"]
    with pytest.raises(Malformed) as refused:
        decode_prompt(subject, json.dumps({**payload, **change}).encode())
    assert [where for where, _ in refused.value.errors] == [named]


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("flotilla-prompts.architect.design.label", "no subject of a fact about prompts"),
        ("flotilla-prompts.architect.design.label.*", "no subject of a fact about prompts"),
        ("flotilla.architect.design.label.1", "no subject of a fact about prompts"),
        ("flotilla-prompts.architect.design.story.1", "'story' is no noun of prompts; known are version, label"),
        ("flotilla-prompts.architect.design.label.1.2", "a label is named label.<n>"),
        ("flotilla-prompts.architect.design.share.1", "a share is named share.<k>.<epoch>"),
        (
            "flotilla-prompts.architect.design.label.2",
            "the payload is named 'flotilla-prompts.architect.design.label.1'",
        ),
        ("flotilla-prompts.architect.design.label.01", "the payload is named"),
        ("flotilla-prompts.reviewer.design.label.1", "the payload is named"),
        ("flotilla-prompts.architect.design.verdict.1", "a verdict says kind 'experiment_ended', not 'label_moved'"),
    ],
)
def test_a_subject_that_is_not_the_payloads_is_refused_with_the_reason(goldens, subject, why):
    _, payload = goldens["v1/label_moved"]
    assert payload["n"] == 1
    with pytest.raises(WrongName, match=why.replace(".", "[.]")):
        decode_prompt(subject, json.dumps(payload).encode())


@pytest.mark.parametrize("token", ["01", "1_0", "0001"])
def test_a_number_has_one_spelling_in_a_subject(goldens, token):
    """Two spellings would be two names, and each would be accepted once."""
    payload = {field: value for field, value in goldens["v1/label_moved"][1].items() if field != "n"}
    with pytest.raises(WrongName, match="the payload is named"):
        decode_prompt(f"flotilla-prompts.architect.design.label.{token}", json.dumps(payload).encode())


@pytest.mark.parametrize("name", NAMES)
def test_a_newer_version_is_told_from_a_wrong_one(goldens, name):
    subject, payload = goldens[name]
    for version in (2, 10**400):
        with pytest.raises(NewerVersion):
            decode_prompt(subject, json.dumps({**payload, "version": version}).encode())
    for version in (None, True, 0, -1, 1.0, "1", [], {}):
        with pytest.raises(Malformed, match="must be a whole number from 1"):
            decode_prompt(subject, json.dumps({**payload, "version": version}).encode())


@pytest.mark.parametrize(
    "change",
    [{"label": "a b"}, {"to": "live"}, {"n": 0}, {"n": 100_001}, {"role": "Arch"}, {"by": "x" * 201}, {"to": 5}],
)
def test_what_a_field_can_not_hold_is_refused(goldens, change):
    subject, payload = goldens["v1/label_moved"]
    with pytest.raises(Malformed, match=next(iter(change))):
        decode_prompt(subject, json.dumps({**payload, **change}).encode())


def test_what_is_said_of_a_bad_payload_stays_short_however_large_it_is(goldens):
    large = "x" * 900_000
    for payload in ({"by": large}, {"kind": large}, {"label": [large] * 2}, {"role": large}):
        subject, golden = goldens["v1/label_moved"]
        assert endures(subject, json.dumps({**golden, **payload}).encode())
    subject, golden = goldens["v1/experiment_ended"]
    with pytest.raises(Malformed) as refused:
        decode_prompt(subject, json.dumps({**golden, "curve": [["x"] * 6] * 900}).encode())
    assert len(refused.value.errors) <= MAX_ERRORS


def test_two_facts_have_one_subject_only_if_they_have_one_identity():
    one = LabelMoved(role="architect", name="design", n=1, label="live", to=None)
    assert subject_of_prompt(one) == MOVED == subject_of_prompt(one.model_copy(update={"label": "old"}))
    assert subject_of_prompt(one.model_copy(update={"n": 2})) != MOVED


@pytest.mark.parametrize(
    "order", [EvaluatePrompt(template="architect/design", versions=("live",)), RevisePrompt(template="a/b", n=3)]
)
def test_an_order_to_the_prompt_lab_carries_over_into_an_instruction_and_back(order):
    assert lab_order(order.model_dump_json()) == order


def test_two_templates_never_have_one_token_however_long_their_names_are():
    longest = "a" * 64
    tokens = {template_token(f"{role}/{name}") for role in (longest, "a" * 63) for name in (longest, "a" * 63, "b")}
    assert len(tokens) == 6
    assert all(len(token) <= 64 for token in tokens)
    assert template_token("architect/design") == "architect-design"
