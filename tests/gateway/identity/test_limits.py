"""Token buckets: nothing is rounded, and no window of time lets more through than it should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.identity.limits import (
    MINUTE_NS,
    BadLength,
    Limits,
    Meter,
    Taken,
    declared_bytes,
    filled,
    full,
    is_too_large,
    take,
)

limits = st.builds(Limits, requests_per_minute=st.integers(1, 10**6), burst=st.integers(1, 50))
steps = st.lists(st.integers(0, MINUTE_NS) | st.integers(0, 1_000), min_size=1, max_size=60)


@given(limits, steps)
def test_no_window_lets_more_through_than_burst_and_rate_allow(allowed: Limits, pauses: list[int]) -> None:
    bucket, now, granted = full(allowed, 0), 0, list[int]()
    for pause in pauses:
        now += pause
        bucket, wait, _ = take(bucket, allowed, now)
        granted += [now] if wait == 0 else []
    for first, start in enumerate(granted):
        for last in range(first, len(granted)):
            brought = (granted[last] - start) * allowed.requests_per_minute
            assert (last - first + 1) * MINUTE_NS <= allowed.burst * MINUTE_NS + brought


@given(limits, steps)
def test_it_makes_no_difference_how_often_the_bucket_is_looked_at(allowed: Limits, pauses: list[int]) -> None:
    emptied = full(allowed, 0)._replace(level=0)
    often, now = emptied, 0
    for pause in pauses:
        now += pause
        often = filled(often, allowed, now)
    assert often == filled(emptied, allowed, now)


@given(limits, st.integers(0, 10**18), st.integers(0, MINUTE_NS))
def test_the_wait_is_exactly_as_long_as_it_has_to_be(allowed: Limits, now: int, level: int) -> None:
    bucket = full(allowed, now)._replace(level=min(level, MINUTE_NS - 1))
    refused = take(bucket, allowed, now)
    assert refused.wait_ns > 0
    granted = take(refused.bucket, allowed, now + refused.wait_ns)
    assert granted.wait_ns == 0
    assert 0 <= granted.bucket.level < allowed.requests_per_minute
    assert take(refused.bucket, allowed, now + refused.wait_ns - 1).wait_ns == 1


@given(limits, steps)
def test_asking_in_vain_does_not_lengthen_the_wait(allowed: Limits, pauses: list[int]) -> None:
    emptied = full(allowed, 0)._replace(level=0)
    ready = take(emptied, allowed, 0).wait_ns
    bucket, now = emptied, 0
    for pause in pauses:
        if now + pause >= ready:
            break
        now += pause
        bucket, wait, _ = take(bucket, allowed, now)
        assert now + wait == ready


def test_a_rest_brings_the_burst_back_and_no_more() -> None:
    allowed = Limits(requests_per_minute=60, burst=3)
    bucket = full(allowed, 0)
    lefts = []
    for _ in range(3):
        bucket, wait, left = take(bucket, allowed, 0)
        lefts.append((wait, left))
    assert lefts == [(0, 2), (0, 1), (0, 0)]
    assert take(bucket, allowed, 0).retry_after_s == 1
    assert take(bucket, allowed, 0).wait_ns == 10**9
    assert take(bucket, allowed, 1_000 * MINUTE_NS).left == 2


@given(limits, st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_clock_that_goes_back_brings_nothing_and_takes_nothing(allowed: Limits, now: int, back: int) -> None:
    bucket = full(allowed, now)._replace(level=0)
    refused = take(bucket, allowed, now - back)
    assert refused.bucket == bucket
    assert take(refused.bucket, allowed, now - back + refused.wait_ns).wait_ns == 0


def test_retry_after_is_in_whole_seconds_rounded_up() -> None:
    bucket = full(Limits(), 0)
    assert [Taken(bucket, wait, 0).retry_after_s for wait in (1, 10**9, 10**9 + 1)] == [1, 1, 2]


def test_keys_have_buckets_of_their_own_and_the_longest_silent_is_forgotten() -> None:
    allowed, meter = Limits(requests_per_minute=1, burst=1), Meter(most=2)
    assert meter.take("a", allowed, 0).wait_ns == 0
    assert meter.take("b", allowed, 0).wait_ns == 0
    assert meter.take("a", allowed, 0).wait_ns == MINUTE_NS
    assert meter.take("c", allowed, 0).wait_ns == 0
    assert len(meter) == 2
    assert meter.take("a", allowed, 0).wait_ns == MINUTE_NS
    assert meter.take("b", allowed, 0).wait_ns == 0


@pytest.mark.parametrize("name", ["requests_per_minute", "burst", "body_bytes", "streams"])
def test_limits_that_let_nothing_through_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1"):
        Limits(**{name: 0})


def test_a_body_is_too_large_by_what_it_says_or_by_what_was_read() -> None:
    allowed = Limits(body_bytes=10)
    assert not is_too_large(allowed, None, 10)
    assert is_too_large(allowed, None, 11)
    assert is_too_large(allowed, 11, 0)
    assert is_too_large(allowed, 5, 11)


def test_a_length_is_a_number_of_bytes_or_none() -> None:
    assert (declared_bytes(None), declared_bytes(" 12 ")) == (None, 12)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "١", "9" * 21, "1, 1"])
def test_a_length_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadLength, match="whole number of bytes"):
        declared_bytes(text)
