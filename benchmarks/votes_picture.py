"""Draws the picture of `benchmarks/votes.py`: accuracy against votes a ballot, one panel for each workload, as SVG."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT, GAP, COLUMNS = 340, 300, 30, 2
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 44, 44
STYLE = (
    "text{font:11px sans-serif;fill:#333}.t{font-weight:bold}.g{stroke:#ddd}.w{fill:none;stroke:#c60}"
    ".a{fill:#06c}.m{fill:#333}.l{fill:none;stroke:#06c}"
)

Points = Sequence[tuple[str, float, float]]
Scale = Callable[[float], float]


def draw(workloads: Mapping[str, Points]) -> str:
    """Points are (name, votes a ballot, percent right). Each panel has its own scale of accuracy."""
    rows = math.ceil(len(workloads) / COLUMNS)
    width, height = COLUMNS * WIDTH + (COLUMNS - 1) * GAP, rows * (HEIGHT + GAP)
    panels = []
    for n, (name, points) in enumerate(workloads.items()):
        row, column = divmod(n, COLUMNS)
        at = f"translate({column * (WIDTH + GAP)} {row * (HEIGHT + GAP)})"
        panels.append(f'<g transform="{at}">\n{_panel(name, points)}\n</g>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Accuracy of ballots against the votes that they cost">',
        f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
        *panels,
        _legend(height - GAP / 2),
        "</svg>\n",
    ])  # fmt: skip


def _panel(name: str, points: Points) -> str:
    rates = [rate for _, _, rate in points]
    step = _step(max(rates) - min(rates))
    low, high = math.floor(min(rates) / step - 0.3) * step, math.ceil(max(rates) / step + 0.2) * step
    most = max(votes for _, votes, _ in points) + 1

    def x(votes: float) -> float:
        return LEFT + votes / most * (WIDTH - LEFT - RIGHT)

    def y(rate: float) -> float:
        return TOP + (high - rate) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 20, name, "t"), _text(LEFT, 36, "% right"), *_grid(x, y, low, high, step, most)]
    ahead = [(x(votes), y(rate)) for label, votes, rate in points if label.startswith("ahead")]
    parts.append(f'<polyline class="l" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in ahead)}"/>')
    for label, votes, rate in points:
        kind = "a" if label.startswith("ahead") else "w" if label.startswith("weighted") else "m"
        title = escape(f"{label}: {rate:.2f} % right, {votes:.1f} votes")
        parts.append(
            f'<circle class="{kind}" cx="{x(votes):.1f}" cy="{y(rate):.1f}" r="4"><title>{title}</title></circle>'
        )
        if kind == "a":
            parts.append(_text(x(votes) + 6, y(rate) + 13, label.removeprefix("ahead by ")))
        elif label == "majority in waves":
            parts.append(_text(x(votes) + 7, y(rate) + 4, "waves"))
    return "\n".join(parts)


def _grid(x: Scale, y: Scale, low: float, high: float, step: float, most: float) -> list[str]:
    parts = []
    for n in range(round((high - low) / step) + 1):
        rate = low + n * step
        parts.append(f'<path class="g" d="M{x(0):.1f} {y(rate):.1f}H{x(most):.1f}"/>')
        parts.append(_text(x(0) - 6, y(rate) + 4, f"{rate:g}", end=True))
    for votes in range(0, int(most) + 1, 3):
        parts.append(f'<path class="g" d="M{x(votes):.1f} {y(low):.1f}V{y(high):.1f}"/>')
        parts.append(_text(x(votes) - 3, y(low) + 16, str(votes)))
    parts.append(_text(x(most), y(low) + 32, "votes a ballot", end=True))
    return parts


def _legend(y: float) -> str:
    marks = (
        ("m", "majority, in full and in waves"),
        ("a", "ahead by k"),
        ("w", "weighted, all asked"),
    )
    parts, at = [], LEFT
    for kind, label in marks:
        parts.append(f'<circle class="{kind}" cx="{at}" cy="{y}" r="4"/>{_text(at + 10, y + 4, label)}')
        at += 220
    return "".join(parts)


def _step(span: float) -> float:
    """Grid lines at 0.5, 1, 2, 5 … percent: about six of them."""
    return next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if span / step <= 6)


def _text(x: float, y: float, text: str, kind: str = "", end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{anchor}>{escape(text)}</text>'
