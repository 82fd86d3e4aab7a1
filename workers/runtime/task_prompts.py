"""Which version of a template a task is given, and that it keeps it: through redeliveries, attempts and label moves.

nobody ever touched the template      the file, and nothing is said; this delivery keeps it from then on
the task was given a version before   that one: the log has it under `prompt.<task>.<template>`
calls of this attempt cite a version  that one: it was given before anybody touched the template
else                                  what is live now, or the arm of the experiment that runs; said before it is used

Where an experiment counts whole runs, all tasks of a run get the arm of its first one, whatever its share becomes. A
run that had tasks before it is not part of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from contracts.codec import ContractError, decode
from contracts.prompt_facts import template_token
from contracts.subjects import Address
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import ExampleKept, PromptChosen
from contracts.v1.tasks import Task
from workers.prompting.choice import RUN_METRICS, Choice, choose
from workers.prompting.errors import UnknownPrompt
from workers.prompting.examples import chosen
from workers.prompting.history import TemplateHistory
from workers.prompting.templates import Prompt, Prompts
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import Log, Stored
from workers.runtime.prompt_store import PromptStore

_logger = structlog.get_logger(__name__)


class Given(NamedTuple):
    """A template as a task is to use it, with the examples that it shows."""

    prompt: Prompt
    examples: tuple[ExampleKept, ...] = ()


class TaskPrompts(Protocol):
    """Templates by name, as one task is given them."""

    async def given(self, name: str, inputs: Mapping[str, Any]) -> Given:
        """The template `role/name`, or `role/name:persona`. Raises `UnknownPrompt` and `UnknownPersona`."""
        ...


class FilePrompts:
    """The files, whatever the fleet says of them."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    async def given(self, name: str, inputs: Mapping[str, Any]) -> Given:
        """The template of that name."""
        return Given(self._prompts.named(name))


class FixedPrompts:
    """These versions for the templates of their names, and files for the rest."""

    def __init__(
        self,
        prompts: Prompts,
        versions: Mapping[str, Prompt],
        kept: Mapping[str, Sequence[ExampleKept]],
        run: tuple[str, str],
    ) -> None:
        self._prompts, self._versions, self._kept, self._run = prompts, versions, kept, run

    async def given(self, name: str, inputs: Mapping[str, Any]) -> Given:
        """The template of that name."""
        plain, colon, persona = name.partition(":")
        prompt = self._versions.get(plain)
        if prompt is None:
            return Given(self._prompts.named(name))
        shown = _examples(prompt, self._kept.get(plain, ()), inputs, self._run)
        return Given(self._prompts.seen(prompt, persona if colon else None), shown)


