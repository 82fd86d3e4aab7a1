"""SVG as text: elements, text that is safe whoever wrote it, and the frame of a picture.

Attributes stand in the order given and numbers have at most one decimal, so the same picture has the same bytes.
"""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

JOINERS = "\u200c\u200d"
"""Not printable, but scripts and emoji need them."""

WIDE, BROAD, NARROW = 1.05, 0.92, 0.36
LOWER, UPPER = 0.62, 0.74
"""Widths of characters in em, on the safe side: which font there is nobody knows."""

_BROAD, _NARROW = frozenset("mwMW@%"), frozenset("fijlrtI.,:;'|!()[]/- ")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Frame(NamedTuple):
    """What stands around a drawing. `ident` begins its ids, so a page may have several; a letter comes first.

    `alone`: a file of its own, with its style. Else it is for a page whose stylesheet has `style_of` already.
    """

    ident: str
    alone: bool = True


def plain(text: str) -> str:
    """The text on one line, without what XML forbids and without marks that turn the direction of writing."""
    if text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(char if char.isprintable() or char in JOINERS else " " for char in text).split())


def escaped(text: str) -> str:
    """Plain text as content or as an attribute's value."""
    return plain(text).translate(_ESCAPES)


def number(value: float) -> str:
    """A coordinate: one decimal at most, and never `-0`."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def tag(name: str, *children: str, **attributes: str | float) -> str:
    """An element. `_` in names of attributes is `-`, a last one is left out (`class_`). Children are markup."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{''.join(children)}</{name}>" if children else f"<{name}{said}/>"


def words(text: str, x: float, y: float, class_: str = "", anchor: str = "start") -> str:
    """A line of text with its baseline at y."""
    more = {"class_": class_} if class_ else {}
    if anchor != "start":
        more["text_anchor"] = anchor
    return tag("text", escaped(text), x=x, y=y, **more)


def width_of(text: str, size: float) -> float:
    """About how wide a text is at most, in a font of that size."""
    return size * sum(map(_em, text))


def _em(char: str) -> float:
    if unicodedata.combining(char) or char in JOINERS:
        return 0.0
    if char in _BROAD:
        return BROAD
    if char in _NARROW:
        return NARROW
    if unicodedata.east_asian_width(char) in "WF":
        return WIDE
    return LOWER if char.islower() or char.isdigit() or char in "_…" else UPPER if ord(char) < 0x250 else WIDE


def cut(text: str, size: float, width: float) -> str:
    """Plain text that fits, with an ellipsis where the rest was."""
    line = plain(text)
    if width_of(line, size) <= width:
        return line
    return _beginning(line, size, width - width_of("…", size)).rstrip() + "…"


def _beginning(text: str, size: float, width: float) -> str:
    """The longest beginning that fits, and at least one character."""
    used = 0.0
    for place, char in enumerate(text):
        used += _em(char) * size
        if used > width and place:
            return text[:place]
    return text


def lines_of(text: str, size: float, width: float, most: int) -> list[str]:
    """Text in at most so many lines, broken after blanks, `_`, `-` and `/` where it can be; the last one is cut."""
    left, lines = plain(text), list[str]()
    while left and len(lines) < most - 1 and width_of(left, size) > width:
        begin = _beginning(left, size, width)
        good = max(begin.rfind(mark) for mark in " _-/") + 1
        end = good if good > len(begin) // 3 else len(begin)
        lines.append(left[:end].rstrip())
        left = left[end:].lstrip()
    return [*lines, cut(left, size, width)] if left else lines


def picture(
    frame: Frame, kind: str, width: float, height: float, title: str, described: str, style: str, parts: Iterable[str]
) -> str:
    """The whole picture: as wide as given, narrower where there is less room, with its title and description."""
    title_id, desc_id = f"{frame.ident}-title", f"{frame.ident}-desc"
    return tag(
        "svg",
        tag("title", escaped(title), id=title_id),
        tag("desc", escaped(described), id=desc_id),
        *([f"<style>{style}</style>"] if frame.alone else []),
        tag("rect", class_="ground", width=width, height=height),
        *parts,
        xmlns="http://www.w3.org/2000/svg", class_=f"flotilla {kind}", id=frame.ident, role="img",
        aria_labelledby=f"{title_id} {desc_id}", viewBox=f"0 0 {number(width)} {number(height)}", width=width,
        height=height,
    )  # fmt: skip
