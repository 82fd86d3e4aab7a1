"""Text in pictures: safe, and no wider than its room."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.pictures.markup import cut, escaped, lines_of, number, plain, tag, width_of
from workers.gateway.pictures.scale import Scale, round_steps, tens
from workers.prompting.evidence_curves import MICRO


@given(st.text())
def test_any_text_is_the_same_after_xml_as_in_plain(text: str) -> None:
    element = ElementTree.fromstring(tag("text", escaped(text), title=text).encode())
    assert (element.text or "") == plain(text)
    assert element.get("title") == plain(text)


@given(st.text(min_size=1), st.integers(30, 400))
def test_what_is_cut_fits(text: str, room: int) -> None:
    assert width_of(cut(text, 14, room), 14) <= room + 0.001


@given(st.text(max_size=300), st.integers(60, 400), st.integers(1, 5))
def test_text_in_lines_keeps_its_beginning_and_its_number_of_lines(text: str, room: int, most: int) -> None:
    lines = lines_of(text, 14, room, most)
    assert len(lines) <= most and all(width_of(line, 14) <= room + 0.001 for line in lines)
    whole = "".join(lines).removesuffix("…").replace(" ", "")
    assert plain(text).replace(" ", "").startswith(whole.rstrip("…")) or "…" in text


def test_names_break_after_their_own_marks() -> None:
    assert lines_of("implement_notifications", 15, 160, 2) == ["implement_", "notifications"]


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (-0.01, "0"), (12.04, "12"), (12.25, "12.2"), (-3.5, "-3.5")])
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


@given(st.integers(1, 10**9), st.integers(1, 8))
def test_steps_are_round_and_not_more_than_wanted(most: int, wanted: int) -> None:
    steps = round_steps(most, wanted)
    assert steps[0] == 0 and steps[-1] <= most and 1 <= len(steps) <= wanted + 1
    if len(steps) > 1:
        assert str(steps[1]).rstrip("0") in ("1", "2", "5")


def test_the_tens_between_two_odds() -> None:
    ten = round(math.log(10) * MICRO)
    assert tens(-ten // 3, round(math.log(27) * MICRO)) == (0, ten)


def test_a_scale_keeps_what_is_outside_on_its_border() -> None:
    scale = Scale(0, 10, 100, 200)
    assert [scale.at(value) for value in (-5, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]
    assert Scale(3, 3, 7, 9).at(3) == 7
