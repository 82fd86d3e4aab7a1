"""Pinned cases: a file that holds recorded tasks with all that they refer to, so that they outlive log and artifacts.

    {"format": "flotilla-cases", "version": 1, "template": "architect/design",
     "cases": [{"subject": …, "command": …, "end": {"subject": …, "fact": …}, "project": [file, …]}, …],
     "artifacts": {"<sha256>": {"text": …} | {"base64": …}, …}}

Commands and ends are as they are in the log, under the prefix `flotilla`, and are decoded as those of the log: a file
that was written by an older Flotilla stays readable. What the task needs must be there; the files that were made of it
then may be missing.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from contracts.codec import ContractError, decode, described, encode
from contracts.message import Message
from contracts.subjects import subject_of
from contracts.v1.failures import TaskFailed
from contracts.v1.projects import FileRef
from contracts.v1.tasks import Outcome, Task
from workers.prompt_lab.cases import Case, cites, refs_in
from workers.runtime.ports import ArtifactMissing, Artifacts

FORMAT, VERSION = "flotilla-cases", 1

MOST_BYTES = 64 * 1024**2
"""Of a file with cases, and of the artifacts in it."""

_PROJECT: TypeAdapter[tuple[FileRef, ...]] = TypeAdapter(tuple[FileRef, ...])


class BadCases(ValueError):
    """These are no cases that can be pinned or read; the message says what is wrong with which of them."""


class Pinned(NamedTuple):
    """The cases of a file, and the artifacts in it by digest."""

    cases: tuple[Case, ...]
    artifacts: Mapping[str, bytes]

    @property
    def template(self) -> str:
        """The template that all of them used."""
        return self.cases[0].template


async def pinned(cases: Sequence[Case], artifacts: Artifacts) -> bytes:
    """The file with these cases, all of one template.

    Raises `BadCases` when there are none, when something that a task needs is gone, or when they are too large.
    """
    if not cases or len({case.template for case in cases}) > 1:
        raise BadCases("a file of cases holds one or more, all of one template")
    size = sum({ref.sha256: ref.size for case in cases for ref in _refs(case)}.values())
    if size > MOST_BYTES:
        raise BadCases(f"the files of these cases have {size:,} bytes; {MOST_BYTES:,} can be pinned: pin fewer cases")
    kept = await _kept(cases, artifacts)
    for case in cases:
        if gone := case.needs - kept.keys():
            raise BadCases(f"{case.id} can't be pinned: artifact {min(gone)[:12]} is gone")
    content = {
        "format": FORMAT,
        "version": VERSION,
        "template": cases[0].template,
        "cases": [_written(case, kept) for case in cases],
        "artifacts": {digest: _worded(kept[digest]) for digest in sorted(kept)},
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def unpinned(content: bytes) -> Pinned:
    """The cases of a file; raises `BadCases`."""
    if len(content) > MOST_BYTES * 2:
        raise BadCases(f"the file has {len(content):,} bytes, which is more than any file of cases")
    try:
        raw = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BadCases(f"it is no JSON in UTF-8: {error}") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BadCases(f'it is no file of cases, which begins with {{"format": "{FORMAT}"')
    if raw.get("version") != VERSION:
        raise BadCases(f"it is of version {_short(raw.get('version'))}, and {VERSION} is the one that is known here")
    template, listed, named = raw.get("template"), raw.get("cases"), raw.get("artifacts")
    if not isinstance(template, str) or not isinstance(listed, list) or not isinstance(named, dict) or not listed:
        raise BadCases("it needs a template, a list of one or more cases, and artifacts by digest")
    artifacts = {digest: _content(digest, words) for digest, words in named.items()}
    cases = tuple(_read(f"case {n}", one, template, artifacts) for n, one in enumerate(listed, 1))
    if len({case.id for case in cases}) < len(cases):
        raise BadCases("a task is there more than once")
    return Pinned(cases, artifacts)


def _refs(case: Case) -> Iterable[FileRef]:
    yield from refs_in(case.task)
    yield from refs_in(case.end)
    yield from case.project


async def _kept(cases: Sequence[Case], artifacts: Artifacts) -> dict[str, bytes]:
    """What is there of the artifacts that the cases refer to."""
    kept: dict[str, bytes] = {}
    for digest in sorted({ref.sha256 for case in cases for ref in _refs(case)}):
        try:
            kept[digest] = await artifacts.get(digest)
        except ArtifactMissing:
            continue
    return kept


def _written(case: Case, kept: Mapping[str, bytes]) -> dict[str, Any]:
    whole = all(ref.sha256 in kept for ref in case.project)
    return {
        "subject": subject_of(case.task),
        "command": _fact(case.task),
        "end": {"subject": subject_of(case.end), "fact": _fact(case.end)},
        "project": _PROJECT.dump_python(case.project if whole else (), mode="json"),
    }


def _fact(message: Message) -> Any:
    return json.loads(encode(message))


def _worded(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _content(digest: str, words: object) -> bytes:
    match words:
        case {"text": str(text)}:
            content = text.encode(errors="replace")
        case {"base64": str(text)}:
            try:
                content = base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise BadCases(f"artifact {_short(digest)} is no base64: {error}") from None
        case _:
            raise BadCases(f'artifact {_short(digest)} must be {{"text": …}} or {{"base64": …}}')
    if sha256(content).hexdigest() != digest:
        raise BadCases(f"artifact {_short(digest)} has another content than its name says")
    return content


def _read(where: str, raw: object, template: str, artifacts: Mapping[str, bytes]) -> Case:
    match raw:
        case {"subject": str(of_task), "command": dict(said), "end": {"subject": str(of), "fact": dict(fact)}, **rest}:
            task, end = _decoded(where, of_task, said), _decoded(where, of, fact)
        case _:
            raise BadCases(f"{where} needs a subject, a command, and an end with its subject and fact")
    if not isinstance(task, Task) or not isinstance(end, Outcome | TaskFailed):
        raise BadCases(f"{where} must be a command with a result or a failure, not {_kind(task)} with {_kind(end)}")
    if (task.tenant, task.run, task.task) != (end.tenant, end.run, end.task):
        raise BadCases(f"{where} has the command of {of_task} and the end of {of}")
    if not any(cites(call, template) for call in end.calls):
        raise BadCases(f"{where} did not use {_short(template)}")
    try:
        case = Case(template, task, end, _PROJECT.validate_python(rest.get("project", [])))
    except ValidationError as error:
        raise BadCases(f"{where} has a project that is none: {described(error)[0][1]}") from None
    if gone := (case.needs | {ref.sha256 for ref in case.project}) - artifacts.keys():
        raise BadCases(f"{where} refers to artifact {min(gone)[:12]}, which is not in the file")
    return case


def _decoded(where: str, subject: str, raw: Mapping[str, Any]) -> Message:
    try:
        return decode(subject, json.dumps(raw).encode())
    except ContractError as error:
        raise BadCases(f"{where}: {error}") from None


def _kind(message: Message) -> str:
    return type(message).__name__


def _short(value: object) -> str:
    return repr(value)[:60]
