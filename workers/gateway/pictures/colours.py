"""Colours and styles of the pictures, light and dark.

Every text has a contrast of at least 4.5 to what is behind it and every line that says something at least 3 (WCAG 2.2,
1.4.3 and 1.4.11). Colours are written out in each rule, because not every viewer of SVG knows custom properties.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Tone(NamedTuple):
    """A state's colours: of its lines and words, and of the area behind them."""

    line: str
    area: str


class Palette(NamedTuple):
    """All colours of a picture. `grid` is for what only leads the eye."""

    ground: str
    ink: str
    soft: str
    edge: str
    grid: str
    tones: Mapping[str, Tone]


LIGHT = Palette(
    "#ffffff", "#1b1f24", "#4f5862", "#69727c", "#d0d7de",
    {
        "quiet": Tone("#4f5862", "#f3f5f7"), "ready": Tone("#1b1f24", "#ffffff"), "going": Tone("#0757b3", "#e4f0fd"),
        "mending": Tone("#7d4e00", "#fdf1d6"), "stuck": Tone("#6b3fc0", "#f2ecfe"), "good": Tone("#13692c", "#e4f5e8"),
        "bad": Tone("#b01925", "#fdeaeb"),
    },
)  # fmt: skip
DARK = Palette(
    "#0d1117", "#e6edf3", "#a5afba", "#848d97", "#30363d",
    {
        "quiet": Tone("#a5afba", "#1a2028"), "ready": Tone("#e6edf3", "#0d1117"), "going": Tone("#7fbcff", "#0d2340"),
        "mending": Tone("#e6b84a", "#2b2310"), "stuck": Tone("#c9a9ff", "#231a38"), "good": Tone("#5fd46c", "#10251a"),
        "bad": Tone("#ff928a", "#34171a"),
    },
)  # fmt: skip


def style_of(kind: str, rules: str = "") -> str:
    """The style of one kind of picture, for inside of it or for a page's stylesheet. `rules` have no colours.

    Every rule begins with the picture's class, so nothing else on a page changes.
    """
    scope = f".flotilla.{kind}"
    own = "".join(f"{scope} {rule.strip()}" for rule in rules.splitlines() if rule.strip())
    dark = f"@media (prefers-color-scheme:dark){{{_coloured(scope, DARK)}}}"
    fonts = "font-family:system-ui,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;font-size:14px"
    return f"{scope}{{max-width:100%;height:auto;{fonts}}}{own}{_coloured(scope, LIGHT)}{dark}"


def _coloured(scope: str, palette: Palette) -> str:
    rules = {
        ".ground": f"fill:{palette.ground}",
        "text": f"fill:{palette.ink}",
        "text.soft": f"fill:{palette.soft}",
        "text.halo": f"stroke:{palette.ground}",
        ".edge": f"stroke:{palette.edge};fill:none",
        ".tip": f"fill:{palette.edge}",
        ".grid": f"stroke:{palette.grid};fill:none",
        ".rule": f"stroke:{palette.ink};fill:none",
    }
    for name, tone in palette.tones.items():
        rules[f".{name} .area"] = f"fill:{tone.area};stroke:{tone.line}"
        rules[f".{name} .mark"] = f"stroke:{tone.line};fill:none"
        rules[f".{name} .trim"] = f"stroke:{tone.line}"
        rules[f".{name} .solid"] = f"stroke:{tone.line};fill:{tone.line}"
        rules[f".{name} text.tone"] = f"fill:{tone.line}"
    return "".join(f"{scope} {selector}{{{rule}}}" for selector, rule in rules.items())
