"""The evidence of an experiment over its outcomes: a strip for each thing that may be found, then both arms.

All strips have the same outcomes from left to right. Upwards is evidence as odds, on a log scale, with a dashed line
where it is enough; where a curve gets there it has a mark and a word. Nothing is told by colour alone.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from contracts.v1.prompts import ArmCount, ExperimentStarted
from workers.gateway.pictures.arms import arms, won_of
from workers.gateway.pictures.colours import style_of
from workers.gateway.pictures.curves import TONES, ceiling_of, name_of, then_of
from workers.gateway.pictures.markup import Frame, cut, lines_of, number, picture, tag, width_of, words
from workers.gateway.pictures.scale import Scale, round_steps, tens
from workers.prompting.evidence_curves import Curve, curves_of, odds

Point = Sequence[int]
Verdict = Literal["running", "promoted", "rolled_back", "stopped"]

WIDTH, NARROW_WIDTH, NARROWEST = 560, 360, 320
"""Widths in CSS pixels: as a file or on a desk, on a phone, and the least that there can be."""

HIGH, LOW = 108.0, 66.0
"""How high the strips are: of what decides on success, and of what guards."""

HEAD, GAP, FOOT = 24.0, 18.0, 40.0
LEFT, RIGHT, TOP = 62.0, 18.0, 16.0
TEXT, SMALL, LINE = 14, 13, 19
MOST_LINES = 6

RULES = """
.heading{font-weight:600;font-size:16px}
.name{font-weight:600}
.small{font-size:13px}
.grid{stroke-width:1}
.rule{stroke-width:1.5}
.enough{stroke-dasharray:7 4}
.mark{stroke-width:2.2;stroke-linejoin:round}
.solid{stroke-width:1}
.halo{paint-order:stroke;stroke-width:4;stroke-linejoin:round}
.trim{stroke-width:2.2}
.area{stroke-width:1.2}
"""
STYLE = style_of("evidence", RULES)
"""What a page's stylesheet needs for pictures of evidence that are not alone."""


class Findings(NamedTuple):
    """An experiment as far as it is known. `curve` is as in `ExperimentEnded`; `sentence` says what came of it."""

    started: ExperimentStarted
    curve: Sequence[Point] = ()
    live: ArmCount = ArmCount()
    candidate: ArmCount = ArmCount()
    verdict: Verdict = "running"
    sentence: str = ""


class Room(NamedTuple):
    """Where a strip is: its borders, and how many outcomes are between left and right."""

    left: float
    right: float
    top: float
    bottom: float
    outcomes: int

    @property
    def across(self) -> Scale:
        """Outcomes to x."""
        return Scale(0, self.outcomes, self.left, self.right)


def evidence(found: Findings, width: int = WIDTH, frame: Frame | None = None) -> str:
    """The picture, as SVG, that many CSS pixels wide and at least 320; where there is less room it shrinks."""
    wide = float(max(NARROWEST, width))
    curves = curves_of(found.started, found.curve)
    outcomes = max((curve.points[-1][0] for curve in curves if curve.points), default=0)
    parts, y = _headlines(found, wide)
    for curve in curves:
        room = Room(LEFT, wide - RIGHT, y + HEAD, y + HEAD + (HIGH if curve.high else LOW), outcomes)
        parts += [_strip(curve, room, wide)]
        y = room.bottom + GAP
    parts += _outcomes(Room(LEFT, wide - RIGHT, y - GAP, y - GAP, outcomes))
    y += FOOT - GAP
    ident = (frame or Frame("evidence")).ident
    both, y = arms(found.started, found.live, found.candidate, ident, y, wide)
    parts += both
    for line in lines_of(found.sentence, TEXT, wide - 2 * TOP, MOST_LINES):
        parts.append(words(line, TOP, y + TEXT))
        y += LINE
    title = f"Evidence of experiment {found.started.k} with {found.started.template}"
    return picture(frame or Frame("evidence"), "evidence", wide, y + TOP, title, described(found), STYLE, parts)


def described(found: Findings) -> str:
    """The picture in sentences: what is compared, each curve by now, each arm's rate, and what came of it."""
    started = found.started
    curves = curves_of(started, found.curve)
    said = [f"{started.candidate} is tried beside {started.live}, by {started.metric}; {_state(found)}."]
    for curve in curves:
        reached = f", which was enough after {curve.reached[0]} outcomes" if curve.reached else ""
        said.append(f"{name_of(curve)}: {odds(curve.now)} of {odds(curve.top)} to {then_of(curve)}{reached}.")
    said += [f"live: {won_of(found.live)}.", f"candidate: {won_of(found.candidate)}."]
    return " ".join([*said, found.sentence]).strip()


