"""The toolkit: all that a role may do. Ask a model, keep and read files, report what came of the task.

ask     render the prompt → a conversation of journaled calls → the reply, validated
save    files → artifacts → references
load    references → files
report  the result, with the task's identity and the calls that were used
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.message import Message
from contracts.v1.journal import Call
from contracts.v1.projects import FileRef
from contracts.v1.prompts import ExampleKept
from contracts.v1.tasks import Outcome, Task
from workers.llm.calls import Caller
from workers.llm.model import Heard
from workers.prompting.errors import TooLong, UnknownPersona, UnknownPrompt, WrongInputs
from workers.prompting.examples import guard
from workers.prompting.templates import Prompt, Prompts, Rendered
from workers.runtime.conversation import Conversation, Question
from workers.runtime.errors import Impossible, MalformedReply
from workers.runtime.journal import Journal, Terms
from workers.runtime.ports import Artifacts, Log
from workers.runtime.prompt_store import PromptStore
from workers.runtime.replies import Guard, cut, faults_of
from workers.runtime.settings import Settings
from workers.runtime.task_prompts import ChosenPrompts, FilePrompts, FixedPrompts, TaskPrompts

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
        store: PromptStore | None = None,
    ) -> None:
        self.log, self.artifacts, self.settings, self.prefix = log, artifacts, settings, settings.prefix
        self.store = store
        self._task, self._prompts, self._caller = task, prompts, caller
        self._given: TaskPrompts = (
            ChosenPrompts(task, store, log, settings.prefix, redelivered) if store else FilePrompts(prompts)
        )
        self._first: list[Message] = []
        keeps = settings.journal_completions == "log"
        self._terms = Terms(redelivered, settings.prefix, deadline, settings.call_timeout_s, keeps, heard)
        self._journal = Journal(task, log, artifacts, caller, self._terms)
        self._replayed: list[Toolkit] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """The journal entries used so far, those of replayed tasks among them."""
        return (*self._journal.cited, *(call for inner in self._replayed for call in inner.calls))

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
        rendered, no_copy = await self._rendered(prompt, reply, inputs)
        question = Question(self._task.model, rendered, reply, check, self._task.attempt, elsewhere, no_copy)
        return await Conversation(question, self._journal, self._prompts).reply()

    def replaying(
        self,
        case: Task,
        name: str,
        versions: Mapping[str, Prompt],
        artifacts: Artifacts,
        *,
        kept: Mapping[str, Sequence[ExampleKept]] | None = None,
        calls: Caller | None = None,
    ) -> "Toolkit":
        """A toolkit for a recorded task, which is done again here with these versions of templates.

        Its calls are entries of this task, under `llm.<task>-<name>.…`: a redelivery does not pay for them twice, and
        they are paid from this task's budget. Nothing of it is published; what it keeps goes into `artifacts`.
        `kept` are examples by template, `calls` reaches models in another way.
        """
        inner = Toolkit(
            case.model_copy(update={"attempt": 1}),
            self.log,
            artifacts,
            self._prompts,
            calls or self._caller,
            settings=self.settings,
        )
        mine = {"tenant": self._task.tenant, "run": self._task.run, "task": f"{self._task.task}-{name}"}
        asked = case.model_copy(update={**mine, "attempt": self._task.attempt, "budget": self._task.budget})
        inner._journal = Journal(asked, self.log, self.artifacts, calls or self._caller, self._terms)
        inner._given = FixedPrompts(self._prompts, versions, kept or {}, (case.tenant, case.run))
        self._replayed.append(inner)
        return inner

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

    async def _rendered(
        self, name: str, reply: type[BaseModel], inputs: dict[str, Any]
    ) -> tuple[Rendered, Guard | None]:
        """The template as this task is given it, filled in. What is wrong with a version is not this worker's fault."""
        try:
            prompt, examples = await self._given.given(name, inputs)
            if prompt.reply and reply.__name__ not in prompt.reply:
                wanted = " or ".join(prompt.reply)
                raise Impossible(f"prompt {name} version {prompt.version} asks for {wanted}, not {reply.__name__}")
            rendered, examples = _with_room(prompt, inputs, examples)
            return rendered, guard(prompt.examples, examples, inputs) if prompt.examples and examples else None
        except (UnknownPrompt, UnknownPersona, WrongInputs) as error:
            raise Impossible(str(error)) from error
        except TooLong as error:
            raise Impossible(f"the task is too large to show to a model: {error}") from error


def _with_room(
    prompt: Prompt, inputs: Mapping[str, Any], examples: tuple[ExampleKept, ...]
) -> tuple[Rendered, tuple[ExampleKept, ...]]:
    """The prompt with the best of the examples, as many as there is room for beside the task. Raises `TooLong`."""
    while True:
        try:
            return prompt.render(inputs, [{"inputs": one.inputs, "reply": one.reply} for one in examples]), examples
        except TooLong:
            if not examples:
                raise
            examples = examples[:-1]


async def _each(work: Callable[[X], Awaitable[Y]], values: Sequence[X]) -> list[Y]:
    limit = asyncio.Semaphore(TRANSFERS_AT_ONCE)

    async def one(value: X) -> Y:
        async with limit:
            return await work(value)

    return await asyncio.gather(*(one(value) for value in values))
