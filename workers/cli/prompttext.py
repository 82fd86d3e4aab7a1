"""Templates as lines and as JSON: a table where the terminal is wide enough, else a few lines for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workers.cli.figures import plain
from workers.cli.modeltable import hanging
from workers.prompting.errors import PromptRefused
from workers.prompting.slots import Limits
from workers.prompting.template_history import CANDIDATE, LIVE, TemplateHistory
from workers.prompting.templates import SHIPPED, Prompt

HEADS = ("prompt", "version", "from", "inputs")


@dataclass(frozen=True)
class Row:
    """A prompt, the personas of its role, what the fleet says of it if one was asked, and whether it is a file here.

    `plain` is the prompt without persona, if it has one. `by_default` is the persona if only the front matter names it.
    """

    prompt: Prompt
    personas: Sequence[str] = ()
    history: TemplateHistory | None = None
    is_file: bool = True
    plain: Prompt | None = None
    by_default: str = ""

    @property
    def named(self) -> Prompt:
        """What it goes by: as a persona sees it only where somebody asked for that."""
        return self.plain if self.plain and self.by_default else self.prompt

    @property
    def version(self) -> str:
        """The version of the template, whatever persona it is seen with."""
        return (self.plain or self.prompt).version

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that name this version, `live` first."""
        if self.history is None:
            return ()
        live = self.version if self.history.live is None and self.is_file else self.history.live
        named = {LIVE: live, **self.history.labels}
        return tuple(label for label, version in named.items() if version == self.version)


