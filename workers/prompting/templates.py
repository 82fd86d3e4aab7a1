"""Prompts: templates from `prompts/<role>/<name>.md`, checked when loaded, rendered strictly.

Each section is a template of its own. Untrusted input appears in user messages only, as data blocks.
A persona, `prompts/<role>/personas/<name>.md`, is prose that says with whose eyes a model is to see. It is as
trusted as a template, but nothing in it is rendered: it stands word for word behind the system section.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Template

from workers.prompting.checks import Environment, content_of, persona_refusals, template_refusals, text_of
from workers.prompting.errors import TooLong, UnknownPersona, UnknownPrompt, WrongInputs
from workers.prompting.source import MessageRole, Source, lines_of, parse

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
    """A checked template. `name` is `<role>/<name>`, with `:<persona>` for one; `version` names all their content."""

    name: str
    purpose: str
    inputs: tuple[str, ...]
    version: str
    parts: tuple[tuple[MessageRole, Template], ...]
    source: Source
    persona: str = ""

    def seen_as(self, name: str, prose: str) -> "Prompt":
        """This prompt for a model that is to see with the eyes of the persona of that name."""
        version = _digest({"prompt": self.version, "persona": prose})
        return replace(self, name=f"{self.name}:{name}", version=version, persona=prose)

    def render(self, inputs: Mapping[str, Any]) -> Rendered:
        """Fill in the inputs; raises `WrongInputs` and `TooLong`."""
        missing, unknown = sorted(set(self.inputs) - set(inputs)), sorted(set(inputs) - set(self.inputs))
        if missing or unknown:
            wrong = [
                f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names
            ]
            raise WrongInputs(f"prompt {self.name} takes {', '.join(self.inputs) or 'no inputs'}; {'; '.join(wrong)}")
        messages = self._introduced([RenderedMessage(role, self._filled(part, inputs)) for role, part in self.parts])
        return Rendered(self.name, self.version, messages)

    def _filled(self, template: Template, inputs: Mapping[str, Any]) -> str:
        """The template's text. Ends as soon as it is too long: a large input may be shown many times."""
        pieces, length = [], 0
        for piece in template.generate(inputs):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_RENDERED:
                shown = f"{length:,} characters or more"
                raise TooLong(f"prompt {self.name} came to {shown}; the limit is {MAX_RENDERED:,}")
        return "".join(pieces)

    def _introduced(self, messages: list[RenderedMessage]) -> tuple[RenderedMessage, ...]:
        """The messages with the persona behind the system section, or in its place where there is none."""
        if not self.persona:
            return tuple(messages)
        systems = [message.text for message in messages if message.role == "system"]
        users = [message for message in messages if message.role == "user"]
        return RenderedMessage("system", "\n\n".join([*systems, self.persona])), *users


class Prompts:
    """Checked templates by name, and the personas of each role by theirs."""

    def __init__(self, prompts: Mapping[str, Prompt], personas: Mapping[tuple[str, str], str] | None = None) -> None:
        self._prompts, self._personas = dict(prompts), dict(personas or {})

    @classmethod
    def load(cls, own: Path | None = None) -> "Prompts":
        """The shipped prompts and personas; those in the folder `own` take the place of shipped ones by name."""
        roots = [SHIPPED, *([own] if own else [])]
        prompts = {name: prompt for root in roots for name, prompt in _read(root).items()}
        return cls(prompts, {name: prose for root in roots for name, prose in _personas_in(root).items()})

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts.values())

    def named(self, name: str) -> Prompt:
        """The prompt `<role>/<name>`, or `<role>/<name>:<persona>`: the prompt as this persona of the role sees it.

        Raises `UnknownPrompt` and `UnknownPersona`.
        """
        plain, colon, persona = name.partition(":")
        if plain not in self._prompts:
            raise UnknownPrompt(f"there is no prompt {plain!r}; known are {', '.join(sorted(self._prompts)) or 'none'}")
        return self.seen(self._prompts[plain], persona if colon else None)

    def seen(self, prompt: Prompt, persona: str | None) -> Prompt:
        """Any version of a prompt as this persona of its role sees it, or as it is. Raises `UnknownPersona`."""
        if persona is None:
            return prompt
        role = prompt.name.partition("/")[0]
        if (role, persona) not in self._personas:
            known = ", ".join(self.personas(role)) or "none"
            raise UnknownPersona(f"role {role} has no persona {persona!r}; there are {known}")
        return prompt.seen_as(persona, self._personas[role, persona])

    def personas(self, role: str) -> tuple[str, ...]:
        """The names of the role's personas, sorted."""
        return tuple(sorted(name for of, name in self._personas if of == role))


def _read(root: Path) -> dict[str, Prompt]:
    if not root.is_dir():
        raise UnknownPrompt(f"there is no folder of prompts at {root}; make it, or point to another one")
    loaded = (compiled(parse(file, text_of(file, content_of(file)))) for file in template_files(root))
    return {prompt.name: prompt for prompt in loaded}


def template_files(root: Path) -> list[Path]:
    """The templates in a folder of prompts."""
    return sorted(root.glob("*/*.md"))


def persona_files(root: Path) -> list[Path]:
    """The personas in a folder of prompts."""
    return sorted(root.glob("*/personas/*.md"))


def _personas_in(root: Path) -> dict[tuple[str, str], str]:
    return {(file.parents[1].name, file.stem): _prose(file) for file in persona_files(root)}


def _prose(file: Path) -> str:
    """A persona's text, without what no model can see."""
    content = content_of(file)
    for refused in persona_refusals(file, content):
        raise refused
    return "\n".join(line.rstrip() for line in lines_of(text_of(file, content))).strip()


def compiled(source: Source) -> Prompt:
    """Check the sections and compile them; raises `PromptRefused`."""
    head, environment = source.head, Environment()
    for refused in template_refusals(source.file, head, source.sections):
        raise refused
    parts = tuple((section.role, environment.from_string(section.text)) for section in source.sections)
    return Prompt(f"{head.role}/{head.name}", head.purpose, tuple(head.inputs), _version(source), parts, source)


def _version(source: Source) -> str:
    """12 hexadecimal digits that change with anything that a model gets to see, and with nothing else."""
    sections = [[section.role, section.text] for section in source.sections]
    return _digest({"role": source.head.role, "name": source.head.name, "sections": sections})


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
