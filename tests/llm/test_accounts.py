"""Accounts: breaker, cooling and the shared minute."""

import json
import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from workers.llm.accounts import (
    Account,
    answered,
    failed,
    health,
    is_plain,
    ready_at,
    reserved,
    settled,
    unreserved,
)
from workers.llm.failures import MEANINGS, FailureKind
from workers.llm.model import Allowance
from workers.llm.targets import Limits

NOW = 1_763_800_000.25
FREE = Limits()
STRIKING: list[FailureKind] = [kind for kind, meaning in MEANINGS.items() if meaning.strikes]
DOWN: list[FailureKind] = [kind for kind, meaning in MEANINGS.items() if meaning.down]
KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


def _ready(account: Account, now: float) -> float:
    return ready_at(account, FREE, 0, now)


def _struck(times: int, now: float = NOW) -> Account:
    account = Account()
    for _ in range(times):
        account = failed(account, "server_error", "it broke", None, now)
    return account


def test_between_strikes_it_pauses_half_a_second_and_then_one() -> None:
    assert _ready(_struck(1), NOW) == NOW + 0.5
    assert _ready(_struck(2), NOW) == NOW + 1.0
    assert health(_struck(1), NOW).state == "cooling"


@pytest.mark.parametrize("kind", STRIKING)
def test_three_strikes_in_a_row_open_the_breaker(kind: FailureKind) -> None:
    account = failed(_struck(2), kind, "again", None, NOW)
    assert _ready(account, NOW) == NOW + 15
    assert (health(account, NOW).state, health(account, NOW).until) == ("open", NOW + 15)
    assert health(account, NOW).reason == f"{kind}: again"


def test_a_success_between_strikes_starts_the_row_anew() -> None:
    account = answered(_struck(2), Allowance(), NOW)
    assert is_plain(account)
    assert _ready(failed(account, "timeout", "", None, NOW), NOW) == NOW + 0.5


@pytest.mark.parametrize("kind", DOWN)
def test_what_waiting_seldom_cures_opens_it_at_once_for_a_minute(kind: FailureKind) -> None:
    account = failed(Account(), kind, "no", None, NOW)
    assert (health(account, NOW).state, _ready(account, NOW)) == ("open", NOW + 60)
    assert _ready(failed(reserved(account, FREE, 0, NOW + 60), kind, "no", None, NOW + 60), 0) == NOW + 60 + 60


def test_each_failed_probe_doubles_the_time_up_to_five_minutes() -> None:
    account, now, spans = _struck(3), NOW, []
    for _ in range(7):
        spans.append(_ready(account, now) - now)
        now = _ready(account, now)
        account = failed(reserved(account, FREE, 0, now), "unreachable", "", None, now)
    assert spans == [15, 30, 60, 60, 60, 60, 60]


def test_a_half_open_breaker_lets_one_probe_through_at_a_time() -> None:
    account = _struck(3)
    assert (health(account, NOW + 15).state, health(account, NOW + 15).until) == ("probing", NOW + 15)
    probing = reserved(account, FREE, 0, NOW + 15)
    assert _ready(probing, NOW + 15) == NOW + 15 + 120
    assert health(probing, NOW + 15).state == "probing"
    assert is_plain(answered(probing, Allowance(), NOW + 20))


def test_a_probe_whose_worker_died_frees_itself() -> None:
    lost = reserved(_struck(3), FREE, 0, NOW + 15)
    assert _ready(lost, NOW + 134.9) == NOW + 135
    assert _ready(lost, NOW + 135) == NOW + 135


def test_a_probe_that_was_not_sent_frees_the_account() -> None:
    probing = reserved(_struck(3), FREE, 0, NOW + 15)
    assert _ready(unreserved(probing, FREE, 0, NOW + 15, NOW + 16), NOW + 16) == NOW + 16
    assert _ready(unreserved(probing, FREE, 0, NOW, NOW + 16), NOW + 16) == NOW + 135


def test_a_bad_request_changes_nothing_but_ends_its_own_probe() -> None:
    assert failed(_struck(2), "bad_request", "no", None, NOW) == _struck(2)
    probing = reserved(_struck(3), FREE, 0, NOW + 15)
    assert failed(probing, "bad_request", "no", None, NOW + 16, at=NOW - 3) == probing
    assert _ready(failed(probing, "bad_request", "no", None, NOW + 16, at=NOW + 15), NOW + 16) == NOW + 16


