"""Durations as they are typed."""

import pytest

from workers.cli.complaints import Misused
from workers.cli.durations import as_typed, seconds_typed


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("60s", 60),
        ("90", 90),
        ("5m", 300),
        ("2h", 7_200),
        ("1d", 86_400),
        ("30D", 2_592_000),
        (" 5 m ", 300),
        ("", None),
    ],
)
def test_a_time_is_a_number_with_a_unit(text, amount):
    assert seconds_typed("--deadline", text) == amount


@pytest.mark.parametrize("text", ["0", "0s", "-5s", "5 weeks", "1.5h", "soon", "31d", "٥s", "1e3s", "9" * 30])
def test_what_is_no_time_is_refused_with_the_option(text):
    with pytest.raises(Misused, match="--deadline"):
        seconds_typed("--deadline", text)


@pytest.mark.parametrize(("amount", "text"), [(1, "1s"), (90, "90s"), (900, "15m"), (7_200, "2h"), (172_800, "2d")])
def test_seconds_are_said_the_way_they_are_typed(amount, text):
    assert as_typed(amount) == text
    assert seconds_typed("--deadline", text) == amount