def _state(found: Findings) -> str:
    return found.verdict.replace("_", " ")


def _headlines(found: Findings, wide: float) -> tuple[list[str], float]:
    started = found.started
    parts, y, room = list[str](), TOP, wide - 2 * TOP
    for line in lines_of(f"{started.template} experiment {started.k}: {_state(found)}", 17, room, 3):
        parts.append(words(line, TOP, y + 15, "heading"))
        y += 22
    about = f"Evidence by outcomes: odds, on a log scale, that {started.candidate} is …"
    for line in lines_of(about, SMALL, room, 3):
        parts.append(words(line, TOP, y + 14, "soft small"))
        y += LINE
    return parts, y + 10


def _strip(curve: Curve, room: Room, wide: float) -> str:
    up = Scale(curve.floor, ceiling_of(curve), room.bottom, room.top)
    enough = up.at(curve.top)
    now = f"now {odds(curve.now)}{', enough' if curve.is_enough else ''}"
    beside = width_of(now, SMALL) + 12
    return tag(
        "g",
        words(cut(f"… {name_of(curve)}", TEXT * 1.06, wide - 2 * TOP - beside), TOP, room.top - 9, "name"),
        words(now, room.right, room.top - 9, "small", "end"),
        *_ticks(curve, up, room),
        tag("path", class_="rule enough", d=f"M{number(room.left)} {number(enough)}H{number(room.right)}"),
        tag("path", class_="mark", d=_path(curve, up, room)),
        *_reached(curve, up, room),
        *_then(curve, enough, room),
        class_=TONES[curve.key],
    )


def _ticks(curve: Curve, up: Scale, room: Room) -> Iterator[str]:
    """Thin lines at round odds with their labels, where these don't touch that of what is enough."""
    enough = up.at(curve.top)
    yield words(odds(curve.top), room.left - 6, enough + 5, "small", "end")
    last = enough
    for at in sorted(tens(curve.floor, ceiling_of(curve)), key=lambda tick: (tick != 0, tick)):
        y = up.at(at)
        if abs(y - enough) < 16 or (at != 0 and (abs(y - last) < 16 or abs(y - up.at(0)) < 16)):
            continue
        last = y
        yield tag("path", class_="grid", d=f"M{number(room.left)} {number(y)}H{number(room.right)}")
        yield words(odds(at), room.left - 6, y + 5, "soft small", "end")
    yield tag("path", class_="edge", d=f"M{number(room.left)} {number(room.top)}V{number(room.bottom)}")


def _path(curve: Curve, up: Scale, room: Room) -> str:
    """The curve, from no evidence before the first outcome; what is below the floor lies on it."""
    across = room.across
    places = [f"{number(across.at(at))} {number(up.at(value))}" for at, value in ((0, 0), *curve.points)]
    return "M" + "L".join(places)


def _reached(curve: Curve, up: Scale, room: Room) -> Iterator[str]:
    """A diamond where the curve first had enough."""
    if curve.reached is None:
        return
    x, y = room.across.at(curve.reached[0]), up.at(curve.reached[1])
    yield tag("path", class_="solid", d=f"M{number(x)} {number(y - 6)}l6 6l-6 6l-6 -6z")


def _then(curve: Curve, enough: float, room: Room) -> Iterator[str]:
    """What happens at the line and when it was reached, in words below it; a curve that passes there is covered."""
    after = f" after {curve.reached[0]:,}" if curve.reached is not None else ""
    yield words(f"enough{after} to {then_of(curve)}", room.left + 8, enough + 15, "small halo")


def _outcomes(room: Room) -> Iterator[str]:
    """The axis below all strips."""
    last = f"{room.outcomes:,} {'outcome' if room.outcomes == 1 else 'outcomes'}"
    yield tag("path", class_="edge", d=f"M{number(room.left)} {number(room.bottom)}H{number(room.right)}")
    if not room.outcomes:
        yield words("no outcomes yet", (room.left + room.right) / 2, room.bottom + 18, "soft small", "middle")
        return
    yield words(last, room.right, room.bottom + 18, "soft small", "end")
    free = room.right - width_of(last, SMALL) - 10
    for at in round_steps(room.outcomes, 5 if room.right > 450 else 3):
        x = room.across.at(at)
        if x + width_of(f"{at:,}", SMALL) / 2 < free:
            yield tag("path", class_="edge", d=f"M{number(x)} {number(room.bottom)}v4")
            yield words(f"{at:,}", x, room.bottom + 18, "soft small", "middle")
