"""Prompts: templates from `prompts/<role>/<name>.md`, checked when loaded, rendered strictly.

Each section is a template of its own. Untrusted input appears in user messages only, as data blocks.
A persona, `prompts/<role>/personas/<name>.md`, is prose that says with whose eyes a model is to see. It is as
trusted as a template, but nothing in it is rendered: it stands word for word behind the system section.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jinja2 import Template

from workers.prompting import checks
from workers.prompting.checks import Environment, content_of, persona_refusals, template_refusals, text_of
from workers.prompting.errors import TooLong, UnknownPersona, UnknownPrompt, WrongInputs
from workers.prompting.inputs import Contract
from workers.prompting.slots import ExampleSlot, Limits, behind_system, examples_shown
from workers.prompting.source import MessageRole, Source, lines_of, parse
from workers.prompting.thinking import Thinking

SHIPPED = checks.SHIPPED


@dataclass(frozen=True)
class RenderedMessage:
    """One message, ready to send."""

    role: MessageRole
    text: str


@dataclass(frozen=True)
class Rendered:
    """A prompt with its inputs filled in; `name` and `version` are what the journal cites.

    `thinking` says whether the reply gets a field for it, and with `shown` the reply's schema is to stand in the system
    message, before `persona`, which that ends with.
    """

    name: str
    version: str
    messages: tuple[RenderedMessage, ...]
    thinking: Thinking = "none"
    output_tokens: int = Limits().output_tokens
    shown: bool = False
    persona: str = ""

    def with_system(self, text: str) -> tuple[RenderedMessage, ...]:
        """The messages with this text at the end of the system message, yet before the persona."""
        if not self.persona:
            return _introduced(self.messages, text)
        system, *others = self.messages
        before = system.text.removesuffix(self.persona).removesuffix("\n\n")
        return _introduced([RenderedMessage("system", before), *others], text, self.persona)


@dataclass(frozen=True)
class Prompt:
    """A checked template. `name` is `<role>/<name>`, with `:<persona>` for one; `version` names all their content.

    `slots` is what stands behind the system section, and `persona` the prose behind that.
    """

    name: str
    purpose: str
    inputs: tuple[str, ...]
    version: str
    parts: tuple[tuple[MessageRole, Template], ...]
    source: Source
    persona: str = ""
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    reply: tuple[str, ...] = ()
    thinking: Thinking = "none"
    examples: ExampleSlot | None = None
    limits: Limits = field(default_factory=Limits)
    slots: str = ""

    def seen_as(self, name: str, prose: str) -> "Prompt":
        """This prompt for a model that is to see with the eyes of the persona of that name."""
        version = _digest({"prompt": self.version, "persona": prose})
        return replace(self, name=f"{self.name}:{name}", version=version, persona=prose)

    def misfits(self, inputs: Mapping[str, Any]) -> list[str]:
        """What is wrong with these inputs: missing and unknown ones, and those that do not fit their contract."""
        missing, unknown = sorted(set(self.inputs) - set(inputs)), sorted(set(inputs) - set(self.inputs))
        wrong = [f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names]
        for name, contract in self.contracts.items():
            if name in inputs and (faults := contract.faults(inputs[name])):
                wrong.append(f"{name} is no {contract}: {'; '.join(faults[:3])}")
        return wrong

    def render(self, inputs: Mapping[str, Any], examples: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Fill in the inputs; raises `WrongInputs` and `TooLong`.

        Examples are mappings with `inputs` of this prompt and their `reply`, at most as many as the slot has.
        """
        if wrong := self.misfits(inputs):
            takes = ", ".join(self.inputs) or "no inputs"
            raise WrongInputs(f"prompt {self.name} takes {takes}; {'; '.join(wrong)}")
        before = [RenderedMessage("user", self._shown(examples))] if examples else []
        messages, left = list[RenderedMessage](), self.limits.rendered - sum(len(one.text) for one in before)
        left -= len(self.slots) + len(self.persona)
        for role, part in self.parts:
            messages.append(RenderedMessage(role, self._filled(part, inputs, left)))
            left -= len(messages[-1].text)
        messages[-1:-1] = before
        whole = _introduced(messages, *(text for text in (self.slots, self.persona) if text))
        shown = self.source.head.output == "shown"
        return Rendered(self.name, self.version, whole, self.thinking, self.limits.output_tokens, shown, self.persona)

    def _shown(self, examples: Sequence[Mapping[str, Any]]) -> str:
        most = self.examples.most if self.examples else 0
        if len(examples) > most:
            takes = f"{most} at most" if most else "none: its front matter has no `examples`"
            raise WrongInputs(f"prompt {self.name} was given {len(examples)} examples; it takes {takes}")
        for number, one in enumerate(examples, start=1):
            if set(one) != {"inputs", "reply"} or not all(isinstance(part, Mapping) for part in one.values()):
                raise WrongInputs(
                    f"example {number} for prompt {self.name} must have `inputs` and `reply`, both objects"
                )
            if wrong := self.misfits(one["inputs"]):
                raise WrongInputs(f"example {number} does not fit prompt {self.name}: {'; '.join(wrong)}")
        return examples_shown(examples)

    def _filled(self, template: Template, inputs: Mapping[str, Any], most: int) -> str:
        """The template's text. Ends as soon as it is too long: a large input may be shown many times."""
        pieces, length = [], 0
        for piece in template.generate(inputs):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                limit = self.limits.rendered
                raise TooLong(
                    f"prompt {self.name} came to {limit - most + length:,} characters or more; the limit is {limit:,}"
                )
        return "".join(pieces)


