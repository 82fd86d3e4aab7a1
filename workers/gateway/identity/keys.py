"""API keys: `flk_<id>_<secret>`. The secret is shown once; what is kept is the SHA-256 of the whole key.

The digest needs no salt and no slow hash: a secret of 256 random bits can't be guessed. It is the digest that any tool
makes of the text: `printf %s "$KEY" | sha256sum`. The id is no secret; logs and files name keys by it.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType

from workers.gateway.identity.limits import DEFAULT_LIMITS, Limits
from workers.gateway.identity.rights import Principal, Refusal, Role

PREFIX = "flk_"
SECRET_BYTES = 32
ID_BYTES = 10

Draw = Callable[[int], bytes]
"""So many random bytes, fit for secrets: `secrets.token_bytes`."""

ID = re.compile(r"[a-z0-9]{4,32}")
_KEY = re.compile(r"flk_([a-z0-9]{4,32})_([0-9a-f]{64})")
_LIKE_A_KEY = re.compile(r"flk_([a-z0-9]{4,32})_[^\s\"',;]*")
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*) *")
LONGEST_TOKEN = 8_192

_NO_DIGEST = "0" * 64
UNKNOWN = "the key is not known here; check it, or ask an admin for a new one"


@dataclass(frozen=True)
class Key:
    """What is kept of a key. `tenant` None is every tenant; `expires` is in unix seconds, None is never."""

    id: str
    sha256: str
    name: str
    tenant: str | None
    role: Role
    expires: int | None = None
    revoked: bool = False
    limits: Limits = DEFAULT_LIMITS

    @property
    def principal(self) -> Principal:
        """Who holds it; raises `ValueError` for one that can't be."""
        return Principal(self.name, self.tenant, self.role, "key", self.id)


@dataclass(frozen=True)
class Minted:
    """A new key: its text, which is shown once and never kept, and what is kept of it."""

    text: str = field(repr=False)
    key: Key


def mint(draw: Draw, name: str, tenant: str | None, role: Role, expires: int | None = None) -> Minted:
    """A new key from `draw`'s randomness; raises `ValueError` for a holder that can't be."""
    number = b32encode(draw(ID_BYTES)).decode().lower()
    text = f"{PREFIX}{number}_{draw(SECRET_BYTES).hex()}"
    key = Key(number, digest_of(text), name, tenant, role, expires)
    key.principal  # noqa: B018 - checks it
    return Minted(text, key)


def digest_of(text: str) -> str:
    """The SHA-256 of a whole key, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


def id_of(text: str) -> str | None:
    """The id of what is written as a key, known or not; None for what isn't."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def hidden(text: str) -> str:
    """The text with every key in it, whole or cut, reduced to its id: fit for logs."""
    return _LIKE_A_KEY.sub(r"flk_\1_***", text)


class Keys:
    """All keys by id. Frozen: a file that is read again makes a new one."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        by_id: dict[str, Key] = {}
        for key in keys:
            if key.id in by_id:
                raise ValueError(f"two keys have the id {key.id!r}")
            by_id[key.id] = key
        self.by_id: Mapping[str, Key] = MappingProxyType(by_id)

    def __len__(self) -> int:
        return len(self.by_id)

    def holder(self, text: str, now: float) -> Key | Refusal:
        """The key that was presented, or why it is not accepted. `now` is in unix seconds.

        Only who has the secret learns that a key was revoked or has expired.
        """
        number = id_of(text)
        key = self.by_id.get(number) if number else None
        # An unknown id is compared as well, so that the time taken doesn't tell which ids there are.
        same = hmac.compare_digest(digest_of(text), key.sha256 if key else _NO_DIGEST)
        if key is None or not same:
            return Refusal(401, UNKNOWN, presented=True)
        if key.revoked:
            return Refusal(401, f"key {key.id} was revoked; ask an admin for a new one", presented=True)
        if key.expires is not None and now >= key.expires:
            return Refusal(401, f"key {key.id} expired at {_utc(key.expires)}; ask an admin for a new one", True)
        return key


def bearer_in(header: str | None) -> str | Refusal:
    """The token of an `Authorization` header: a key, or a JWT for somebody else to check."""
    if header is None or not header.strip():
        return Refusal(401, "say who you are: send `Authorization: Bearer <key>`")
    found = _BEARER.fullmatch(header.strip()) if len(header) <= LONGEST_TOKEN else None
    if found is None:
        return Refusal(401, "the Authorization header is not of the form `Bearer <key>`", presented=True)
    return found[1]


def is_key(token: str) -> bool:
    """Whether a token means to be one of these keys, well written or not."""
    return token.startswith(PREFIX)


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
