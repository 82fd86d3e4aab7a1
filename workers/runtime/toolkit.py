"""The toolkit: all that a role may do. Ask a model, keep and read files, report what came of the task.

ask     render the prompt → call (journal) → validate → at most one repair turn (journal) → validate
save    files → artifacts → references
load    references → files
report  the result, with the task's identity and the calls that were used
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.v1.journal import Call
from contracts.v1.projects import FileRef
from contracts.v1.tasks import Outcome, Task
from workers.llm.model import ModelRequest, PromptMessage
from workers.prompting.errors import TooLong
from workers.prompting.templates import Prompts, Rendered
from workers.runtime.errors import Impossible, MalformedReply, RefusedByModel
from workers.runtime.journal import Answer, Asked, Journal
from workers.runtime.models import Models
from workers.runtime.ports import Artifacts, Log
from workers.runtime.settings import Settings

REPAIR_PROMPT = "toolkit/malformed_reply"
TRANSFERS_AT_ONCE = 8
LONGEST_REASON = 2_000

R = TypeVar("R", bound=BaseModel)
Out = TypeVar("Out", bound=Outcome)
X = TypeVar("X")
Y = TypeVar("Y")

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE)


class TextFile(Protocol):
    """A file with its whole content as text."""

    @property
    def path(self) -> str: ...

    @property
    def content(self) -> str: ...


class DoesNotFit(Exception):
    """The reply is not what was asked for. `faults` say what is wrong, for the model and for people."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class Toolkit:
    """What one delivery of one task works with. `calls` are the journal entries used so far.

    `log`, `artifacts` and `settings` are for the few roles that publish or run something of their own.
    """

    def __init__(
        self,
        task: Task,
        log: Log,
        artifacts: Artifacts,
        prompts: Prompts,
        models: Models,
        *,
        settings: Settings,
        redelivered: bool = False,
    ) -> None:
        self.log, self.artifacts, self.settings, self.prefix = log, artifacts, settings, settings.prefix
        self._task, self._prompts, self._models = task, prompts, models
        self._journal = Journal(
            task,
            log,
            artifacts,
            redelivered=redelivered,
            prefix=settings.prefix,
            call_timeout_s=settings.call_timeout_s,
        )
        self.calls: tuple[Call, ...] = ()

    async def ask(
        self, prompt: str, *, reply: type[R], check: Callable[[R], Iterable[str]] | None = None, **inputs: Any
    ) -> R:
        """Ask the task's model and return its reply, validated.

        `check` says what else is wrong with a reply that has the right shape; nothing means that it fits.
        A reply that does not fit gets one repair turn. Raises `MalformedReply`, `RefusedByModel`,
        `Impossible` (no such target, too much to show) and `ModelUnavailable`.
        """
        model = self._models.named(self._task.model)
        rendered = self._rendered(prompt, inputs)
        request = ModelRequest(messages=_messages(rendered), reply_schema=_schema(reply), seed=self._task.attempt)
        answer = await self._answered(Asked(model, rendered, request))
        try:
            return _fitting(answer, reply, check)
        except DoesNotFit as first:
            turn = self._prompts.named(REPAIR_PROMPT).render({"errors": first.faults})
            said = PromptMessage(role="assistant", text=answer.text)
            request = request.model_copy(update={"messages": (*request.messages, said, *_messages(turn))})
        answer = await self._answered(Asked(model, rendered, request))
        try:
            return _fitting(answer, reply, check)
        except DoesNotFit as second:
            wrong = _cut(str(second))
            raise MalformedReply(f"{model.target} did not answer {prompt} with a {reply.__name__}: {wrong}") from None

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
                f"no {outcome.__name__} can be made of it: {_cut('; '.join(_faults(error)))}"
            ) from None

    def _rendered(self, prompt: str, inputs: dict[str, Any]) -> Rendered:
        try:
            return self._prompts.named(prompt).render(inputs)
        except TooLong as error:
            raise Impossible(f"the task is too large to show to a model: {error}") from error

    async def _answered(self, asked: Asked) -> Answer:
        answer = await self._journal.answer(asked)
        self.calls = (*self.calls, answer.entry.cited())
        if answer.entry.stop == "refusal":
            words = _cut(answer.text.strip()) or "(no words)"
            raise RefusedByModel(f"{asked.model.target} refused to answer {asked.prompt.name}: {words}")
        return answer


def _fitting(answer: Answer, reply: type[R], check: Callable[[R], Iterable[str]] | None) -> R:
    if answer.entry.stop == "length":
        raise DoesNotFit(["the answer was cut off at the length limit; answer with the same content, but shorter"])
    fenced = _FENCED.fullmatch(answer.text)
    try:
        value = reply.model_validate_json(fenced[1] if fenced else answer.text)
    except ValidationError as error:
        raise DoesNotFit(_faults(error)) from None
    if check is not None and (faults := list(check(value))):
        raise DoesNotFit(faults)
    return value


def _faults(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, item['loc'])) or '(whole answer)'}: {item['msg']}" for item in found[:20]]


def _messages(rendered: Rendered) -> tuple[PromptMessage, ...]:
    return tuple(PromptMessage(role=message.role, text=message.text) for message in rendered.messages)


@lru_cache(maxsize=256)
def _schema(reply: type[BaseModel]) -> dict[str, Any]:
    return reply.model_json_schema()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + " …"


async def _each(work: Callable[[X], Awaitable[Y]], values: Sequence[X]) -> list[Y]:
    limit = asyncio.Semaphore(TRANSFERS_AT_ONCE)

    async def one(value: X) -> Y:
        async with limit:
            return await work(value)

    return await asyncio.gather(*(one(value) for value in values))
