"""The manifest of a capsule: what is inside, what made each file, and how it was shown to work.

It says nothing about the machine or the moment of packing: the same task gives the same manifest,
so that a redelivered task packs the same bytes.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Attempt, Token, Value
from contracts.v1.journal import Call
from contracts.v1.projects import Criterion, Evidence, FileRef, Finding, Identifier, ProjectPath, Sha256
from contracts.v1.runs import Spent
from contracts.v1.tasks import MadeFile, PackProject

FORMAT = 1
"""The format that this code writes; a newer one is refused, an older one is read."""


class PromptUsed(Value):
    """A prompt by its name, in the version that was rendered."""

    prompt: str
    version: str


class PackedFile(Value):
    """A file of the project and what made it; `journal` names the facts of the model calls within the run."""

    path: ProjectPath
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    task: Token
    attempt: Attempt
    prompts: tuple[PromptUsed, ...] = ()
    journal: tuple[str, ...] = ()


class TestsSeen(Value):
    """What the sandbox saw. `junit` is the digest of `evidence/junit.xml` in the capsule.

    Times and printed output stay in the run's log, and in the report that its evidence names.
    """

    __test__ = False

    passed: bool
    tests: int
    failed: int
    skipped: int
    coverage: float | None
    level: str
    files_digest: Sha256
    junit: Sha256 | None


class ModelUsed(Value):
    """A target as the journal names it, with what it was asked for in this run."""

    target: str
    spent: Spent


class Manifest(Value):
    """`manifest.json`. `start` is the command that runs the project; `spent` sums every model call of the run."""

    format: Literal[1] = 1
    tenant: Token
    run: Token
    idea: str
    title: str
    package: Identifier
    start: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    evidence: TestsSeen
    findings: tuple[Finding, ...]
    models: tuple[ModelUsed, ...]
    spent: Spent
    files: tuple[PackedFile, ...]

    def to_bytes(self) -> bytes:
        """UTF-8 JSON for people to read; the same manifest gives the same bytes."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


def manifest_of(task: PackProject) -> Manifest:
    """The manifest of the capsule that the task asks for."""
    calls = _distinct((*task.calls, *(call for file in task.files for call in file.calls)))
    return Manifest(
        tenant=task.tenant,
        run=task.run,
        idea=task.idea,
        title=task.requirements.title,
        package=task.design.package,
        start=task.design.start,
        criteria=task.requirements.criteria,
        evidence=_seen(task.evidence),
        findings=task.findings,
        models=_models(calls),
        spent=_spent(calls),
        files=tuple(_packed(file) for file in sorted(task.files, key=_path)),
    )


def _path(file: FileRef) -> str:
    return file.path


def _seen(evidence: Evidence) -> TestsSeen:
    return TestsSeen.model_validate(evidence.model_dump(include=set(TestsSeen.model_fields)))


def _packed(file: MadeFile) -> PackedFile:
    calls = _distinct(file.calls)
    return PackedFile(
        path=file.path,
        sha256=file.sha256,
        size=file.size,
        task=file.task,
        attempt=file.attempt,
        prompts=tuple(
            PromptUsed(prompt=prompt, version=version)
            for prompt, version in sorted({(call.prompt, call.prompt_version) for call in calls})
        ),
        journal=tuple(call.entry for call in calls),
    )


def _distinct(calls: Iterable[Call]) -> tuple[Call, ...]:
    """Each call once: several results may cite the same journal entry."""
    by_entry = {call.entry: call for call in calls}
    return tuple(by_entry[entry] for entry in sorted(by_entry))


def _models(calls: Iterable[Call]) -> tuple[ModelUsed, ...]:
    by_target = defaultdict(list)
    for call in calls:
        by_target[call.target].append(call)
    return tuple(ModelUsed(target=target, spent=_spent(by_target[target])) for target in sorted(by_target))


def _spent(calls: Iterable[Call]) -> Spent:
    calls = tuple(calls)
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return Spent(
        calls=len(calls),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost_usd=math.fsum(costs) if len(costs) == len(calls) else None,
    )
