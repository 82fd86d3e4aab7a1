"""Both arms of an experiment: how many tasks each won, as words and as a bar that is as long as the rate."""

from contracts.v1.prompts import ArmCount, ExperimentStarted
from workers.gateway.pictures.markup import cut, number, tag, width_of, words

BAR, SIDE, BELOW = 14.0, 16.0, 14.0
TEXT, LINE = 14, 19
STRIPES = 8


def arms(
    started: ExperimentStarted, live: ArmCount, candidate: ArmCount, ident: str, y: float, wide: float
) -> tuple[list[str], float]:
    """The arms from y on, and where they end. One bar is filled, one has stripes; both have a border up to 100 %."""
    stripes, parts = f"{ident}-stripes", list[str]()
    tile = tag("path", class_="mark", d=f"M0 {STRIPES}L{STRIPES} 0M-1 1L1 -1M7 9L9 7")
    pattern = tag("pattern", tile, id=stripes, width=STRIPES, height=STRIPES, patternUnits="userSpaceOnUse")
    parts.append(tag("defs", pattern, class_="good"))
    filled = {"class_": "solid"}
    striped = {"class_": "trim", "fill": f"url(#{stripes})"}
    for name, done, tone, look in (
        (f"live {started.live}", live, "quiet", filled), (f"candidate {started.candidate}", candidate, "good", striped)
    ):  # fmt: skip
        lines = _lines(name, done, wide - 2 * SIDE)
        said = [words(line, SIDE, y + LINE * place - 5) for place, line in enumerate(lines, 1)]
        y += LINE * len(lines) + 3
        bar = tag("path", class_="area", d=_bar(wide - 2 * SIDE, y))
        if tasks := tasks_of(done):
            bar += tag("path", d=_bar((wide - 2 * SIDE) * done.won / tasks, y), **look)
        parts.append(tag("g", *said, bar, class_=tone))
        y += BAR + BELOW
    return parts, y


def _lines(name: str, done: ArmCount, room: float) -> list[str]:
    """An arm and its figures, on a line each where one is too short for both."""
    whole = f"{name}: {won_of(done)}"
    lines = [whole] if width_of(whole, TEXT) <= room else [name, won_of(done)]
    return [cut(line, TEXT, room) for line in lines]


def _bar(long: float, top: float) -> str:
    return f"M{number(SIDE)} {number(top)}h{number(long)}v{number(BAR)}h-{number(long)}z"


def tasks_of(done: ArmCount) -> int:
    """Tasks of an arm whose outcome was counted."""
    return done.won + done.lost + done.missing


def won_of(done: ArmCount) -> str:
    """An arm's rate with its counts: `42 of 80 won (53 %), 3 missing`."""
    tasks = tasks_of(done)
    if not tasks:
        return "no outcomes yet"
    missing = f", {done.missing:,} missing" if done.missing else ""
    return f"{done.won:,} of {tasks:,} won ({100 * done.won / tasks:.0f} %){missing}"
