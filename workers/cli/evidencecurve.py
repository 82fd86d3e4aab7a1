"""The evidence of an experiment over its outcomes, drawn with characters: a strip for each thing that may be found.

All strips have the same outcomes from left to right. Upwards is evidence as odds, on a log scale, with a dashed line
where it is enough; a curve that gets there has a mark on the line. So it can be read without colours, and the words
beside each strip say the same in figures.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workers.cli.ballottext import Page
from workers.cli.figures import count
from workers.prompting.evidence_curves import Curve, odds

HIGH, LOW = 5, 3
FLAT_HIGH, FLAT_LOW = 4, 2
"""Lines of a strip: of what decides on success, and of what guards; and where lines are few."""

PIPE_WIDTH, WIDEST, NARROWEST = 80, 120, 16
"""Columns into a pipe; columns of a drawing at most and at least."""

_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a character's dots


class Size(NamedTuple):
    """Characters of a drawing."""

    width: int
    rows: int


def drawn(curves: Sequence[Curve], page: Page, flat: bool = False) -> Iterator[str]:
    """The strips one below the other, then the outcomes; in a terminal too narrow for that the words only."""
    outcomes = max((curve.points[-1][0] for curve in curves if curve.points), default=0)
    words = [_beside(curve) for curve in curves]
    labels = [odds(curve.top) for curve in curves]
    beside, axis = max(len(text) for texts in words for text in texts), max(map(len, [*labels, "<1:99"]))
    room = min(WIDEST, (PIPE_WIDTH if page.width is None else page.width) - beside - axis - 4)
    if room < NARROWEST or not outcomes:
        for curve in curves:
            reached = ", enough" if curve.is_enough else ""
            yield f"{curve.name}: {odds(curve.now)}{reached}"
            yield f"  {curve.then} at {odds(curve.top)}"
        return
    for curve, texts in zip(curves, words, strict=True):
        high, low = (FLAT_HIGH, FLAT_LOW) if flat else (HIGH, LOW)
        rows = _strip(curve, outcomes, Size(room, (high if curve.high else low) - 1), page.unicode)
        for place, (label, row) in enumerate(rows):
            text = texts[place] if place < len(texts) else ""
            yield f"{text:<{beside}}  {label:>{axis}} {row}".rstrip()
    indent = " " * (beside + axis + 4)
    yield indent + _below(outcomes, room)


def _beside(curve: Curve) -> tuple[str, str, str]:
    found = f"now {odds(curve.now)}"
    return (curve.name, f"{found}, enough" if curve.is_enough else found, f"then {curve.then}")


def _strip(curve: Curve, outcomes: int, size: Size, unicode: bool) -> list[tuple[str, str]]:
    """The lines of a strip with their labels; the first is where it is enough, `size` is of those below it."""
    (width, rows), floor = size, curve.floor
    down, across = (4, 2) if unicode else (3, 1)
    values = sampled(curve.points, outcomes, width * across)
    steps = rows * down
    depths = [min(steps - 1, max(0, (curve.top - value) * steps // (curve.top - floor))) for value in values]
    dots = [[False] * (width * across) for _ in range(steps)]
    before = depths[0]
    for column, depth in enumerate(depths):
        if values[column] < curve.top:
            for row in _joined(before, depth):
                dots[row][column] = True
        before = depth
    reached = [any(value >= curve.top for value in values[at * across : (at + 1) * across]) for at in range(width)]
    line, mark, wall, tick = ("┄", "●", "│", "┤") if unicode else ("-", "*", "|", "+")
    strip = [(odds(curve.top), tick + "".join(mark if there else line for there in reached))]
    zero = curve.top * steps // (curve.top - floor) // down
    for row in range(rows):
        cells = (_cell(dots, row * down, at * across, unicode) for at in range(width))
        label = "1:1" if row == zero else f"<{odds(floor)}" if row == rows - 1 else ""
        strip.append((label, (tick if label else wall) + "".join(cells)))
    return strip


def _joined(before: int, now: int) -> range:
    """The rows that connect this dot with the one to its left."""
    if before < now:
        return range(before + 1, now + 1)
    return range(now, max(before, now + 1))


def sampled(points: Sequence[tuple[int, int]], outcomes: int, columns: int) -> list[int]:
    """The curve at so many places from the first to the last outcome, straight between its points; it begins at 0."""
    known = [(0, 0), *points]
    found, place = [], 0
    for column in range(columns):
        at = outcomes * column / max(1, columns - 1)
        while place + 2 < len(known) and known[place + 1][0] < at:
            place += 1
        (left, low), (right, high) = known[place], known[min(place + 1, len(known) - 1)]
        part = min(1.0, (at - left) / (right - left)) if right > left else 1.0
        found.append(high if part == 1.0 else round(low + (high - low) * part))
    return found


def _cell(dots: Sequence[Sequence[bool]], top: int, left: int, unicode: bool) -> str:
    if unicode:
        bits = sum(
            bit
            for row, pair in enumerate(_BRAILLE)
            for column, bit in enumerate(pair)
            if dots[top + row][left + column]
        )
        return chr(0x2800 + bits) if bits else " "
    high, middle, low = (dots[top + row][left] for row in range(3))
    if high + middle + low > 1:
        return "|" if high and low else "'" if high else "."
    return "'" if high else "-" if middle else "." if low else " "


def _below(outcomes: int, width: int) -> str:
    last = count(outcomes, "outcome")
    middle = f"{outcomes // 2:,}"
    if width < len(last) + len(middle) + 8:
        return f"0{last:>{width - 1}}"
    left = width // 2 - len(middle) // 2
    return f"0{middle:>{left + len(middle) - 1}}{last:>{width - left - len(middle)}}"
