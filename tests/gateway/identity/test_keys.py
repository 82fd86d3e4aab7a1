"""API keys: only the whole key opens, and nothing that is kept or logged holds its secret."""

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.identity.keys import Key, Keys, bearer_in, hidden, id_of, is_key, mint
from workers.gateway.identity.rights import Refusal

NOW = 1_763_800_000.0
MINTED = mint(Random(1).randbytes, "Ann", "acme", "operator")
ID, SECRET = MINTED.key.id, MINTED.text.rpartition("_")[2]


def _refusal(keys: Keys, text: str, now: float = NOW) -> Refusal:
    found = keys.holder(text, now)
    assert isinstance(found, Refusal)
    return found


def test_a_minted_key_opens_and_names_its_holder() -> None:
    found = Keys([MINTED.key]).holder(MINTED.text, NOW)
    assert isinstance(found, Key)
    assert found.principal.said == f"Ann (key {ID})"
    assert (found.principal.tenant, found.principal.role) == ("acme", "operator")


def test_a_secret_has_256_bits_and_is_kept_as_the_sha256_of_the_whole_key() -> None:
    assert MINTED.text == f"flk_{ID}_{SECRET}"
    assert len(bytes.fromhex(SECRET)) * 8 == 256
    assert MINTED.key.sha256 == sha256(MINTED.text.encode()).hexdigest()


def test_neither_what_is_kept_nor_what_is_printed_holds_the_secret() -> None:
    assert SECRET not in repr(MINTED)
    assert SECRET not in repr(MINTED.key)
    assert SECRET not in repr(vars(MINTED.key))


@given(st.integers(0, len(MINTED.text) - 1), st.characters(codec="ascii"))
def test_a_key_with_one_wrong_character_is_not_known(place: int, character: str) -> None:
    wrong = MINTED.text[:place] + character + MINTED.text[place + 1 :]
    if wrong != MINTED.text:
        found = _refusal(Keys([MINTED.key]), wrong)
        assert (found.status, found.presented) == (401, True)
        assert SECRET not in found.reason


@given(st.text(max_size=100))
def test_whatever_is_presented_is_refused_and_not_repeated(text: str) -> None:
    found = _refusal(Keys([MINTED.key]), text)
    assert found.reason == _refusal(Keys(), "").reason


def test_an_expired_key_and_a_revoked_one_say_so_to_who_has_the_secret_alone() -> None:
    expired = Keys([Key(ID, MINTED.key.sha256, "Ann", "acme", "operator", expires=int(NOW))])
    revoked = Keys([Key(ID, MINTED.key.sha256, "Ann", "acme", "operator", revoked=True)])
    assert f"key {ID} expired at 2025-11-22T08:26:40Z" in _refusal(expired, MINTED.text).reason
    assert isinstance(expired.holder(MINTED.text, NOW - 0.001), Key)
    assert f"key {ID} was revoked" in _refusal(revoked, MINTED.text).reason
    other = f"flk_{ID}_{'0' * 64}"
    assert _refusal(expired, other) == _refusal(revoked, other) == _refusal(Keys(), other)


def test_a_key_for_every_tenant_is_an_admins() -> None:
    assert mint(Random(2).randbytes, "root", None, "admin").key.principal.tenant is None
    with pytest.raises(ValueError, match="name one tenant"):
        mint(Random(2).randbytes, "root", None, "operator")


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="two keys have the id"):
        Keys([MINTED.key, MINTED.key])


@given(st.text(max_size=30), st.integers(0, 64), st.sampled_from(["", " ", '"', "'", ",", "\n"]))
def test_logs_name_a_key_by_its_id_even_when_it_was_cut(before: str, kept: int, after: str) -> None:
    said = hidden(f"{before} flk_{ID}_{SECRET[:kept]}{after}")
    assert said.endswith(f" flk_{ID}_***{after}")


@pytest.mark.parametrize("header", [f"Bearer {MINTED.text}", f"bearer  {MINTED.text} ", f" BEARER {MINTED.text}"])
def test_a_bearer_header_holds_a_key(header: str) -> None:
    token = bearer_in(header)
    assert token == MINTED.text
    assert is_key(str(token))
    assert id_of(str(token)) == ID


def test_a_bearer_header_holds_a_jwt_as_well() -> None:
    assert bearer_in("Bearer eyJh.eyJz.c2ln") == "eyJh.eyJz.c2ln"
    assert not is_key("eyJh.eyJz.c2ln")


@pytest.mark.parametrize("header", [None, "", "  "])
def test_no_header_asks_who_it_is(header: str | None) -> None:
    found = bearer_in(header)
    assert isinstance(found, Refusal)
    assert not found.presented


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer a b", f"Bearer {'x' * 9_000}", "Bearer é"])
def test_another_header_is_refused_without_being_repeated(header: str) -> None:
    found = bearer_in(header)
    assert isinstance(found, Refusal)
    assert found.presented
    assert found.reason == "the Authorization header is not of the form `Bearer <key>`"
