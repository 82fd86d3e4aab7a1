"""Fakes that keep everything in memory: a log that accepts each name once, artifacts, a model with a script."""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from contracts.codec import encode
from contracts.message import Message
from contracts.subjects import subject_of
from contracts.v1.tasks import PerformTask
from workers.llm.calls import Call, CannotServe
from workers.llm.model import Completion, Heard, ModelRequest
from workers.prompting.templates import Prompts
from workers.runtime.ports import ArtifactMissing, Said, Stored
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit


class MemoryLog:
    """Accepts each name once. `said` counts the publishes; `hidden` names can't be read yet."""

    def __init__(self) -> None:
        self.facts: dict[str, Stored] = {}
        self.said = 0
        self.hidden: set[str] = set()

    async def say(self, message: Message) -> Said:
        self.said += 1
        subject = subject_of(message)
        if subject in self.facts:
            return Said(0, news=False)
        self.put(subject, encode(message))
        return Said(len(self.facts), news=True)

    def put(self, subject: str, data: bytes) -> None:
        self.facts[subject] = Stored(len(self.facts) + 1, datetime(2026, 1, 1, tzinfo=UTC), subject, data)

    async def find(self, subject: str) -> Stored | None:
        return None if subject in self.hidden else self.facts.get(subject)

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        return [stored for stored in self.facts.values() if stored.sequence > after]

    async def follow(self, tenant: str, run: str, after: int = 0) -> AsyncIterator[Stored]:
        for stored in await self.history(tenant, run, after):
            yield stored


class MemoryArtifacts:
    """Content by digest."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    async def get(self, digest: str) -> bytes:
        if digest not in self.kept:
            raise ArtifactMissing(digest)
        return self.kept[digest]


class ScriptedModel:
    """Says one text after the other, or raises or awaits what stands in its place."""

    def __init__(self, target: str, script: Sequence[Any]) -> None:
        self.target, self.script = target, list(script)
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> Completion:
        self.requests.append(request)
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step = await step()
        return step if isinstance(step, Completion) else Completion(text=step, input_tokens=10, output_tokens=5)


class ScriptedGateway:
    """Asks the first of its models that a call is not to go without. `calls` were asked for, `settled` paid before."""

    def __init__(self, *models: ScriptedModel) -> None:
        self._models = models
        self.calls: list[Call] = []
        self.settled: list[tuple[Any, ...]] = []

    async def complete(self, call: Call, request: ModelRequest, heard: Heard | None = None) -> Completion:
        self.calls.append(call)
        if call.asked.startswith("nobody"):
            raise CannotServe(f"there is no target {call.asked!r}")
        model = next((model for model in self._models if model.target not in call.without), None)
        if model is None:
            raise CannotServe("all of them are left out")
        completion = await model.complete(request)
        if heard is not None:
            heard(completion.text)
        return replace(completion, target=completion.target or model.target)

    async def paid(self, *settled: Any) -> None:
        self.settled.append(settled)

    async def close(self) -> None:
        """There is nothing to let go of."""


PROMPT = """---
name: {name}
role: poet
purpose: Ask for a poem.
inputs: [topic]
---
# system

You write poems.

# user

{{{{ topic | data("topic") }}}}
"""


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture
def task() -> PerformTask:
    return PerformTask(tenant="acme", run="r1", role="poet", task="rhyme", attempt=2, model="scripted:a", idea="rain")


@pytest.fixture
def scripted() -> Callable[..., ScriptedModel]:
    """Makes a model with a script; steps are texts, completions, exceptions or functions to await."""
    return lambda *script, target="scripted:a": ScriptedModel(target, script)


@pytest.fixture
def serving() -> Callable[..., ScriptedGateway]:
    """Makes a gateway of models with scripts, asked in that order."""
    return ScriptedGateway


@pytest.fixture
def toolkit(tmp_path: Path, log: MemoryLog, artifacts: MemoryArtifacts, task: PerformTask) -> Callable[..., Toolkit]:
    """Makes the toolkit of one delivery of `task` that asks the given model or gateway."""
    (tmp_path / "poet").mkdir()
    for name in ("poem", "ballad"):
        (tmp_path / "poet" / f"{name}.md").write_text(PROMPT.format(name=name))
    prompts = Prompts.load(tmp_path)

    def make(
        asking: ScriptedModel | ScriptedGateway,
        *,
        redelivered: bool = False,
        asked: PerformTask = task,
        deadline: float = math.inf,
        heard: Heard | None = None,
        **configured: Any,
    ) -> Toolkit:
        caller = asking if isinstance(asking, ScriptedGateway) else ScriptedGateway(asking)
        delivery: dict[str, Any] = {"redelivered": redelivered, "deadline": deadline, "heard": heard}
        return Toolkit(asked, log, artifacts, prompts, caller, settings=Settings(**configured), **delivery)

    return make
