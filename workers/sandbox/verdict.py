"""Judges a test run from what it left behind. Pure; `pytest_run.py` says what a verdict is worth."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from workers.sandbox.jail import Outcome
from workers.sandbox.levels import Level
from workers.sandbox.limits import Limits
from workers.sandbox.results import Case, foreign_cases

OUTPUT_TAIL = 8000
MESSAGE_TAIL = 4000
MOST_FAILURES = 50
_NO_TESTS = 5
_SHELF = re.compile(r"[^\s:'\"(]*/flotilla-shelf-[^/\s]*/(?:python/lib/|libraries/)?")
_LIMIT = {
    "time": "took more than {cpu_s} s of CPU or {wall_s} s of time",
    "memory": "used more than {memory_mb} MB of memory",
    "output": "printed more than {output_kb} KB",
    "disk": "wrote more than {disk_mb} MB, or made more than {entries} files",
}


@dataclass(frozen=True)
class Found:
    """What could be read after a run. `problem` says why there is no `report`."""

    cases: tuple[Case, ...] = ()
    coverage: float | None = None
    report: bytes = b""
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a test run showed. `coverage` is in percent of lines; `failures` are (case, end of its message), at most 50;
    `reason` says in one sentence why it is not passed; `junit_xml` is empty if there was no report to read. `tests` are
    those that ran, skipped ones not among them."""

    passed: bool
    tests: int
    failed: int
    skipped: int
    coverage: float | None
    failures: tuple[tuple[str, str], ...]
    output: str
    reason: str
    level: Level
    duration_s: float
    junit_xml: bytes


def judge(found: Found, outcome: Outcome, limits: Limits, paths: Iterable[str], *, place: str) -> Verdict:
    """`place` is the throw-away directory."""
    red = [case for case in found.cases if case.outcome == "failed"]
    skipped = sum(case.outcome == "skipped" for case in found.cases)
    reason = _reason(found, outcome, limits, paths)
    output = _without_places(outcome.stdout_tail, place)[-OUTPUT_TAIL:]
    failures = [(case.name, _without_places(case.message, place)) for case in red[:MOST_FAILURES]]
    if reason and not failures:
        failures = [("the run as a whole", f"{reason}\n{output}"[-MESSAGE_TAIL:])]
    return Verdict(
        passed=not reason,
        tests=len(found.cases) - skipped,
        failed=len(red),
        skipped=skipped,
        coverage=found.coverage,
        failures=tuple(failures),
        output=output,
        reason=reason,
        level=outcome.level,
        duration_s=outcome.duration_s,
        junit_xml=found.report,
    )


def _reason(found: Found, outcome: Outcome, limits: Limits, paths: Iterable[str]) -> str:
    """Why this is not a pass: the first that applies; empty if it is one."""
    ran = [case for case in found.cases if case.outcome != "skipped"]
    red = sum(case.outcome == "failed" for case in ran)
    code = outcome.exit_code
    foreign = foreign_cases(ran, paths)
    killed = _LIMIT.get(outcome.killed_because, outcome.killed_because).format(**asdict(limits))
    alone = "" if outcome.loopback else " (no server can be started in this sandbox: it has no network of its own)"
    reasons = (
        (killed, f"the run was killed: it {killed}"),
        (red, f"{red} of {len(ran)} tests failed{alone}"),
        (code == _NO_TESTS or (found.report and not ran), "no test ran: pytest found none, or all were skipped"),
        (found.problem, f"pytest ended with exit code {code} and without a report of its tests ({found.problem})"),
        (code != 0, f"every reported test passed, but pytest ended with exit code {code}"),
        (foreign, f"the report has tests in files that the project does not have: {', '.join(foreign[:3])}"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _without_places(text: str, place: str) -> str:
    """Leave out where the project and the shelf lay, so that texts are the same every time."""
    return _SHELF.sub("", text.replace(f"{place}/", "")).replace(place, ".")
