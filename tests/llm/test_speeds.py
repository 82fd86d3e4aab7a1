"""Speeds: averages that follow what is heard."""

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from workers.llm.speeds import Speed, heard

seconds = st.floats(0, 1_000)


def test_the_first_answer_is_the_average() -> None:
    assert heard(None, 0.5, 2.0) == Speed(0.5, 2.0)


def test_an_answer_in_one_piece_has_its_first_token_at_its_end() -> None:
    assert heard(None, None, 2.0) == Speed(2.0, 2.0)


def test_a_fifth_of_the_difference_is_believed() -> None:
    assert heard(Speed(1.0, 10.0), 2.0, 20.0) == Speed(approx(1.2), approx(12.0))


@given(seconds, seconds, st.lists(st.tuples(seconds, seconds), max_size=30))
def test_an_average_stays_between_what_was_heard(first: float, whole: float, later: list[tuple[float, float]]) -> None:
    speed = heard(None, first, whole)
    for first_token_s, duration_s in later:
        speed = heard(speed, first_token_s, duration_s)
    firsts, wholes = [first, *(pair[0] for pair in later)], [whole, *(pair[1] for pair in later)]
    assert min(firsts) - 1e-6 <= speed.first_token_s <= max(firsts) + 1e-6
    assert min(wholes) - 1e-6 <= speed.duration_s <= max(wholes) + 1e-6
