"""How a page says and shows an experiment's curves: their words, their tones, and how high their strips go."""

from collections.abc import Mapping

from workers.prompting.evidence_curves import Curve, Key

ABOVE = 1.12
"""A strip ends so far above what is enough, at least; a curve that goes further shows up to half as much again."""

TONES: Mapping[Key, str] = {
    "better": "good", "worse": "bad", "dearer": "mending", "slower": "stuck", "split": "going",
}  # fmt: skip


def name_of(curve: Curve) -> str:
    """`better`, `more than 25 % dearer`."""
    return f"more than {curve.name}" if curve.limit else curve.name


def then_of(curve: Curve) -> str:
    """What happens when it is enough, as words that follow "to"."""
    return "promote it" if curve.key == "better" else curve.then


def ceiling_of(curve: Curve) -> int:
    """The upper border of a curve's strip."""
    highest = max((value for _, value in curve.points), default=0)
    return max(round(curve.top * ABOVE), min(highest, curve.top * 3 // 2))
