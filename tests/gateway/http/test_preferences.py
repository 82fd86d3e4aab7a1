"""The `Prefer` header: what can be read is granted up to the cap, and the rest is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.http.preferences import Preferences, preferences

CAP = 60


def _read(*headers: str) -> Preferences:
    return preferences(headers, CAP)


@pytest.mark.parametrize(
    ("header", "wait_s", "respond_async"),
    [
        ("", None, False),
        ("wait=10", 10, False),
        ("wait=0", 0, False),
        ("respond-async", None, True),
        ("respond-async, wait=10", 10, True),
        ("Wait=10, Respond-Async", 10, True),
        ("wait = 10 ; foo ; bar=2, respond-async;x", 10, True),
        ('wait="10"', 10, False),
        ('wait="1\\0"', 10, False),
        ("foo, return=minimal; a, , wait=3,", 3, False),
        ('foo="a, wait=5", wait=7', 7, False),
        ('foo="a\\", wait=5", wait=7', 7, False),
        ('respond-async=""', None, True),
    ],
)
def test_what_rfc_7240_allows_is_read(header: str, wait_s: int | None, respond_async: bool) -> None:
    assert _read(header) == Preferences(wait_s, respond_async)


@pytest.mark.parametrize(
    "header",
    ["wait", "wait=", "wait=-1", "wait=1.5", "wait=ten", "wait=10 20", "wait 10", "=10", "wait=١", '"wait"=10',
     'foo="wait=10', "respond-async=true", "respond-asynchronously", ";wait=10", "foo; wait=10"],
)  # fmt: skip
def test_what_can_not_be_read_is_passed_over(header: str) -> None:
    assert _read(header) == Preferences()


def test_the_first_of_two_counts_across_headers_as_well() -> None:
    assert _read("wait=5, wait=6") == _read("wait=5", "wait=6") == Preferences(5)
    assert _read("wait=soon, wait=6") == Preferences()


@given(st.integers(0, 10**30))
def test_a_wait_is_cut_to_the_cap(asked: int) -> None:
    assert _read(f"wait={asked}").wait_s == min(asked, CAP)


def test_zeros_before_a_number_do_not_make_it_long() -> None:
    assert _read("wait=" + "0" * 50 + "7").wait_s == 7


@given(st.text(max_size=300) | st.text(alphabet='wait=respond-async10,;" \\\t', max_size=120))
def test_whatever_the_header_holds_it_is_read(header: str) -> None:
    found = _read(header)
    assert found.wait_s is None or 0 <= found.wait_s <= CAP
    assert found.patience_s == (found.wait_s or 0)


@given(st.none() | st.integers(0, CAP), st.booleans())
def test_what_is_applied_reads_as_what_was_granted(wait_s: int | None, respond_async: bool) -> None:
    granted = Preferences(wait_s, respond_async)
    assert preferences([granted.applied] if granted.applied else [], CAP) == granted


def test_a_very_long_header_is_read_in_no_time() -> None:
    assert _read('"' + '\\"' * 100_000) == _read("a=" * 100_000) == _read('"a' * 100_000) == Preferences()


def test_without_a_wish_nobody_waits_and_nothing_is_said_to_be_applied() -> None:
    assert (Preferences().patience_s, Preferences().applied) == (0, None)
    assert Preferences(10, True).applied == "respond-async, wait=10"
