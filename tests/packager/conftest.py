"""A project to pack, and archives made by hand for what `pack` would never write."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping

import pytest

from contracts.v1.journal import Call
from contracts.v1.projects import Criterion, Design, Evidence, FieldSpec, Module, RecordKind, Requirements, files_digest
from contracts.v1.tasks import MadeFile, PackProject

FILES = {
    "README.md": b"# Shelf\n",
    "manifest.json": b'{"of": "the project itself"}',
    "shelf/__init__.py": b"",
    "shelf/api.py": b"def serve() -> None: ...\n",
}
JUNIT = b"<testsuites/>"


def _call(entry: str, prompt: str, cost: float | None = 0.25) -> Call:
    return Call(
        entry=entry, target="builtin", prompt=prompt, prompt_version="3", input_tokens=100, output_tokens=20,
        cost_usd=cost,
    )  # fmt: skip


def _made(path: str, content: bytes) -> MadeFile:
    return MadeFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        task="build_api",
        attempt=2,
        calls=(_call("llm.build_api.2.1", "backend_developer/build"),),
    )


def _task(files: Mapping[str, bytes] = FILES, junit: bytes | None = JUNIT, **changes: object) -> PackProject:
    made = tuple(_made(path, content) for path, content in files.items())
    task = PackProject(
        tenant="acme",
        run="r42",
        role="packager",
        task="pack",
        idea="a book shelf",
        requirements=Requirements(
            title="Shelf",
            package="shelf",
            summary="Keeps books.",
            records=(RecordKind(name="book", plural="books", fields=(FieldSpec(name="title", type="text"),)),),
            criteria=(Criterion(id="AC-1", statement="A book can be created.", topic="create"),),
        ),
        design=Design(
            summary="One module.",
            package="shelf",
            modules=(Module(name="api", purpose="HTTP", files=("shelf/api.py",)),),
            start=("python", "-m", "shelf"),
        ),
        files=made,
        evidence=Evidence(
            passed=True, tests=12, coverage=93.5, output="12 passed in 0.31s", level="landlock", duration_s=1.75,
            files_digest=files_digest(made), junit=hashlib.sha256(junit).hexdigest() if junit is not None else None,
        ),
        calls=(
            _call("llm.plan.1.1", "project_manager/plan"),
            _call("llm.build_api.2.1", "backend_developer/build"),
        ),
    )  # fmt: skip
    return task.model_copy(update=changes)


def _archive(entries: Iterable[tuple[tarfile.TarInfo | str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for entry, content in entries:
            header = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            header.size = header.size or len(content)
            tar.addfile(header, io.BytesIO(content))
    return gzip.compress(out.getvalue())


@pytest.fixture(scope="session")
def shelf() -> dict[str, bytes]:
    """The files of a small project, by path."""
    return dict(FILES)


@pytest.fixture(scope="session")
def junit() -> bytes:
    """The report of the project's tests."""
    return JUNIT


@pytest.fixture(scope="session")
def make_task() -> Callable[..., PackProject]:
    """Makes the task to pack the given files (by default the shelf's)."""
    return _task


@pytest.fixture(scope="session")
def make_archive() -> Callable[..., bytes]:
    """Makes a gzipped tar of whatever entries it is given, in that order."""
    return _archive
