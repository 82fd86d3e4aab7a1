"""Templates as lines and as JSON: a table where the terminal is wide enough, else a few lines for each."""

from collections.abc import Iterator, Sequence
from typing import Any

from workers.cli.modeltable import hanging
from workers.prompting.errors import PromptRefused
from workers.prompting.templates import SHIPPED, Prompt

HEADS = ("prompt", "version", "from", "inputs", "personas")

Row = tuple[Prompt, Sequence[str]]
"""A prompt, and the personas of its role."""


def listed(rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """The table; in a terminal too narrow for it a block per prompt."""
    cells = [_cells(*row) for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        for texts in (HEADS, *cells):
            yield "  ".join(f"{text:<{wide}}" for text, wide in zip(texts, widths, strict=True)).rstrip()
        return
    for name, version, whence, inputs, personas in cells:
        yield from hanging(f"{name}  {version}  {whence}", width, 4)
        yield from hanging(f"  inputs {inputs}", width, 4)
        if personas != "-":
            yield from hanging(f"  personas {personas}", width, 4)


def _cells(prompt: Prompt, personas: Sequence[str]) -> tuple[str, ...]:
    inputs = ", ".join(prompt.inputs) or "none"
    return prompt.name, prompt.version, _whence(prompt), inputs, ", ".join(personas) or "-"


def _whence(prompt: Prompt) -> str:
    return "shipped" if prompt.source.file.is_relative_to(SHIPPED) else str(prompt.source.file)


def shown(prompt: Prompt, personas: Sequence[str], width: int | None) -> Iterator[str]:
    """The front matter, then each message below a line with its role; a persona stands where a model gets it."""
    yield from hanging(f"{prompt.name}  {prompt.version}", width, 4)
    head = (("purpose", prompt.purpose), ("inputs", ", ".join(prompt.inputs) or "none"))
    for key, text in (*head, ("personas", ", ".join(personas) or "none"), ("file", str(prompt.source.file))):
        yield from hanging(f"  {key:<8}  {text}", width, 12)
    for message in messages(prompt):
        yield ""
        yield f"[{message['role']}]"
        for line in message["text"].split("\n"):
            yield from hanging(line, width, len(line) - len(line.lstrip()))


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The messages as templates, in the order in which a model gets them."""
    found = [{"role": str(section.role), "text": section.text} for section in prompt.source.sections]
    if not prompt.persona:
        return found
    system = [message["text"] for message in found if message["role"] == "system"]
    users = [message for message in found if message["role"] == "user"]
    return [{"role": "system", "text": "\n\n".join([*system, prompt.persona])}, *users]


def as_json(prompt: Prompt, personas: Sequence[str]) -> dict[str, Any]:
    """A template without its messages."""
    return {
        "prompt": prompt.name,
        "version": prompt.version,
        "purpose": prompt.purpose,
        "inputs": list(prompt.inputs),
        "from": "shipped" if prompt.source.file.is_relative_to(SHIPPED) else "own",
        "file": str(prompt.source.file),
        "personas": list(personas),
    }


def contents_as_json(prompt: Prompt) -> dict[str, Any]:
    """What is in it."""
    return {"messages": messages(prompt)}


def refusal_as_json(refused: PromptRefused) -> dict[str, Any]:
    """One refusal."""
    place = {"file": refused.file, "line": refused.line, "column": refused.column}
    return {"type": "refusal", **place, "why": refused.why}
