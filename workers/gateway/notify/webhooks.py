"""Signed webhooks by the Standard Webhooks specification 1.0.0, for who sends them and for who receives them.

Three headers go with a body: `webhook-id` (the same at every retry: receivers know by it what they have), the unix
seconds of the attempt in `webhook-timestamp`, and `webhook-signature`: `v1,` with the base64 of HMAC-SHA256 over
`<id>.<timestamp>.<body>`. While a secret is being changed there is one signature for each, with a space between.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
"""Of a secret, when it is decoded."""

TOLERANCE_S = 300
"""How far the clocks of sender and receiver may be apart; what is older could be a replay."""

MOST_SECRETS = 5
MOST_SIGNATURES = 20
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class BadSecret(ValueError):
    """The text is no secret of webhooks; the message never has any of it."""


class NotGenuine(ValueError):
    """A received webhook must not be believed; the message says why and shows no secret and no signature."""


class Secret:
    """A shared secret, written `whsec_` and base64. It doesn't show itself, wherever it is printed."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        """Raises `BadSecret`."""
        try:
            self._key = b64decode(text.strip().removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise BadSecret(f"a secret of webhooks is {PREFIX} followed by base64; this is not") from None
        if not LEAST_BYTES <= len(self._key) <= MOST_BYTES:
            raise BadSecret(
                f"a secret of webhooks has {LEAST_BYTES} to {MOST_BYTES} bytes, this has {len(self._key)}; make one:"
                f' echo "{PREFIX}$(openssl rand -base64 32)"'
            )

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a secret of webhooks is not written anywhere")

    def signature(self, message_id: str, timestamp: int, body: bytes) -> str:
        """`v1,<base64>`."""
        signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
        return "v1," + b64encode(hmac.digest(self._key, signed, "sha256")).decode()


def signed(secrets: Sequence[Secret], message_id: str, at: float, body: bytes) -> dict[str, str]:
    """The headers that go with a body sent at `at` (unix seconds). The newest secret comes first.

    Raises `ValueError` for an id with other characters than A-Z a-z 0-9 _ -: a dot would make two messages look alike;
    `BadSecret` for no secret or too many.
    """
    if not _ID.fullmatch(message_id):
        raise ValueError(
            f"the id of a webhook has 1 to 128 characters of A-Z a-z 0-9 _ -; {message_id[:150]!r} has not"
        )
    if not 1 <= len(secrets) <= MOST_SECRETS:
        raise BadSecret(f"a webhook is signed with 1 to {MOST_SECRETS} secrets, not with {len(secrets)}")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": " ".join(secret.signature(message_id, int(at), body) for secret in secrets),
    }


def verified(
    secrets: Sequence[Secret], headers: Mapping[str, str], body: bytes, now: float, tolerance_s: float = TOLERANCE_S
) -> str:
    """The id of a webhook that somebody received, if one of the secrets signed it; raises `NotGenuine`.

    `body` is what came over the wire, byte for byte. Every signature is compared with every secret, in constant time.
    """
    found = {name.lower(): text for name, text in headers.items()}
    message_id, seconds, signatures = (_header(found, name) for name in ("id", "timestamp", "signature"))
    if not _SECONDS.fullmatch(seconds):
        raise NotGenuine("webhook-timestamp is no number of seconds")
    if abs(now - int(seconds)) > tolerance_s:
        raise NotGenuine(f"webhook-timestamp is more than {tolerance_s:g} s away from now: look at both clocks")
    given = [text.encode() for text in signatures.split()[:MOST_SIGNATURES]]
    expected = [secret.signature(message_id, int(seconds), body).encode() for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    if not any(matches):
        raise NotGenuine("no signature fits: another secret, or the body is not what was sent")
    return message_id


def _header(headers: Mapping[str, str], name: str) -> str:
    text = headers.get(f"webhook-{name}", "").strip()
    if not text:
        raise NotGenuine(f"the header webhook-{name} is missing")
    if name == "id" and not _ID.fullmatch(text):
        raise NotGenuine("webhook-id has characters that no id has")
    return text