def listed(rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """The table; in a terminal too narrow for it a block per prompt. What the fleet says is in a column of its own."""
    has_fleet = any(row.history is not None for row in rows)
    heads = (*HEADS, "fleet") if has_fleet else HEADS
    cells = [_cells(row)[: len(heads)] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        for texts in (heads, *cells):
            yield "  ".join(f"{text:<{wide}}" for text, wide in zip(texts, widths, strict=True)).rstrip()
        return
    for name, version, whence, inputs, *fleet in cells:
        yield from hanging(f"{name}  {version}  {whence}", width, 4)
        yield from hanging(f"  inputs {inputs}", width, 4)
        for said in fleet:
            if said != "-":
                yield from hanging(f"  {said}", width, 4)


def _cells(row: Row) -> tuple[str, ...]:
    inputs = ", ".join(row.prompt.inputs) or "none"
    return row.prompt.name, row.prompt.version, _whence(row), inputs, _fleet(row)


def _whence(row: Row) -> str:
    if not row.is_file:
        return "pushed"
    return "shipped" if _is_shipped(row.prompt) else str(row.prompt.source.file)


def _is_shipped(prompt: Prompt) -> bool:
    return prompt.source.file.is_relative_to(SHIPPED)


def _fleet(row: Row) -> str:
    """What the fleet says beyond the version that is live."""
    history = row.history
    if history is None:
        return "-"
    running = history.running
    own = (LIVE, CANDIDATE) if running else (LIVE,)
    said = [f"{label} {version}" for label, version in history.labels.items() if label not in own]
    if running:
        said.append(f"experiment {running.k}: {running.started.candidate} gets {running.share / 10_000:g} %")
    if history.improvement and history.improvement.on:
        said.append("improves itself")
    return ", ".join(said) or "-"


def shown(row: Row, width: int | None) -> Iterator[str]:
    """The front matter, then each message below a line with its role; a persona stands where a model gets it."""
    yield from hanging(f"{row.named.name}  {row.named.version}", width, 4)
    for key, text in _head(row):
        yield from hanging(f"  {key:<8}  {text}", width, 12)
    for message in messages(row.prompt):
        yield ""
        yield f"[{message['role']}]"
        for line in message["text"].split("\n"):
            yield from hanging(line, width, len(line) - len(line.lstrip()))


def _head(row: Row) -> Iterator[tuple[str, str]]:
    prompt = row.prompt
    yield "purpose", prompt.purpose
    yield "inputs", ", ".join(map(_input, prompt.source.head.inputs.items())) or "none"
    if prompt.reply:
        yield "reply", ", ".join(prompt.reply)
    if prompt.thinking != "none":
        yield "thinking", prompt.thinking
    if slot := prompt.examples:
        yield "examples", f"{slot.most} at most, like {slot.like}; at most {slot.copies:.0%} of an answer copied"
    if prompt.limits != Limits():
        limits = prompt.limits
        yield "limits", f"{limits.rendered:,} characters asked, {limits.output_tokens:,} tokens answered"
    if prompt.source.head.output != "schema":
        yield "output", "the reply's schema is shown in the system message"
    yield "personas", ", ".join(row.personas) or "none"
    if row.by_default:
        yield "seen as", f"{row.by_default}, if a task names nobody else; the journal cites {prompt.version} then"
    if row.is_file:
        yield "file", str(prompt.source.file)
    elif row.history and (pushed := row.history.versions.get(row.version)):
        note = f": {plain(pushed.note)}" if pushed.note else ""
        yield "pushed", f"by {plain(pushed.by) or 'somebody'}{note}"
    if row.history is not None:
        yield "labels", ", ".join(row.labels) or "none"
        if row.history.examples:
            yield "kept", f"{len(row.history.examples)} examples"


def _input(stated: tuple[str, object]) -> str:
    """An input with its contract, unless that is just anything."""
    name, contract = stated
    return name if str(contract) == "json" else f"{name} ({contract})"


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The messages as templates with the slots' texts, in the order in which a model gets them."""
    found = [{"role": str(section.role), "text": section.text} for section in prompt.source.sections]
    behind = [text for text in (prompt.slots, prompt.persona) if text]
    if not behind:
        return found
    system = [message["text"] for message in found if message["role"] == "system"]
    users = [message for message in found if message["role"] == "user"]
    return [{"role": "system", "text": "\n\n".join([*system, *behind])}, *users]


def as_json(row: Row) -> dict[str, Any]:
    """A template without its messages; `fleet` is there if one was asked."""
    prompt = row.prompt
    found: dict[str, Any] = {
        "prompt": row.named.name,
        "version": row.named.version,
        "purpose": prompt.purpose,
        "inputs": list(prompt.inputs),
        "from": ("shipped" if _is_shipped(prompt) else "own") if row.is_file else "pushed",
        "file": str(prompt.source.file) if row.is_file else None,
        "personas": list(row.personas),
    }
    return found if row.history is None else found | {"fleet": _fleet_as_json(row, row.history)}


def _fleet_as_json(row: Row, history: TemplateHistory) -> dict[str, Any]:
    running = history.running
    return {
        "labels": dict(history.labels),
        "versions": list(history.versions),
        "labelled": list(row.labels),
        "experiment": running.k if running else None,
        "share": running.share / 1_000_000 if running else None,
        "improves": bool(history.improvement and history.improvement.on),
        "examples": len(history.examples),
    }


def contents_as_json(row: Row) -> dict[str, Any]:
    """What is in it, what its front matter says of the answer, and as whom models see it if nobody says."""
    prompt, head = row.prompt, row.prompt.source.head
    seen_as = {"persona": row.by_default, "version": prompt.version} if row.by_default else None
    slots = {
        "contracts": {name: str(contract) for name, contract in head.inputs.items()},
        "reply": list(prompt.reply),
        "thinking": prompt.thinking,
        "examples": prompt.examples.model_dump() if prompt.examples else None,
        "constraints": list(head.constraints),
        "output": head.output,
        "limits": prompt.limits.model_dump(),
    }
    return {**slots, "seen_as": seen_as, "messages": messages(prompt)}


def refusal_as_json(refused: PromptRefused) -> dict[str, Any]:
    """One refusal."""
    place = {"file": refused.file, "line": refused.line, "column": refused.column}
    return {"type": "refusal", **place, "why": refused.why}
