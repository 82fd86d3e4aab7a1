"""Prompts: templates from `prompts/<role>/<name>.md`, checked when loaded, rendered strictly.

Each section is a template of its own. Untrusted input appears in user messages only, as data blocks.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workers.prompting import syntax
from workers.prompting.blocks import data_block
from workers.prompting.errors import PromptRefused, TooLong, UnknownPrompt, WrongInputs
from workers.prompting.source import MessageRole, Section, Source, parse

SHIPPED = Path(__file__).resolve().parents[2] / "prompts"
"""The templates that come with Flotilla, in a checkout as in an installed wheel."""

MAX_RENDERED = 4_000_000
"""Characters of one message; about a million tokens, more than any model reads."""


@dataclass(frozen=True)
class RenderedMessage:
    """One message, ready to send."""

    role: MessageRole
    text: str


@dataclass(frozen=True)
class Rendered:
    """A prompt with its inputs filled in; `name` and `version` are what the journal cites."""

    name: str
    version: str
    messages: tuple[RenderedMessage, ...]


@dataclass(frozen=True)
class Prompt:
    """A checked template. `name` is `<role>/<name>`; `version` names its content."""

    name: str
    purpose: str
    inputs: tuple[str, ...]
    version: str
    parts: tuple[tuple[MessageRole, Template], ...]

    def render(self, inputs: Mapping[str, Any]) -> Rendered:
        """Fill in the inputs; raises `WrongInputs` and `TooLong`."""
        missing, unknown = sorted(set(self.inputs) - set(inputs)), sorted(set(inputs) - set(self.inputs))
        if missing or unknown:
            wrong = [
                f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names
            ]
            raise WrongInputs(f"prompt {self.name} takes {', '.join(self.inputs) or 'no inputs'}; {'; '.join(wrong)}")
        messages = tuple(RenderedMessage(role, template.render(inputs)) for role, template in self.parts)
        longest = max(len(message.text) for message in messages)
        if longest > MAX_RENDERED:
            raise TooLong(f"prompt {self.name} came to {longest:,} characters; the limit is {MAX_RENDERED:,}")
        return Rendered(self.name, self.version, messages)


class Prompts:
    """Checked templates, by name."""

    def __init__(self, prompts: Mapping[str, Prompt]) -> None:
        self._prompts = dict(prompts)

    @classmethod
    def load(cls, own: Path | None = None) -> "Prompts":
        """The shipped prompts; those in the folder `own` take the place of shipped ones of the same name."""
        return cls({**_read(SHIPPED), **(_read(own) if own else {})})

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts.values())

    def named(self, name: str) -> Prompt:
        """The prompt `<role>/<name>`; raises `UnknownPrompt`."""
        if name not in self._prompts:
            raise UnknownPrompt(f"there is no prompt {name!r}; known are {', '.join(sorted(self._prompts)) or 'none'}")
        return self._prompts[name]


def _read(root: Path) -> dict[str, Prompt]:
    if not root.is_dir():
        raise UnknownPrompt(f"there is no folder of prompts at {root}; make it, or point to another one")
    loaded = (compiled(parse(file, _text(file))) for file in sorted(root.glob("*/*.md")))
    return {prompt.name: prompt for prompt in loaded}


def _text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PromptRefused(file, line, f"the file is no UTF-8: {error.reason}") from None


def compiled(source: Source) -> Prompt:
    """Check the sections and compile them; raises `PromptRefused`."""
    head, file = source.head, source.file
    if (head.role, head.name) != (file.parent.name, file.stem):
        raise PromptRefused(file, 2, f"{head.role}/{head.name} must lie at {head.role}/{head.name}.md")
    environment = _environment()
    used = [_checked(environment, file, section, frozenset(head.inputs)) for section in source.sections]
    idle = sorted(set(head.inputs).difference(*used))
    if idle:
        raise PromptRefused(file, 2, f"declared but never shown: {', '.join(idle)}")
    parts = tuple((section.role, environment.from_string(section.text)) for section in source.sections)
    return Prompt(f"{head.role}/{head.name}", head.purpose, tuple(head.inputs), _version(source), parts)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, loader=None, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters["data"] = lambda value, name: data_block(name, value)
    return environment


def _checked(
    environment: ImmutableSandboxedEnvironment, file: Path, section: Section, inputs: frozenset[str]
) -> frozenset[str]:
    try:
        tree = environment.parse(section.text)
    except TemplateSyntaxError as error:
        raise PromptRefused(file, section.line + error.lineno - 1, str(error.message)) from None
    for fault in syntax.faults(tree, section.role, inputs):
        raise PromptRefused(file, section.line + fault.line - 1, fault.why)
    return syntax.shown(tree)


def _version(source: Source) -> str:
    """12 hexadecimal digits that change with anything that a model gets to see, and with nothing else."""
    sections = [[section.role, section.text] for section in source.sections]
    content = {"role": source.head.role, "name": source.head.name, "sections": sections}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
