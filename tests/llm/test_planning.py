"""Planning: where a call goes, until when it waits, and when nothing will ever help."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.llm.accounts import Account, answered, failed, ready_at, reserved
from workers.llm.failures import FailureKind
from workers.llm.model import Allowance
from workers.llm.planning import Candidate, Fail, Go, State, Tier, Wait, Wanted, amount_of, plan
from workers.llm.purse import Amount, Cap, Purse, fits, once_settled, raised, reserve, settle, within
from workers.llm.speeds import Speed
from workers.llm.targets import Capabilities, Limits, Policy, Target

NOW = 1_763_800_000.25
DOLLAR = 10**9


def _candidate(
    name: str,
    nanos: int | None = 10,
    *,
    quality: int = 50,
    context: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    tokens: int = 100,
) -> Candidate:
    capabilities = Capabilities(context_tokens=context)
    target = Target(name=name, provider="openai", quality=quality, capabilities=capabilities, limits=limits)
    return Candidate(target, tokens, None if nanos is None else Amount(nanos, tokens))


def _wanted(*tiers: list[Candidate], policy: Policy = "best", quality: int = 0, **more: object) -> Wanted:
    first = [Tier(policy, tuple(tiers[0]), quality)] if tiers else []
    rest = [Tier("best", tuple(candidates), 0) for candidates in tiers[1:]]
    return replace(Wanted((*first, *rest), NOW + 600), **more)  # type: ignore[arg-type]


def _accounts(**failures: FailureKind | float) -> Mapping[str, Account]:
    """Accounts by target's name: a kind that it failed with, or the seconds that it was asked to cool."""
    found = {}
    for name, failure in failures.items():
        kind: FailureKind = "rate_limited" if isinstance(failure, float) else failure
        asked = failure if isinstance(failure, float) else None
        found[_candidate(name).target.account] = failed(Account(), kind, "it said so", asked, NOW)
    return found


def _went(step: Go | Wait | Fail) -> str:
    assert isinstance(step, Go), step
    return step.candidate.target.name


A, B, C = _candidate("a", 30), _candidate("b", 10), _candidate("c", 20)


def test_best_takes_the_first_of_sufficient_quality() -> None:
    poor, good = _candidate("poor", quality=40), _candidate("good", quality=80)
    assert _went(plan(_wanted([poor, good]), State(), NOW)) == "poor"
    assert _went(plan(_wanted([poor, good], quality=60), State(), NOW)) == "good"


def test_cheapest_takes_the_least_worst_case_and_the_first_of_equals() -> None:
    assert _went(plan(_wanted([A, B, C], policy="cheapest"), State(), NOW)) == "b"
    assert _went(plan(_wanted([A, _candidate("x", 10), B], policy="cheapest"), State(), NOW)) == "x"
    assert _went(plan(_wanted([_candidate("unknown", None), A], policy="cheapest"), State(), NOW)) == "a"


def test_fastest_tries_the_unmeasured_first_and_then_takes_the_shortest() -> None:
    speeds = {"a": Speed(1.0, 5.0), "b": Speed(0.1, 6.0)}
    wanted = _wanted([A, B, C], policy="fastest")
    assert _went(plan(wanted, State(speeds=speeds), NOW)) == "c"
    assert _went(plan(wanted, State(speeds=speeds | {"c": Speed(0.5, 5.0)}), NOW)) == "c"
    assert _went(plan(wanted, State(speeds=speeds | {"c": Speed(2.0, 5.0)}), NOW)) == "a"


def test_spread_takes_turns_and_skips_what_is_not_ready() -> None:
    wanted = _wanted([A, B, C], policy="spread")
    assert [_went(plan(wanted, State(turn=turn), NOW)) for turn in range(4)] == ["a", "b", "c", "a"]
    some = _accounts(b=9.0)
    assert [_went(plan(wanted, State(some, turn=turn), NOW)) for turn in range(4)] == ["a", "c", "a", "c"]


def test_a_rate_limit_fails_over_at_once_and_the_first_tier_is_back_after_it() -> None:
    wanted, state = _wanted([A], [B]), State(_accounts(a=9.0))
    assert _went(plan(wanted, state, NOW)) == "b"
    assert _went(plan(wanted, state, NOW + 9)) == "a"


def test_fallbacks_are_tried_in_order() -> None:
    assert _went(plan(_wanted([A], [B], [C]), State(_accounts(a="quota", b=9.0)), NOW)) == "c"


