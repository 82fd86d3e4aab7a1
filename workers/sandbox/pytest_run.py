"""Runs a project's own tests in the jail and says what came of it.

What a verdict is worth. Tests run in the same process as the code that they test, and pytest writes its report from
that process too. So code that sets out to deceive can write any report and any exit code; no test runner inside the
same process can rule that out, and this one does not claim to. What it does rule out, because each is what broken or
lazy code really does: a run that ends early with success (os._exit(0), sys.exit(0) at collection); a report that is
deleted, missing, a link, left from before (its name is new for every run), not XML, or says less than the exit code; a
report of no tests; a report of tests in files that the project does not have; settings of the project that deselect
everything or switch the report off (`addopts` is overridden). Passed means: exit code 0, and a report with at least one
test that ran, each in a file of the project, none of them red. Reviewers read the tests themselves.
"""

import asyncio
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contracts.v1.projects import ProjectPath
from workers.sandbox.cell import HOME, TEMPORARY
from workers.sandbox.jail import run
from workers.sandbox.levels import Level, require
from workers.sandbox.limits import Limits
from workers.sandbox.owner import discard
from workers.sandbox.results import UnreadableResult, junit_cases, line_coverage, read_result
from workers.sandbox.shelf import Shelf, shelf
from workers.sandbox.verdict import Found, Verdict, judge

_PATH = TypeAdapter[str](ProjectPath)
_SETTINGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


class UnsafeProject(ValueError):
    """The files can't be laid out: a bad or clashing path, or more than the disk limit. Nothing was run."""


async def verify(files: Mapping[str, bytes], limits: Limits, minimum: Level) -> Verdict:
    """Lay out `files` in a throw-away directory and run pytest there, at the highest level that is reachable.

    Raises `SandboxTooWeak` below `minimum`, `UnsafeProject` for files that can't be laid out, `SandboxBroken` if the
    jail could not be set up. Anything that the project itself does wrong is a verdict.
    """
    level = await asyncio.to_thread(require, minimum)
    place = await asyncio.to_thread(shelf)
    project = Path(tempfile.mkdtemp(prefix="flotilla-project-"))
    token = secrets.token_hex(8)
    try:
        await asyncio.to_thread(lay_out, files, project, limits)
        outcome = await run(command(files, place, token), project, limits, level)
        found = await asyncio.to_thread(_found, project, token)
        return judge(found, outcome, limits, files, place=str(project))
    finally:
        await asyncio.to_thread(discard, project)


def lay_out(files: Mapping[str, bytes], project: Path, limits: Limits) -> None:
    """Write the files. Refuses paths that leave the project or that the sandbox itself uses, and too much content."""
    if sum(map(len, files.values())) > limits.disk_mb << 20:
        raise UnsafeProject(f"the project has more than {limits.disk_mb} MB of files; the sandbox takes no more")
    for path, content in files.items():
        try:
            _PATH.validate_python(path)
        except ValidationError as error:
            raise UnsafeProject(f"{path!r} is not a path inside a project: {error.errors()[0]['msg']}") from error
        if path.split("/")[0] in (HOME, TEMPORARY):
            raise UnsafeProject(f"{path!r} is in a folder that the sandbox keeps for itself; use another name")
        target = project / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UnsafeProject(f"{path!r} is a file and a folder at once; name one of them differently") from error


def command(files: Iterable[str], place: Shelf, token: str) -> list[str]:
    """pytest with coverage of lines. `-P`: the working directory does not come before pytest on the path."""
    paths = set(files)
    settings = next((name for name in _SETTINGS if name in paths), str(place.pytest_ini))
    source = "src" if any(path.startswith("src/") for path in paths) else "."
    return [
        *("python", "-P", "-m", "pytest", "-q", "--color=no", "--tb=short", "-p", "no:cacheprovider"),
        *("-c", settings, "--rootdir=.", "-o", "addopts="),
        *(f"--junit-xml=junit-{token}.xml", f"--cov={source}", f"--cov-config={place.coveragerc}"),
        f"--cov-report=json:coverage-{token}.json",
    ]


def _found(project: Path, token: str) -> Found:
    try:
        report = read_result(project, f"junit-{token}.xml")
        cases, problem = junit_cases(report), ""
    except UnreadableResult as error:
        report, cases, problem = b"", (), str(error).replace(f"-{token}", "")
    try:
        coverage = line_coverage(read_result(project, f"coverage-{token}.json"))
    except UnreadableResult:
        coverage = None  # a figure to be told and not a reason to fail
    return Found(cases, coverage, report, problem)
