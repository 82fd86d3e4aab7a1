"""A template file taken apart: YAML front matter, then one section per message.

A section begins with a line that is exactly `# system` or `# user` outside of code fences. The role
of a message is fixed here, before anything is rendered, so no value can ever add a message.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workers.prompting.errors import PromptRefused
from workers.prompting.frontmatter import FrontMatter, Head, head_of
from workers.prompting.unseen import first_unseen, looks_like

MessageRole = Literal["system", "user"]

MAX_FILE = 256 * 1024
"""Bytes of a template or persona; the longest that is shipped has 9,000."""

MAX_SECTIONS = 16

_HEADINGS: dict[str, MessageRole] = {"# system": "system", "# user": "user"}
_NEARLY_A_HEADING = re.compile(r"#\s*(system|user|assistant|developer)\s*:?")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")


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
    front: Head
    sections: tuple[Section, ...]

    @property
    def head(self) -> FrontMatter:
        """What the front matter says."""
        return self.front.matter


@dataclass(frozen=True)
class Parts:
    """What could be made out in a file, and everything for which it is refused, in the order of the file."""

    head: Head | None
    sections: tuple[Section, ...]
    refused: tuple[PromptRefused, ...]


def parse(file: Path, text: str) -> Source:
    """Take the text of `file` apart; raises `PromptRefused`, the first if there are several."""
    parts = taken_apart(file, text)
    if parts.refused or parts.head is None:
        raise parts.refused[0]
    return Source(file, parts.head, parts.sections)


def taken_apart(file: Path, text: str) -> Parts:
    """The parts of the text of `file`, however many faults it has."""
    lines = lines_of(text)
    hidden = list(unseen_in(file, lines))
    if lines[0].rstrip() != "---":
        why = "a template begins with YAML front matter between two lines of '---'"
        return Parts(None, (), (*hidden, PromptRefused(file, 1, why, 1)))
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), None)
    if end is None:
        why = "the front matter has no end; close it with a line of '---'"
        return Parts(None, (), (*hidden, PromptRefused(file, 1, why, 1)))
    head, wrong = head_of(file, lines[1:end])
    sections, misplaced = _sections(file, lines, end + 1)
    return Parts(head, sections, (*hidden, *wrong, *misplaced))


def lines_of(text: str) -> list[str]:
    """The lines as an editor counts them: they end with LF or CRLF, and with nothing else."""
    return text.replace("\r\n", "\n").split("\n")


def unseen_in(file: Path, lines: list[str]) -> Iterator[PromptRefused]:
    """A refusal for each line with characters that nobody sees as they are."""
    for number, line in enumerate(lines, start=1):
        if found := first_unseen(line):
            column, name = found
            yield PromptRefused(file, number, f"nobody sees {name} in this line; take it out", column)


def _sections(file: Path, lines: list[str], start: int) -> tuple[tuple[Section, ...], list[PromptRefused]]:
    outside, refused = _outside_of_fences(file, lines, start)
    found: list[tuple[MessageRole, int]] = []
    for index in outside:
        line = lines[index]
        if line in _HEADINGS:
            found.append((_HEADINGS[line], index))
        elif _NEARLY_A_HEADING.fullmatch(looks_like(line).strip()):
            why = f"{line!a} begins no section; write exactly '# system' or '# user', or another heading"
            refused.append(PromptRefused(file, index + 1, why, _column(line)))
        elif not found and line.strip() and not refused:
            why = "text before the first section; begin with '# system' or '# user'"
            refused.append(PromptRefused(file, index + 1, why, _column(line)))
    roles = [role for role, _ in found]
    if len(found) > MAX_SECTIONS:
        why = f"{len(found)} sections; a template has at most {MAX_SECTIONS}, join some"
        return (), [*refused, PromptRefused(file, found[MAX_SECTIONS][1] + 1, why, 1)]
    if not refused and (not roles or "system" in roles[1:] or roles[-1] != "user"):
        why = "a template has at most one '# system', first, and ends with a '# user'"
        refused.append(PromptRefused(file, start + 1, why, 1))
    ends = [*[index for _, index in found[1:]], len(lines)][: len(found)]
    made = [_section(file, lines, *at, end) for at, end in zip(found, ends, strict=True)]
    refused += [one for one in made if isinstance(one, PromptRefused)]
    return tuple(one for one in made if isinstance(one, Section)), refused


def _section(file: Path, lines: list[str], role: MessageRole, heading: int, end: int) -> Section | PromptRefused:
    first = next((i for i in range(heading + 1, end) if lines[i].strip()), None)
    if first is None:
        why = f"the {role} section is empty; write its text below, or take the heading out"
        return PromptRefused(file, heading + 1, why, 1)
    return Section(role, first + 1, "\n".join(line.rstrip() for line in lines[first:end]).rstrip())


def _outside_of_fences(file: Path, lines: list[str], start: int) -> tuple[list[int], list[PromptRefused]]:
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
    if not fence:
        return outside, []
    why = "the code fence that begins here is never closed; close it with a line of the same marks"
    return outside, [PromptRefused(file, opened + 1, why, _column(lines[opened]))]


def _column(line: str) -> int:
    return len(line) - len(line.lstrip()) + 1
