"""Joining the parts of an answer, and what is tolerated around a reply."""

import json
import string
from time import perf_counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from workers.runtime.replies import SHORTEST_REPEAT, DoesNotFit, fitting, joins, schema_for, unfenced


class Poem(BaseModel):
    lines: list[str]


texts = st.text(min_size=2, max_size=300)
poems = st.lists(st.text(max_size=60), max_size=6).map(lambda lines: json.dumps({"lines": lines}, ensure_ascii=False))


@st.composite
def cut_up(draw, whole, repeats):
    """A text in two parts, of which the second begins by repeating what the first ended with."""
    text = draw(whole)
    at = draw(st.integers(1, len(text) - 1))
    repeat = min(draw(repeats), at)
    return text, text[:at], text[at - repeat :]


def is_plain(text):
    """Whether no six characters come twice, so that what is a repeat can be known."""
    windows = [text[at : at + 6] for at in range(len(text) - 5)]
    return len(set(windows)) == len(windows) and "```" not in text


@given(cut_up(texts, st.just(0)))
def test_parts_that_go_on_exactly_give_the_text_wherever_it_was_cut(parts):
    whole, head, tail = parts
    assert whole in joins(head, tail)
    if is_plain(whole):
        assert joins(head, tail)[0] == whole


various = st.tuples(st.randoms(use_true_random=False), st.integers(20, 300)).map(
    lambda drawn: "".join(drawn[0].choices(string.printable + "äß€𝄞", k=drawn[1]))
)
"""Text in which nothing of length comes twice."""


@given(cut_up(various.filter(is_plain), st.integers(1, 60)))
def test_parts_of_which_the_second_repeats_the_first_give_the_text(parts):
    whole, head, tail = parts
    assert whole in joins(head, tail)
    if len(head) + len(tail) - len(whole) >= SHORTEST_REPEAT:
        assert joins(head, tail)[0] == whole


@given(cut_up(poems, st.just(0)), st.sampled_from(["{}", "```json\n{}\n```", "```\n{}\n```\n"]), st.booleans())
def test_a_reply_survives_a_fence_on_either_part(parts, fence, reopened):
    whole, head, tail = parts
    assume(is_plain(whole))
    opening, closing = fence.split("{}")
    texts = joins(opening + head, f"```json\n{tail}\n```" if reopened else tail + closing)
    assert fitting(texts, Poem, None) == Poem.model_validate_json(whole)


@given(poems, st.data())
def test_a_whole_reply_within_a_fence_can_be_cut_anywhere(poem, data):
    assume(is_plain(poem))
    whole = f"```json\n{poem}\n```"
    at = data.draw(st.integers(1, len(whole) - 1))
    assert fitting(joins(whole[:at], whole[at:]), Poem, None) == Poem.model_validate_json(poem)


def test_a_run_of_one_sign_is_not_taken_for_a_repeat():
    assert joins('{"lines": ["' + "-" * 40, "-" * 20 + '"]}')[0] == '{"lines": ["' + "-" * 60 + '"]}'


def test_a_short_repeat_is_found_where_the_parts_do_not_fit_otherwise():
    assert fitting(joins('{"lines": ["a"', '"a", "b"]}'), Poem, None).lines == ["a", "b"]


def test_the_faults_are_those_of_the_likeliest_way():
    with pytest.raises(DoesNotFit, match=r"lines\.0: Input should be a valid string"):
        fitting(joins('{"lines": [', "3]}"), Poem, None)


def test_long_parts_are_joined_in_no_time():
    head, tail = "ab" * 150_000, "ab" * 150_000
    began = perf_counter()
    assert joins(head, tail)[0] == head + tail
    assert perf_counter() - began < 2.0


@pytest.mark.parametrize("text", ["```json\n{}\n```", "```\n{}\n```", "\n```JSON \n{}\n  ```\n", "{}\n```", "```\n{}"])
def test_a_fence_goes_even_without_its_other_half(text):
    assert unfenced(text).strip() == "{}"


def test_backticks_within_a_reply_stay():
    assert unfenced('{"a": "```json\\n```"}') == '{"a": "```json\\n```"}'


class TestThinking:
    WHOLE = '{"reasoning": "Rain first.", "lines": ["rain"]}'

    def test_the_schema_begins_with_the_field(self):
        schema = schema_for(Poem, "plan")
        assert (list(schema["properties"]), schema["required"]) == (["reasoning", "lines"], ["reasoning", "lines"])
        assert (schema["title"], schema_for(Poem)) == ("Poem", Poem.model_json_schema())

    @pytest.mark.parametrize("thinking", ["brief", "plan"])
    def test_the_reply_has_nothing_of_it(self, thinking):
        class Strict(Poem, extra="forbid"):
            pass

        assert fitting([self.WHOLE], Strict, None, thinking) == Strict(lines=["rain"])
        assert fitting([f"```json\n{self.WHOLE}\n```"], Strict, None, thinking) == Strict(lines=["rain"])
        with pytest.raises(DoesNotFit, match="reasoning: Extra inputs"):
            fitting([self.WHOLE], Strict, None)

    @pytest.mark.parametrize(
        "text", ['{"lines": []}', '{"reasoning": 3, "lines": []}', '{"reasoning": " ", "lines": []}']
    )
    def test_an_answer_without_it_does_not_fit(self, text):
        with pytest.raises(DoesNotFit, match="reasoning: must be there, a text, before the other fields"):
            fitting([text], Poem, None, "brief")

    def test_other_faults_are_named_as_always(self):
        with pytest.raises(DoesNotFit, match=r"\(whole answer\): Invalid JSON"):
            fitting(["no"], Poem, None, "brief")
        with pytest.raises(DoesNotFit, match="lines: Input should be a valid array"):
            fitting(['{"reasoning": "x", "lines": 3}'], Poem, None, "brief")

    def test_a_reply_with_such_a_field_of_its_own_keeps_it(self):
        class Judged(BaseModel):
            reasoning: str

        assert fitting(['{"reasoning": "x"}'], Judged, None, "plan").reasoning == "x"

    @given(st.lists(st.text(), max_size=4))
    def test_whatever_the_answer_says_is_kept_as_it_was(self, lines):
        text = json.dumps({"reasoning": "x", "lines": lines})
        try:
            plain = Poem.model_validate_json(json.dumps({"lines": lines}))
        except ValueError:
            return
        assert fitting([text], Poem, None, "brief") == plain


class TestGuard:
    def test_it_sees_the_answer_and_none_of_the_thinking(self):
        seen = []

        def guard(text):
            seen.append(json.loads(text))
            return ()

        fitting(['{"lines": ["rain"]}'], Poem, None, guard=guard)
        fitting(['{"reasoning": "x", "lines": ["rain"]}'], Poem, None, "plan", guard)
        assert seen == [{"lines": ["rain"]}] * 2

    def test_its_faults_are_told_with_those_of_the_check(self):
        with pytest.raises(DoesNotFit, match=r"^too wet; copied$"):
            fitting(['{"lines": ["rain"]}'], Poem, lambda poem: ["too wet"], guard=lambda text: ["copied"])

    def test_an_answer_of_the_wrong_shape_is_not_shown_to_it(self):
        with pytest.raises(DoesNotFit, match="lines"):
            fitting(['{"lines": 3}'], Poem, None, guard=lambda text: ["copied"])
