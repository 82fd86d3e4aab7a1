"""Histories of real runs, and facts made by hand.

The recorded ones are runs of a whole fleet with the built-in model, as the log held them: a line for each fact with its
sequence, time, subject and payload (completions cut short).
"""

import json
import lzma
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.message import Message
from contracts.subjects import name_of
from contracts.v1.journal import ModelCalled
from contracts.v1.projects import Criterion, Design, Evidence, FileRef, Module, Requirements
from workers.gateway.views.facts import RunFacts, Seen, fold, read
from workers.gateway.views.run import RunView, view
from workers.runtime.ports import Stored

EPOCH = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
IDS: dict[str, Any] = {"tenant": "acme", "run": "r"}
RECORDED = ("cancelled", "designs", "flaky", "hopeless", "own", "repaired-1", "repaired-2")


def _stored(name: str) -> list[Stored]:
    with lzma.open(Path(__file__).parent / "histories" / f"{name}.jsonl.xz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [Stored(n, datetime.fromisoformat(at), subject, data.encode()) for n, at, subject, data in rows]


class Making:
    """Makes facts of run `r` of tenant `acme`, one second apart, and views of them."""

    ids = IDS
    epoch = EPOCH
    sha = staticmethod(lambda digit: digit * 64)
    requirements = Requirements(
        title="Notes", package="notes", summary="", criteria=(Criterion(id="AC-1", statement="a note can be made"),)
    )

    def facts(self, *messages: Message | str) -> list[Seen]:
        """In this order; a name alone is that of a spoiled fact."""
        return [
            Seen(n, EPOCH + timedelta(seconds=n), message, None, "it is no JSON")
            if isinstance(message, str)
            else Seen(n, EPOCH + timedelta(seconds=n), name_of(message), message)
            for n, message in enumerate(messages, 1)
        ]

    def view(self, *messages: Message | str, now: datetime | None = None) -> RunView:
        return view(fold(RunFacts("acme", "r"), self.facts(*messages)), now)

    def file(self, path: str, digit: str = "1") -> FileRef:
        return FileRef(path=path, sha256=digit * 64, size=10)

    def design(self, *modules: str) -> Design:
        made = tuple(Module(name=name, purpose=f"it does {name}", files=(f"notes/{name}.py",)) for name in modules)
        return Design(summary="Small.", package="notes", modules=made)

    def evidence(self, passed: bool, **more: Any) -> Evidence:
        seen = {"passed": passed, "tests": 3, "failed": 0 if passed else 1, "level": "landlock", "duration_s": 1.0}
        return Evidence(**{**seen, "files_digest": "a" * 64, **more})

    def call(self, task: str, n: int = 1, attempt: int = 1, cost: float | None = 0.5) -> ModelCalled:
        return ModelCalled(
            **IDS, task=task, attempt=attempt, n=n, role="writer", target="sonnet", prompt="writer/do",
            prompt_version="abc", request_sha256="a" * 64, input_tokens=100, output_tokens=20, cost_usd=cost,
        )  # fmt: skip


@pytest.fixture(scope="session")
def stored() -> Callable[[str], list[Stored]]:
    """A recorded run as the log held it."""
    return _stored


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], list[Seen]]:
    """A recorded run, read; each is read once."""
    known: dict[str, list[Seen]] = {}
    return lambda name: known.setdefault(name, []) or known[name].extend(map(read, _stored(name))) or known[name]


@pytest.fixture(scope="session")
def shown(recorded: Callable[[str], list[Seen]]) -> Callable[[str], RunView]:
    """The view of a recorded run."""
    return lambda name: view(fold(RunFacts("acme", name), recorded(name)))


@pytest.fixture(scope="session", params=RECORDED)
def history(request: pytest.FixtureRequest, recorded: Callable[[str], list[Seen]]) -> list[Seen]:
    """Each recorded run in turn."""
    return recorded(request.param)


@pytest.fixture(scope="session")
def make() -> Making:
    """Facts and views by hand."""
    return Making()