class ChosenPrompts:
    """The fleet's versions, each chosen once for the task."""

    def __init__(self, task: Task, store: PromptStore, log: Log, prefix: str, again: bool) -> None:
        self._task, self._store, self._log, self._prefix = task, store, log, prefix
        self._again = again or task.attempt > 1
        self._given: dict[str, PromptChosen] = {}
        self._untouched: set[str] = set()

    async def given(self, name: str, inputs: Mapping[str, Any]) -> Given:
        """The version that this task was given, or is given now."""
        plain, colon, persona = name.partition(":")
        store = await self._store.fresh()
        history, files = store.of(plain), store.files
        if plain in self._untouched or not history.is_touched:
            self._untouched.add(plain)
            return Given(files.named(name))
        said = self._given.get(plain)
        if said is None:
            said = self._given[plain] = await self._said(plain, history, inputs)
        prompt = await self._version(plain, said)
        examples = tuple(history.examples[one] for one in said.examples if one in history.examples)
        return Given(files.seen(prompt, persona if colon else None), _fitting(prompt, examples))

    async def _version(self, template: str, said: PromptChosen) -> Prompt:
        prompt = self._store.prompt(template, said.prompt_version)
        if prompt is None:
            await self._store.refresh()
            prompt = self._store.prompt(template, said.prompt_version)
        if prompt is None:  # a file of another release of this worker, which this one does not have
            version = said.prompt_version
            _logger.warning("prompt_version_unknown", prompt=template, version=version, task=self._task.task)
            prompt = self._store.live(template)
        if prompt is None:
            raise _not_live(template)
        return prompt

    async def _said(self, template: str, history: TemplateHistory, inputs: Mapping[str, Any]) -> PromptChosen:
        """What the log says that the task was given; it is said now if it does not say so yet."""
        subject = self._address(template).subject(self._prefix)
        if self._again and (stored := await self._log.find(subject)) is not None:
            return self._read(stored, template) or await self._fact(template, history, inputs)
        fact = await self._fact(template, history, inputs)
        if (await self._log.say(fact)).news:
            return fact
        stored = await self._log.find(subject)
        if stored is None:
            raise BusUnavailable(f"{subject} is taken, but can't be read yet")
        return self._read(stored, template) or fact

    async def _fact(self, template: str, history: TemplateHistory, inputs: Mapping[str, Any]) -> PromptChosen:
        task, choice = self._task, await self._choice(template, history)
        if not choice.digest:
            raise _not_live(template)
        prompt = self._store.prompt(template, choice.digest)
        shown = _examples(prompt, history.examples.values(), inputs, (task.tenant, task.run)) if prompt else ()
        return PromptChosen(
            tenant=task.tenant,
            run=task.run,
            task=task.task,
            template=template_token(template),
            attempt=task.attempt,
            prompt=template,
            prompt_version=choice.digest,
            experiment=choice.experiment,
            epoch=choice.epoch,
            arm=choice.arm,
            examples=tuple(example.id for example in shown),
        )

    async def _choice(self, template: str, history: TemplateHistory) -> Choice:
        if self._again and (cited := await self._cited(template)) is not None:
            return Choice(cited.version)
        task, shipped, running = self._task, self._store.shipped(template), history.running
        if running and running.started.metric in RUN_METRICS and (first := await self._first_in_run(template)):
            if first.experiment != running.k:
                return Choice(running.started.live)
            return Choice(first.prompt_version, first.experiment, first.epoch, first.arm)
        return choose(history, shipped.version if shipped else "", task.tenant, task.run, task.task)

    async def _first_in_run(self, template: str) -> PromptChosen | None:
        """What the first task of the run was given that uses the template."""
        task, token = self._task, template_token(template)
        noun = Address(task.tenant, task.run, "prompt").subject(self._prefix)
        for stored in await self._log.history(task.tenant, task.run):
            named = stored.subject.startswith(f"{noun}.") and stored.subject.endswith(f".{token}")
            if named and (said := self._read(stored, template)):
                return said
        return None

    async def _cited(self, template: str) -> Prompt | None:
        """The version that calls of this task cite already."""
        for attempt in range(1, self._task.attempt + 1):
            n = 1
            while (stored := await self._log.find(self._call(attempt, n))) is not None:
                n += 1
                entry = self._decoded(stored)
                if isinstance(entry, ModelCalled) and entry.prompt.partition(":")[0] == template:
                    return self._known(template, entry)
        return None

    def _known(self, template: str, entry: ModelCalled) -> Prompt | None:
        _, colon, persona = entry.prompt.partition(":")
        for prompt in self._store.versions(template):
            if self._store.files.seen(prompt, persona if colon else None).version == entry.prompt_version:
                return prompt
        return None

    def _read(self, stored: Stored, template: str) -> PromptChosen | None:
        """What was said under that name; None if it is spoiled."""
        fact = self._decoded(stored)
        return fact if isinstance(fact, PromptChosen) and fact.prompt == template else None

    def _decoded(self, stored: Stored) -> object:
        try:
            return decode(stored.subject, stored.data, self._prefix)
        except ContractError as error:
            _logger.error("spoiled_fact", subject=stored.subject, sequence=stored.sequence, reason=str(error))
            return None

    def _address(self, template: str) -> Address:
        return Address(self._task.tenant, self._task.run, "prompt", (self._task.task, template_token(template)))

    def _call(self, attempt: int, n: int) -> str:
        task = self._task
        return Address(task.tenant, task.run, "llm", (task.task, str(attempt), str(n))).subject(self._prefix)


def _not_live(template: str) -> UnknownPrompt:
    return UnknownPrompt(f"prompt {template} has no live version; push one and label it live")


def _examples(
    prompt: Prompt, kept: Iterable[ExampleKept], inputs: Mapping[str, Any], run: tuple[str, str]
) -> tuple[ExampleKept, ...]:
    return chosen(_fitting(prompt, kept), inputs, prompt.examples, run) if prompt.examples else ()


def _fitting(prompt: Prompt, kept: Iterable[ExampleKept]) -> tuple[ExampleKept, ...]:
    """Those that this version can show: they may have been kept when it took other inputs."""
    return tuple(one for one in kept if not prompt.misfits(one.inputs)) if prompt.examples else ()