def test_failures_of_calls_sent_before_it_opened_do_not_open_it_for_longer() -> None:
    late = failed(_struck(3), "timeout", "late", None, NOW + 3)
    assert _ready(late, NOW + 3) == NOW + 15
    probing = reserved(_struck(3), FREE, 0, NOW + 15)
    assert _ready(failed(probing, "timeout", "late", None, NOW + 16, at=NOW - 1), NOW + 16) == NOW + 135
    assert _ready(failed(probing, "timeout", "own", None, NOW + 16, at=NOW + 15), NOW + 16) == NOW + 46


def test_a_rate_limit_cools_for_exactly_as_long_as_was_asked_and_is_no_strike() -> None:
    account = failed(_struck(2), "rate_limited", "slow down", 7.3, NOW + 2)
    assert _ready(account, NOW + 2) == NOW + 2 + 7.3
    assert account.strikes == 2
    assert health(account, NOW + 2).state == "cooling"


def test_rate_limits_without_a_time_cool_for_longer_each_time() -> None:
    account, now, spans = Account(), NOW, []
    for _ in range(7):
        account = failed(account, "rate_limited", "", None, now)
        spans.append(_ready(account, now) - now)
        now = _ready(account, now)
    assert spans == [1, 2, 4, 8, 16, 30, 30]
    assert _ready(failed(answered(account, Allowance(), now), "rate_limited", "", None, now), now) == now + 1


def test_rate_limits_of_calls_side_by_side_are_one_rate_limit() -> None:
    account = Account()
    for _ in range(50):
        account = failed(account, "rate_limited", "", None, NOW)
    assert _ready(account, NOW) == NOW + 1


def test_a_success_does_not_shorten_what_the_provider_asked_for() -> None:
    account = answered(failed(Account(), "rate_limited", "", 30, NOW), Allowance(), NOW + 1)
    assert _ready(account, NOW + 1) == NOW + 30
    assert is_plain(answered(account, Allowance(), NOW + 30))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bad_request"])
def test_a_time_that_the_provider_asks_for_holds_for_every_kind(kind: FailureKind) -> None:
    assert _ready(failed(Account(), kind, "", 400.5, NOW), NOW) == NOW + 400.5


def test_a_rate_limited_probe_may_be_tried_again_after_cooling() -> None:
    probing = reserved(_struck(3), FREE, 0, NOW + 15)
    account = failed(probing, "rate_limited", "", 3, NOW + 16)
    assert _ready(account, NOW + 16) == NOW + 19
    assert health(account, NOW + 19).state == "probing"


def test_a_slot_leaves_the_window_62_seconds_after_its_second_began() -> None:
    limits = Limits(requests_per_minute=1)
    account = reserved(Account(), limits, 10, 1000.9)
    assert ready_at(account, limits, 10, 1001.0) == 1062
    assert ready_at(account, limits, 10, 1062.0) == 1062


def test_tokens_that_were_not_used_are_free_again() -> None:
    limits = Limits(tokens_per_minute=100)
    account = reserved(Account(), limits, 90, 1000.0)
    assert ready_at(account, limits, 20, 1001.0) == 1062
    assert ready_at(settled(account, limits, 90, 1000.0, 30, 1001.0), limits, 70, 1001.0) == 1001
    assert ready_at(settled(account, limits, 90, 1000.0, 101, 1001.0), limits, 1, 1001.0) == 1062
    assert settled(account, limits, 90, 1000.0, 30, 1062.0).minute.slots == ()


def test_a_call_larger_than_the_limit_goes_alone() -> None:
    limits = Limits(tokens_per_minute=100)
    assert ready_at(Account(), limits, 5000, 1000.0) == 1000
    assert ready_at(reserved(Account(), limits, 1, 1000.0), limits, 5000, 1000.0) == 1062
    assert ready_at(reserved(Account(), limits, 5000, 1000.0), limits, 1, 1000.0) == 1062


def test_an_account_without_limits_keeps_no_window() -> None:
    account = reserved(Account(), FREE, 1000, NOW)
    assert is_plain(account)
    assert account.encode() == b"{}"


