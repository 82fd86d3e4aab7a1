"""Cases: recorded tasks that a template was used for, to be done again with other versions or by other targets.

A task is a case if its result cites a call of the template, or if it has no result and the last attempt that ended in a
malformed or refused reply cites one: without these a version would be judged by what went well before.
Its command carries all the context but files, and these are artifacts, which may be gone.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from pydantic import BaseModel

from contracts.codec import ContractError, decode
from contracts.message import Message
from contracts.subjects import PREFIX, Address, NotASubject, parse
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.projects import FileRef
from contracts.v1.tasks import (
    BuildModule,
    Outcome,
    ProjectVerified,
    RepairProject,
    Task,
    VerifyProject,
    WriteTests,
)
from workers.runtime.ports import ArtifactMissing, Artifacts, Log, Stored

RUNS_AT_ONCE = 16
NAMES_AT_ONCE = 1_000
"""The broker answers a question for more names with none."""

BY_THE_PROMPT = ("malformed_reply", "refused_by_model")
"""How an attempt can fail by what the model was asked; a project manager's `impossible` may be the right answer."""


X = TypeVar("X")


class Record(Protocol):
    """What is read of the log."""

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages under a wildcard with a sequence above `after`, in order."""
        ...

    async def find_all(self, subjects: list[str]) -> list[Stored]:
        """Those of these names that the log has; at most 1,000 names."""
        ...


def record_of(log: Log) -> Record:
    """The log of a worker as the lab reads it; `Log` is what roles need of it."""
    return cast(Record, log)


@dataclass(frozen=True)
class Case:
    """A recorded task: its command, how the attempt ended, and the green project that its files were part of.

    `project` is what tests need beside the files that the task wrote; empty where none is known.
    """

    template: str
    task: Task
    end: Outcome | TaskFailed
    project: tuple[FileRef, ...] = ()

    @property
    def id(self) -> str:
        """`tenant/run/task`."""
        return f"{self.task.tenant}/{self.task.run}/{self.task.task}"

    @property
    def token(self) -> str:
        """Ten hexadecimal digits that stand for the id in names."""
        return sha256(self.id.encode()).hexdigest()[:10]

    @property
    def target(self) -> str:
        """Who answered then."""
        return next((call.target for call in reversed(self.end.calls) if cites(call, self.template)), "")

    @property
    def needs(self) -> frozenset[str]:
        """The artifacts that the task can't be done without."""
        return frozenset(ref.sha256 for ref in refs_in(self.task))


class Found(NamedTuple):
    """Cases, the newest runs first, and which tasks are none although they used the template, with the reason."""

    cases: tuple[Case, ...]
    left_out: tuple[str, ...] = ()


def cites(call: Call, template: str) -> bool:
    """Whether the call asked this template, with whatever persona."""
    return call.prompt.partition(":")[0] == template


def refs_in(value: object) -> Iterator[FileRef]:
    """Every file that a message refers to."""
    if isinstance(value, FileRef):
        yield value
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from refs_in(part)
    elif isinstance(value, Mapping):
        yield from refs_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from refs_in(part)


async def present(log: Record, subjects: Sequence[str]) -> list[Stored]:
    """Those of these names that the log has, however many they are. Raises `BusUnavailable`."""
    pages = [await log.find_all(list(some)) for some in slices(subjects, NAMES_AT_ONCE)]
    return [stored for page in pages for stored in page]


async def recorded(log: Record, artifacts: Artifacts, template: str, last: int, **where: Any) -> list[Case]:
    """The last so many cases of a template, the newest runs first; `where` as in `found`."""
    return list((await found(log, artifacts, template, last, **where)).cases)


async def found(
    log: Record, artifacts: Artifacts, template: str, last: int, *, prefix: str = PREFIX, before: int | None = None
) -> Found:
    """The last so many cases of a template, and what was left out on the way to them.

    With `before` only what the log had below that sequence counts: then the answer is the same whenever it is asked.
    Raises `BusUnavailable`.
    """
    runs = await _runs(log, prefix, before)
    cases, left_out = list[Case](), list[str]()
    for some in slices(runs, RUNS_AT_ONCE):
        readings = [_Run(log, template, run, prefix, before) for run in some]
        for reading in await asyncio.gather(*(reading.found() for reading in readings)):
            left_out += reading.left_out
            for case in reading.cases:
                gone = await _gone(case.needs, artifacts)
                if gone:
                    left_out.append(f"{case.id}: artifact {gone[:12]} is gone")
                else:
                    cases.append(case)
                if len(cases) == last:
                    return Found(tuple(cases), tuple(left_out))
    return Found(tuple(cases), tuple(left_out))


