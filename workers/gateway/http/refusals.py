"""Errors of the project as problems: one place that says what a client is told about each.

Refused                                  the problem that it carries
BadLength, BadCursor, BadLimit, …        malformed-request, with the header or parameter
runtime.TooLarge                         too-large
BusUnavailable, RecordsUnavailable       bus-unavailable
anything else                            internal, without a word of it

What does not validate is the client's fault only where his request was read: there `clients_fault` makes it
wrong-input. Elsewhere it is a spoiled fact of the log or a mistake of ours, and stays internal.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pydantic import ValidationError

from contracts.codec import Malformed, NotJson
from contracts.message import MAX_PAYLOAD_BYTES
from workers.gateway.http import problems
from workers.gateway.http.idempotency import BadIdempotencyKey
from workers.gateway.http.pages import BadCursor, BadLimit
from workers.gateway.http.problems import MOST_ERRORS, FieldFault, Problem, Refused, plain
from workers.gateway.identity.limits import BadLength
from workers.gateway.identity.rights import Refusal
from workers.llm.records import RecordsUnavailable
from workers.runtime.errors import BusUnavailable, TooLarge

LONGEST_POINTER = 300
Place = Sequence[int | str]

_NAMED: dict[type[Exception], str] = {
    BadLength: "Content-Length",
    BadIdempotencyKey: "Idempotency-Key",
    BadCursor: "cursor",
    BadLimit: "limit",
}
"""The header or the parameter that each is about."""


def problem_of(error: BaseException) -> Problem:
    """What a client is told about an error, whichever it is."""
    match error:
        case Refused():
            found = error.problem
        case BadLength() | BadIdempotencyKey():
            found = problems.malformed(str(error), header=_NAMED[type(error)])
        case BadCursor() | BadLimit():
            found = problems.malformed(str(error), parameter=_NAMED[type(error)])
        case TooLarge():
            found = problems.too_large(MAX_PAYLOAD_BYTES)
        case BusUnavailable() | RecordsUnavailable():
            found = problems.bus_unavailable()
        case _:
            found = problems.internal()
    return found


@contextmanager
def clients_fault() -> Iterator[None]:
    """Around the reading of a request: raises `Refused` for what is no JSON or does not validate within."""
    try:
        yield
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise Refused(
            problems.wrong_input([_in_body(fault["loc"], fault["msg"]) for fault in faults[:MOST_ERRORS]])
        ) from None
    except Malformed as error:
        raise Refused(problems.wrong_input([_in_body(_parts(path), said) for path, said in error.errors])) from None
    except NotJson:
        raise Refused(problems.malformed("the body must be one JSON object in UTF-8")) from None


def problem_of_refusal(refusal: Refusal) -> Problem:
    """The problem of somebody who may not, or is nobody. What is foreign reads like what is missing."""
    match refusal.status:
        case 401:
            return problems.unauthenticated(refusal.reason, refusal.presented)
        case 403:
            return problems.forbidden(refusal.reason)
        case 404:
            return problems.not_found()


def wrong_request(errors: Iterable[tuple[Place, str]]) -> Problem:
    """Faults as the web framework finds them: (`("body", "idea")`, what is wrong), also of query and header."""
    return problems.wrong_input([_located(place, said) for place, said in list(errors)[:MOST_ERRORS]])


def pointer(place: Place) -> str:
    """A place within a body as the fragment of a JSON pointer: `#/options/0/a~1b`; the whole body is `#`."""
    written = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
    return plain("#" + written)[:LONGEST_POINTER]


def _located(place: Place, said: str) -> FieldFault:
    where, *rest = place or ("body",)
    name = plain(".".join(str(part) for part in rest))[:LONGEST_POINTER]
    if where in ("query", "path"):
        return FieldFault(detail=plain(said), parameter=name)
    if where in ("header", "cookie"):
        return FieldFault(detail=plain(said), header=name)
    return _in_body(rest if where == "body" else place, said)


def _in_body(place: Place, said: str) -> FieldFault:
    return FieldFault(detail=plain(said), pointer=pointer(place))


def _parts(path: str) -> Place:
    """The parts of a path as the contracts write it."""
    return () if path == "(whole)" else path.split(".")