def test_what_the_provider_says_is_left_counts_until_all_is_there_again() -> None:
    limits = Limits(requests_per_minute=100, tokens_per_minute=1000)
    said = Allowance(requests=1, requests_full_in_s=20.5, tokens=300, tokens_full_in_s=10)
    account = answered(Account(), said, NOW, limits)
    assert ready_at(account, limits, 300, NOW) == NOW
    assert ready_at(account, limits, 301, NOW) == NOW + 10
    taken = reserved(account, limits, 100, NOW)
    assert ready_at(replace(taken, minute=replace(taken.minute, requests_left=None)), limits, 201, NOW) == NOW + 10
    assert ready_at(taken, limits, 100, NOW) == NOW + 20.5
    assert ready_at(taken, limits, 100, NOW + 20.5) == NOW + 20.5


def test_more_than_the_window_leaves_is_not_believed() -> None:
    limits = Limits(requests_per_minute=2)
    account = answered(reserved(Account(), limits, 0, NOW), Allowance(requests=50, requests_full_in_s=9), NOW, limits)
    assert account.minute.requests_left is None
    assert is_plain(answered(Account(), Allowance(requests=4_999, requests_full_in_s=9), NOW))


def test_what_the_provider_says_last_replaces_what_it_said_before() -> None:
    limits = Limits(requests_per_minute=10)
    account = answered(Account(), Allowance(requests=0, requests_full_in_s=50), NOW, limits)
    assert ready_at(account, limits, 0, NOW) == NOW + 50
    assert ready_at(answered(account, Allowance(), NOW, limits), limits, 0, NOW) == NOW + 50
    assert ready_at(answered(account, Allowance(requests=10), NOW, limits), limits, 0, NOW) == NOW


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"nonsense",
        b"[1]",
        b"null",
        b"7",
        b'{"until": 1e999}',
        b'{"until": NaN}',
        b'{"strikes": "many"}',
        b'{"strikes": -1}',
        b'{"minute": {"slots": [[1, 2]]}}',
        b'{"minute": {"tokens_left": 3}}',
    ],
)
def test_a_record_that_cannot_be_read_is_a_fresh_account(garbage: bytes) -> None:
    assert Account.decode(garbage) == Account()


@given(st.binary())
def test_any_bytes_make_an_account_that_can_be_kept(content: bytes) -> None:
    account = Account.decode(content)
    assert Account.decode(account.encode()) == account


def test_a_field_of_a_later_version_is_left_out() -> None:
    record = json.loads(_struck(2).encode()) | {"mood": "fine"}
    assert Account.decode(json.dumps(record).encode()) == _struck(2)


def test_a_full_window_is_a_small_record() -> None:
    limits, account = Limits(requests_per_minute=6000, tokens_per_minute=10**7), Account()
    for second in range(200):
        account = reserved(account, limits, 10_000, NOW + second)
    assert len(account.minute.slots) == 62
    assert len(account.encode()) < 2_000


changes = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "answer", *KINDS]),
        st.floats(0, 90),
        st.integers(0, 2_000),
        st.none() | st.floats(0, 500),
    ),
    max_size=25,
)
per_minute = st.none() | st.integers(1, 1_500)
limitations = st.builds(
    Limits, requests_per_minute=per_minute.map(lambda n: n and 1 + n % 8), tokens_per_minute=per_minute
)


def _lived(limits: Limits, story: list[tuple[str, float, int, float | None]]) -> tuple[Account, float]:
    account, now = Account(), NOW
    for what, pause, tokens, asked in story:
        now += pause
        if what == "reserve":
            account = reserved(account, limits, tokens, now)
        elif what == "answer":
            account = answered(account, Allowance(tokens % 7, asked, tokens, asked), now, limits)
        else:
            account = failed(account, what, "why", asked, now)  # type: ignore[arg-type]
    return account, now


@given(limitations, changes)
def test_a_record_is_read_as_it_was_written(limits: Limits, story: list[tuple[str, float, int, float | None]]) -> None:
    account, _ = _lived(limits, story)
    assert Account.decode(account.encode()) == account


@given(limitations, changes, st.integers(0, 3_000), st.floats(0, 1))
def test_an_account_is_ready_at_the_time_that_it_says_and_not_before(
    limits: Limits, story: list[tuple[str, float, int, float | None]], tokens: int, share: float
) -> None:
    account, now = _lived(limits, story)
    ready = ready_at(account, limits, tokens, now)
    assert now <= ready < math.inf
    assert ready_at(account, limits, tokens, ready) == ready
    between = now + (ready - now) * share
    if between < ready:
        assert ready_at(account, limits, tokens, between) == ready


