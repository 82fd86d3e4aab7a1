"""What a journal tells of a question: whether its answer was whole at once, in the end, and after each further turn.

    first ╴ cut off ▶ rest ╴ does not fit ▶ second ╴ cut off ▶ rest

An answer is whole if it has the shape of its reply and nothing was asked after it: what else is wrong with an answer is
asked about. A refusal ends it all, since there is but one target. Pure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from workers.runtime.conversation import CONTINUE_PROMPT, REPAIR_PROMPT
from workers.runtime.replies import joins

CONTINUE, MEND = CONTINUE_PROMPT, REPAIR_PROMPT

Fits = Callable[[Sequence[str]], bool]
"""Whether one of these texts has the shape of the reply."""


class Spoken(NamedTuple):
    """One answer in the journal: why it ended, and its text."""

    stop: str
    text: str


class Turn(NamedTuple):
    """A further turn, by its template, and whether the answer was whole then."""

    template: str
    whole: bool


class Told(NamedTuple):
    """How a question went."""

    at_once: bool
    at_last: bool
    turns: tuple[Turn, ...]


def told(spoken: Sequence[Spoken], fits: Fits) -> Told:
    """How the question went that got these answers, in their order."""
    at, whole, turns = 0, False, list[Turn]()
    for mends in (False, True):
        if at == len(spoken):
            break
        parts = _parts(spoken[at : at + 2])
        at += len(parts)
        texts = joins(parts[0].text, parts[1].text) if len(parts) > 1 else (parts[0].text,)
        fitted = parts[-1].stop == "end" and fits(texts)
        whole = fitted and at == len(spoken)
        turns += [Turn(CONTINUE, fitted)] if len(parts) > 1 else []
        turns += [Turn(MEND, whole)] if mends else []
    return Told(whole and len(spoken) == 1, whole, tuple(turns))


def _parts(spoken: Sequence[Spoken]) -> Sequence[Spoken]:
    """An answer, and the rest of it if it was cut off: an empty one is asked for again."""
    return spoken if spoken[0].stop == "length" and spoken[0].text.strip() else spoken[:1]
