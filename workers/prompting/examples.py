"""Few-shot examples: which of those that were kept a prompt shows, and how much of a reply is copied from them.

Examples that are like the question help most (Liu et al. 2022, "What Makes Good In-Context Examples for GPT-3?"), and
plain BM25 finds such nearly as well as what was trained for it (Rubin et al. 2022, "Learning To Retrieve Prompts for
In-Context Learning"). One whose question is nearly the same is none: it gives the answer away.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from pydantic import BaseModel

from contracts.v1.prompts import ExampleKept

SAME = 0.8
"""From this resemblance on two questions are nearly the same."""

PIECE = 40
"""Letters and digits in a row that two texts share by chance hardly ever."""

_WORD = re.compile(r"\w+")


class Slot(Protocol):
    """How a template shows examples: so many at most, alike in the input `like`; of a reply `copies` may be copied."""

    @property
    def most(self) -> int: ...
    @property
    def like(self) -> str: ...
    @property
    def copies(self) -> float: ...


def chosen(
    kept: Iterable[ExampleKept], inputs: Mapping[str, Any], slot: Slot, run: tuple[str, str] | None = None
) -> tuple[ExampleKept, ...]:
    """What a prompt with these inputs shows, the best first. `run` is the task's (tenant, run).

    Those that are known to have won come before those of which that is not known, then the more similar ones. Never one
    that lost, that is of the same run, that lacks the input `like`, or whose question is nearly the same.
    """
    asked = words_of(inputs.get(slot.like))
    fit = [
        example
        for example in sorted(kept, key=lambda one: one.id)
        if example.won is not False
        and slot.like in example.inputs
        and (run is None or (example.tenant, example.run) != run)
    ]
    words = [words_of(example.inputs[slot.like]) for example in fit]
    scores = similarities(words, asked)
    best = sorted(range(len(fit)), key=lambda n: (fit[n].won is not True, -scores[n]))
    unlike = (fit[n] for n in best if resemblance(words[n], asked) < SAME)
    return tuple(islice(unlike, slot.most))


def guard(slot: Slot, examples: Sequence[ExampleKept], inputs: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """What is wrong with a reply's text as a copy of the examples that it was shown: one fault, or none."""
    shown = text_of([example.reply for example in examples])
    asked = text_of(dict(inputs))

    def faults(text: str) -> list[str]:
        share = copied(text_of(_parsed(text)), shown, asked)
        if share <= slot.copies:
            return []
        return [f"{share:.0%} of the reply is copied from an example; answer what is asked, the examples show the form"]

    return faults


def copied(reply: str, example: str, asked: str = "") -> float:
    """The share of the reply's characters that are in the example, in pieces of 40 or more that are not in `asked`.

    Letters and digits are compared, whatever case they are in and whatever stands between them.
    """
    reply, example, asked = _bare(reply), _bare(example), _bare(asked)
    pieces = set(_pieces(example))
    pieces.difference_update(_pieces(asked))
    covered, upto = 0, 0
    for start, piece in enumerate(_pieces(reply)):
        if piece in pieces:
            covered += start + PIECE - max(start, upto)
            upto = start + PIECE
    return covered / len(reply) if reply else 0.0


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def similarities(texts: Sequence[Sequence[str]], asked: Sequence[str]) -> list[float]:
    """How much each text is about what is asked; 0 is not at all. Okapi BM25 with k1 = 1.2 and b = 0.75.

    Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", equation 3.15. The ln has one
    added, so that words of most texts count for little instead of against. Rounded: sums differ between machines.
    """
    counts = [Counter(text) for text in texts]
    within = Counter(word for count in counts for word in count)
    usual = sum(map(len, texts)) / len(texts) if texts else 0.0
    wanted = sorted(set(asked) & set(within))
    rarity = {word: math.log1p((len(texts) - within[word] + 0.5) / (within[word] + 0.5)) for word in wanted}
    scores = []
    for text, count in zip(texts, counts, strict=True):
        length = 1.2 * (0.25 + 0.75 * len(text) / usual) if usual else 0.0
        scores.append(round(math.fsum(rarity[word] * count[word] / (count[word] + length) for word in wanted), 9))
    return scores


def resemblance(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of three-word shingles that are in both, of all that are in either: 1 is the same, also for no words.

    Broder 1997, "On the resemblance and containment of documents".
    """
    left, right = _shingles(one), _shingles(other)
    return len(left & right) / len(left | right) if left or right else 1.0


def words_of(value: Any) -> tuple[str, ...]:
    """The words of all texts and numbers in a value, in lower case."""
    return tuple(_WORD.findall(text_of(value).lower()))


def text_of(value: Any) -> str:
    """All texts and numbers in a value, one a line, with single blanks. Keys are no part: those are the schema's."""
    return "\n".join(" ".join(leaf.split()) for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _parsed(text: str) -> Any:
    """The JSON object within a reply's text; the text itself if there is none."""
    for part in (text, text[text.find("{") : text.rfind("}") + 1]):
        try:
            return json.loads(part)
        except (ValueError, RecursionError):
            continue
    return text


def _shingles(words: Sequence[str]) -> set[tuple[str, ...]]:
    if not words:
        return set()
    return {tuple(words[start : start + 3]) for start in range(max(1, len(words) - 2))}


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + PIECE] for start in range(len(text) - PIECE + 1))
