"""Pages: whoever goes from page to page sees every entry once, whatever the log does in between."""

from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.http.pages import (
    LATEST,
    BadCursor,
    BadLimit,
    Cursors,
    Listing,
    Order,
    Page,
    limit_of,
    links,
    page_of,
)

RUNS = Listing("/api/v1/runs", "acme", (("state", "running"),))
CURSORS = Cursors(b"secret")
sequences = st.integers(0, LATEST)
orders = st.sampled_from(["newest_first", "oldest_first"])


def _page(log: set[int], listing: Listing, limit: int, cursor: str | None) -> Page[int]:
    after = CURSORS.read(listing, cursor)
    found = sorted((one for one in log if listing.holds(one, after)), reverse=listing.order == "newest_first")
    return page_of(found[: limit + 1], lambda one: one, listing, limit, CURSORS)


@given(
    st.sets(st.integers(100, 200), max_size=40),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60),
    orders,
    st.integers(1, 7),
)
def test_each_entry_that_stays_is_seen_once_and_in_order(
    log: set[int], changes: list[tuple[int, int]], order: Order, limit: int
) -> None:
    listing = Listing("/api/v1/runs", "acme", order=order)
    stay = {one for one in log if one > 150}
    seen: list[int] = []
    cursor: str | None = None
    newest = 200
    for appended, expired in [*changes, *[(0, 0)] * 100]:
        page = _page(log, listing, limit, cursor)
        assert len(page.entries) <= limit
        seen += page.entries
        cursor = page.next
        if cursor is None:
            break
        log = log - set(sorted(one for one in log if one <= 150)[:expired])
        log |= {newest + number for number in range(1, appended + 1)}
        newest += appended
    assert cursor is None
    assert all(one > other if order == "newest_first" else one < other for one, other in pairwise(seen))
    assert stay <= set(seen)


@given(sequences)
def test_a_cursor_is_read_as_it_was_written(sequence: int) -> None:
    text = CURSORS.written(RUNS, sequence)
    assert len(text) == 34
    assert CURSORS.read(RUNS, text) == sequence
    assert str(sequence) not in text or sequence < 100


@given(sequences, st.integers(0, 33), st.characters(codec="ascii"))
def test_a_cursor_with_one_wrong_character_is_refused(sequence: int, place: int, character: str) -> None:
    text = CURSORS.written(RUNS, sequence)
    wrong = text[:place] + character + text[place + 1 :]
    if wrong != text:
        with pytest.raises(BadCursor, match="begin again without it"):
            CURSORS.read(RUNS, wrong)


@given(st.text(max_size=80))
def test_what_nobody_wrote_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        CURSORS.read(RUNS, text)


@pytest.mark.parametrize(
    "other",
    [
        Listing("/api/v1/runs", "globex", (("state", "running"),)),
        Listing("/api/v1/runs", "acme", (("state", "failed"),)),
        Listing("/api/v1/runs", "acme"),
        Listing("/api/v1/agents", "acme", (("state", "running"),)),
        Listing("/api/v1/runs", "acme", (("state", "running"),), "oldest_first"),
    ],
)
def test_a_cursor_of_another_list_tenant_or_filter_is_refused(other: Listing) -> None:
    with pytest.raises(BadCursor):
        CURSORS.read(other, CURSORS.written(RUNS, 7))


def test_the_order_of_filters_makes_no_other_list() -> None:
    one, other = (Listing("/runs", "acme", filters) for filters in ((("a", "1"), ("b", "2")), (("b", "2"), ("a", "1"))))
    assert CURSORS.read(other, CURSORS.written(one, 7)) == 7


@given(st.lists(st.text(max_size=5), min_size=4, max_size=4), st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_no_two_lists_are_named_alike(one: list[str], other: list[str]) -> None:
    names = [Listing(path, tenant, ((key, value),)).name for path, tenant, key, value in (one, other)]
    assert (names[0] == names[1]) == (one == other)


def test_a_cursor_of_another_secret_is_refused() -> None:
    with pytest.raises(BadCursor):
        Cursors().read(RUNS, CURSORS.written(RUNS, 7))


def test_no_cursor_is_the_first_page() -> None:
    assert CURSORS.read(RUNS, None) is None


@pytest.mark.parametrize(("text", "limit"), [(None, 50), ("1", 1), ("200", 200), ("0007", 7)])
def test_a_limit_is_a_number_of_entries(text: str | None, limit: int) -> None:
    assert limit_of(text) == limit


@pytest.mark.parametrize("text", ["", "0", "201", "-1", "1.0", " 1", "٣", "9" * 100, "a"])
def test_another_limit_is_refused(text: str) -> None:
    with pytest.raises(BadLimit, match="from 1 to 200"):
        limit_of(text)


def test_the_last_page_has_no_next() -> None:
    assert page_of([3, 2, 1], lambda one: one, RUNS, 3, CURSORS) == Page((3, 2, 1), None)
    assert page_of([], lambda one: one, RUNS, 3, CURSORS) == Page((), None)
    page = page_of([4, 3, 2, 1], lambda one: one, RUNS, 3, CURSORS)
    assert (page.entries, CURSORS.read(RUNS, page.next)) == ((4, 3, 2), 2)


def test_links_lead_to_the_first_page_and_to_the_next() -> None:
    assert links(RUNS, 3, None) == '</api/v1/runs?state=running&limit=3>; rel="first"'
    assert links(RUNS, 3, "AQ") == (
        '</api/v1/runs?state=running&limit=3>; rel="first", </api/v1/runs?state=running&limit=3&cursor=AQ>; rel="next"'
    )


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_filter_holds_its_link_is_one_link_and_says_the_same(path: str, value: str) -> None:
    listing = Listing("/" + path, "acme", (("q", value),))
    link = links(listing, 3, None)
    assert link.isascii()
    assert not any(character in link[1 : link.index(">")] for character in '<>", \r\n')
    target = urlsplit(link[1 : link.index(">")])
    assert parse_qs(target.query, keep_blank_values=True)["q"] == [value]
