"""Tokens for the links of a notification: each stands for one answer of one principal at one gate.

The gateway keeps no list of tokens. A token says all that it permits (tenant, run, gate, option, principal, expiry) and
is sealed with HMAC-SHA256, so who holds the key can check it, any replica, before and after a restart.

It works once because its answer does: what it leads to is `approval.<gate>` of that run, a name that the log accepts
once (10077 for every other). A token used again, or the token of another option or person, comes second and changes
nothing; the caller reads the stored answer and shows it. A gate's name is used once in a run as well (`gate.<gate>`),
so no old token fits a later gate. A token lives at most as long as a gate may wait, 30 days. Who opens one reads its
gate from the log, for the options; a gate that the log has forgotten can't be answered any more.

A link has its token behind `#`: browsers send no part of that to a server, so no access log or `Referer` has it. The
page there sends it on in the body of a POST, after a click: programs that open links to look at them (mail scanners,
previews) answer nothing.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from contracts.message import Prose
from contracts.message import Token as Name
from contracts.v1.approvals import ApprovalGiven

VERDICTS = ("approve", "reject", "ask_for_changes")
LONGEST_LIFE_S = 30 * 86_400
LEAST_KEY_BYTES = 32
MOST_CHARACTERS = 2_000
_PURPOSE = b"flotilla answer token 1\0"


class BadToken(ValueError):
    """The token opens nothing. One message for all forgeries: it tells nobody how near they came."""


class ExpiredToken(BadToken):
    """It was genuine, but its time is over; the gate may still wait for an answer on the page."""


class Answer(BaseModel):
    """What a token permits. `option` is one of the gate's options, or a verdict at a gate without; `expires` in unix
    seconds. `principal` is who was told and whom the approval will name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tenant: Name
    run: Name
    gate: Name
    option: Name
    principal: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    expires: Annotated[int, Field(ge=0, le=2**40)]


class Keyring:
    """The keys that tokens are sealed with: the first seals, all open. It shows no key wherever it is printed."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises `ValueError` if there is no key or one is too short."""
        if not keys or any(len(key) < LEAST_KEY_BYTES for key in keys):
            raise ValueError(f"tokens need a key of at least {LEAST_KEY_BYTES} bytes, and each key that long")
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys)} keys)"

    def __reduce__(self) -> str:
        raise TypeError("the keys of tokens are not written anywhere")

    def seal(self, answer: Answer, now: float) -> SecretStr:
        """The token of an answer: `<answer>.<seal>`, both base64url. Raises `ValueError` for a life over 30 days."""
        if not now < answer.expires <= now + LONGEST_LIFE_S:
            raise ValueError(f"a token expires between now and {LONGEST_LIFE_S} s from now")
        content = _packed(answer)
        return SecretStr(f"{_text(content)}.{_text(_seal(self._keys[0], content))}")

    def open(self, token: str, now: float) -> Answer:
        """What a token permits; raises `BadToken`, `ExpiredToken`. Every key is tried, in constant time."""
        content, sealed = _halves(token)
        matches = [hmac.compare_digest(_seal(key, content), sealed) for key in self._keys]
        if not any(matches):
            raise BadToken("the link is not valid")
        answer = _unpacked(content)
        if now >= answer.expires:
            raise ExpiredToken("the link has expired; open the run's page to answer")
        return answer


def approval_of(
    answer: Answer, options: Sequence[str], comment: Prose = "", changes: Sequence[Prose] = ()
) -> ApprovalGiven:
    """The fact that an opened token leads to. `options` are those of the gate as the log has it.

    Raises `BadToken` when the gate doesn't have the token's option.
    """
    if answer.option not in (options or VERDICTS):
        raise BadToken("the link is not valid")
    values: dict[str, object] = (
        {"verdict": "approve", "option": answer.option} if options else {"verdict": answer.option}
    )
    return ApprovalGiven.model_validate({
        "tenant": answer.tenant, "run": answer.run, "gate": answer.gate, "by": answer.principal, "comment": comment,
        "changes": tuple(changes), **values,
    })  # fmt: skip


def link(page: str, token: SecretStr) -> SecretStr:
    """The address that a person opens; `page` is the gateway's page for answers, without `#`."""
    return SecretStr(f"{page}#{token.get_secret_value()}")


def _packed(answer: Answer) -> bytes:
    return json.dumps([*answer.model_dump().values()], ensure_ascii=False, separators=(",", ":")).encode()


def _unpacked(content: bytes) -> Answer:
    try:
        values = json.loads(content)
        return Answer(**dict(zip(Answer.model_fields, values, strict=True)))
    except (ValueError, TypeError, ValidationError):
        raise BadToken("the link is not valid") from None


def _seal(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + content, "sha256")


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _halves(token: str) -> tuple[bytes, bytes]:
    """Content and seal. Only the one way to write them is read, so that a token has no second form."""
    first, dot, second = token.partition(".")
    if len(token) > MOST_CHARACTERS or not dot or not token.isascii():
        raise BadToken("the link is not valid")
    try:
        halves = tuple(urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (first, second))
    except ValueError:
        raise BadToken("the link is not valid") from None
    if (_text(halves[0]), _text(halves[1])) != (first, second):
        raise BadToken("the link is not valid")
    return halves[0], halves[1]
