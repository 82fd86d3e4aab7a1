"""A task that was done, read once more: what its role asked with a template, and the reply that it took.

The role's own code runs up to the question and no further, so nothing is asked, said or kept. The reply is put together
from the journal as a conversation does it: the answer, or the one that mended it, with the part that went on from it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from pydantic import BaseModel

from contracts.message import Message
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import Metric, PromptChosen
from contracts.v1.tasks import Outcome, Task
from workers.cli.complaints import Complaint, Misused
from workers.cli.figures import plain
from workers.llm.calls import Caller
from workers.prompt_lab.outcomes import Facts, calls_of, outcome_of
from workers.prompt_lab.replay import Passing, judged_by
from workers.prompting.choice import RUN_METRICS
from workers.prompting.templates import Prompts
from workers.runtime.conversation import CONTINUE_PROMPT, REPAIR_PROMPT
from workers.runtime.errors import is_surprise
from workers.runtime.ports import ArtifactMissing, Artifacts, Log, Said, Stored
from workers.runtime.replies import DoesNotFit, fitting, joins
from workers.runtime.roster import roles
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit

R = TypeVar("R", bound=BaseModel)


class Question(NamedTuple):
    """What was asked, and as what the reply is to be read."""

    inputs: dict[str, Any]
    reply: type[BaseModel]


class _Asked(Exception):
    """A question was put; nobody answers it here."""


class _Stopping(Toolkit):
    """A toolkit that stops at the first question. `put` is the template of that, and the question."""

    put: tuple[str, Question] | None = None

    async def ask(
        self,
        prompt: str,
        *,
        reply: type[R],
        check: Callable[[R], Iterable[str]] | None = None,
        elsewhere: bool = True,
        **inputs: Any,
    ) -> R:
        self.put = prompt.partition(":")[0], Question(inputs, reply)
        raise _Asked(prompt)


class _ReadOnly(Log):
    """A log in which every name is taken."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def say(self, message: Message) -> Said:
        return Said(0, False)

    async def find(self, subject: str) -> Stored | None:
        return await self._log.find(subject)

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        return list(await self._log.history(tenant, run, after))

    def follow(self, tenant: str, run: str, after: int = 0) -> Any:
        return self._log.follow(tenant, run, after)


class _NoModels(Caller):
    async def complete(self, *asked: Any, **more: Any) -> NoReturn:
        raise _Asked("a model")

    async def paid(self, *settled: Any, **more: Any) -> None:
        return None

    async def close(self) -> None:
        return None


async def question_of(
    facts: Facts, task: str, template: str, log: Log, artifacts: Artifacts, files: Prompts, settings: Settings
) -> Question:
    """What the task asked with the template; complains where that can't be found out."""
    command = _command(facts, task, template)
    role = next((role for role in roles() if role.name == command.role), None)
    if role is None:
        raise Misused(f"role {command.role} is none of this installation, so what its tasks asked can't be found out")
    tools = _Stopping(command, _ReadOnly(log), Passing(artifacts, {}), files, _NoModels(), settings=settings)
    try:
        await role.job_for(command).handle(command, tools)
    except _Asked:
        pass
    except Exception as error:
        if is_surprise(error) and not isinstance(error, ArtifactMissing):
            raise
        raise Complaint(f"what task {task} asked can't be found out any more: {plain(str(error))}") from None
    if tools.put is None or tools.put[0] != template:
        first = tools.put[0] if tools.put else "nothing"
        raise Complaint(f"task {task} asks {first} first, so what it asked {template} is not known from its command")
    return tools.put[1]


def _command(facts: Facts, task: str, template: str) -> Task:
    """The command of the attempt that has the result."""
    said, result = [fact for _, fact in facts], _result(facts, task)
    if all(call.prompt.partition(":")[0] != template for call in result.calls):
        used = ", ".join(dict.fromkeys(call.prompt for call in result.calls)) or "nothing"
        raise Misused(f"task {task} was not asked with {template}, but with {used}")
    for fact in said:
        if isinstance(fact, Task) and (fact.task, fact.attempt) == (task, result.attempt):
            return fact
    raise Complaint(f"the command of task {task} can't be read")


def _result(facts: Facts, task: str) -> Outcome:
    said = [fact for _, fact in facts]
    result = next((fact for fact in said if isinstance(fact, Outcome) and fact.task == task), None)
    if result is None:
        done = ", ".join(fact.task for fact in said if isinstance(fact, Outcome)) or "none"
        raise Misused(f"task {task} has no result in that run; tasks with one: {done}")
    return result


async def reply_of(facts: Facts, task: str, template: str, reply: type[R], artifacts: Artifacts) -> R:
    """The reply that the task took; complains where the journal does not have it."""
    journal = calls_of(facts, task)
    cited = (journal.get(call.entry) for call in _result(facts, task).calls)
    entries = [entry for entry in cited if entry is not None and not entry.lost and entry.stop != "refusal"]
    # Turns that mend an answer or go on from one cite the template as well.
    turns = [entry for entry in entries if entry.prompt.partition(":")[0] in (template, CONTINUE_PROMPT, REPAIR_PROMPT)]
    if not turns:
        raise Complaint(f"the journal of task {task} has no answer to {template}")
    parts = [await _text(entry, artifacts) for entry in _last_answer(turns)]
    texts = joins(*parts) if len(parts) > 1 else tuple(parts)
    try:
        try:
            return fitting(texts, reply, None)
        except DoesNotFit:
            return fitting(texts, reply, None, "brief")
    except DoesNotFit as error:
        raise Complaint(
            f"what the journal has of task {task} is no {reply.__name__} here: {plain(str(error))}"
        ) from None


def _last_answer(turns: Sequence[ModelCalled]) -> tuple[ModelCalled, ...]:
    """The last answer of a conversation: one entry, or two where the first was cut off and the second goes on."""
    answers: list[tuple[ModelCalled, ...]] = []
    for entry in turns:
        goes_on = answers and len(answers[-1]) == 1 and answers[-1][0].stop == "length"
        answers[-1:] = [(*answers[-1], entry)] if goes_on else [*answers[-1:], (entry,)]
    return answers[-1]


async def _text(entry: ModelCalled, artifacts: Artifacts) -> str:
    if entry.completion_artifact is None:
        if entry.withheld:
            raise Complaint(f"{entry.cited().entry}: this fleet keeps answers out of its journal")
        return entry.completion
    try:
        return (await artifacts.get(entry.completion_artifact)).decode(errors="replace")
    except ArtifactMissing:
        raise Complaint(f"{entry.cited().entry}: the answer was an artifact, and that is gone") from None


def won_by(facts: Facts, task: str, template: str, metric: Metric | None) -> bool | None:
    """How the task turned out by a metric; None if nothing says so."""
    by, first = metric or judged_by("tests_green", template), facts[0][1]
    chosen = PromptChosen(
        tenant=first.tenant, run=first.run, task=task, template="-", prompt=template, prompt_version="0" * 12
    )
    won = outcome_of(facts, chosen, by).won
    return outcome_of(facts, chosen, "valid").won if won is None and metric is None and by in RUN_METRICS else won
