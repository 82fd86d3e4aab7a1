"""Retries: how long, how often, and what ends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.notify.schedule import GIVE_UP_AFTER_S, LONGEST_WAIT_S, Next, Tried, after, verdict_of, wait_s


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "again"), (307, "again"), (400, "refused"),
        (401, "refused"), (404, "refused"), (408, "again"), (410, "gone"), (413, "refused"), (429, "again"),
        (499, "refused"), (500, "again"), (502, "again"), (503, "again"), (599, "again"),
    ],
)  # fmt: skip
def test_a_status_says_what_follows(status, verdict):
    assert verdict_of(status) == verdict


@given(st.text(max_size=50), st.integers(1, 10_000))
def test_a_wait_is_the_same_for_the_same_id_and_within_a_fifth_of_the_plan(message_id, attempt):
    plain = min(5.0 * 4.0 ** min(attempt - 1, 20), LONGEST_WAIT_S)
    assert wait_s(message_id, attempt) == wait_s(message_id, attempt)
    assert 0.8 * plain <= wait_s(message_id, attempt) <= 1.2 * plain


def test_many_notifications_do_not_come_back_together():
    waits = [wait_s(f"msg_{n}", 5) for n in range(500)]
    assert len(set(waits)) == 500 and max(waits) - min(waits) > 0.35 * 1280


@given(st.text(max_size=30))
def test_a_notification_that_nobody_takes_is_given_up_within_three_days_and_not_before_two(message_id):
    now, attempt = 0.0, 1
    while (then := after(message_id, attempt, Tried("again", 503, "x answered 503"), 0.0, now)).at is not None:
        assert then.at > now
        now, attempt = then.at, attempt + 1
    assert 2 * 86_400 < now <= GIVE_UP_AFTER_S
    assert 10 <= attempt <= 15
    assert then.reason == f"given up after {attempt} tries in three days; the last: x answered 503"


def test_what_is_delivered_refused_or_gone_is_not_tried_again():
    assert after("m", 1, Tried("delivered", 204), 0, 1) == Next(None, "delivered")
    assert after("m", 1, Tried("refused", 404, "a answered 404"), 0, 1) == Next(None, "a answered 404")
    assert after("m", 1, Tried("gone", 410, "a answered 410"), 0, 1) == Next(None, "a answered 410")


def test_a_receiver_that_asks_for_patience_gets_it_within_bounds():
    assert after("m", 1, Tried("again", 429, "", retry_after_s=600), 0, 10).at == 610
    assert after("m", 1, Tried("again", 429, "", retry_after_s=1), 0, 10).at == 10 + wait_s("m", 1)
    assert after("m", 1, Tried("again", 503, "", retry_after_s=1e9), 0, 10).at == 10 + LONGEST_WAIT_S


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_are_counted_from_one(attempt):
    with pytest.raises(ValueError, match="from 1"):
        wait_s("m", attempt)
