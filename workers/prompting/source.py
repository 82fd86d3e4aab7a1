"""A template file taken apart: YAML front matter, then one section per message.

A section begins with a line that is exactly `# system` or `# user` outside of code fences. The role
of a message is fixed here, before anything is rendered, so no value can ever add a message.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from workers.prompting.errors import PromptRefused

MessageRole = Literal["system", "user"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

_HEADINGS: dict[str, MessageRole] = {"# system": "system", "# user": "user"}
_NEARLY_A_HEADING = re.compile(r"\s*#\s*(system|user|assistant)\s*", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


class FrontMatter(BaseModel):
    """The head of a template. `inputs` are the names that must be given, no more and no fewer."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    role: Name
    purpose: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    inputs: Annotated[list[Name], "in the order of the file"]


@dataclass(frozen=True)
class Section:
    """One message's template. `line` is the file's line (from 1) that `text` begins at."""

    role: MessageRole
    line: int
    text: str


@dataclass(frozen=True)
class Source:
    """A template file, parsed and not yet compiled."""

    file: Path
    head: FrontMatter
    sections: tuple[Section, ...]


def parse(file: Path, text: str) -> Source:
    """Take the text of `file` apart; raises `PromptRefused`."""
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        raise PromptRefused(file, 1, "a template begins with YAML front matter between two lines of '---'")
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), None)
    if end is None:
        raise PromptRefused(file, 1, "the front matter has no end; close it with a line of '---'")
    return Source(file, _head(file, lines[1:end]), _sections(file, lines, end + 1))


def _head(file: Path, lines: list[str]) -> FrontMatter:
    try:
        return FrontMatter.model_validate(yaml.safe_load("\n".join(lines)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = f"the front matter is no YAML: {getattr(error, 'problem', error)}"
        raise PromptRefused(file, 2 + (mark.line if mark else 0), why) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "front matter"
        line = next((i for i, text in enumerate(lines, start=2) if text.partition(":")[0] in first["loc"]), 2)
        raise PromptRefused(file, line, f"{where}: {first['msg']}; it needs name, role, purpose and inputs") from None


def _sections(file: Path, lines: list[str], start: int) -> tuple[Section, ...]:
    found: list[tuple[MessageRole, int]] = []
    for index in _outside_of_fences(file, lines, start):
        line = lines[index]
        if line in _HEADINGS:
            found.append((_HEADINGS[line], index))
        elif _NEARLY_A_HEADING.fullmatch(line):
            raise PromptRefused(file, index + 1, f"{line!r} begins no section; write exactly '# system' or '# user'")
        elif not found and line.strip():
            raise PromptRefused(file, index + 1, "text before the first section; begin with '# system' or '# user'")
    roles = [role for role, _ in found]
    if not roles or "system" in roles[1:] or roles[-1] != "user":
        raise PromptRefused(file, start + 1, "a template has at most one '# system', first, and ends with a '# user'")
    ends = [index for _, index in found[1:]] + [len(lines)]
    return tuple(_section(file, lines, *at, end) for at, end in zip(found, ends, strict=True))


def _section(file: Path, lines: list[str], role: MessageRole, heading: int, end: int) -> Section:
    first = next((i for i in range(heading + 1, end) if lines[i].strip()), None)
    if first is None:
        raise PromptRefused(file, heading + 1, f"the {role} section is empty")
    return Section(role, first + 1, "\n".join(line.rstrip() for line in lines[first:end]).rstrip())


def _outside_of_fences(file: Path, lines: list[str], start: int) -> list[int]:
    outside: list[int] = []
    fence, opened = "", start
    for index in range(start, len(lines)):
        mark = _FENCE.fullmatch(lines[index])
        if not fence:
            outside.append(index)
            if mark:
                fence, opened = mark[1], index
        elif mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
    if fence:
        raise PromptRefused(file, opened + 1, "the code fence that begins here is never closed")
    return outside
