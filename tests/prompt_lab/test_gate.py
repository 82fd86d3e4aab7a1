"""The gate: which cases are held out, and what a candidate must show on them."""

import pytest

from workers.prompt_lab.gate import LEAST_CASES, is_held_out, judged


def test_a_candidate_that_does_no_worse_on_enough_cases_passes():
    assert judged(8, live=5, candidate=5).passed
    assert judged(8, live=5, candidate=8).passed
    assert judged(8, live=0, candidate=1).passed


@pytest.mark.parametrize(
    ("cases", "live", "candidate", "why"),
    [
        (LEAST_CASES - 1, 0, 3, "too few to go by"),
        (8, 5, 4, "fewer than the 5 with the live version"),
        (8, 0, 0, "none of 8 cases went well"),
        (0, 0, 0, "too few"),
    ],
)
def test_a_candidate_that_shows_too_little_is_kept_out_with_the_reason(cases, live, candidate, why):
    result = judged(cases, live, candidate)
    assert not result.passed
    assert why in result.why


def test_a_case_is_held_out_by_its_name_alone_so_no_later_attempt_shows_it_to_a_reviser():
    told = [is_held_out("architect/design", "acme", f"r{n}", "design") for n in range(400)]
    assert told == [is_held_out("architect/design", "acme", f"r{n}", "design") for n in range(400)]
    assert 150 < sum(told) < 250
    assert told != [is_held_out("reviewer/vote", "acme", f"r{n}", "design") for n in range(400)]