def test_with_all_cooling_it_waits_for_the_earliest_and_says_why_each_does() -> None:
    step = plan(_wanted([A], [B]), State(_accounts(a=9.0, b="denied")), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (NOW + 9, "models")
    assert step.reason == "a: cooling (rate_limited: it said so); b: down (denied: it said so)"


def test_what_hinders_several_targets_is_said_once_and_without_times() -> None:
    step = plan(_wanted([A, B], [C]), State(_accounts(a="denied", b=9.0, c="denied")), NOW)
    assert isinstance(step, Wait)
    assert step.reason == "a, c: down (denied: it said so); b: cooling (rate_limited: it said so)"


def test_our_own_count_of_the_minute_is_a_wait_for_limits() -> None:
    limits = Limits(requests_per_minute=1)
    only = _candidate("a", limits=limits)
    accounts = {only.target.account: reserved(Account(), limits, 100, NOW)}
    step = plan(_wanted([only]), State(accounts), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (math.floor(NOW) + 62, "limits")
    assert step.reason == "a: the minute's limit is reached"
    mixed = plan(_wanted([only], [B]), State({**accounts, **_accounts(b=500.0)}), NOW)
    assert isinstance(mixed, Wait)
    assert (mixed.until, mixed.what) == (math.floor(NOW) + 62, "models")


def test_a_wait_may_end_after_the_deadline() -> None:
    step = plan(_wanted([A], deadline=NOW + 1), State(_accounts(a=900.0)), NOW)
    assert isinstance(step, Wait)
    assert step.until == NOW + 900


def test_a_budget_that_others_hold_is_looked_at_again_in_a_second() -> None:
    purse, _ = reserve(Purse(Cap(5 * DOLLAR, None)), "other", Amount(4 * DOLLAR, 1), NOW)
    step = plan(_wanted([_candidate("a", 2 * DOLLAR)]), State(purses=(purse,)), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (NOW + 1, "budget")
    assert step.reason == (
        "$1.0000 of $5.0000 was left beside $4.0000 held for calls under way, and a call may cost $2.0000 (a)"
    )


def test_a_budget_that_is_used_up_waits_for_a_raise() -> None:
    purse = settle(reserve(Purse(Cap(None, 150)), "x", Amount(1, 100), NOW)[0], "x", Amount(1, 100))
    wanted = _wanted([A, B])
    step = plan(wanted, State(purses=(purse,)), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (math.inf, "budget")
    assert step.reason == "50 of 150 tokens were left, and a call may take 100 (a), 100 (b)"
    assert _went(plan(wanted, State(purses=(raised(purse, "more", Amount(0, 50)),)), NOW)) == "a"


def test_every_budget_must_pay() -> None:
    rich, poor = Purse(Cap(DOLLAR, None)), Purse(Cap(15, None))
    assert _went(plan(_wanted([A, B]), State(purses=(rich, poor)), NOW)) == "b"


def test_a_fallback_that_can_be_paid_is_used_when_the_better_one_cannot() -> None:
    state = State(purses=(Purse(Cap(15, None)),))
    assert _went(plan(_wanted([A], [B]), state, NOW)) == "b"
    step = plan(_wanted([A], [B]), replace(state, accounts=_accounts(b=9.0)), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (NOW + 9, "models")


def test_money_that_may_be_free_in_a_second_is_not_missed_for_a_target_that_cools_for_longer() -> None:
    purse, _ = reserve(Purse(Cap(35, None)), "other", Amount(10, 1), NOW)
    step = plan(_wanted([A], [B]), State(_accounts(b=9.0), purses=(purse,)), NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.what) == (NOW + 1, "budget")


def test_a_call_may_fill_the_whole_context() -> None:
    wanted = _wanted([_candidate("a", context=1_000)], tokens_needed=1_000)
    assert _went(plan(wanted, State(), NOW)) == "a"


def test_an_unknown_price_is_refused_where_money_counts_and_only_there() -> None:
    wanted = _wanted([_candidate("a", None)])
    step = plan(wanted, State(purses=(Purse(Cap(DOLLAR, None)),)), NOW)
    assert step == Fail("a: no price known for a; give it a `price` in models.yaml")
    assert _went(plan(wanted, State(purses=(Purse(Cap(None, 100)),)), NOW)) == "a"
    assert isinstance(plan(wanted, State(purses=(Purse(Cap(None, 99)),)), NOW), Wait)


def test_a_failure_names_every_target_and_why() -> None:
    wanted = _wanted(
        [_candidate("small", context=1_000), _candidate("poor", quality=10), _candidate("tried")],
        quality=20,
        without=frozenset({"tried"}),
        tokens_needed=2_000,
    )
    assert plan(wanted, State(), NOW) == Fail(
        "small: takes 1000 tokens, and the call needs 2000; poor: its quality of 10 is below the route's floor of 20; "
        "tried: is not to be asked for this call"
    )


def test_without_any_target_it_says_what_to_do() -> None:
    assert plan(_wanted(), State(), NOW) == Fail("no target is configured for this call; name one in models.yaml")


def test_a_half_open_account_is_for_one_probe_and_the_others_go_elsewhere() -> None:
    down = _accounts(a="denied")
    key = A.target.account
    assert _went(plan(_wanted([A], [B]), State(down), NOW + 60)) == "a"
    probing = {key: reserved(down[key], Limits(), 100, NOW + 60)}
    assert _went(plan(_wanted([A], [B]), State(probing), NOW + 60)) == "b"
    back = {key: answered(probing[key], Allowance(), NOW + 61)}
    assert _went(plan(_wanted([A], [B]), State(back), NOW + 61)) == "a"


# Worlds: up to three tiers over six targets, of which two share an account; any state that the modules can make.

NAMES = ["a", "b", "c", "d", "e", "f"]
targets = st.sampled_from(NAMES)


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    name = draw(targets)
    shared = name in "ef"
    limits = Limits(requests_per_minute=2, tokens_per_minute=500) if name in "aef" else Limits()
    target = Target(
        name=name,
        provider="groq" if shared else "openai",
        model="same" if shared else "",
        quality=draw(st.sampled_from([20, 60])),
        limits=limits,
        capabilities=Capabilities(context_tokens=draw(st.sampled_from([None, 500, 1_000, 5_000]))),
    )
    worst = draw(st.none() | st.builds(Amount, st.integers(0, 100), st.integers(1, 900)))
    return Candidate(target, draw(st.integers(1, 700)), worst)


@st.composite
def wants(draw: st.DrawFn) -> Wanted:
    tier = st.builds(
        Tier,
        st.sampled_from(["cheapest", "fastest", "best", "spread"]),
        st.lists(candidates(), max_size=4).map(tuple),
        st.sampled_from([0, 50]),
    )
    return Wanted(
        tuple(draw(st.lists(tier, max_size=3))),
        NOW + draw(st.floats(1, 100)),
        draw(st.frozensets(targets, max_size=2)),
        draw(st.sampled_from([10, 1_000])),
    )


@st.composite
def lives(draw: st.DrawFn) -> Account:
    account, now = Account(), NOW - draw(st.floats(0, 90))
    for _ in range(draw(st.integers(0, 5))):
        what = draw(st.sampled_from(["reserve", "rate_limited", "timeout", "overloaded", "denied"]))
        if what == "reserve":
            account = reserved(account, Limits(tokens_per_minute=500), draw(st.integers(1, 400)), now)
        else:
            account = failed(account, what, "why", draw(st.none() | st.floats(0.1, 50)), now)  # type: ignore[arg-type]
        now = min(NOW, now + draw(st.floats(0, 40)))
    return account


@st.composite
def purses(draw: st.DrawFn) -> Purse:
    purse = Purse(Cap(draw(st.none() | st.integers(0, 200)), draw(st.none() | st.integers(0, 1_500))))
    for name in draw(st.lists(st.sampled_from("xyz"), max_size=4)):
        purse, _ = reserve(purse, name, Amount(draw(st.integers(0, 150)), draw(st.integers(0, 1_000))), NOW)
        if draw(st.booleans()):
            purse = settle(purse, name, Amount(draw(st.integers(0, 100)), draw(st.integers(0, 900))))
    return purse


accounts = st.dictionaries(
    st.sampled_from([*(Target(name=name, provider="openai").account for name in NAMES), "groq||same|"]), lives()
)
speeds = st.dictionaries(targets, st.builds(Speed, st.floats(0, 5), st.floats(0, 50)))
states = st.builds(State, accounts, speeds, st.lists(purses(), max_size=2).map(tuple), st.integers(0, 9))


def _usable(wanted: Wanted, state: State) -> list[list[Candidate]]:
    """By tier, what could ever serve; written from the rules and not from the code."""
    money = any(purse.cap.nanos is not None for purse in state.purses)
    return [
        [
            candidate
            for candidate in tier.candidates
            if candidate.target.name not in wanted.without
            and wanted.tokens_needed <= (candidate.target.capabilities.context_tokens or math.inf)
            and not (money and candidate.worst is None)
            and not (tier.policy == "best" and candidate.target.quality < tier.quality)
        ]
        for tier in wanted.tiers
    ]


def _ready(candidate: Candidate, state: State, now: float) -> float:
    account = state.accounts.get(candidate.target.account, Account())
    return ready_at(account, candidate.target.limits, candidate.tokens, now)


def _paid(candidate: Candidate, wanted: Wanted, state: State) -> bool:
    return all(fits(purse, amount_of(candidate, wanted)) for purse in state.purses)


def _serving(wanted: Wanted, state: State, now: float) -> list[list[Candidate]]:
    return [
        [c for c in tier if _ready(c, state, now) <= now and _paid(c, wanted, state)]
        for tier in _usable(wanted, state)
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(wants(), states)
def test_a_call_goes_to_the_first_tier_that_can_serve_now_and_to_none_that_cannot(wanted: Wanted, state: State) -> None:
    step, serving = plan(wanted, state, NOW), _serving(wanted, state, NOW)
    first = next((tier for tier in serving if tier), None)
    if first is None:
        assert not isinstance(step, Go)
    else:
        assert isinstance(step, Go)
        assert step.candidate in first


@settings(max_examples=200, deadline=None)
@given(wants(), states)
def test_it_fails_only_when_waiting_can_never_help_and_then_names_every_target(wanted: Wanted, state: State) -> None:
    step = plan(wanted, state, NOW)
    assert isinstance(step, Fail) == (not any(_usable(wanted, state)))
    if isinstance(step, Fail):
        for tier in wanted.tiers:
            for candidate in tier.candidates:
                assert f"{candidate.target.name}: " in step.reason


@settings(max_examples=200, deadline=None)
@given(wants(), states)
def test_a_wait_ends_when_the_first_usable_target_could_serve_and_then_the_call_goes(
    wanted: Wanted, state: State
) -> None:
    step = plan(wanted, state, NOW)
    if not isinstance(step, Wait):
        return
    usable = [candidate for tier in _usable(wanted, state) for candidate in tier]
    payable = [_ready(c, state, NOW) for c in usable if _paid(c, wanted, state)]
    earliest = min(payable, default=math.inf)
    assert NOW < step.until <= earliest
    for name in (candidate.target.name for candidate in usable):
        assert any(mark in step.reason for mark in (f"{name}: ", f"{name}, ", f"({name})"))
    if step.what == "budget":
        held = [
            c for c in usable if all(within(amount_of(c, wanted), once_settled(purse)) for purse in state.purses)
        ]  # fmt: skip
        assert (step.until == math.inf) == (not held)
    else:
        assert step.until == earliest
        assert isinstance(plan(wanted, state, step.until), Go)
        between = (NOW + step.until) / 2
        assert between == step.until or not isinstance(plan(wanted, state, between), Go)


@settings(max_examples=100, deadline=None)
@given(wants(), states)
def test_a_budget_without_a_limit_never_makes_anything_wait(wanted: Wanted, state: State) -> None:
    free = replace(state, purses=(Purse(Cap(None, None)),))
    assert plan(wanted, free, NOW) == plan(wanted, replace(state, purses=()), NOW)
    step = plan(wanted, free, NOW)
    assert not (isinstance(step, Wait) and step.what == "budget")


@settings(max_examples=200, deadline=None)
@given(wants(), states)
def test_the_order_of_mappings_does_not_matter_and_the_same_gives_the_same(wanted: Wanted, state: State) -> None:
    turned = replace(
        state,
        accounts=dict(reversed(list(state.accounts.items()))),
        speeds=dict(reversed(list(state.speeds.items()))),
    )
    assert plan(wanted, state, NOW) == plan(wanted, turned, NOW) == plan(wanted, state, NOW)


@pytest.mark.parametrize("policy", ["cheapest", "fastest", "best", "spread"])
def test_what_is_asked_once_more_without_a_target_never_goes_to_it(policy: Policy) -> None:
    wanted = _wanted([A, B, C], policy=policy)
    tried: set[str] = set()
    for _ in range(3):
        tried.add(_went(plan(replace(wanted, without=frozenset(tried)), State(turn=7), NOW)))
    assert tried == {"a", "b", "c"}
    assert isinstance(plan(replace(wanted, without=frozenset(tried)), State(), NOW), Fail)
