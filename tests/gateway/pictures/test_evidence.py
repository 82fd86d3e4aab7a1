"""The evidence of an experiment as a picture."""

import math
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.prompts import ArmCount, ExperimentStarted
from workers.gateway.pictures.curves import name_of
from workers.gateway.pictures.evidence import NARROW_WIDTH, Findings, described, evidence
from workers.gateway.pictures.markup import Frame
from workers.prompting.evidence_curves import MICRO, curves_of

SVG = "{http://www.w3.org/2000/svg}"
LIVE, CANDIDATE = "0" * 12, "c" * 12
MILLIONTHS = st.integers(-(10**12), 10**12)


def started(**more: Any) -> ExperimentStarted:
    return ExperimentStarted(role="architect", name="design", k=1, live=LIVE, candidate=CANDIDATE, **more)


def ln(odds: float) -> int:
    return round(math.log(odds) * MICRO)


CURVE = ((20, ln(2), ln(0.5), ln(0.1), ln(0.2), 0), (60, ln(9), ln(0.1), ln(0.01), ln(0.1), 0),
         (143, ln(32), ln(0.01), ln(0.01), ln(0.01), ln(0.5)))  # fmt: skip
PROMOTED = Findings(
    started(), CURVE, ArmCount(won=40, lost=30, missing=2), ArmCount(won=65, lost=6), "promoted",
    f"{CANDIDATE} is promoted, `live` names it now: it succeeds more often",
)  # fmt: skip


def texts(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_every_strip_has_its_name_its_odds_by_now_and_what_is_enough() -> None:
    said = texts(evidence(PROMOTED))
    for name in ("… better", "… worse", "… more than 25 % dearer", "… more than 50 % slower", "… wrongly split"):
        assert name in said
    assert "now 32:1, enough" in said and "now 1:2.0" in said
    assert said.count("27:1") == 1 and said.count("20:1") == 3 and said.count("1,000:1") == 1
    assert said.count("enough to roll back") == 3 and "enough to stop" in said


def test_the_point_where_it_was_enough_is_marked_and_said() -> None:
    picture = evidence(PROMOTED)
    assert "enough after 143 to promote it" in texts(picture)
    assert picture.count('class="solid" d="M542') == 1
    early = Findings(started(), ((20, ln(30), 0, 0, 0, 0), (90, ln(2), 0, 0, 0, 0)))
    assert "enough after 20 to promote it" in texts(evidence(early))
    assert "now 2.0:1" in texts(evidence(early))


def test_both_arms_are_told_with_rates_and_counts() -> None:
    said = texts(evidence(PROMOTED))
    assert f"live {LIVE}: 40 of 72 won (56 %), 2 missing" in said
    assert f"candidate {CANDIDATE}: 65 of 71 won (92 %)" in said


def test_the_bars_differ_by_more_than_colour() -> None:
    picture = evidence(PROMOTED)
    assert 'fill="url(#evidence-stripes)"' in picture and 'id="evidence-stripes"' in picture


def test_the_description_says_all_that_the_picture_shows() -> None:
    said = described(PROMOTED)
    assert f"{CANDIDATE} is tried beside {LIVE}, by valid; promoted." in said
    assert "better: 32:1 of 27:1 to promote it, which was enough after 143 outcomes." in said
    assert "candidate: 65 of 71 won (92 %)." in said
    assert said.endswith("it succeeds more often")


def test_a_guard_that_is_off_has_no_strip() -> None:
    names = [name_of(curve) for curve in curves_of(started(dearer=None, slower=0), CURVE)]
    assert names == ["better", "worse", "slower", "wrongly split"]


def test_a_later_candidate_needs_more() -> None:
    later = started().model_copy(update={"k": 2})
    assert "152:1" in texts(evidence(Findings(later)))


def test_one_without_outcomes_says_so() -> None:
    said = texts(evidence(Findings(started())))
    assert "no outcomes yet" in said and f"live {LIVE}: no outcomes yet" in said


@pytest.mark.parametrize("width", [0, 320, NARROW_WIDTH, 560, 900])
def test_everything_lies_within_the_picture(width: int) -> None:
    root = ElementTree.fromstring(evidence(PROMOTED, width))
    wide, high = float(root.get("width", "0")), float(root.get("height", "0"))
    assert wide == max(320, width)
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x", "")) < wide and 0 < float(text.get("y", "")) < high


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-5, 10**7), *[MILLIONTHS] * 5), max_size=12),
    st.text(max_size=300) | st.just("</text><script>&\x00\ud800"), st.integers(-10, 2_000),
)  # fmt: skip
def test_whatever_is_known_the_picture_is_well_formed_and_the_same_each_time(
    curve: list, sentence: str, width: int
) -> None:
    found = PROMOTED._replace(curve=curve, sentence=sentence)
    picture = evidence(found, width)
    assert picture == evidence(found, width)
    root = ElementTree.fromstring(picture.encode())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "g", "path", "text", "defs", "pattern",
    }  # fmt: skip
    assert "nan" not in picture.split("</style>")[1] and "inf" not in picture.split("</style>")[1].replace(sentence, "")


def test_two_on_a_page_have_ids_of_their_own_and_leave_the_style_to_it() -> None:
    one, two = (evidence(PROMOTED, frame=Frame(ident, alone=False)) for ident in ("e1", "e2"))
    ids = [
        [element.get("id") for element in ElementTree.fromstring(text).iter() if element.get("id")]
        for text in (one, two)
    ]
    assert not set(ids[0]) & set(ids[1])
    assert "<style" not in one and "style=" not in one
