"""RevisionReply: a template with one constraint more, taken from what went wrong with it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply

LONGEST_SENTENCE = 300
PLAIN = "Hold to every rule of this prompt, and compare your answer with the schema and the data before you give it."
"""What a template without any feedback is told."""

_FENCE = "---"
_KEY = re.compile(r"^[a-z_]+:")
_NOT_PROSE = re.compile(r"[{}<>#%\[\]`\\]|[^\x20-\x7e\xa1-\u02ff\u2010-\u2027\u2190-\u21ff]")
"""What means something in a template, and what nobody sees."""


def revise(brief: Brief) -> Reply:
    """Add the first piece of feedback that is not there yet to the constraints of the template."""
    template = brief.block("template")
    if not isinstance(template, str):
        raise CannotDo("The data block 'template' must be the text of a template.")
    lines = template.split("\n")
    if not lines or lines[0].rstrip() != _FENCE:
        raise CannotDo("The template has no front matter, so it has no place for a constraint.")
    end = next((n for n, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise CannotDo("The front matter of the template has no end.")
    there = _constraints(lines[1:end])
    said = next((text for text in _sentences(brief.data.get("feedback")) if text not in there), PLAIN)
    if said in there:
        raise CannotDo("The template says already what the built-in model would add; it knows no other mending.")
    head = [*_without(lines[1:end], "constraints"), "constraints:", *map(_entry, (*there, said))]
    reason = f"It {'has' if there else 'had no'} constraints; {'one was added' if there else 'they begin with'}: {said}"
    return {"reason": reason, "template": "\n".join([lines[0], *head, *lines[end:]])}


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


def _sentences(feedback: Any) -> Iterator[str]:
    """What went wrong as constraints: sentences of one line without anything that means something in a template."""
    for text in _texts(feedback):
        words = " ".join(_NOT_PROSE.sub(" ", text).split())
        if words:
            cut = words if len(words) <= LONGEST_SENTENCE else f"{words[:LONGEST_SENTENCE].rsplit(' ', 1)[0]} …"
            yield f"See to it that this does not happen again: {cut}"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _texts(one)
        case dict():
            for one in value.values():
                yield from _texts(one)