def _introduced(messages: Sequence[RenderedMessage], *behind: str) -> tuple[RenderedMessage, ...]:
    """The messages with these texts behind the system message, or in its place where there is none."""
    if not behind:
        return tuple(messages)
    systems = [message.text for message in messages if message.role == "system"]
    users = [message for message in messages if message.role == "user"]
    return RenderedMessage("system", "\n\n".join(filter(None, (*systems, *behind)))), *users


class Prompts:
    """Checked templates by name, and the personas of each role by theirs."""

    def __init__(self, prompts: Mapping[str, Prompt], personas: Mapping[tuple[str, str], str] | None = None) -> None:
        self._prompts, self._personas = dict(prompts), dict(personas or {})

    @classmethod
    def load(cls, own: Path | None = None) -> "Prompts":
        """The shipped prompts and personas; those in the folder `own` take the place of shipped ones by name."""
        roots = [SHIPPED, *([own] if own else [])]
        prompts = {name: prompt for root in roots for name, prompt in _read(root).items()}
        personas = {name: prose for root in roots for name, prose in _personas_in(root).items()}
        for prompt in prompts.values():
            _has_its_persona(prompt, personas)
        return cls(prompts, personas)

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

    def seen(self, prompt: Prompt, persona: str | None = None) -> Prompt:
        """Any version of a prompt as this persona of its role sees it. Raises `UnknownPersona`.

        Without one it is the persona that the front matter names; where that names none, the prompt is as it is.
        """
        name = prompt.source.head.persona if persona is None else persona
        if persona is None and not name:
            return prompt
        role = prompt.name.partition("/")[0]
        if (role, name) not in self._personas:
            known = ", ".join(self.personas(role)) or "none"
            raise UnknownPersona(f"role {role} has no persona {name!r}; there are {known}")
        return prompt.seen_as(name, self._personas[role, name])

    def personas(self, role: str) -> tuple[str, ...]:
        """The names of the role's personas, sorted."""
        return tuple(sorted(name for of, name in self._personas if of == role))


def _read(root: Path) -> dict[str, Prompt]:
    if not root.is_dir():
        raise UnknownPrompt(f"there is no folder of prompts at {root}; make it, or point to another one")
    loaded = (compiled(parse(file, text_of(file, content_of(file)))) for file in template_files(root))
    return {prompt.name: prompt for prompt in loaded}


def _has_its_persona(prompt: Prompt, personas: Mapping[tuple[str, str], str]) -> None:
    head = prompt.source.head
    if head.persona and (head.role, head.persona) not in personas:
        known = ", ".join(sorted(name for role, name in personas if role == head.role)) or "none"
        why = f"role {head.role} has no persona {head.persona!r}; there are {known}"
        raise prompt.source.front.refused(prompt.source.file, why, "persona")


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
    for refused in template_refusals(source.file, source.front, source.sections):
        raise refused
    parts = tuple((section.role, environment.from_string(section.text)) for section in source.sections)
    slots = behind_system(head.thinking, head.examples, head.constraints)
    return Prompt(
        name=f"{head.role}/{head.name}", purpose=head.purpose, inputs=tuple(head.inputs),
        version=_version(source, slots),
        parts=parts, source=source, contracts=_checked(head.inputs), reply=tuple(head.reply), thinking=head.thinking,
        examples=head.examples, limits=head.limits, slots=slots,
    )  # fmt: skip


def compiled_text(role: str, name: str, content: str) -> Prompt:
    """The template `<role>/<name>` from a text that lies in no folder of prompts; raises `PromptRefused`."""
    file = Path(role) / f"{name}.md"
    return compiled(parse(file, text_of(file, content.encode(errors="surrogatepass"))))


def _checked(inputs: Mapping[str, Contract]) -> dict[str, Contract]:
    """Those that are not just anything."""
    return {name: contract for name, contract in inputs.items() if contract.kind != "json" or contract.many}


def _version(source: Source, slots: str) -> str:
    """12 hexadecimal digits that change with anything that a model is sent or that a task is held to.

    So the purpose, which is for people, is not in it, nor is how the file is written.
    """
    head = source.head
    sections = [[section.role, section.text] for section in source.sections]
    by_name: dict[str, Any] = {
        "contracts": {name: str(contract) for name, contract in _checked(head.inputs).items()},
        "reply": list(head.reply),
        "rendered": head.limits.rendered if head.limits.rendered != Limits().rendered else None,
        "slots": slots,
        "thinking": head.thinking if head.thinking != "none" else None,
        "examples": head.examples.model_dump() if head.examples else None,
        "persona": head.persona,
        "output": head.output if head.output != "schema" else None,
        "output_tokens": head.limits.output_tokens if head.limits.output_tokens != Limits().output_tokens else None,
    }
    used = {name: value for name, value in by_name.items() if value}
    return _digest({"role": head.role, "name": head.name, "sections": sections, **used})


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
