"""Requests that are sent again: an `Idempotency-Key` names what the request makes, so that it is made once.

The name of a run, a ballot or a task follows from tenant and key alone. Whoever sends the request again, to whichever
replica, however much later, means the same name, and the log accepts a name once. Nothing else has to be remembered:
what the log holds under the name says whether it is the same request.

The header is a quoted string (draft-ietf-httpapi-idempotency-key-header); bare words are accepted as well.
"""

import json
import re
from base64 import b32encode
from collections.abc import Collection
from hashlib import sha256
from typing import Literal

from contracts.message import Message

LONGEST_KEY = 255
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")
_ESCAPED = re.compile(r'\\(["\\])')

Made = Literal["run", "ballot", "task", "agent"]
"""What a request makes. The same key may stand for one of each."""

_INITIAL: dict[Made, str] = {"run": "r", "ballot": "b", "task": "t", "agent": "a"}

Repeat = Literal["new", "same", "other"]
"""What the log holds under the name: nothing, this request, or another one."""

WHO: frozenset[str] = frozenset({"requested_by", "opened_by", "by"})
"""Fields that name who asked. A key that was replaced in the meantime asks for the same."""


class BadIdempotencyKey(ValueError):
    """An `Idempotency-Key` that is none."""


def key_of(header: str | None) -> str | None:
    """The key that a header holds, None without a header; raises `BadIdempotencyKey`."""
    if header is None:
        return None
    text = header.strip(" \t")
    quoted = _QUOTED.fullmatch(text) if len(text) <= 2 * LONGEST_KEY + 2 else None
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else text
    if not 1 <= len(key) <= LONGEST_KEY or not (quoted or _BARE.fullmatch(key)):
        raise BadIdempotencyKey(
            f'Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters in quotes, like "8e03978e"'
        )
    return key


def name_for(made: Made, tenant: str, key: str) -> str:
    """The name of what the request makes: a token of 27 characters, the same each time, another for another tenant.

    128 bits of SHA-256: no two keys are known to meet, and nobody can choose a key to meet another's.
    """
    parts = [part.encode() for part in (made, tenant, key)]
    named = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digest = sha256(b"flotilla-idempotency-1\0" + named).digest()
    return _INITIAL[made] + b32encode(digest[:16]).decode().lower().rstrip("=")


def digest_of(message: Message, beside: Collection[str] = ()) -> str:
    """The SHA-256 of what a message asks for, in hexadecimal: all its fields but who asked and those in `beside`."""
    said = message.model_dump(mode="json", exclude={*WHO, *beside})
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return sha256(text.encode()).hexdigest()


def repeat(meant: Message, stored: Message | None, beside: Collection[str] = ()) -> Repeat:
    """Whether the log holds what a request means to say.

    `stored` is the message under the same name. `beside` are fields that the gateway fills in from what it knows at
    the time, such as a ballot's weights: a request that is sent again may find others.
    """
    if stored is None:
        return "new"
    return "same" if digest_of(meant, beside) == digest_of(stored, beside) else "other"
