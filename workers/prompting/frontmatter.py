"""The head of a template: YAML with four keys, read without what YAML has for grown documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from workers.prompting.errors import PromptRefused

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

MAX_HEAD = 16_384
"""Characters of the front matter."""

_RESERVED = {"self"}
"""What means something else in Jinja, so that no input of that name would ever be shown."""


class FrontMatter(BaseModel):
    """The head of a template. `inputs` are the names that must be given, no more and no fewer."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    role: Name
    purpose: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    inputs: Annotated[list[Name], "in the order of the file"]


def head_of(file: Path, lines: list[str]) -> tuple[FrontMatter | None, list[PromptRefused]]:
    """The head in these lines, which begin with the file's second one, and all that is wrong with it."""
    text = "\n".join(lines)
    if len(text) > MAX_HEAD:
        return None, [PromptRefused(file, 2, f"the front matter has {len(text):,} characters; at most {MAX_HEAD:,}", 1)]
    try:
        if wrong := list(_beyond(file, text)):
            return None, wrong
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = f"the front matter is no YAML: {getattr(error, 'problem', error)}"
        return None, [PromptRefused(file, 2 + (mark.line if mark else 0), why, mark.column + 1 if mark else 1)]
    except ValueError as error:  # YAML knows dates and numbers by their looks, and then says so when they are none
        return None, [PromptRefused(file, 2, f"the front matter is no YAML: {error}; quote texts", 1)]
    try:
        head = FrontMatter.model_validate(content)
    except ValidationError as error:
        return None, list(_misfits(file, lines, error))
    return head, list(_odd_inputs(file, lines, head))


def _beyond(file: Path, text: str) -> Iterator[PromptRefused]:
    """Aliases, which can grow without end, depth that no key has, and a key that is there twice."""
    depth, is_key, keys = 0, True, set[str]()
    for event in yaml.parse(text, yaml.SafeLoader):
        mark = event.start_mark
        line, column = (mark.line + 2, mark.column + 1) if mark else (2, 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield PromptRefused(file, line, "the front matter has no anchors and aliases; write it out", column)
            return
        if depth == 1 and isinstance(event, yaml.NodeEvent):
            if is_key and isinstance(event, yaml.ScalarEvent):
                if event.value == "<<":
                    yield PromptRefused(file, line, "the front matter merges no keys; write them out", column)
                if event.value in keys:
                    yield PromptRefused(file, line, f"{event.value!r} is there twice; keep one", column)
                keys.add(event.value)
            is_key = not is_key
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 3:
            yield PromptRefused(file, line, "the front matter has name, role, purpose and a list of inputs", column)
            return


def _misfits(file: Path, lines: list[str], error: ValidationError) -> Iterator[PromptRefused]:
    for fault in error.errors(include_url=False):
        where = ".".join(map(str, fault["loc"])) or "front matter"
        line = _line_of(lines, fault["loc"])
        yield PromptRefused(file, line, f"{where}: {fault['msg']}; it needs name, role, purpose and inputs", 1)


def _odd_inputs(file: Path, lines: list[str], head: FrontMatter) -> Iterator[PromptRefused]:
    line = _line_of(lines, ("inputs",))
    for name in sorted({name for name in head.inputs if head.inputs.count(name) > 1}):
        yield PromptRefused(file, line, f"input {name!r} is declared twice; keep one", 1)
    for name in sorted(_RESERVED.intersection(head.inputs)):
        yield PromptRefused(file, line, f"no input can be called {name!r}; choose another name", 1)


def _line_of(lines: list[str], keys: tuple[Any, ...]) -> int:
    return next((i for i, text in enumerate(lines, start=2) if text.partition(":")[0] in keys), 2)
