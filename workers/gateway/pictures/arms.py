"""Both arms of an experiment: how many tasks each won, as words and as a bar that is as long as the rate."""

from collections.abc import Iterator

from contracts.v1.prompts import ArmCount, ExperimentStarted
from workers.gateway.pictures.markup import cut, number, tag, words

ROW, BAR, SIDE = 56.0, 14.0, 16.0
HIGH = 2 * ROW + 6
"""How high both arms are."""

STRIPES = 8


def arms(
    started: ExperimentStarted, live: ArmCount, candidate: ArmCount, ident: str, y: float, wide: float
) -> Iterator[str]:
    """The arms from y on. The live one's bar is filled, the candidate's has stripes; both have a border up to 100 %."""
    stripes = f"{ident}-stripes"
    yield tag(
        "defs",
        tag(
            "pattern", tag("path", class_="mark", d=f"M0 {STRIPES}L{STRIPES} 0M-1 1L1 -1M7 9L9 7"),
            id=stripes, width=STRIPES, height=STRIPES, patternUnits="userSpaceOnUse",
        ),
        class_="good",
    )  # fmt: skip
    for place, (arm, version, done) in enumerate(
        (("live", started.live, live), ("candidate", started.candidate, candidate))
    ):
        top = y + place * ROW
        text = f"{arm} {version}: {won_of(done)}"
        room = wide - 2 * SIDE
        bar = tag("path", class_="area", d=_bar(room, top))
        if tasks := tasks_of(done):
            filled = _bar(room * done.won / tasks, top)
            fill = {"class_": "solid"} if arm == "live" else {"class_": "trim", "fill": f"url(#{stripes})"}
            bar += tag("path", d=filled, **fill)
        yield tag("g", words(cut(text, 14, room), SIDE, top + 14), bar, class_="quiet" if arm == "live" else "good")


def _bar(long: float, top: float) -> str:
    return f"M{number(SIDE)} {number(top + 22)}h{number(long)}v{number(BAR)}h-{number(long)}z"


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
