"""Webhooks are signed by the Standard Webhooks specification, and receivers can check them."""

import base64
import copy
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.notify.webhooks import BadSecret, NotGenuine, Secret, signed, verified

# The vector that the reference implementations of the specification are tested with.
VECTOR_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_ID, VECTOR_AT, VECTOR_BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_is_signed_as_published():
    headers = signed([Secret(VECTOR_SECRET)], VECTOR_ID, VECTOR_AT, VECTOR_BODY)
    assert headers == {
        "webhook-id": VECTOR_ID, "webhook-timestamp": str(VECTOR_AT), "webhook-signature": VECTOR_SIGNATURE,
    }  # fmt: skip
    assert verified([Secret(VECTOR_SECRET)], headers, VECTOR_BODY, VECTOR_AT) == VECTOR_ID


def test_a_secret_may_come_without_its_prefix_and_with_a_line_end():
    bare = Secret(VECTOR_SECRET.removeprefix("whsec_") + "\n")
    assert bare.signature(VECTOR_ID, VECTOR_AT, VECTOR_BODY) == VECTOR_SIGNATURE


def test_while_secrets_change_receivers_of_the_old_and_of_the_new_one_believe_it(secrets):
    new, old = map(Secret, secrets)
    headers = signed([new, old], "msg_1", 1000, b"{}")
    assert len(headers["webhook-signature"].split(" ")) == 2
    for known in ([new], [old], [old, new]):
        assert verified(known, headers, b"{}", 1000) == "msg_1"
    with pytest.raises(NotGenuine, match="no signature fits"):
        verified([Secret(VECTOR_SECRET)], headers, b"{}", 1000)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_only_the_body_that_was_signed_is_believed(body, other):
    secret = Secret(VECTOR_SECRET)
    headers = signed([secret], "msg_1", 1000, body)
    if body == other:
        assert verified([secret], headers, other, 1000) == "msg_1"
    else:
        with pytest.raises(NotGenuine):
            verified([secret], headers, other, 1000)


@pytest.mark.parametrize("now", [1000 - 301, 1000 + 301])
def test_what_is_too_old_or_from_the_future_is_not_believed(now):
    headers = signed([Secret(VECTOR_SECRET)], "msg_1", 1000, b"{}")
    with pytest.raises(NotGenuine, match="300 s"):
        verified([Secret(VECTOR_SECRET)], headers, b"{}", now)
    assert verified([Secret(VECTOR_SECRET)], headers, b"{}", now, tolerance_s=301) == "msg_1"


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "a.b"},
        {"webhook-timestamp": "1001"},
        {"webhook-timestamp": "1000.0"},
        {"webhook-timestamp": "-1000"},
        {"webhook-timestamp": "١٠٠٠"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,ü"},
        {"webhook-signature": "v1a," + "A" * 43 + "="},
    ],
)
def test_a_changed_header_is_not_believed(changed):
    headers = signed([Secret(VECTOR_SECRET)], "msg_1", 1000, b"{}")
    with pytest.raises(NotGenuine):
        verified([Secret(VECTOR_SECRET)], headers | changed, b"{}", 1000)


def test_headers_are_found_however_they_are_written_and_foreign_signatures_are_passed_over():
    secret = Secret(VECTOR_SECRET)
    headers = {name.title(): text for name, text in signed([secret], "msg_1", 1000, b"{}").items()}
    headers["Webhook-Signature"] = "v1a,zzz v2,yyy " + headers["Webhook-Signature"]
    assert verified([secret], headers, b"{}", 1000) == "msg_1"


def test_no_secret_at_all_believes_nothing():
    headers = signed([Secret(VECTOR_SECRET)], "msg_1", 1000, b"{}")
    with pytest.raises(NotGenuine):
        verified([], headers, b"{}", 1000)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 400, "whsec_ü"])
def test_a_bad_secret_is_refused_without_being_shown(text):
    with pytest.raises(BadSecret) as refused:
        Secret(text)
    written = text.removeprefix("whsec_")
    assert not written or written not in str(refused.value)


def test_a_secret_never_shows_itself():
    secret = Secret(VECTOR_SECRET)
    assert "MfKQ" not in f"{secret!r} {secret} {[secret]}"
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            write(secret)


def test_an_id_with_a_dot_is_not_signed_for_two_messages_would_look_alike():
    key = base64.b64decode(VECTOR_SECRET.removeprefix("whsec_"))
    assert hmac.digest(key, b"a.1" + b".2.x", "sha256") == hmac.digest(key, b"a" + b".1." + b"2.x", "sha256")
    with pytest.raises(ValueError, match="the id of a webhook"):
        signed([Secret(VECTOR_SECRET)], "a.1", 2, b"x")


@pytest.mark.parametrize("count", [0, 6])
def test_a_webhook_is_signed_with_one_to_five_secrets(count):
    with pytest.raises(BadSecret, match="1 to 5"):
        signed([Secret(VECTOR_SECRET)] * count, "msg_1", 1, b"")


def test_a_message_that_was_cut_at_another_dot_is_not_believed():
    secret = Secret(VECTOR_SECRET)
    headers = signed([secret], "msg_1", 1000, b"1001.{}")
    with pytest.raises(NotGenuine):
        verified([secret], headers | {"webhook-id": "msg_1.1000", "webhook-timestamp": "1001"}, b"{}", 1000)
