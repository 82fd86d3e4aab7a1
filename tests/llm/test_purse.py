"""Purses: what was promised is never more than the cap, whatever happens in whatever order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.llm.purse import (
    Amount,
    BadPurse,
    Cap,
    Purse,
    fits,
    free,
    once_settled,
    raised,
    release,
    reserve,
    settle,
    stale,
    write_off,
)

NOW = 1_763_800_000.25
CALL = "r1/llm.design.1.1"


def _with(hold: Amount, cap: Cap = Cap(1_000, 100)) -> Purse:  # noqa: B008 - a frozen value
    purse, done = reserve(Purse(cap), CALL, hold, NOW)
    assert done
    return purse


def test_a_hold_is_taken_from_what_is_left_and_a_settlement_gives_the_rest_back() -> None:
    purse = _with(Amount(600, 60))
    assert free(purse) == Cap(400, 40)
    assert free(settle(purse, CALL, Amount(100, 10))) == Cap(900, 90)
    assert free(release(purse, CALL)) == Cap(1_000, 100)
    assert free(write_off(purse, CALL)) == Cap(400, 40)


@pytest.mark.parametrize("amount", [Amount(401, 1), Amount(1, 41)])
def test_what_does_not_fit_is_refused_and_changes_nothing(amount: Amount) -> None:
    purse = _with(Amount(600, 60))
    assert reserve(purse, "other", amount, NOW) == (purse, False)


def test_a_call_made_again_after_a_crash_writes_the_lost_one_off() -> None:
    purse, done = reserve(_with(Amount(600, 60)), CALL, Amount(400, 40), NOW)
    assert done
    assert (purse.written_off, purse.held, free(purse)) == (Amount(600, 60), Amount(400, 40), Cap(0, 0))


def test_the_lost_call_is_written_off_even_when_the_new_one_does_not_fit() -> None:
    purse, done = reserve(_with(Amount(600, 60)), CALL, Amount(401, 1), NOW)
    assert not done
    assert (purse.written_off, purse.holds) == (Amount(600, 60), ())


def test_a_call_that_cost_more_than_its_hold_is_counted_in_full() -> None:
    purse = settle(_with(Amount(600, 60)), CALL, Amount(1_700, 60))
    assert free(purse) == Cap(-700, 40)
    assert not fits(purse, Amount(1, 0))


def test_what_costs_nothing_can_be_had_from_an_overdrawn_budget() -> None:
    assert fits(settle(_with(Amount(600, 60)), CALL, Amount(1_700, 60)), Amount(0, 40))


def test_a_raise_counts_once() -> None:
    purse = raised(raised(Purse(Cap(10, None)), "a", Amount(5, 7)), "a", Amount(5, 7))
    assert free(purse) == Cap(15, None)


def test_without_a_limit_everything_fits_and_is_counted() -> None:
    purse = settle(_with(Amount(10**15, 10**12), Cap()), CALL, Amount(3, 4))
    assert (free(purse), purse.spent) == (Cap(None, None), Amount(3, 4))


def test_an_end_that_names_another_moment_is_no_news_to_a_hold_of_that_name() -> None:
    purse = _with(Amount(600, 60))
    for end in (
        settle(purse, CALL, Amount(1, 1), NOW - 1),
        write_off(purse, CALL, NOW - 1),
        release(purse, CALL, NOW - 1),
    ):
        assert end == purse
    assert release(purse, CALL, purse.holds[0].since).holds == ()


def test_old_holds_are_stale() -> None:
    purse, _ = reserve(_with(Amount(1, 1)), "younger", Amount(1, 1), NOW + 10)
    assert stale(purse, NOW) == ()
    assert [hold.name for hold in stale(purse, NOW + 10)] == [CALL]


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        settle(_with(Amount(5, 5)), CALL, Amount(-1, 0))


def test_the_callers_cap_holds_and_otherwise_the_records() -> None:
    content = _with(Amount(600, 60)).encode()
    assert free(Purse.decode(content, Cap(700, None))) == Cap(100, None)
    assert Purse.decode(content).cap == Cap(1_000, 100)
    assert Purse.decode(None, Cap(5, 5)) == Purse(Cap(5, 5))


@pytest.mark.parametrize("garbage", [b"", b"nonsense", b"[]", b"{}", b'{"cap":[1,1],"spent":[1e999,0]}'])
def test_spending_is_not_forgotten_because_a_record_cannot_be_read(garbage: bytes) -> None:
    with pytest.raises(BadPurse, match="can't be read"):
        Purse.decode(garbage, Cap())


def test_a_field_of_a_later_version_is_left_out() -> None:
    purse = _with(Amount(600, 60))
    assert Purse.decode(purse.encode()[:-1] + b',"mood":1}') == purse


amounts = st.builds(Amount, st.integers(0, 400), st.integers(0, 400))
names = st.sampled_from(["a", "b", "c", "d"])
changes = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "write_off", "release", "raise"]), names, amounts, st.floats(0, 1)),
    max_size=40,
)
caps = st.builds(Cap, st.none() | st.integers(0, 1_000), st.none() | st.integers(0, 1_000))


def _changed(purse: Purse, what: str, name: str, amount: Amount, share: float) -> Purse:
    """One change; a settlement takes a share of its hold."""
    if what == "reserve":
        return reserve(purse, name, amount, NOW)[0]
    if what == "settle":
        held = next((hold.amount for hold in purse.holds if hold.name == name), amount)
        return settle(purse, name, Amount(int(held.nanos * share), int(held.tokens * share)))
    if what == "raise":
        return raised(purse, name, amount)
    return (write_off if what == "write_off" else release)(purse, name)


@settings(max_examples=400, deadline=None)
@given(caps, changes)
def test_never_is_more_promised_than_the_cap_and_its_raises(
    cap: Cap, story: list[tuple[str, str, Amount, float]]
) -> None:
    purse, raises = Purse(cap), dict[str, Amount]()
    for what, name, amount, share in story:
        purse = _changed(purse, what, name, amount, share)
        if what == "raise":
            raises.setdefault(name, amount)
        for limit, index in ((cap.nanos, 0), (cap.tokens, 1)):
            promised = purse.spent[index] + purse.written_off[index] + purse.held[index]
            left, later = free(purse)[index], once_settled(purse)[index]
            if limit is None:
                assert left is None
                assert later is None
            else:
                allowed = limit + sum(more[index] for more in raises.values())
                assert promised <= allowed
                assert left == allowed - promised
                assert later == left + purse.held[index]


@given(caps, changes, st.sampled_from(["settle", "write_off", "release", "raise"]), names, amounts)
def test_saying_it_twice_is_as_good_as_once(
    cap: Cap, story: list[tuple[str, str, Amount, float]], what: str, name: str, amount: Amount
) -> None:
    purse = Purse(cap)
    for change in story:
        purse = _changed(purse, *change)
    once = _changed(purse, what, name, amount, 0.5)
    assert _changed(once, what, name, amount, 0.5) == once


@given(caps, changes)
def test_a_record_is_read_as_it_was_written(cap: Cap, story: list[tuple[str, str, Amount, float]]) -> None:
    purse = Purse(cap)
    for change in story:
        purse = _changed(purse, *change)
    assert Purse.decode(purse.encode(), cap) == purse
