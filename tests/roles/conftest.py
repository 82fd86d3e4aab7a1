"""Runs one role on one task: shipped prompts, a model with a script, log and artifacts in memory."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from contracts.codec import encode
from contracts.message import Message
from contracts.subjects import subject_of
from contracts.v1.budgets import Budget
from contracts.v1.projects import Design, Evidence, FileRef, Module, Requirements
from contracts.v1.tasks import Outcome, Task
from workers.llm.calls import Call
from workers.llm.model import Completion, Heard, ModelRequest
from workers.prompting.templates import Prompts
from workers.runtime.ports import Said, Stored
from workers.runtime.role import Role
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit


class Stage:
    """What a role meets: `replies` are what the model says in turn, or raises; `asked` is what it was asked.

    The log accepts each name once; `messages` are those that it has.
    """

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.settings = Settings()
        self.messages: dict[str, Message] = {}
        self.asked: list[ModelRequest] = []
        self.said: list[str] = []
        self.kept: dict[str, bytes] = {}

    async def complete(self, call: Call, request: ModelRequest, heard: Heard | None = None) -> Completion:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        return Completion(text=json.dumps(reply), input_tokens=1, output_tokens=1, target="scripted")

    async def paid(self, name: str, cost_usd: float | None, tokens: int, budget: Budget | None) -> None:
        """Nothing is left open here."""

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def say(self, message: Message) -> Said:
        subject = subject_of(message)
        self.said.append(subject)
        news = subject not in self.messages
        self.messages.setdefault(subject, message)
        return Said(len(self.said), news=news)

    async def find(self, subject: str) -> Stored | None:
        message = self.messages.get(subject)
        return message and Stored(1, datetime(2026, 1, 1, tzinfo=UTC), subject, encode(message))

    async def put(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    async def get(self, digest: str) -> bytes:
        return self.kept[digest]

    def blocks(self) -> dict[str, Any]:
        """The data blocks of the first question, by name."""
        lines = self.asked[0].messages[-1].text.splitlines()
        opened = [(at, line) for at, line in enumerate(lines) if line.startswith("<data name=")]
        return {line.split('"')[1]: json.loads(lines[at + 1]) for at, line in opened}

    def content(self, refs: tuple[FileRef, ...]) -> dict[str, str]:
        return {ref.path: self.kept[ref.sha256].decode() for ref in refs}


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def perform(stage: Stage) -> Callable[..., Awaitable[Outcome]]:
    """Performs the task as the role does in one delivery, with the model answering `replies` in turn."""

    async def run(role: Role, task: Task, *replies: Any, redelivered: bool = False) -> Outcome:
        stage.replies = list(replies)
        tools = Toolkit(task, stage, stage, Prompts.load(), stage, settings=stage.settings, redelivered=redelivered)
        outcome = await role.job_for(task).handle(task, tools)
        for fact in tools.first:
            await stage.say(fact)
        return outcome

    return run


@pytest.fixture
def identity() -> dict[str, str]:
    return {"tenant": "acme", "run": "r1", "task": "t1", "role": "any"}


@pytest.fixture
def requirements() -> Requirements:
    criterion = {"id": "AC-1", "statement": "A book can be created.", "topic": "create"}
    return Requirements(title="Books", package="books", summary="Keeps books.", criteria=[criterion])


@pytest.fixture
def design() -> Design:
    files = ("src/books/__init__.py", "src/books/api.py")
    module = Module(name="api", purpose="The API.", files=files, interface="handle(method, target)")
    return Design(summary="One module.", package="books", modules=(module,), start=("python", "-m", "books"))


@pytest.fixture
def evidence() -> Evidence:
    return Evidence(passed=False, tests=2, failed=1, level="landlock", duration_s=1.5, files_digest="0" * 64)


@pytest.fixture
def kept(stage: Stage) -> Callable[..., tuple[FileRef, ...]]:
    """Puts files into the artifacts and returns their references."""

    def keep(files: dict[str, str]) -> tuple[FileRef, ...]:
        refs = []
        for path, content in files.items():
            digest = sha256(content.encode()).hexdigest()
            stage.kept[digest] = content.encode()
            refs.append(FileRef(path=path, sha256=digest, size=len(content.encode())))
        return tuple(refs)

    return keep
