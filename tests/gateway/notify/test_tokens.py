"""Tokens of links: each permits one answer of one principal at one gate, for a while."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from contracts.subjects import subject_of
from workers.gateway.notify.tokens import (
    LONGEST_LIFE_S,
    VERDICTS,
    Answer,
    BadToken,
    ExpiredToken,
    Keyring,
    approval_of,
    link,
)

KEYS = Keyring([b"k" * 32])
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
people = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=200)
answers = st.builds(
    Answer, tenant=names, run=names, gate=names, option=names, principal=people, expires=st.integers(1001, 2000)
)


def answer(**changes: object) -> Answer:
    values = {"tenant": "acme", "run": "r42", "gate": "release", "option": "approve", "principal": "ann@example.org"}
    return Answer.model_validate({**values, "expires": 2000, **changes})


def sealed(given: Answer, keys: Keyring = KEYS) -> str:
    return keys.seal(given, 1000).get_secret_value()


@given(answers)
def test_a_token_gives_back_what_was_sealed(given):
    assert KEYS.open(sealed(given), 1000) == given
    assert len(sealed(given)) < 2000


def test_the_same_answer_has_the_same_token_for_every_replica():
    assert sealed(answer()) == sealed(answer(), Keyring([b"k" * 32, b"o" * 32]))


@given(answers, answers)
def test_tokens_of_different_answers_differ(one, other):
    assert (one == other) == (sealed(one) == sealed(other))


@given(answers, st.data())
def test_a_token_with_any_one_sign_changed_opens_nothing(given, data):
    token = sealed(given)
    at = data.draw(st.integers(0, len(token) - 1))
    sign = data.draw(st.sampled_from("ABab01-_.=+/ é\n"))
    changed = token[:at] + sign + token[at + 1 :]
    if changed != token:
        with pytest.raises(BadToken, match="the link is not valid"):
            KEYS.open(changed, 1000)


@given(st.text(max_size=300))
def test_no_text_opens_anything(text):
    with pytest.raises(BadToken):
        KEYS.open(text, 1000)


@pytest.mark.parametrize("more", ["=", "==", "\n", " ", ".", "A", ".AAAA"])
def test_a_token_has_only_one_form(more):
    with pytest.raises(BadToken):
        KEYS.open(sealed(answer()) + more, 1000)


def test_an_overlong_token_is_refused_before_anything_is_computed():
    with pytest.raises(BadToken):
        KEYS.open("A" * 3_000_000 + ".AAAA", 1000)


def test_a_seal_of_one_token_does_not_fit_another():
    one, other = sealed(answer()), sealed(answer(option="reject"))
    with pytest.raises(BadToken):
        KEYS.open(f"{one.partition('.')[0]}.{other.partition('.')[2]}", 1000)


def test_a_token_expires_to_the_second_and_says_so_only_when_it_was_genuine():
    token = sealed(answer())
    assert KEYS.open(token, 1999.9) == answer()
    with pytest.raises(ExpiredToken, match="expired"):
        KEYS.open(token, 2000)
    with pytest.raises(BadToken) as refused:
        KEYS.open(sealed(answer(), Keyring([b"x" * 32])), 2000)
    assert not isinstance(refused.value, ExpiredToken)


@pytest.mark.parametrize("expires", [1000, 999, 1001 + LONGEST_LIFE_S])
def test_no_token_is_made_that_is_over_already_or_lives_longer_than_a_gate(expires):
    with pytest.raises(ValueError, match="expires"):
        KEYS.seal(answer(expires=expires), 1000)


def test_while_keys_change_old_tokens_work_until_the_old_key_is_taken_out():
    old = sealed(answer())
    assert Keyring([b"n" * 32, b"k" * 32]).open(old, 1000) == answer()
    assert sealed(answer(), Keyring([b"n" * 32, b"k" * 32])) != old
    with pytest.raises(BadToken):
        Keyring([b"n" * 32]).open(old, 1000)


@pytest.mark.parametrize("keys", [[], [b""], [b"k" * 31], [b"k" * 32, b"short"]])
def test_short_keys_are_refused_without_being_shown(keys):
    with pytest.raises(ValueError, match="32 bytes") as refused:
        Keyring(keys)
    assert "short" not in str(refused.value).replace("too short", "")


def test_keys_and_tokens_never_show_themselves():
    token = KEYS.seal(answer(), 1000)
    assert token.get_secret_value() not in f"{token} {token!r} {link('https://a/answer', token)!r}"
    assert repr(KEYS) == "Keyring(1 keys)"
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            write(KEYS)
    with pytest.raises(BadToken) as refused:
        KEYS.open("geheim.geheim", 1000)
    assert "geheim" not in str(refused.value)


def test_a_link_keeps_its_token_behind_the_sign_that_browsers_send_to_nobody():
    assert (
        link("https://a.example.org/answer", SecretStr("x.y")).get_secret_value() == "https://a.example.org/answer#x.y"
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_at_a_gate_without_options_the_token_says_the_verdict(verdict):
    fact = approval_of(answer(option=verdict), (), "looks good", ["rename it"])
    assert (fact.verdict, fact.option, fact.by) == (verdict, None, "ann@example.org")
    assert (fact.comment, fact.changes) == ("looks good", ("rename it",))


def test_at_a_gate_with_options_the_token_takes_one_of_them():
    fact = approval_of(answer(option="plan-b"), ("plan-a", "plan-b"))
    assert (fact.verdict, fact.option) == ("approve", "plan-b")


@pytest.mark.parametrize(("option", "options"), [("plan-c", ("plan-a",)), ("approve", ("plan-a",)), ("maybe", ())])
def test_a_token_for_what_the_gate_does_not_offer_gives_no_approval(option, options):
    with pytest.raises(BadToken):
        approval_of(answer(option=option), options)


def test_every_token_of_a_gate_leads_to_the_one_name_that_the_log_accepts_once():
    facts = [approval_of(answer(option=verdict, principal=who), ()) for verdict in VERDICTS for who in ("ann", "bob")]
    assert {subject_of(fact) for fact in facts} == {"flotilla.acme.r42.approval.release"}


@pytest.mark.parametrize(
    "changes", [{"principal": "ann\nbob"}, {"principal": ""}, {"gate": "a.b"}, {"expires": "2000"}]
)
def test_an_answer_is_checked_before_it_is_sealed(changes):
    with pytest.raises(ValidationError):
        answer(**changes)
