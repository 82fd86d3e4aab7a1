"""Contrast of every colour with what is behind it, and the style's reach."""

import re

import pytest

from workers.gateway.pictures import evidence, graph
from workers.gateway.pictures.colours import DARK, LIGHT, Palette


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_counted_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_every_ground(palette: Palette) -> None:
    for ground in (palette.ground, *(tone.area for tone in palette.tones.values())):
        assert contrast(palette.ink, ground) >= 4.5
        assert contrast(palette.soft, ground) >= 4.5
    for tone in palette.tones.values():
        assert contrast(tone.line, tone.area) >= 4.5
        assert contrast(tone.line, palette.ground) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_line_that_says_something_can_be_seen(palette: Palette) -> None:
    assert contrast(palette.edge, palette.ground) >= 3


@pytest.mark.parametrize("style", [graph.STYLE, evidence.STYLE], ids=["graph", "evidence"])
def test_a_style_is_for_its_own_picture_only_in_light_and_dark_and_fetches_nothing(style: str) -> None:
    selectors = re.findall(r"([^{}]+)\{[^{}]+\}", style.replace("@media (prefers-color-scheme:dark){", ""))
    assert selectors and all(selector.strip().startswith(".flotilla.") for selector in selectors)
    assert DARK.ground in style.split("@media")[1] and LIGHT.ground in style.split("@media", maxsplit=1)[0]
    assert not re.search(r"url\(|@import|<|&|http", style)
