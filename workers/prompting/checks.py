"""What is checked of a template before it is used, once per version: rendering checks nothing but its inputs.

`refusals` finds everything that is wrong with a file, for its author; whoever loads a file stops at the first.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.lexer import Lexer
from jinja2.sandbox import ImmutableSandboxedEnvironment

from contracts.subjects import is_token
from workers.prompting import syntax
from workers.prompting.blocks import data_block
from workers.prompting.errors import PromptRefused
from workers.prompting.frontmatter import Head
from workers.prompting.places import PlacedLexer
from workers.prompting.slots import behind_system
from workers.prompting.source import MAX_FILE, Section, lines_of, taken_apart, unseen_in

SHIPPED = Path(__file__).resolve().parents[2] / "prompts"
"""The templates that come with Flotilla, in a checkout as in an installed wheel."""

_WHAT_THERE_IS = 'templates have {{ input | data("name") }}, {% if input %} … {% endif %} and text'


class Environment(ImmutableSandboxedEnvironment):
    """Jinja without anything to call, to load or to filter with, except for `data`."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, loader=None, trim_blocks=True, lstrip_blocks=True)
        self.globals.clear()
        self.tests.clear()
        self.filters.clear()
        self.filters["data"] = lambda value, name: data_block(name, value)

    @cached_property
    def lexer(self) -> Lexer:
        """A lexer that knows columns."""
        return PlacedLexer(self)


def content_of(file: Path) -> bytes:
    """What is in the file, up to a byte more than it may have."""
    with file.open("rb") as stream:
        return stream.read(MAX_FILE + 1)


def text_of(file: Path, content: bytes) -> str:
    """The content as text; raises `PromptRefused`."""
    if len(content) > MAX_FILE:
        raise PromptRefused(file, 1, f"the file has more than {MAX_FILE:,} bytes; make it shorter", 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode().split("\n")
        why = f"the file is no UTF-8: {error.reason}; save it as UTF-8"
        raise PromptRefused(file, len(before), why, len(before[-1]) + 1) from None


def refusals(file: Path, content: bytes) -> list[PromptRefused]:
    """Everything for which a template is refused, in the order of the file."""
    try:
        parts = taken_apart(file, text_of(file, content))
    except PromptRefused as error:
        return [error]
    found = [*parts.refused, *template_refusals(file, parts.head, parts.sections), *_unknown_persona(file, parts.head)]
    return sorted(found, key=lambda one: (one.line, one.column))


def template_refusals(file: Path, front: Head | None, sections: tuple[Section, ...]) -> Iterator[PromptRefused]:
    """Everything that the parts of a file may not do. Without a head any input counts as declared."""
    head = front.matter if front else None
    if head and (head.role, head.name) != (file.parent.name, file.stem):
        yield PromptRefused(file, 2, f"{head.role}/{head.name} must lie at {head.role}/{head.name}.md", 1)
    environment, used, whole = Environment(), set[str](), True
    for section in sections:
        try:
            tree = environment.parse(section.text)
        except (TemplateSyntaxError, RecursionError, ValueError) as error:
            whole = False
            yield _unreadable(file, section, error)
            continue
        beyond = syntax.beyond(tree)
        names = frozenset[str]() if beyond else syntax.shown(tree)
        inputs = frozenset(head.inputs) if head else names
        for fault in [beyond] if beyond else syntax.faults(tree, section.role, inputs):
            yield _refused(file, section, fault.line, fault.why)
        used |= names
        whole = whole and not beyond
    if front and whole and sections:
        yield from _disproportions(file, front, sections, used)


def _disproportions(file: Path, front: Head, sections: tuple[Section, ...], used: set[str]) -> Iterator[PromptRefused]:
    """Where the head and the sections, each right by itself, do not go together."""
    head = front.matter
    if idle := [name for name in head.inputs if name not in used]:
        why = f"declared but never shown: {', '.join(idle)}; show it, or take it out of the inputs"
        yield front.refused(file, why, "inputs", idle[0])
    behind = behind_system(head.thinking, head.examples, head.constraints)
    size = sum(len(section.text) for section in sections) + len(behind)
    if size > head.limits.rendered:
        why = f"the text alone has {size:,} characters; limits.rendered is {head.limits.rendered:,}"
        yield front.refused(file, why, "limits", "rendered")


def _unknown_persona(file: Path, front: Head | None) -> Iterator[PromptRefused]:
    """The persona lies beside the template, or comes with Flotilla."""
    if not front or not (persona := front.matter.persona):
        return
    folders = (file.parent / "personas", SHIPPED / front.matter.role / "personas")
    if not any((folder / f"{persona}.md").is_file() for folder in folders):
        known = ", ".join(sorted({one.stem for folder in folders for one in folder.glob("*.md")})) or "none"
        why = f"role {front.matter.role} has no persona {persona!r}; there are {known}"
        yield front.refused(file, why, "persona")


def _unreadable(file: Path, section: Section, error: Exception) -> PromptRefused:
    if isinstance(error, TemplateSyntaxError):
        return _refused(file, section, error.lineno, f"{str(error.message).rstrip('.')}; {_WHAT_THERE_IS}")
    if isinstance(error, RecursionError):
        return _refused(file, section, 1, f"something in this section is nested too deep; {_WHAT_THERE_IS}")
    return _refused(file, section, 1, f"a number in this section is too long; {_WHAT_THERE_IS}")


def _refused(file: Path, section: Section, line: int, why: str) -> PromptRefused:
    return PromptRefused(file, section.line + line - 1, why, getattr(line, "column", 1))


def persona_refusals(file: Path, content: bytes) -> list[PromptRefused]:
    """Everything for which a persona is refused."""
    try:
        lines = lines_of(text_of(file, content))
    except PromptRefused as error:
        return [error]
    found = list(unseen_in(file, lines))
    if not any(line.strip() for line in lines):
        found.append(PromptRefused(file, 1, "the persona is empty; write who it is and what it looks at", 1))
    if not is_token(file.stem):
        why = f"{file.stem!r} can't name a persona; use 1 to 64 of A-Z a-z 0-9 _ -"
        found.append(PromptRefused(file, 1, why, 1))
    return found