async def _runs(log: Record, prefix: str, before: int | None) -> list[Address]:
    """An address in each run, the newest run first. One that is nothing but a ballot has no request."""
    began = [*await log.scan(f"{prefix}.*.*.run.requested"), *await log.scan(f"{prefix}.*.*.ballot.*")]
    known = sorted((fact for fact in began if before is None or fact.sequence < before), key=lambda fact: fact.sequence)
    found: dict[tuple[str, str], Address] = {}
    for fact in known:
        if (address := _address(fact, prefix)) is not None:
            found.setdefault((address.tenant, address.run), address)
    return list(reversed(found.values()))


async def _gone(digests: Iterable[str], artifacts: Artifacts) -> str:
    """The first of these artifacts that is gone; empty if all are there. Holds one of them at a time."""
    for digest in sorted(digests):
        try:
            await artifacts.get(digest)
        except ArtifactMissing:
            return digest
    return ""


@dataclass(frozen=True)
class _Run:
    """What one run has of a template."""

    log: Record
    template: str
    run: Address
    prefix: str
    before: int | None

    async def found(self) -> Found:
        """Its cases, the newest first."""
        role = self.template.partition("/")[0]
        named = await self._commands(role)
        if not named:
            return Found(())
        names = [("result", task) for task, _ in named] + [("failure", task, n) for task, n in named]
        ends, cases, left_out = await self._facts(names), list[Case](), list[str]()
        for task in dict.fromkeys(task for task, _ in reversed(named)):
            try:
                case = await self._case(task, named, ends)
            except ContractError as error:
                left_out.append(f"{self.run.tenant}/{self.run.run}/{task}: {error}")
                continue
            cases += [case] if case is not None else []
        return Found(tuple(cases), tuple(left_out))

    async def _case(
        self, task: str, commands: Mapping[tuple[str, str], Stored], ends: Mapping[str, Stored]
    ) -> Case | None:
        end = self._end(task, [n for of, n in commands if of == task], ends)
        if end is None or (task, str(end.attempt)) not in commands:
            return None
        command = self._decoded(commands[task, str(end.attempt)])
        if not isinstance(command, Task):
            return None
        return Case(self.template, command, end, await self._project(command))

    def _end(self, task: str, attempts: Sequence[str], ends: Mapping[str, Stored]) -> Outcome | TaskFailed | None:
        """How the attempt ended that used the template."""
        if (stored := ends.get(self._subject("result", task))) is not None:
            result = self._decoded(stored)
            return result if isinstance(result, Outcome) and self._is_cited(result.calls) else None
        for n in reversed(attempts):
            stored = ends.get(self._subject("failure", task, n))
            failure = self._decoded(stored) if stored is not None else None
            if isinstance(failure, TaskFailed) and failure.error in BY_THE_PROMPT and self._is_cited(failure.calls):
                return failure
        return None

    async def _project(self, task: Task) -> tuple[FileRef, ...]:
        """The files beside which what the task writes can be tested: the last ones of the run that passed."""
        if isinstance(task, RepairProject):
            return task.files
        if not isinstance(task, BuildModule | WriteTests):
            return ()
        named = await self._commands("sandbox")
        results = await self._facts([("result", name) for name, _ in named])
        for (name, _), stored in reversed(named.items()):
            result = results.get(self._subject("result", name))
            try:
                seen, command = result and self._decoded(result), self._decoded(stored)
            except ContractError:
                continue
            if isinstance(seen, ProjectVerified) and seen.evidence.passed and isinstance(command, VerifyProject):
                return command.files
        return ()

    async def _commands(self, role: str) -> dict[tuple[str, str], Stored]:
        """The commands to a role by task and attempt, in order."""
        stored = await self.log.scan(self._subject("task", role, ">"))
        found = [(address.names[1:], one) for one in stored if (address := _address(one, self.prefix)) is not None]
        return {(task, attempt): one for (task, attempt), one in found}

    async def _facts(self, names: Sequence[tuple[str, ...]]) -> dict[str, Stored]:
        """Those of these facts that the log has, by subject."""
        subjects = list(dict.fromkeys(self._subject(*name) for name in names))
        stored = await present(self.log, subjects)
        return {one.subject: one for one in stored if self.before is None or one.sequence < self.before}

    def _subject(self, noun: str, *names: str) -> str:
        return Address(self.run.tenant, self.run.run, noun, names).subject(self.prefix)

    def _is_cited(self, calls: Iterable[Call]) -> bool:
        return any(cites(call, self.template) for call in calls)

    def _decoded(self, stored: Stored) -> Message:
        return decode(stored.subject, stored.data, self.prefix)


def _address(stored: Stored, prefix: str) -> Address | None:
    """The address of a fact; None for what anybody may have published under a subject that is none."""
    try:
        return parse(stored.subject, prefix)
    except NotASubject:
        return None


def slices(values: Sequence[X], size: int) -> Iterator[Sequence[X]]:
    """The values in their order, so many at a time."""
    return (values[at : at + size] for at in range(0, len(values), size))
