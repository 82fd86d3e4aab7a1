"""A task that was done, read once more from its journal: what its role asked with a template, and the reply it took.

The role's own code runs, as at a redelivery, up to that reply. Nothing is published, kept or paid: what the journal
does not answer ends it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from contracts.message import Message
from contracts.v1.prompts import Metric, PromptChosen
from contracts.v1.tasks import Outcome, Task
from workers.cli.complaints import Complaint, Misused
from workers.cli.figures import plain
from workers.llm.calls import Call, Caller
from workers.llm.model import Completion, Heard, ModelRequest
from workers.prompt_lab.outcomes import Facts, outcome_of
from workers.prompt_lab.replay import judged_by
from workers.prompting.choice import RUN_METRICS
from workers.runtime.errors import is_surprise
from workers.runtime.ports import Artifacts, Log, Said, Stored
from workers.runtime.prompt_store import PromptStore
from workers.runtime.roster import roles
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit

R = TypeVar("R", bound=BaseModel)


class Heeded(NamedTuple):
    """A question with its reply."""

    inputs: dict[str, Any]
    reply: BaseModel


class _Enough(Exception):
    """What was looked for is found."""


class _NotInJournal(Exception):
    """A call would have to be made."""


class _Reading(Toolkit):
    """A toolkit that stops at the first reply to the template `wanted`."""

    wanted: str
    heeded: Heeded | None = None

    async def ask(
        self,
        prompt: str,
        *,
        reply: type[R],
        check: Callable[[R], Iterable[str]] | None = None,
        elsewhere: bool = True,
        **inputs: Any,
    ) -> R:
        said = await super().ask(prompt, reply=reply, check=check, elsewhere=elsewhere, **inputs)
        if prompt.partition(":")[0] == self.wanted:
            self.heeded = Heeded(inputs, said)
            raise _Enough
        return said


class _ReadOnly(Log):
    """A log in which every name is taken."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def say(self, message: Message) -> Said:
        return Said(0, False)

    async def find(self, subject: str) -> Stored | None:
        return await self._log.find(subject)

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        return await self._log.history(tenant, run, after)

    def follow(self, tenant: str, run: str, after: int = 0) -> Any:
        return self._log.follow(tenant, run, after)


class _NoModels(Caller):
    async def complete(self, call: Call, request: ModelRequest, heard: Heard | None = None) -> Completion:
        raise _NotInJournal(call.name)

    async def paid(self, name: str, cost_usd: float | None, tokens: int, budget: Any) -> None:
        return None

    async def close(self) -> None:
        return None


async def reread(
    facts: Facts, task: str, template: str, log: Log, artifacts: Artifacts, store: PromptStore, settings: Settings
) -> Heeded:
    """What the task asked with the template, and the reply; complains where that can't be read any more."""
    command = _command(facts, task, template)
    role = next((role for role in roles() if role.name == command.role), None)
    if role is None:
        raise Misused(f"role {command.role} is none of this installation, so what its tasks asked can't be read here")
    tools = _Reading(
        command, _ReadOnly(log), artifacts, store.files, _NoModels(), settings=settings, redelivered=True, store=store
    )
    tools.wanted = template
    try:
        await role.job_for(command).handle(command, tools)
    except _Enough:
        pass
    except Exception as error:
        if is_surprise(error) and not isinstance(error, _NotInJournal):
            raise
        why = "a call is not in the journal as this release asks it" if isinstance(error, _NotInJournal) else str(error)
        raise Complaint(f"what task {task} asked can't be read once more: {plain(why)}") from None
    if tools.heeded is None:
        raise Misused(f"task {task} never asked {template}")
    return tools.heeded


def _command(facts: Facts, task: str, template: str) -> Task:
    """The command of the attempt that has the result."""
    said = [fact for _, fact in facts]
    result = next((fact for fact in said if isinstance(fact, Outcome) and fact.task == task), None)
    if result is None:
        done = ", ".join(fact.task for fact in said if isinstance(fact, Outcome)) or "none"
        raise Misused(f"task {task} has no result in that run; tasks with one: {done}")
    if all(call.prompt.partition(":")[0] != template for call in result.calls):
        used = ", ".join(dict.fromkeys(call.prompt for call in result.calls)) or "nothing"
        raise Misused(f"task {task} was not asked with {template}, but with {used}")
    for fact in said:
        if isinstance(fact, Task) and (fact.task, fact.attempt) == (task, result.attempt):
            return fact
    raise Complaint(f"the command of task {task} can't be read")


def won_by(facts: Facts, task: str, template: str, metric: Metric | None) -> bool | None:
    """How the task turned out by a metric; None if nothing says so."""
    first = facts[0][1]
    by = metric or judged_by("tests_green", template)
    given = next((fact for _, fact in facts if isinstance(fact, PromptChosen) and fact.task == task), None)
    chosen = given or PromptChosen(
        tenant=first.tenant, run=first.run, task=task, template="-", prompt=template, prompt_version="0" * 12
    )
    won = outcome_of(facts, chosen.model_copy(update={"prompt": template}), by).won
    return outcome_of(facts, chosen, "valid").won if won is None and metric is None and by in RUN_METRICS else won
