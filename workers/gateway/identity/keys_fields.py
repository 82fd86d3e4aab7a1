"""The fields of one key in `keys.yaml`: how each is read from its node, which knows the line it stands in."""

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import yaml

from contracts.subjects import is_token
from workers.gateway.identity.keys import ID, PREFIX, hidden
from workers.gateway.identity.limits import DEFAULT_LIMITS, Limits
from workers.gateway.identity.rights import LONGEST_NAME, ROLES, is_name

EVERY_TENANT = "*"
NEEDED = ("id", "sha256", "name", "tenant", "role")
FIELDS = (*NEEDED, "expires", "revoked", "limits")
LIMITS = tuple(field.name for field in fields(Limits))
LATEST = 253_402_300_799
"""The end of the year 9999 in unix seconds; dates end there."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(r"[0-9]{1,12}")


class Fault(Exception):
    """One fault, at a place of the file."""

    def __init__(self, node: Any, said: str) -> None:
        self.line = node.start_mark.line + 1
        super().__init__(said)


def fields_of(node: Any, known: tuple[str, ...], otherwise: str) -> dict[str, Any]:
    """The fields of a mapping by name; raises `Fault` for what is no field or is given twice."""
    if not isinstance(node, yaml.MappingNode):
        raise Fault(node, otherwise)
    found: dict[str, Any] = {}
    for name, value in node.value:
        said = hidden(name.value)[:60] if isinstance(name, yaml.ScalarNode) else "a list or mapping"
        if said in found:
            raise Fault(name, f"{said} is given twice; keep one of them")
        if said not in known:
            close = get_close_matches(said, known, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise Fault(name, f"unknown field {said!r}{meant}; there are {', '.join(known)}")
        found[said] = value
    return found


def _text(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise Fault(node, "must be one plain value; give it, or leave the field out")
    return str(node.value)


def _id(node: Any) -> str:
    text = _text(node)
    if ID.fullmatch(text) is None:
        raise Fault(node, f"id: must be 4 to 32 of a-z 0-9, the part between `{PREFIX}` and the second `_`")
    return text


def _sha256(node: Any) -> str:
    text = _text(node)
    if text.startswith(PREFIX):
        raise Fault(node, "sha256: holds the key itself; revoke that key, make a new one and put its SHA-256 here")
    if _DIGEST.fullmatch(text.lower()) is None:
        raise Fault(node, "sha256: must be 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints them")
    return text.lower()


def _name(node: Any) -> str:
    text = _text(node)
    if not is_name(text):
        raise Fault(node, f"name: use 1 to {LONGEST_NAME} printable characters, without spaces at its ends")
    if hidden(text) != text:
        raise Fault(node, "name: holds a key; revoke that key, and name its holder here")
    return text


def _tenant(node: Any) -> str | None:
    text = _text(node)
    if text == EVERY_TENANT:
        return None
    if not is_token(text):
        raise Fault(node, 'tenant: use 1 to 64 of A-Z a-z 0-9 _ -, or "*" in quotes for every tenant')
    return text


def _role(node: Any) -> str:
    text = _text(node)
    if text not in ROLES:
        close = get_close_matches(text, ROLES, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise Fault(node, f"role: must be one of {', '.join(ROLES)}{meant}")
    return text


def _expires(node: Any) -> int:
    try:
        moment = datetime.fromisoformat(_text(node))
    except ValueError:
        raise Fault(node, "expires: must be a day like 2027-01-31 or a moment like 2027-01-31T12:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    # An offset can lead out of the years that can be written again; the past is the past.
    return min(max(0, int(seconds)), LATEST)


def _revoked(node: Any) -> bool:
    text = _text(node).lower()
    if text not in ("true", "false"):
        raise Fault(node, "revoked: must be true or false")
    return text == "true"


def _limits(node: Any) -> Limits:
    parts = fields_of(node, LIMITS, f"limits: must be a mapping with some of {', '.join(LIMITS)}")
    counts = {name: getattr(DEFAULT_LIMITS, name) for name in LIMITS}
    for name, value in parts.items():
        text = _text(value)
        if _COUNT.fullmatch(text) is None or int(text) < 1:
            raise Fault(value, f"limits: {name} must be a whole number from 1 to 999999999999")
        counts[name] = int(text)
    return Limits(**counts)


READERS: dict[str, Callable[[Any], Any]] = {
    "id": _id,
    "sha256": _sha256,
    "name": _name,
    "tenant": _tenant,
    "role": _role,
    "expires": _expires,
    "revoked": _revoked,
    "limits": _limits,
}
"""How each field is read; each raises `Fault`."""
