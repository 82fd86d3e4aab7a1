"""Replies: what a model said, made into what it was asked for, or the faults that keep it from that. Pure.

An answer that was cut off and the part that goes on from there are joined. Where the second part begins with what the
first one ended with, or is the whole answer once more, the words alone don't say what was meant: the ways to join them
are tried in the order of `joins`, and the first that fits is taken.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from workers.prompting.thinking import FIELD, NoReasoning, Thinking, with_reasoning, without_reasoning

R = TypeVar("R", bound=BaseModel)
Check = Callable[[R], Iterable[str]]
Guard = Callable[[str], Iterable[str]]
"""What else is wrong with the answer as text: say, that it is copied."""

CUT_OFF = "the answer was cut off at the length limit; answer with the same content, but shorter"
MOST_FAULTS = 20
LONGEST_REASON = 2_000

SHORTEST_REPEAT = 12
"""Characters. A part that begins with fewer that the one before it ended with may well go on as it is."""

LONGEST_REPEAT = 20_000

# Neither can be part of a JSON text, which begins and ends otherwise.
_OPENING = re.compile(r"\A\s*```(?:json)?[ \t]*\n", re.IGNORECASE)
_CLOSING = re.compile(r"\n[ \t]*```\s*\Z")


class DoesNotFit(Exception):
    """The reply is not what was asked for. `faults` say what is wrong, for the model and for people."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@lru_cache(maxsize=256)
def schema_for(reply: type[BaseModel], thinking: Thinking = "none") -> dict[str, Any]:
    """The JSON Schema of what is asked for; thinking has a field of its own. It is shared: don't change it."""
    return with_reasoning(reply.model_json_schema(), thinking)


def fitting(
    texts: Sequence[str],
    reply: type[R],
    check: Check[R] | None,
    thinking: Thinking = "none",
    guard: Guard | None = None,
) -> R:
    """The first of these texts that is such a reply; raises `DoesNotFit` with the faults of the very first.

    The reply has nothing of the thinking, and the guard sees nothing of it.
    """
    misfits = []
    for text in texts:
        try:
            return _fitting(_answer_in(unfenced(text), reply, thinking), reply, check, guard)
        except DoesNotFit as misfit:
            misfits.append(misfit)
    raise misfits[0]


def _answer_in(text: str, reply: type[BaseModel], thinking: Thinking) -> str:
    if thinking == "none" or FIELD in reply.model_fields:
        return text
    try:
        return without_reasoning(text)
    except NoReasoning as error:
        raise DoesNotFit([str(error)]) from None


def _fitting(text: str, reply: type[R], check: Check[R] | None, guard: Guard | None) -> R:
    try:
        value = reply.model_validate_json(text)
    except ValidationError as error:
        raise DoesNotFit(faults_of(error)) from None
    faults = [*(check(value) if check else ()), *(guard(text) if guard else ())]
    if faults:
        raise DoesNotFit(faults)
    return value


def faults_of(error: ValidationError) -> list[str]:
    """Each fault with the place that it is in."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, item['loc'])) or '(whole answer)'}: {item['msg']}" for item in found[:MOST_FAULTS]]


def cut(text: str) -> str:
    """The text, its end left out where it is too long for a reason."""
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + " …"


def unfenced(text: str) -> str:
    """The text without a code fence around it; a fence that lacks its other half goes as well."""
    return _CLOSING.sub("", _OPENING.sub("", text, count=1))


def joins(head: str, tail: str) -> tuple[str, ...]:
    """The ways in which two parts of an answer can be one, the likeliest first.

    A part that repeats at least `SHORTEST_REPEAT` characters is taken to repeat them, unless these repeat themselves,
    as a run of spaces does.
    """
    rest = _reopened(tail)
    plain, shared = head + rest, _shared(head, rest)
    without = [head + rest[length:] for length in shared[:2]]
    ways = [*without[:1], plain] if shared and _is_repeat(shared) else [plain, *without[:1]]
    return tuple(dict.fromkeys([*ways, head + tail, tail, *without[1:2]]))


def _reopened(tail: str) -> str:
    """The tail without a fence that it opens; one that has nothing behind it closes."""
    rest = _OPENING.sub("", tail, count=1)
    return rest if rest.strip() else tail


def _is_repeat(shared: Sequence[int]) -> bool:
    """Whether the longest of these is a repeat: long, and not made of one piece again and again."""
    longest = shared[0]
    return longest >= SHORTEST_REPEAT and not any(length * 2 >= longest for length in shared[1:])


def _shared(head: str, tail: str) -> list[int]:
    """The lengths, longest first, of what the tail begins with and the head ends with."""
    size = min(len(head), len(tail), LONGEST_REPEAT)
    # The prefix function (Knuth, Morris, Pratt) of tail, a stop, head: its last value is the longest such length.
    signs: list[str | None] = [*tail[:size], None, *head[len(head) - size :]]
    known = [0] * len(signs)
    for at in range(1, len(signs)):
        length = known[at - 1]
        while length and signs[at] != signs[length]:
            length = known[length - 1]
        known[at] = length + (signs[at] == signs[length])
    found, length = list[int](), known[-1]
    while length:
        found.append(length)
        length = known[length - 1]
    return found
