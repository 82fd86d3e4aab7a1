"""What a client is told when something is refused: problem details (RFC 9457), one kind for each sort of refusal.

`type` is a relative reference, `/problems/<kind>`, and never changes; `detail` is one sentence that says what to do.
Nothing in it comes from inside: no traceback, no address, no subject, no text of an error that nobody foresaw.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from workers.gateway.http.kinds import KIND_OF_STATUS, KINDS, type_of

MEDIA_TYPE = "application/problem+json"
LONGEST_DETAIL = 1_000
MOST_ERRORS = 50
REALM = "flotilla"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class FieldFault(BaseModel):
    """One wrong part: `pointer` into the body (RFC 6901 as a fragment, `#/idea`), or the name of a parameter."""

    model_config = ConfigDict(frozen=True)

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


class ProblemBody(BaseModel):
    """The body of every refusal, as the OpenAPI document describes it."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[FieldFault, ...] | None = None


@dataclass(frozen=True)
class Problem:
    """A refusal: what the response says and the headers that go with it."""

    kind: str
    detail: str
    errors: tuple[FieldFault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    instance: str = ""

    @property
    def status(self) -> int:
        """The response's status."""
        return KINDS[self.kind].status

    @property
    def body(self) -> ProblemBody:
        """What the response holds."""
        return ProblemBody(
            type=type_of(self.kind),
            title=KINDS[self.kind].title,
            status=self.status,
            detail=plain(self.detail),
            instance=self.instance or None,
            errors=self.errors[:MOST_ERRORS] or None,
        )

    def encoded(self) -> bytes:
        """The body as JSON, without what there is nothing to say about."""
        return self.body.model_dump_json(exclude_none=True).encode()

    def at(self, instance: str) -> "Problem":
        """The same about one occurrence: a path or a `urn:`, without query, for links carry tokens there."""
        return replace(self, instance=instance.partition("?")[0])


class Refused(Exception):
    """A request ends here, with a problem. Raised where it is noticed; the HTTP layer answers with it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.kind}: {problem.detail}")


def malformed(detail: str, *, header: str | None = None, parameter: str | None = None) -> Problem:
    """A request that can't be read: no JSON, a header or a parameter that is none."""
    named = (FieldFault(detail=plain(detail), header=header, parameter=parameter),) if header or parameter else ()
    return Problem("malformed-request", detail, named)


def wrong_input(errors: Iterable[FieldFault]) -> Problem:
    """A request that can be read and does not validate."""
    found = tuple(errors)
    count = "one field is" if len(found) == 1 else f"{len(found)} fields are"
    return Problem("wrong-input", f"{count} wrong; `errors` says which and why", found)


def unauthenticated(detail: str, presented: bool = False) -> Problem:
    """Nobody, or somebody whose key was not accepted (RFC 6750, section 3)."""
    challenge = f'Bearer realm="{REALM}"' + (', error="invalid_token"' if presented else "")
    return Problem("unauthenticated", detail, headers=MappingProxyType({"WWW-Authenticate": challenge}))


def forbidden(detail: str) -> Problem:
    """Somebody who may not."""
    return Problem("forbidden", detail)


def not_found(what: str = "") -> Problem:
    """Nothing of this name, or nothing that the asker may know of: both read the same. `what`: `run r42`."""
    return Problem("not-found", f"there is no {what} here" if what else "there is nothing of this name here")


def conflict(detail: str) -> Problem:
    """The log holds something else under the name."""
    return Problem("conflict", detail)


def key_reused(made: str) -> Problem:
    """An `Idempotency-Key` under which something else was asked for. `made`: `run r42`."""
    return Problem("idempotency-key-reused", f"this key stands for {made}, which was asked for with another body")


def too_many(retry_after_s: int) -> Problem:
    """More than the key's share."""
    wait = max(1, retry_after_s)
    return Problem("too-many-requests", f"this key may ask again in {_seconds(wait)}", headers=_retry_after(wait))


def too_large(most_bytes: int) -> Problem:
    """A body above the key's limit."""
    return Problem("too-large", f"a request of this key may have {most_bytes:,} bytes at most")


def bus_unavailable(retry_after_s: int = 2) -> Problem:
    """The bus is away: nothing was said, or it is not known whether it was. Idempotency makes trying again harmless."""
    wait = max(1, retry_after_s)
    detail = f"try again in {_seconds(wait)}, with the same Idempotency-Key; runs go on by themselves"
    return Problem("bus-unavailable", detail, headers=_retry_after(wait))


def internal() -> Problem:
    """What nobody foresaw. The response says nothing of it; the log has the error."""
    return Problem("internal", "something went wrong inside; the gateway's log says what")


def of_status(status: int, headers: Mapping[str, str] = NO_HEADERS) -> Problem:
    """The problem of a bare status, as the web framework raises it; `Allow` and `Retry-After` are kept."""
    kind = KIND_OF_STATUS.get(status, "internal" if status >= 500 else "malformed-request")
    kept = {name: value for name, value in headers.items() if name.lower() in ("allow", "retry-after")}
    if status == 401:
        return unauthenticated("say who you are: send `Authorization: Bearer <key>`")
    said = "" if status in KIND_OF_STATUS else f"; the status would be {_phrase(status)}"
    return Problem(kind, KINDS[kind].remedy + said, headers=MappingProxyType(kept))


def plain(text: str) -> str:
    """The text as one line of bounded length."""
    return _UNPRINTABLE.sub(" ", text)[:LONGEST_DETAIL]


def _retry_after(seconds: int) -> Mapping[str, str]:
    return MappingProxyType({"Retry-After": str(seconds)})


def _seconds(count: int) -> str:
    return "1 second" if count == 1 else f"{count} seconds"


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
