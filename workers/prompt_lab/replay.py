"""Replays: a recorded task is done again by the role's own code, with given versions of templates.

Nothing of it is published, no vote and no result: what the role makes stays here and is forgotten once it was judged.
Only the calls are in the journal, as calls of the task that replays (`Toolkit.replaying`): no redelivery pays for them
twice.

the role's result, one call of the template, no repair turn      it went well
the result by way of a repair turn, no result, a refusal         it did not
the task could not be put to a model, or asked something else    that says nothing of the version: nobody counts it
"""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import fsum
from typing import Literal, NamedTuple

import structlog

from contracts.codec import ContractError, decode
from contracts.message import Message
from contracts.subjects import address_of
from contracts.v1.journal import Call, ModelCalled
from contracts.v1.projects import FileRef
from contracts.v1.prompts import Metric
from contracts.v1.tasks import BallotAnswered, Outcome, ProjectVerified, RepairProject, Task, VerifyProject
from workers.prompt_lab.cases import Case, cites
from workers.prompt_lab.outputs import output_of
from workers.prompt_lab.report import Done
from workers.prompting.errors import TooLong, WrongInputs
from workers.prompting.templates import Prompt
from workers.runtime.errors import Impossible, MalformedReply, RefusedByModel, is_surprise
from workers.runtime.ports import ArtifactMissing, Artifacts, Log, Said
from workers.runtime.role import Role
from workers.runtime.roster import roles
from workers.runtime.toolkit import Toolkit

REPLAYS_AT_ONCE = 4
SANDBOXES_AT_ONCE = 2
LONGEST_WHY = 2_000
LONGEST_TASK = 40
"""Characters: with a replay's name behind it a task's is still a token."""

BUILDERS = ("backend_developer/module", "backend_developer/repair", "test_engineer/tests")
"""Templates whose replies are files that the run's tests can be run with."""

NOT_REPLAYED = ("prompt_lab", "packager", "sandbox")
"""Roles that do more than to answer: they publish, or run what others wrote."""

_logger = structlog.get_logger(__name__)


class Replayed(NamedTuple):
    """How a case went, and what came of it as text."""

    done: Done
    output: str = ""


class _End(NamedTuple):
    """How the role's code ended. Without an outcome `why` says why, and `is_fault` whether the version is to blame."""

    outcome: Outcome | None = None
    why: str = ""
    is_fault: bool = True


def judged_by(metric: Metric, template: str) -> Literal["valid", "tests_green"]:
    """What replays of a template are judged by when that metric is wanted. What only a whole run shows is not there."""
    return "tests_green" if metric == "tests_green" and template in BUILDERS else "valid"


def role_of(template: str) -> Role:
    """The role whose tasks use the template; raises `Impossible` when they can't be replayed here."""
    name = template.partition("/")[0]
    found = next((role for role in roles() if role.name == name), None)
    if found is None or name in NOT_REPLAYED:
        able = ", ".join(role.name for role in roles() if role.name not in NOT_REPLAYED)
        raise Impossible(f"tasks of role {name!r} can't be replayed here; those of {able} can")
    return found


class Passing(Artifacts):
    """What is kept here goes when it is dropped; `given` and what is `below` can be read."""

    def __init__(self, below: Artifacts, given: Mapping[str, bytes]) -> None:
        self._below, self._given = below, given
        self._kept: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        """Keep it for now."""
        digest = sha256(content).hexdigest()
        self._kept[digest] = content
        return digest

    async def get(self, digest: str) -> bytes:
        """The content; raises `ArtifactMissing`."""
        for known in (self._kept, self._given):
            if digest in known:
                return known[digest]
        return await self._below.get(digest)

    def drop(self) -> None:
        """Forget what was kept; the toolkit of a replay is remembered for its calls."""
        self._kept.clear()


class Unheard:
    """A log that is read as any, and that takes nothing in."""

    def __init__(self, log: Log) -> None:
        self.find, self.history, self.follow = log.find, log.history, log.follow

    async def say(self, message: Message) -> Said:
        """Nothing is said in a replay, whatever a role means to."""
        raise Impossible(f"{address_of(message).name} is not said in a replay")


