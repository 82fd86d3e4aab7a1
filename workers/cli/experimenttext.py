"""Experiments on prompts as lines and as JSON: one as a whole, or a line for each."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from contracts.v1.prompts import ArmCount, ExperimentEnded, ExperimentStarted, Metric
from workers.cli.ballottext import BLOCK, PLAIN_BLOCK, Page
from workers.cli.durations import as_typed
from workers.cli.evidencecurve import drawn
from workers.cli.figures import count, plain, seconds
from workers.cli.modeltable import hanging
from workers.gateway.pictures.arms import tasks_of
from workers.prompting.evidence_curves import MICRO, curves_of
from workers.prompting.verdicts import because_of, ended_as

Point = tuple[int, int, int, int, int, int]
Verdict = Literal["running", "promoted", "rolled_back", "stopped"]

METRICS: dict[Metric, str] = {
    "valid": "the reply fits at the first try",
    "tests_green": "the run's tests pass at their first run",
    "no_repairs": "the run completes without a repair",
    "votes_won": "what the task made or voted for won its ballot",
    "cost": "the task costs less than is usual, and its reply fits",
    "latency": "the task takes less than is usual, and its reply fits",
}
HEADS = ("prompt", "k", "state", "candidate", "share", "metric", "outcomes", "live", "candidate wins")
WIDEST_BAR, NARROWEST_BAR = 24, 6
FULL = 32
"""Lines that strips of the usual height need with what stands around them."""


class Standing(NamedTuple):
    """How an experiment stands, or how it ended. `shares` in millionths are by epoch; `curve` is as in the contract.

    `live_now` is what tasks get now, whoever moved `live` since; empty is what the end left.
    `waiting` are tasks that were assigned and have no outcome yet. `is_enough` while it runs: it is decided, and the
    prompt lab is about to say so.
    """

    started: ExperimentStarted
    shares: tuple[int, ...]
    live: ArmCount = ArmCount()
    candidate: ArmCount = ArmCount()
    curve: tuple[Point, ...] = ()
    verdict: Verdict = "running"
    why: str = ""
    reason: str = ""
    began: datetime | None = None
    waiting: int = 0
    is_enough: bool = False
    live_now: str = ""

    @property
    def outcomes(self) -> int:
        """Outcomes of both arms."""
        return tasks_of(self.live) + tasks_of(self.candidate)

    @classmethod
    def over(
        cls, started: ExperimentStarted, shares: tuple[int, ...], ended: ExperimentEnded, began: datetime | None = None
    ) -> "Standing":
        """An experiment that has ended."""
        return cls(
            started, shares, ended.live, ended.candidate, ended.curve, ended.verdict, ended.why, ended.reason, began
        )


def shown(standing: Standing, page: Page, now: datetime) -> Iterator[str]:
    """All of it: what is tried, how both arms did, and the evidence."""
    yield from _headline(standing, page)
    for word, text in _terms(standing, now):
        yield from hanging(f"  {word:<10} {text}", page.width, 13)
    yield ""
    yield from _figures(standing, page, flat=False)


def kept_up(standing: Standing, page: Page, height: int) -> Iterator[str]:
    """What changes while outcomes come in, on a terminal of so many lines."""
    yield from _headline(standing, page)
    yield from _figures(standing, page, flat=height < FULL)


def _headline(standing: Standing, page: Page) -> Iterator[str]:
    started = standing.started
    yield from hanging(f"{started.template} experiment {started.k}  {_state(standing)}", page.width, 2)


def _figures(standing: Standing, page: Page, flat: bool) -> Iterator[str]:
    started = standing.started
    yield from arms(standing, page)
    yield ""
    about = f"evidence by outcomes: odds, on a log scale, that {started.candidate} is"
    yield from hanging(f"{about} …" if page.unicode else f"{about} ...", page.width, 2)
    yield from drawn(curves_of(started, standing.curve), page, flat)
    if standing.verdict != "running":
        yield ""
        yield from hanging(end_in_words(standing), page.width, 2)


def _state(standing: Standing) -> str:
    state = standing.verdict.replace("_", " ")
    if standing.verdict != "running":
        return f"{state} after {count(standing.outcomes, 'outcome')}"
    waiting = f", {standing.waiting:,} awaited" if standing.waiting else ""
    if standing.is_enough:
        waiting = ", which is enough; the prompt lab ends it as soon as it runs"
    return f"{state}: {standing.outcomes:,} of at most {count(standing.started.most, 'outcome')}{waiting}"


def _terms(standing: Standing, now: datetime) -> Iterator[tuple[str, str]]:
    started, shares = standing.started, standing.shares
    yield "metric", f"{started.metric}: {METRICS[started.metric]}"
    before = f" ({', '.join(map(percent, shares[:-1]))} before)" if len(shares) > 1 else ""
    yield "share", f"{percent(shares[-1])} of tasks get the candidate{before}"
    yield "deadline", f"{as_typed(started.within_s)} for an outcome; without one the task has failed"
    guards = ((started.dearer, "cost"), (started.slower, "take"))
    limits = [f"{word} at most {amount} % more" for amount, word in guards if amount is not None]
    yield "guards", f"it may {' and '.join(limits)}" if limits else "none: it may cost and take as much as it likes"
    if standing.began is not None:
        ago = "" if standing.verdict != "running" else f", {seconds(now - standing.began)} ago"
        by = f" by {plain(started.by)}" if started.by else ""
        yield "started", f"{standing.began:%Y-%m-%d %H:%M:%S}{ago}{by}"
    if started.reason:
        yield "reason", plain(started.reason)


def arms(standing: Standing, page: Page) -> Iterator[str]:
    """How both arms did, with a bar as long as the rate."""
    rows = (
        ("live", standing.started.live, standing.live),
        ("candidate", standing.started.candidate, standing.candidate),
    )
    head = f"{'arm':<9}  {'version':<12}  {'tasks':>5}  {'won':>5}  {'lost':>5}  {'missing':>7}  {'rate':>5}"
    room = WIDEST_BAR if page.width is None else min(WIDEST_BAR, page.width - len(head) - 1)
    block = BLOCK if page.unicode else PLAIN_BLOCK
    if page.width is not None and len(head) > page.width:
        for arm, version, done in rows:
            text = f"{arm} {version}: {done.won:,} of {tasks_of(done):,} won ({_rate(done)}), {done.missing:,} missing"
            yield from hanging(text, page.width, 2)
        return
    yield head
    for arm, version, done in rows:
        tasks = tasks_of(done)
        bar = block * round(room * done.won / tasks) if tasks and room >= NARROWEST_BAR else ""
        figures = f"{tasks:>5}  {done.won:>5}  {done.lost:>5}  {done.missing:>7}  {_rate(done):>5}"
        yield f"{arm:<9}  {version:<12}  {figures} {bar}".rstrip()


def end_in_words(standing: Standing) -> str:
    """What came of it, what tasks get by now, and why, in a sentence."""
    verdict, why = standing.verdict, standing.why
    because = because_of(standing.started, verdict, why)
    told = [*([f": {because}"] if because else []), *([f" ({plain(standing.reason)})"] if standing.reason else [])]
    return _end(standing, ended_as(verdict, why)) + "".join(told)


def _end(standing: Standing, ended: str) -> str:
    started = standing.started
    left = started.candidate if standing.verdict == "promoted" else started.live
    now = standing.live_now or left
    if standing.verdict == "stopped":
        return f"the experiment is {ended}, tasks get {now}"
    if now != left:
        return f"{started.candidate} was {ended}, and tasks get {now} by now"
    then = "`live` names it now" if standing.verdict == "promoted" else f"tasks get {now} again"
    return f"{started.candidate} is {ended}, {then}"


def listed(rows: Sequence[Standing], width: int | None) -> Iterator[str]:
    """The table; in a terminal too narrow for it a few lines for each."""
    cells = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        for texts in (HEADS, *cells):
            yield "  ".join(f"{text:<{wide}}" for text, wide in zip(texts, widths, strict=True)).rstrip()
        return
    for name, k, state, candidate, share, metric, outcomes, live, wins in cells:
        yield from hanging(f"{name} {k}  {state}", width, 4)
        yield from hanging(f"  candidate {candidate}, {share} of tasks, metric {metric}", width, 4)
        yield from hanging(f"  {outcomes} outcomes: live {live}, candidate {wins}", width, 4)


def _cells(row: Standing) -> tuple[str, ...]:
    started = row.started
    return (
        started.template, str(started.k), row.verdict.replace("_", " "), started.candidate, percent(row.shares[-1]),
        started.metric, f"{row.outcomes:,}", _of(row.live), _of(row.candidate),
    )  # fmt: skip


def _of(done: ArmCount) -> str:
    return f"{_rate(done)} of {tasks_of(done):,}" if tasks_of(done) else "-"


def _rate(done: ArmCount) -> str:
    tasks = tasks_of(done)
    return f"{100 * done.won / tasks:.0f} %" if tasks else "-"


def percent(share: int) -> str:
    """Millionths as they are said: `20 %`, `2.5 %`."""
    return f"{100 * share / MICRO:.4f}".rstrip("0").rstrip(".") + " %"


def as_json(standing: Standing) -> dict[str, Any]:
    """All of it. Evidence is ln of the odds; `enough` is what it takes."""
    curves = curves_of(standing.started, standing.curve)
    started = standing.started.model_dump(mode="json", exclude={"kind", "version", "noun"})
    return {
        "type": "experiment",
        "prompt": standing.started.template,
        **started,
        "shares": list(standing.shares),
        "began": standing.began.isoformat() if standing.began else None,
        "state": standing.verdict,
        "why": standing.why or None,
        "ended_because": standing.reason or None,
        "outcomes": standing.outcomes,
        "waiting": standing.waiting,
        "arms": {"live": standing.live.model_dump(), "candidate": standing.candidate.model_dump()},
        "evidence": {
            curve.key: {"now": curve.now / MICRO, "enough": curve.top / MICRO, "then": curve.then} for curve in curves
        },
        "curve": [list(point) for point in standing.curve],
    }
