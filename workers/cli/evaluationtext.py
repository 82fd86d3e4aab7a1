"""The report of an evaluation as lines and as JSON: how each version did, and where they differ."""

from collections.abc import Iterator
from typing import Any

from contracts.v1.runs import Spent
from workers.cli.ballottext import BLOCK, PLAIN_BLOCK, Page
from workers.cli.experimenttext import METRICS
from workers.cli.figures import ELLIPSIS, count, dollars, plain, visible
from workers.cli.modeltable import hanging
from workers.prompt_lab.report import CaseDone, Done, Report, VersionReport

HEADS = ("version", "asked as", "cases", "well", "rate", "at least", "cost", "per call")
WIDEST_BAR, NARROWEST_BAR = 24, 6
MOST_CASES, MOST_LINES = 3, 24
"""Cases whose difference is printed, and lines of each; the report has all."""


def shown(report: Report, page: Page, whole: str = "") -> Iterator[str]:
    """Success with its bound, cost and time of each version, then what went wrong and how outputs differ. `whole` says
    where all of it is."""
    target = f"answered by {plain(report.target)}" if report.target else "answered by who answered then"
    yield from hanging(f"{report.template} on {count(len(report.cases), 'case')}, {target}", page.width, 2)
    yield from hanging(f"well done is: {METRICS[report.metric]}", page.width, 2)
    yield ""
    yield from _versions(report, page)
    yield from hanging("at least: 95 % sure, one-sided (Clopper and Pearson)", page.width, 2)
    for text in report.notes:
        yield from hanging(f"note: {plain(text)}", page.width, 2)
    yield from _wrong(report, page)
    yield from _differences(report, page, whole)


def _versions(report: Report, page: Page) -> Iterator[str]:
    cells = [_cells(one) for one in report.versions]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    head = _line(HEADS, widths)
    if page.width is not None and len(head) > page.width:
        for version, asked, cases, well, rate, bound, cost, latency in cells:
            named = version if asked == "-" else f"{version} ({asked})"
            yield from hanging(named, page.width, 2)
            yield from hanging(f"  {well} of {cases} went well: {rate}, at least {bound}", page.width, 4)
            yield from hanging(f"  cost {cost}, {latency} a call", page.width, 4)
        return
    yield head
    room = WIDEST_BAR if page.width is None else min(WIDEST_BAR, page.width - len(head) - 2)
    block = BLOCK if page.unicode else PLAIN_BLOCK
    for one, texts in zip(report.versions, cells, strict=True):
        bar = block * round(room * (one.rate or 0)) if room >= NARROWEST_BAR else ""
        yield f"{_line(texts, widths)}  {bar}".rstrip()


def _line(texts: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(
        f"{text:<{wide}}" if place < 2 else f"{text:>{wide}}"
        for place, (text, wide) in enumerate(zip(texts, widths, strict=True))
    )


def _cells(one: VersionReport) -> tuple[str, ...]:
    judged = one.rate is not None
    rate, bound = (f"{100 * (one.rate or 0):.0f} %", f"{100 * one.bound:.1f} %") if judged else ("-", "-")
    asked = "-" if one.asked in ("", one.version) else plain(one.asked)
    cost = "unknown" if one.cost_usd is None else dollars(one.cost_usd)
    latency = "-" if one.latency_ms is None else _milliseconds(one.latency_ms)
    return one.version, asked, f"{one.cases:,}", f"{one.successes:,}", rate, bound, cost, latency


def _milliseconds(amount: float) -> str:
    return f"{amount / 1000:.1f} s" if amount >= 1000 else f"{amount:.0f} ms"


def _wrong(report: Report, page: Page) -> Iterator[str]:
    """The cases that did not go well, or could not be judged, with the reason."""
    for one in report.versions:
        failed = [(case, done) for case, done in _of(report, one.version) if done.success is not True]
        if not failed:
            continue
        yield ""
        yield f"{one.version} did not do well:" if any(d.success is False for _, d in failed) else f"{one.version}:"
        for case, done in failed[:MOST_CASES]:
            word = "" if done.success is False else "not judged: "
            yield from hanging(f"  {plain(case.case)}  {word}{plain(done.why)}", page.width, 4)
        if len(failed) > MOST_CASES:
            yield f"  and {count(len(failed) - MOST_CASES, 'more case')}"


def _of(report: Report, version: str) -> list[tuple[CaseDone, Done]]:
    return [(case, done) for case in report.cases for done in case.done if done.version == version]


def _differences(report: Report, page: Page, whole: str) -> Iterator[str]:
    differing = [(case, done) for case in report.cases for done in case.done if _says_something(done.diff)]
    if not differing and any(done.diff for case in report.cases for done in case.done):
        return
    if not differing:
        yield ""
        yield "the outputs do not differ" if len(report.versions) > 1 else "the outputs are as recorded"
        return
    first = report.versions[0].version if len(report.versions) > 1 else "recorded"
    for case, done in differing[:MOST_CASES]:
        yield ""
        yield from hanging(f"{plain(case.case)}: from {first} to {done.version}", page.width, 2)
        lines = [line for line in done.diff.split("\n") if not line.startswith(("--- ", "+++ "))]
        for line in lines[:MOST_LINES]:
            yield _cut(f"  {visible(line)}".replace("\t", " "), page)
        if len(lines) > MOST_LINES:
            yield f"  and {count(len(lines) - MOST_LINES, 'more line')}"
    if len(differing) > MOST_CASES or whole:
        more = f"{count(len(differing), 'output')} differ" if len(differing) != 1 else "1 output differs"
        yield ""
        yield from hanging(f"{more} in all" + (f"; {whole}" if whole else ""), page.width, 2)


def _says_something(diff: str) -> bool:
    """Whether there is an output to compare: where none came, all that differs is known from above."""
    return any(line.startswith("+") and line[1:].strip() and not line.startswith("+++ ") for line in diff.split("\n"))


def _cut(text: str, page: Page) -> str:
    shown_as = text if page.unicode else text.encode("ascii", "backslashreplace").decode()
    if page.width is None or len(shown_as) <= page.width:
        return shown_as
    return shown_as[: page.width - 1] + (ELLIPSIS if page.unicode else "~")


def as_json(report: Report, run: str, spent: Spent) -> dict[str, Any]:
    """The whole report, with the run that made it and what that spent."""
    return {"type": "evaluation", "run": run, "spent": spent.model_dump(), **report.model_dump(mode="json")}
