"""How the gateway opens its door: only loopback stands open or makes up a key."""

from random import Random

import pytest

from workers.gateway.identity.keys import Key, Keys, mint
from workers.gateway.identity.starting import RefusedToStart, door, is_loopback, is_own_name, refused_open

HERE = ["127.0.0.1", "127.8.0.9", "::1", "[::1]", "localhost", "LocalHost", "::ffff:127.0.0.1"]
ELSEWHERE = ["", "0.0.0.0", "::", "[::]", "10.0.0.1", "192.168.1.2", "example.org", "localhost.example.org",
             "127.0.0.1.nip.io", "127.1", "2130706433", "::ffff:10.0.0.1", "127.0.0.1 "]  # fmt: skip


def _draw(size: int) -> bytes:
    return Random(1).randbytes(size)


@pytest.mark.parametrize("host", HERE)
def test_loopback_may_stand_open(host: str) -> None:
    assert is_loopback(host)
    anybody = door(host, False, Keys(), _draw).anybody
    assert anybody is not None
    assert anybody.said == "anybody (open)"


@pytest.mark.parametrize("host", ELSEWHERE)
def test_another_address_with_authentication_off_is_refused(host: str) -> None:
    assert not is_loopback(host)
    keys = Keys([mint(_draw, "Ann", "acme", "viewer").key])
    with pytest.raises(RefusedToStart, match="with authentication off, so whoever reaches it could start runs"):
        door(host, False, keys, _draw)


def test_the_sentence_names_the_address_and_what_to_do() -> None:
    assert refused_open("0.0.0.0") == (
        "the gateway would listen on 0.0.0.0 with authentication off, so whoever reaches it could start runs and "
        "approve them. Turn authentication on and name a keys file, or listen on 127.0.0.1"
    )
    assert str(refused_open("")).startswith("the gateway would listen on every address")


def test_loopback_without_keys_makes_one_up_that_opens() -> None:
    opened = door("127.0.0.1", True, Keys(), _draw)
    found = opened.keys.holder(opened.shown, 0.0)
    assert isinstance(found, Key)
    assert (found.principal.tenant, found.principal.role, found.name) == (None, "admin", "local")
    assert opened.shown not in repr(opened)
    assert opened.anybody is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_another_address_where_nobody_could_enter_is_refused(host: str) -> None:
    with pytest.raises(RefusedToStart, match="nobody could enter"):
        door(host, True, Keys(), _draw)


@pytest.mark.parametrize("host", [*HERE, *ELSEWHERE])
def test_with_keys_or_an_issuer_every_address_is_fine_and_no_key_is_made_up(host: str) -> None:
    keys = Keys([mint(_draw, "Ann", "acme", "viewer").key])
    assert door(host, True, keys, _draw).shown == ""
    assert door(host, True, keys, _draw).keys is keys
    assert door(host, True, Keys(), _draw, tokens=True).shown == ""


@pytest.mark.parametrize("header", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]", "[::1]:8080"])
def test_an_open_door_answers_to_this_machines_names(header: str) -> None:
    assert is_own_name(header)


@pytest.mark.parametrize("header", [None, "", "evil.example", "evil.example:8080", "localhost.evil.example", ":80"])
def test_an_open_door_does_not_answer_to_a_name_that_a_page_of_another_site_was_given(header: str | None) -> None:
    assert not is_own_name(header)
