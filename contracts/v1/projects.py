"""What a project is made of: requirements, design, files, evidence, findings."""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from contracts.message import Prose, Value

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A snake_case name that is also a Python identifier and an SQL name."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""Lower-case hexadecimal SHA-256."""


def _stays_inside(path: str) -> str:
    if any(part in (".", "..") for part in path.split("/")):
        raise ValueError("must not have '.' or '..' as a part")
    return path


ProjectPath = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*$", max_length=200),
    AfterValidator(_stays_inside),
]
"""A relative path with forward slashes; never absolute, never with `.` or `..` as a part."""

FieldType = Literal[
    "text", "integer", "number", "money", "date", "time", "datetime", "boolean", "choice", "email", "url"
]


class FieldSpec(Value):
    """A typed field of a record. `choices` is only for type `choice`; money is in whole cents."""

    name: Identifier
    type: FieldType
    required: bool = False
    unique: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None


class Link(Value):
    """A relation from one kind of record to another: one-to-many seen from the many side, or many-to-many."""

    name: Identifier
    to: Identifier
    many: bool = False
    required: bool = False


class RecordKind(Value):
    """A kind of thing that the service keeps records of."""

    name: Identifier
    plural: Identifier
    fields: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    links: tuple[Link, ...] = ()
    filters: tuple[Identifier, ...] = ()
    search: tuple[Identifier, ...] = ()


Topic = Literal[
    "create", "read", "list", "update", "delete", "validation", "uniqueness", "filter",
    "sort", "search", "pages", "links", "persistence", "errors", "other",
]  # fmt: skip


class Criterion(Value):
    """One acceptance criterion. Tests are written from these, not from the code."""

    id: Annotated[str, StringConstraints(pattern=r"^AC-[0-9]{1,3}$")]
    statement: Prose
    topic: Topic = "other"
    record: Identifier | None = None


class Requirements(Value):
    """What is wanted, in terms that can be checked."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    package: Identifier
    summary: Prose
    records: tuple[RecordKind, ...] = ()
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    constraints: tuple[Prose, ...] = ()


class Module(Value):
    """A part of the design that one developer builds alone. `files` are the paths that it writes."""

    name: Identifier
    purpose: Prose
    files: Annotated[tuple[ProjectPath, ...], Field(min_length=1)]
    depends_on: tuple[Identifier, ...] = ()
    interface: Prose = ""


class Endpoint(Value):
    """One operation of the HTTP API."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    purpose: Prose
    request: Prose = ""
    response: Prose = ""
    status: int = 200


class Column(Value):
    """A column of a table, in the words of the database."""

    name: Identifier
    type: str
    constraints: str = ""


class Table(Value):
    """A table of the data model."""

    name: Identifier
    columns: tuple[Column, ...]


class DesignDecision(Value):
    """A choice that was made and why."""

    decision: Prose
    reason: Prose


class Design(Value):
    """How the project is built. `start` is the command that runs it, without options."""

    summary: Prose
    package: Identifier
    modules: Annotated[tuple[Module, ...], Field(min_length=1, max_length=40)]
    endpoints: tuple[Endpoint, ...] = ()
    tables: tuple[Table, ...] = ()
    decisions: tuple[DesignDecision, ...] = ()
    start: tuple[str, ...] = ()


class FileRef(Value):
    """A file of the project: its path and the artifact that holds its content. `size` is in bytes."""

    path: ProjectPath
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class CaseFailure(Value):
    """A test case that was red, with the end of what it printed."""

    case: str
    message: Prose


class Evidence(Value):
    """What the sandbox saw. `level` is the isolation reached; `coverage` is in percent of lines."""

    passed: bool
    tests: int
    failed: int = 0
    skipped: int = 0
    coverage: float | None = None
    failures: tuple[CaseFailure, ...] = ()
    output: Prose = ""
    reason: str = ""
    level: str
    duration_s: float
    files_digest: Sha256
    junit: Sha256 | None = None

    @property
    def is_green(self) -> bool:
        """Tests ran and none was red; a bare `passed` beside a red test, or without any test, is not believed."""
        return self.passed and self.failed == 0 and self.tests > 0


class Finding(Value):
    """What a reviewer found. A `blocking` finding causes a repair."""

    severity: Literal["note", "minor", "major", "blocking"]
    path: ProjectPath | None = None
    message: Prose


def files_digest(files: Iterable[FileRef]) -> str:
    """SHA-256 over paths and digests in order of path: which files a piece of evidence is about.

    The digest is of the JSON list of [path, sha256] pairs as Python's `json.dumps` writes it.
    """
    listed = sorted((file.path, file.sha256) for file in files)
    return sha256(json.dumps(listed).encode()).hexdigest()
