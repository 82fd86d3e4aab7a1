"""Reads what a test run left behind. All of it was written by generated code, so none of it is believed to be a file,
small, or well-formed."""

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

MOST_BYTES = 8 << 20
MOST_CASES = 20_000
MESSAGE_TAIL = 4000


class UnreadableResult(Exception):
    """The file is missing, or it is not what a test run leaves behind."""


@dataclass(frozen=True)
class Case:
    """One test case. `outcome` is "passed", "failed" (an error in it counts as well) or "skipped"."""

    name: str
    outcome: str = "passed"
    message: str = ""


def read_result(project: Path, name: str) -> bytes:
    """Read a file in the top of the project without following a link, waiting on a pipe or reading without end."""
    try:
        folder = os.open(project, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise UnreadableResult(f"{name} can't be read: {error.strerror}") from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > MOST_BYTES:
            raise UnreadableResult(f"{name} is not a plain file of at most {MOST_BYTES >> 20} MB")
        return b"".join(iter(lambda: os.read(file, 1 << 20), b""))
    finally:
        os.close(file)


def line_coverage(text: bytes) -> float | None:
    """Percent of lines, from coverage.py's JSON report."""
    try:
        percent = float(json.loads(text)["totals"]["percent_covered"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return round(percent, 2) if 0 <= percent <= 100 else None


def junit_cases(text: bytes) -> tuple[Case, ...]:
    """The cases of a JUnit report. A case that is reported twice (test and teardown) keeps its worse outcome.

    A document type would bring entities, which grow and which read files; pytest writes none, so one is refused.
    """
    reading = _Reading()
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = reading.refuse
    parser.EntityDeclHandler = reading.refuse
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.characters
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise UnreadableResult(f"the JUnit report is not XML: {error}") from error
    return tuple(reading.cases.values())


@dataclass
class _Reading:
    """The state of one reading; only `junit_cases` sees it."""

    cases: dict[str, Case] = field(default_factory=dict)
    name: str = ""
    outcome: str = "passed"
    text: list[str] = field(default_factory=list)
    listening: bool = False

    def refuse(self, *_: object) -> None:
        raise UnreadableResult("the JUnit report has a document type; it was not written by pytest")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testcase":
            prefix = attributes.get("classname", "")
            self.name = (f"{prefix}::" if prefix else "") + attributes.get("name", "")
            self.outcome, self.text = "passed", []
        elif tag in ("failure", "error", "skipped"):
            if self.outcome != "failed":
                self.outcome = "skipped" if tag == "skipped" else "failed"
            self.text.append(attributes.get("message", "") + "\n")
            self.listening = True

    def characters(self, text: str) -> None:
        if self.listening:
            self.text.append(text)

    def end(self, tag: str) -> None:
        self.listening = False
        if tag != "testcase":
            return
        if len(self.cases) >= MOST_CASES:
            raise UnreadableResult(f"the JUnit report has more than {MOST_CASES} cases")
        before = self.cases.get(self.name)
        if before is None or before.outcome != "failed":
            self.cases[self.name] = Case(self.name, self.outcome, "".join(self.text).strip()[-MESSAGE_TAIL:])


def foreign_cases(cases: Iterable[Case], paths: Iterable[str]) -> tuple[str, ...]:
    """Cases said to have passed that belong to no file of the project."""
    modules = tuple(path.removesuffix(".py").replace("/", ".") for path in paths if path.endswith(".py"))
    starts = tuple(f"{module}{mark}" for module in modules for mark in ("::", "."))
    return tuple(case.name for case in cases if case.outcome == "passed" and not case.name.startswith(starts))
