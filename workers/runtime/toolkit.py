"""The toolkit: all that a role may do. Ask a model, keep and read files, report what came of the task.

ask     render the prompt → a conversation of journaled calls → the reply, validated
save    files → artifacts → references
load    references → files
report  the result, with the task's identity and the calls that were used
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.message import Message
from contracts.v1.journal import Call
from contracts.v1.projects import FileRef
from contracts.v1.tasks import Outcome, Task
from workers.llm.calls import Caller
from workers.llm.model import Heard
from workers.prompting.errors import TooLong, UnknownPersona
from workers.prompting.templates import Prompts, Rendered
from workers.runtime.conversation import Conversation, Question
from workers.runtime.errors import Impossible, MalformedReply
from workers.runtime.journal import Journal, Terms
from workers.runtime.ports import Artifacts, Log
from workers.runtime.replies import cut, faults_of
from workers.runtime.settings import Settings

TRANSFERS_AT_ONCE = 8

R = TypeVar("R", bound=BaseModel)
Out = TypeVar("Out", bound=Outcome)
X = TypeVar("X")
Y = TypeVar("Y")


class TextFile(Protocol):
    """A file with its whole content as text."""

    @property
    def path(self) -> str: ...

    @property
    def content(self) -> str: ...


class Toolkit:
    """What one delivery of one task works with.

    `deadline` is the task's, in unix seconds. `heard` is told what a model says while it says it.
    `log`, `artifacts` and `settings` are for the few roles that publish or run something of their own.
    """

    def __init__(
        self,
        task: Task,
        log: Log,
        artifacts: Artifacts,
        prompts: Prompts,
        caller: Caller,
        *,
        settings: Settings,
        redelivered: bool = False,
        deadline: float = math.inf,
        heard: Heard | None = None,
    ) -> None:
        self.log, self.artifacts, self.settings, self.prefix = log, artifacts, settings, settings.prefix
        self._task, self._prompts = task, prompts
        self._first: list[Message] = []
        keeps = settings.journal_completions == "log"
        terms = Terms(redelivered, settings.prefix, deadline, settings.call_timeout_s, keeps, heard)
        self._journal = Journal(task, log, artifacts, caller, terms)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The journal entries used so far."""
        return self._journal.cited

    @property
    def target(self) -> str:
        """The target that answered last; empty before any did."""
        return self._journal.target

    @property
    def first(self) -> tuple[Message, ...]:
        """The facts that are said before the result."""
        return tuple(self._first)

    def say_first(self, fact: Message) -> None:
        """Have a fact said just before the result. What it sets off, say the end of the run, can't come in between."""
        self._first.append(fact)

    async def ask(
        self,
        prompt: str,
        *,
        reply: type[R],
        check: Callable[[R], Iterable[str]] | None = None,
        elsewhere: bool = True,
        **inputs: Any,
    ) -> R:
        """Ask the task's model and return its reply, validated. `prompt` may name a persona: `role/name:persona`.

        `check` says what else is wrong with a reply that has the right shape; nothing means that it fits.
        With `elsewhere` the next target is asked when one refuses.
        A reply that was cut off is continued once, one that does not fit gets one repair turn (`conversation.py`).
        Raises `MalformedReply`, `RefusedByModel`, `Impossible` (no such target or persona, too much to show) and
        `ModelUnavailable`.
        """
        question = Question(
            self._task.model, self._rendered(prompt, inputs), reply, check, self._task.attempt, elsewhere
        )
        return await Conversation(question, self._journal, self._prompts).reply()

    async def save(self, files: Iterable[TextFile]) -> tuple[FileRef, ...]:
        """Keep the files as artifacts; raises `MalformedReply` when two of them have one path."""
        kept = tuple(files)
        twice = [path for path, count in Counter(file.path for file in kept).items() if count > 1]
        if twice:
            raise MalformedReply(f"these files are there more than once: {', '.join(twice)}")
        contents = [file.content.encode() for file in kept]
        digests = await _each(self.artifacts.put, contents)
        return tuple(
            FileRef(path=file.path, sha256=digest, size=len(content))
            for file, digest, content in zip(kept, digests, contents, strict=True)
        )

    async def load(self, refs: Iterable[FileRef]) -> list[dict[str, str]]:
        """The files as `path` and `content`; bytes that are no UTF-8 are replaced."""
        loaded = await self.load_bytes(refs)
        return [{"path": path, "content": content.decode(errors="replace")} for path, content in loaded.items()]

    async def load_bytes(self, refs: Iterable[FileRef]) -> dict[str, bytes]:
        """The content of the files by path; raises `ArtifactMissing`."""
        wanted = tuple(refs)
        contents = await _each(self.artifacts.get, [ref.sha256 for ref in wanted])
        return {ref.path: content for ref, content in zip(wanted, contents, strict=True)}

    def report(self, outcome: type[Out], **fields: Any) -> Out:
        """The result of the task, with its identity and the calls that were used.

        Raises `MalformedReply` when what the model said does not fit into the contract, say a text that is too long.
        """
        task = self._task
        identity: dict[str, Any] = {"tenant": task.tenant, "run": task.run, "task": task.task, "attempt": task.attempt}
        try:
            return outcome(**identity, calls=self.calls, **fields)
        except ValidationError as error:
            raise MalformedReply(
                f"no {outcome.__name__} can be made of it: {cut('; '.join(faults_of(error)))}"
            ) from None

    def _rendered(self, prompt: str, inputs: dict[str, Any]) -> Rendered:
        try:
            return self._prompts.named(prompt).render(inputs)
        except UnknownPersona as error:
            raise Impossible(str(error)) from error
        except TooLong as error:
            raise Impossible(f"the task is too large to show to a model: {error}") from error


async def _each(work: Callable[[X], Awaitable[Y]], values: Sequence[X]) -> list[Y]:
    limit = asyncio.Semaphore(TRANSFERS_AT_ONCE)

    async def one(value: X) -> Y:
        async with limit:
            return await work(value)

    return await asyncio.gather(*(one(value) for value in values))
