"""What came of a task as text that people compare: what it says, then each file, and nothing that names the task."""

import json
from collections.abc import Sequence
from difflib import unified_diff
from typing import Any

from contracts.message import Message
from contracts.v1.tasks import Outcome
from workers.runtime.ports import ArtifactMissing, Artifacts

LONGEST_OUTPUT = 60_000
LONGEST_DIFF = 8_000
"""Characters."""

_WHOSE = {"tenant", "run", "task", "attempt", "calls", "kind", "version", "files", "voter", "ballot", "target",
          "signature"}  # fmt: skip


async def output_of(outcome: Outcome, first: Sequence[Message], artifacts: Artifacts) -> str:
    """The result, and the facts that would have been said before it, without whose they are."""
    told: list[Any] = [message.model_dump(mode="json", exclude=_WHOSE) for message in (outcome, *first)]
    parts = [json.dumps(one, indent=2, ensure_ascii=False) for one in told if one]
    size = sum(map(len, parts))
    for file in outcome.files:
        if size > LONGEST_OUTPUT:
            break
        try:
            content = (await artifacts.get(file.sha256)).decode(errors="replace")
        except ArtifactMissing:
            content = "(gone)"
        parts.append(f"=== {file.path}\n{content}")
        size += len(content)
    return "\n".join(parts)[:LONGEST_OUTPUT]


def difference(before: str, after: str, names: tuple[str, str]) -> str:
    """A unified diff, its end left out where it is too long; empty if there is none."""
    lines = unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="", n=2)
    text = "\n".join(lines)
    return text if len(text) <= LONGEST_DIFF else f"{text[:LONGEST_DIFF]}\n…"
