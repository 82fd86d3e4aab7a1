"""The model calls of a run, as its journal has them: a block of lines for each, then what they came to."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len, chop_cells

from contracts.v1.journal import ModelCalled
from workers.cli.entries import Entry
from workers.cli.figures import count, dollars, plain

INDENT = "    "
LEFT_OUT = {"completion", "kind", "version", "tenant", "run"}
"""Fields that are not in the objects of a list; what was said is in `flotilla show RUN --json`."""


def journal_of(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries of the journal in order of the log, the spoiled ones with them."""
    return tuple(entry for entry in entries if entry.name.startswith("llm."))


def listed(journal: Sequence[Entry], width: int | None) -> Iterator[str]:
    """The lines on these calls and their total, none wider than `width`; None is without a limit."""
    for entry in journal:
        yield from _block(entry, width)
    yield from _folded(_total(_said(journal)), width, "")


def _said(journal: Iterable[Entry]) -> list[ModelCalled]:
    return [entry.message for entry in journal if isinstance(entry.message, ModelCalled)]


def _block(entry: Entry, width: int | None) -> Iterator[str]:
    call = entry.message
    if not isinstance(call, ModelCalled):
        yield from _folded([entry.name, f"spoiled: {entry.spoiled}"], width, "")
        return
    yield from _folded([entry.name, call.role, _whom(call), *_fate(call)], width, "")
    yield from _folded([f"{call.prompt}@{call.prompt_version}", *_parameters(call)], width, INDENT)
    yield from _folded([_tokens(call), _cost(call), _times(call), _finish(call)], width, INDENT)
    for tried in call.tries:
        yield from _folded([f"before it {tried.target}: {tried.kind}", tried.reason], width, INDENT)


def _whom(call: ModelCalled) -> str:
    return call.target if call.asked in ("", call.target) else f"{call.asked} → {call.target}"


def _fate(call: ModelCalled) -> list[str]:
    said = ["cut off, another one answered first"] if call.lost else []
    return [*said, "its words are kept out of the log"] if call.withheld else said


def _parameters(call: ModelCalled) -> list[str]:
    return [f"{name}={value}" for name, value in call.parameters.items()]


def _tokens(call: ModelCalled) -> str:
    shares = _shares(call.cached_input_tokens, call.reasoning_tokens)
    most = "at most " if call.estimated else ""
    return f"{most}{call.input_tokens:,} + {call.output_tokens:,} tokens{shares}"


def _shares(cached: int, reasoning: int) -> str:
    said = [f"{number:,} {word}" for number, word in ((cached, "cached"), (reasoning, "reasoning")) if number]
    return f" ({', '.join(said)})" if said else ""


def _cost(call: ModelCalled) -> str:
    most = "at most " if call.estimated and call.cost_usd is not None else ""
    return most + dollars(call.cost_usd)


def _times(call: ModelCalled) -> str:
    whole = f"{call.latency_ms / 1000:.1f} s"
    return whole if call.first_token_ms is None else f"{whole}, first token after {call.first_token_ms / 1000:.1f} s"


def _finish(call: ModelCalled) -> str:
    return call.stop if call.finish in ("", call.stop) else f"{call.stop} ({call.finish})"


def _total(calls: Sequence[ModelCalled]) -> list[str]:
    tokens_in, tokens_out = sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls)
    cached, reasoning = sum(call.cached_input_tokens for call in calls), sum(call.reasoning_tokens for call in calls)
    failed = sum(len(call.tries) for call in calls)
    said = [count(len(calls), "model call"), f"{tokens_in:,} + {tokens_out:,} tokens{_shares(cached, reasoning)}"]
    said.append(_sum(calls))
    return ["total", ", ".join(said), *([f"{count(failed, 'try', 'tries')} without an answer"] if failed else [])]


def _sum(calls: Sequence[ModelCalled]) -> str:
    unknown = sum(call.cost_usd is None for call in calls)
    known = dollars(_known_cost(calls))
    return f"{known} and {count(unknown, 'call')} of unknown cost" if unknown else known


def _known_cost(calls: Iterable[ModelCalled]) -> float:
    return math.fsum(call.cost_usd for call in calls if call.cost_usd is not None)


def _folded(parts: Iterable[str], width: int | None, indent: str) -> list[str]:
    """The parts with two spaces between them; what would be too wide goes on below, a little to the right."""
    lines, line, margin, further = list[str](), "", indent, indent + INDENT
    for gap, word in _words(parts):
        if line and (width is None or cell_len(margin + line + gap + word) <= width):
            line += gap + word
            continue
        if line:
            lines.append(margin + line)
            margin = further
        *full, line = [word] if width is None else chop_cells(word, max(1, width - len(further)))
        for piece in full:
            lines.append(margin + piece)
            margin = further
    return [*lines, margin + line]


def _words(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each word with the space before it."""
    for part in parts:
        for place, word in enumerate(plain(part).split()):
            yield ("  " if place == 0 else " "), word


def as_json(journal: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """An object for each call, without what was said, then the total."""
    for entry in journal:
        call = entry.message
        known = {} if call is None else call.model_dump(mode="json", exclude=LEFT_OUT)
        yield {
            "type": "call",
            "sequence": entry.sequence,
            "at": entry.at.isoformat(),
            "entry": entry.name,
            **known,
            "spoiled": entry.spoiled or None,
        }
    calls = _said(journal)
    yield {
        "type": "total",
        "calls": len(calls),
        "input_tokens": sum(call.input_tokens for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "cached_input_tokens": sum(call.cached_input_tokens for call in calls),
        "reasoning_tokens": sum(call.reasoning_tokens for call in calls),
        "cost_usd": None if any(call.cost_usd is None for call in calls) else _known_cost(calls),
        "tries": sum(len(call.tries) for call in calls),
    }
