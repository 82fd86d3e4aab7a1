import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import MESSAGES
from contracts.subjects import (
    NOUNS,
    Address,
    NotASubject,
    address_of,
    is_token,
    name_of,
    noun_filter,
    parse,
    run_filter,
    subject_of,
)
from contracts.v1.failures import TaskFailed

TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
tokens = st.text(TOKEN, min_size=1, max_size=64)
numbers = st.integers(1, 1_000)
NUMBERS = ("attempt", "n")


@st.composite
def addresses(draw):
    noun = draw(st.sampled_from(sorted(NOUNS)))
    names = tuple(draw(tokens) for _ in NOUNS[noun])
    return Address(draw(tokens), draw(tokens), noun, names)


@st.composite
def messages(draw):
    """A message of any class with any identity; the other fields do not matter for its name."""
    cls = draw(st.sampled_from(MESSAGES))
    identity = {field: draw(numbers if field in NUMBERS else tokens) for field in NOUNS[cls.noun]}
    return cls.model_construct(tenant=draw(tokens), run=draw(tokens), **identity)


@given(addresses(), tokens)
def test_an_address_and_its_subject_carry_over_into_each_other(address, prefix):
    assert parse(address.subject(prefix), prefix) == address


@given(messages(), tokens)
def test_a_message_and_its_subject_carry_over_into_each_other(message, prefix):
    address = parse(subject_of(message, prefix), prefix)
    assert address == address_of(message)
    assert (address.tenant, address.run, address.noun) == (message.tenant, message.run, message.noun)
    fields = dict(zip(NOUNS[message.noun], address.names, strict=True))
    assert fields == {field: str(getattr(message, field)) for field in NOUNS[message.noun]}


@given(messages(), messages())
def test_two_messages_have_one_subject_only_if_they_have_one_identity(one, other):
    same = address_of(one) == address_of(other)
    assert (subject_of(one) == subject_of(other)) == same


@given(st.text() | st.text(TOKEN + "."), tokens)
def test_a_text_is_a_subject_exactly_if_it_can_be_written_again(text, prefix):
    try:
        address = parse(f"{prefix}.{text}", prefix)
    except NotASubject:
        return
    assert address.subject(prefix) == f"{prefix}.{text}"


@given(st.text())
def test_any_text_parses_or_is_refused_with_a_reason(text):
    try:
        parse(text)
    except NotASubject as refused:
        assert str(refused)


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("flotilla.acme.r42", "is no noun"),
        ("flotilla.acme.r42.run", "is no noun"),
        ("flotilla.acme.r42.story.x", "'story' is no noun"),
        ("flotilla.acme.r42.vote.x", r"a vote is named vote\.<ballot>\.<voter>"),
        ("flotilla.acme.r42.run.closed.twice", "a run.closed is named"),
        ("flotilla.acme.r42.result.*", r"'\*' is no token"),
        ("flotilla.acme.r42.>", "'>' is no token"),
        ("flotilla.acme..run.closed", "'' is no token"),
        ("flotilla.acme.r 42.run.closed", "is no token"),
        ("flotilla.acme.r42.result.ünder", "is no token"),
        ("flotilla.acme.r42.result.design\n", "is no token"),
        ("flotilla.acme." + "r" * 65 + ".run.closed", "is no token"),
        ("other.acme.r42.run.closed", r"does not begin with 'flotilla\.'"),
        ("flotilla", r"does not begin with 'flotilla\.'"),
    ],
)
def test_what_is_outside_of_the_grammar_is_refused_with_the_part_that_is_wrong(subject, why):
    with pytest.raises(NotASubject, match=why):
        parse(subject)


def matches(pattern, subject):
    """NATS' rule of wildcards."""
    wanted, given_ = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, given_ = wanted[:-1], given_[: len(wanted) - 1] if len(given_) >= len(wanted) else []
    return len(wanted) == len(given_) and all(w in ("*", g) for w, g in zip(wanted, given_, strict=True))


@given(messages(), messages())
def test_a_filter_covers_what_it_is_for_and_nothing_else(message, other):
    subject = subject_of(other)
    assert matches(noun_filter(message.noun), subject) == (message.noun == other.noun)
    same_run = (message.tenant, message.run) == (other.tenant, other.run)
    assert matches(run_filter(message.tenant, message.run), subject) == same_run
    assert matches(run_filter(), subject)


@given(messages())
def test_a_filter_with_names_covers_the_message_of_these_names(message):
    names = address_of(message).names
    for count in range(len(names) + 1):
        assert matches(noun_filter(message.noun, *names[:count]), subject_of(message))


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_a_message_and_every_message_has_the_fields_of_its_name(noun):
    classes = [cls for cls in MESSAGES if cls.noun == noun]
    assert classes
    for cls in classes:
        assert set(NOUNS[noun]) <= set(cls.model_fields)


@given(st.text())
def test_a_token_is_what_messages_take_as_one(text):
    assert is_token(text) == (0 < len(text) <= 64 and all(character in TOKEN for character in text))


def test_a_message_has_the_name_and_the_subject_that_its_address_says():
    failure = TaskFailed(
        tenant="acme", run="r1", role="architect", task="design", attempt=2, error="transient", retry=True, reason=""
    )
    assert name_of(failure) == address_of(failure).name == "failure.design.2"
    assert subject_of(failure, "fleet") == address_of(failure).subject("fleet")