@given(changes, st.sampled_from(KINDS[:10]), st.floats(0.001, 10_000))
def test_no_call_goes_before_the_time_that_was_asked_for_whatever_else_happens(
    story: list[tuple[str, float, int, float | None]], kind: FailureKind, asked: float
) -> None:
    account, now = failed(Account(), kind, "", asked, NOW), NOW
    for what, pause, _, other in story:
        now += pause
        if now >= NOW + asked:
            return
        assert _ready(account, now) >= NOW + asked
        if what == "answer":
            account = answered(account, Allowance(), now)
        elif what != "reserve":
            account = failed(account, what, "", other, now)  # type: ignore[arg-type]


steps = st.lists(
    st.tuples(st.floats(0, 12), st.integers(0, 1_200), st.floats(0, 1), st.floats(0, 40)), min_size=1, max_size=60
)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 6), st.integers(1, 1_000), steps)
def test_no_60_seconds_hold_more_than_the_limits(
    requests: int, tokens: int, story: list[tuple[float, int, float, float]]
) -> None:
    """Reservations go as soon as they may and are corrected later, in any interleaving."""
    limits = Limits(requests_per_minute=requests, tokens_per_minute=tokens)
    account, now = Account(), NOW
    sent: list[tuple[float, int]] = []
    open_calls: list[tuple[float, float, int, int]] = []
    for pause, wanted, share, lasts in story:
        now += pause
        for end in sorted(call for call in open_calls if call[0] <= now):
            open_calls.remove(end)
            account = settled(account, limits, end[2], end[1], end[3], now)
        if ready_at(account, limits, wanted, now) > now:
            now = ready_at(account, limits, wanted, now) if share < 0.5 else now
        if ready_at(account, limits, wanted, now) == now:
            account = reserved(account, limits, wanted, now)
            used = int(min(wanted, tokens) * share)
            sent.append((now, used))
            open_calls.append((now + lasts, now, wanted, used))
    for at, _ in sent:
        window = [used for when, used in sent if at <= when <= at + 60]
        assert len(window) <= requests
        assert sum(window) <= tokens


class DeadProvider(RuleBasedStateMachine):
    """A provider that answers nothing: what calls does it get? Calls fail late, or their workers die."""

    @initialize()
    def begin(self) -> None:
        self.now, self.account = NOW, Account()
        self.under_way: list[float] = []
        self.failures = 0
        self.shut_until = -math.inf
        self.shuttings = 0
        self.probe: float | None = None

    @rule(seconds=st.floats(0, 130))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_calls_if_it_is_ready(self) -> None:
        self.account = Account.decode(self.account.encode())
        if _ready(self.account, self.now) > self.now:
            return
        if self.failures >= 3:
            assert self.now >= self.shut_until
            assert self.probe is None or self.now >= self.probe + 120
            self.probe = self.now
        self.account = reserved(self.account, FREE, 0, self.now)
        self.under_way.append(self.now)

    @precondition(lambda self: self.under_way)
    @rule(pick=st.integers(0, 10**6), kind=st.sampled_from(STRIKING))
    def a_call_fails(self, pick: int, kind: FailureKind) -> None:
        at = self.under_way.pop(pick % len(self.under_way))
        self.account = failed(self.account, kind, "dead", None, self.now, at=at)
        self.failures += 1
        if self.failures == 3 or (self.failures > 3 and at == self.probe):
            self.shut_until = self.now + min(60, 15 * 2**self.shuttings)
            self.shuttings += 1
            self.probe = None

    @precondition(lambda self: self.under_way)
    @rule(pick=st.integers(0, 10**6))
    def a_worker_dies(self, pick: int) -> None:
        self.under_way.pop(pick % len(self.under_way))


DeadProvider.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_a_dead_provider_gets_no_call_while_it_is_open_but_single_probes = DeadProvider.TestCase


def test_health_of_a_fresh_account_is_up() -> None:
    assert (health(Account(), NOW).state, health(Account(), NOW).until) == ("up", NOW)
    assert is_plain(Account())
    assert not is_plain(replace(Account(), strikes=1))
