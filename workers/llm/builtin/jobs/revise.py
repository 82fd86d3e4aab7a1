"""RevisionReply: a template with one constraint more, against the kind of failure that is told of most."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply

_FENCE = "---"
_KEY = re.compile(r"^[a-z_]+:")


class Rule(NamedTuple):
    """A sentence that a template may lack, and the words in feedback by which one sees that it does."""

    failure: str
    told_by: re.Pattern[str]
    constraint: str


RULES = (
    Rule(
        "answers that are no whole JSON",
        re.compile(r"invalid json|eof while|not json|cut off|too long", re.IGNORECASE),
        "The answer is one JSON object, whole to its last brace, and short enough to be given whole.",
    ),
    Rule(
        "answers that do not fit their schema",
        re.compile(r"did not fit|field required|malformed|must be there|extra inputs|had to be mended", re.IGNORECASE),
        "No required field of the schema is missing from the answer, and none is in it that the schema lacks.",
    ),
    Rule(
        "red tests",
        re.compile(r"the tests? .*(failed|did not pass)", re.IGNORECASE | re.DOTALL),
        "Each criterion was followed through the finished work once more, and what it says really happens there.",
    ),
    Rule(
        "findings that block",
        re.compile(r"a reviewer found|blocking", re.IGNORECASE),
        "Nothing is delivered that a strict reviewer could block for a reason that this prompt names.",
    ),
    Rule(
        "votes against it",
        re.compile(r"\bwas for\b|\bballot\b", re.IGNORECASE),
        "What speaks against the answer was weighed as carefully as what speaks for it.",
    ),
)
PLAIN = Rule(
    "failures that fit no rule",
    re.compile(r""),
    "Every rule of this prompt was gone through once more before the answer was given.",
)


def revise(brief: Brief) -> Reply:
    """Add the constraint against the most frequent kind of failure for which the template has none yet."""
    template = brief.block("template")
    if not isinstance(template, str):
        raise CannotDo("The data block 'template' must be the text of a template.")
    lines = template.split("\n")
    end = next((n for n, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if lines[0].rstrip() != _FENCE or end is None:
        raise CannotDo("The template has no whole front matter, so it has no place for a constraint.")
    there = _constraints(lines[1:end])
    counted = _counted(brief.data.get("feedback"))
    before = (*there, *_texts(brief.data.get("tried")))
    rule = next((one for one in (*counted, PLAIN) if not any(one.constraint in text for text in before)), None)
    if rule is None:
        raise CannotDo("What the built-in model would add is there or was tried already; it knows no other mending.")
    head = [*_without(lines[1:end], "constraints"), "constraints:", *map(_entry, (*there, rule.constraint))]
    return {"reason": _reason(rule, counted.get(rule, 0), there), "template": "\n".join([_FENCE, *head, *lines[end:]])}


def _reason(rule: Rule, times: int, there: tuple[str, ...]) -> str:
    seen = f"The feedback tells of {rule.failure} {times} times" if times else "No rule fits the feedback"
    had = "the constraints say nothing of it" if there else "the template has no constraints"
    return f"{seen}, and {had}. Added by rule, for the built-in model can't read a template: {rule.constraint}"


def _counted(feedback: Any) -> dict[Rule, int]:
    """The rules that the feedback calls for, by how often, the most frequent first."""
    told = list(_sentences(feedback))
    times = {rule: sum(bool(rule.told_by.search(text)) for text in told) for rule in RULES}
    return dict(sorted(((rule, count) for rule, count in times.items() if count), key=lambda one: -one[1]))


def _sentences(feedback: Any) -> Iterator[str]:
    """What is said of tasks; what was asked and answered is none of it."""
    match feedback:
        case str():
            yield feedback
        case list():
            for one in feedback:
                yield from _sentences(one)
        case {"pairs": pairs}:
            yield from _sentences(pairs)
        case {"feedback": said}:
            yield from _sentences(said)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _texts(one)
        case dict():
            yield from _texts(list(value.values()))


def _constraints(head: list[str]) -> tuple[str, ...]:
    try:
        content = yaml.safe_load("\n".join(head))
    except (yaml.YAMLError, ValueError) as error:
        raise CannotDo(f"The front matter of the template is no YAML: {error}.") from None
    there = content.get("constraints") if isinstance(content, dict) else None
    return tuple(str(text) for text in there or ())


def _without(head: list[str], key: str) -> list[str]:
    """The front matter without this key and what belongs to it."""
    kept, inside = [], False
    for line in head:
        if _KEY.match(line):
            inside = line.startswith(f"{key}:")
        if not inside:
            kept.append(line)
    return kept


def _entry(text: str) -> str:
    """The text as a list's entry; JSON's strings are YAML's."""
    return f"  - {json.dumps(text, ensure_ascii=False)}"