class Replayer:
    """Replays cases within a task of the lab, whose toolkit is `tools`.

    `target` is who answers, empty for who answered then; `given` are artifacts that came with the cases.
    Raises `Impossible` when the task's name leaves no room for those of its calls.
    """

    def __init__(
        self,
        task: Task,
        tools: Toolkit,
        *,
        target: str = "",
        metric: Metric = "valid",
        given: Mapping[str, bytes] | None = None,
    ) -> None:
        if len(task.task) > LONGEST_TASK:
            raise Impossible(f"task {task.task} replays others; give it a name of at most {LONGEST_TASK} characters")
        self._tools, self._target, self._metric, self._given = tools, target, metric, given or {}
        self._calls = f"{tools.prefix}.{task.tenant}.{task.run}."
        self._sandboxes = asyncio.Semaphore(SANDBOXES_AT_ONCE)

    async def replay(self, case: Case, prompt: Prompt) -> Replayed:
        """Do a case again with this version of its template.

        Raises `Impossible` for a role whose tasks can't be replayed, and what says that now is no time for it:
        `ModelUnavailable`, `BusUnavailable`, `RecordsUnavailable`.
        """
        artifacts = Passing(self._tools.artifacts, self._given)
        task = case.task.model_copy(update={"model": self._target or case.target, "attempt": 1})
        store, template = self._tools.store, case.template
        kept = {template: tuple(store.of(template).examples.values())} if store else {}
        name = f"{case.token}-{prompt.version}"
        inner = self._tools.replaying(task, name, {template: prompt}, artifacts, kept=kept)
        inner.log = Unheard(inner.log)
        try:
            end = await _ended(role_of(template), task, inner)
            done = await self._judged(case, prompt, end, inner, artifacts)
            output = await output_of(end.outcome, inner.first, artifacts) if end.outcome else f"({end.why})"
            return Replayed(done, output)
        finally:
            artifacts.drop()

    async def _judged(self, case: Case, prompt: Prompt, end: _End, inner: Toolkit, artifacts: Passing) -> Done:
        calls = inner.calls
        entries = [await self._entry(call) for call in calls]
        told = [entry for entry in entries if entry is not None and not entry.lost]
        success, why = _valid(case.template, end, told)
        if success is not None and end.outcome is not None and judged_by(self._metric, case.template) == "tests_green":
            async with self._sandboxes:
                success, why = await self._green(case, end.outcome, artifacts)
        costs = [call.cost_usd for call in calls if call.cost_usd is not None]
        return Done(
            version=prompt.version,
            success=success,
            why=why[:LONGEST_WHY],
            target=inner.target,
            calls=len(calls),
            input_tokens=sum(call.input_tokens for call in calls),
            output_tokens=sum(call.output_tokens for call in calls),
            cost_usd=round(fsum(costs), 9) if len(costs) == len(calls) else None,
            latency_ms=round(fsum(entry.latency_ms for entry in told), 3) if told else None,
        )

    async def _entry(self, call: Call) -> ModelCalled | None:
        """The journal entry of a call; None if it is spoiled."""
        tools = self._tools
        stored = await tools.log.find(f"{self._calls}{call.entry}")
        try:
            entry = stored and decode(stored.subject, stored.data, tools.prefix)
        except ContractError:
            return None
        return entry if isinstance(entry, ModelCalled) else None

    async def _green(self, case: Case, outcome: Outcome, artifacts: Passing) -> tuple[bool | None, str]:
        """Whether the tests pass with these files in the place of those that the task wrote then."""
        if not case.project:
            return None, "its run has no project whose tests passed, so they say nothing of one task"
        mine, files = case.task, project_with(case, outcome.files)
        verify = VerifyProject(tenant=mine.tenant, run=mine.run, task=mine.task, role="sandbox", files=files)
        sandbox = next(role for role in roles() if role.name == verify.role)
        end = await _ended(sandbox, verify, self._tools.replaying(verify, f"{case.token}-tests", {}, artifacts))
        if not isinstance(end.outcome, ProjectVerified):
            return None, f"its tests could not be run: {end.why}"
        seen = end.outcome.evidence
        failure = f": {seen.failures[0].case}: {seen.failures[0].message}" if seen.failures else ""
        return seen.passed, "" if seen.passed else f"{seen.reason or 'tests failed'}{failure}"


def project_with(case: Case, files: Sequence[FileRef]) -> tuple[FileRef, ...]:
    """The case's project with these files for those that the task wrote; a repair writes only what changes."""
    written = case.end.files if isinstance(case.end, Outcome) and not isinstance(case.task, RepairProject) else ()
    before = {file.path for file in written}
    left = {file.path: file for file in case.project if file.path not in before}
    return tuple({**left, **{file.path: file for file in files}}.values())


async def _ended(role: Role, task: Task, inner: Toolkit) -> _End:
    """Have the role do the task, and say how that ended."""
    try:
        return _End(await role.job_for(task).handle(task, inner))
    except (MalformedReply, RefusedByModel) as error:
        return _End(why=str(error))
    except Impossible as error:
        # Without a call only what the version is can be its fault: what it takes and how long it gets.
        is_fault = bool(inner.calls) or isinstance(error.__cause__, TooLong | WrongInputs)
        return _End(why=str(error), is_fault=is_fault)
    except (ArtifactMissing, ContractError) as error:
        return _End(why=f"it can't be done any more: {error}", is_fault=False)
    except Exception as error:
        if not is_surprise(error):
            raise
        _logger.exception("replay_crashed", task=address_of(task).name)
        return _End(why=f"the role's code crashed: {type(error).__name__}: {error}", is_fault=False)


def _valid(template: str, end: _End, told: Sequence[ModelCalled]) -> tuple[bool | None, str]:
    """Whether the reply fitted at the first try; None if the task did not get as far as the template."""
    if end.outcome is None:
        return (False if end.is_fault else None), end.why
    mine = {entry.request_sha256 for entry in told if cites(entry.cited(), template)}
    if not mine:
        abstained = end.outcome.abstained if isinstance(end.outcome, BallotAnswered) else ""
        return None, f"the task did not ask {template}{': ' if abstained else ''}{abstained}"
    if any(entry.stop == "refusal" for entry in told):
        return False, "a model refused to answer"
    # A repair turn and the rest of an answer that was cut off cite the template as well.
    if len(mine) > 1:
        return False, f"the reply did not fit at the first try; it took {len(mine)} answers"
    return True, ""
