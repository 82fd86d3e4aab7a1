"""Server-Sent Events as bytes."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.feed.events import (
    HEARTBEAT,
    Event,
    NotAnEventId,
    encoded,
    fact_event,
    last_event_id,
    live_event,
    reconnect_event,
    retry,
)
from workers.runtime.ports import Stored

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stored(data: bytes, name: str = "result.t1") -> Stored:
    return Stored(7, AT, f"flotilla.acme.r1.{name}", data)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=["Cs"])),
            st.sampled_from(["", "vote", "run.closed"]),
            st.none() | st.integers(0, 2**63 - 1),
        ),
        max_size=5,
    ),
    st.integers(1, 9),
)
def test_a_browser_reads_what_was_written_however_the_bytes_are_cut(browser, events, size):
    sent = b"".join(encoded(Event(data, name, number)) + HEARTBEAT for data, name, number in events)
    seen = browser()
    text = sent.decode()
    for start in range(0, len(text), size):
        seen.feed(text[start : start + size].encode())
    lines = [data.replace("\r\n", "\n").replace("\r", "\n") for data, _, _ in events]
    assert [data for _, data, _ in seen.events] == lines
    assert seen.names == [name or "message" for _, name, _ in events]
    assert seen.comments == len(events)


def test_a_fact_has_its_sequence_as_id_its_noun_as_event_and_its_payload_as_it_is_stored(browser):
    seen = browser()
    seen.feed(encoded(fact_event(stored(b'{\r\n "b": 1.50,\n "a": "\\u00e9"}'))))
    ((name, data, last),) = seen.events
    assert (name, last) == ("result", "7")
    assert json.loads(data) == {
        "sequence": 7, "at": "2026-01-02T03:04:05+00:00", "name": "result.t1", "fact": {"b": 1.5, "a": "é"},
    }  # fmt: skip
    assert "1.50" in data


@pytest.mark.parametrize("payload", [b"+ACK", b"\xff", b"[1]", b'{"a": NaN}', b"", b"[" * 9_000])
def test_a_fact_that_is_no_json_object_is_told_as_spoiled(payload):
    data = json.loads(fact_event(stored(payload)).data)
    assert data["spoiled"] and "fact" not in data


def test_a_run_that_is_over_is_told_under_its_noun():
    assert fact_event(stored(b"{}", "run.closed")).event == "run.closed"


def test_live_output_has_no_id_and_what_is_no_object_is_left_out():
    event = live_event("t1", b'{"state": "saying", "text": "a\\nb"}')
    assert event is not None and event.id is None
    assert json.loads(event.data) == {"task": "t1", "said": {"state": "saying", "text": "a\nb"}}
    assert live_event("t1", b"noise") is None


def test_the_last_event_says_when_to_come_back_and_leaves_the_place_alone(browser):
    seen = browser()
    seen.feed(encoded(Event("x", id=5)) + encoded(reconnect_event("slow", 1_500)))
    assert seen.retry_ms == 1_500 and seen.last_id == "5" and seen.names[-1] == "reconnect"
    seen.feed(retry(20))
    assert seen.retry_ms == 20


@pytest.mark.parametrize("name", ["a\nb", "a\rb"])
def test_a_name_that_would_end_the_line_is_refused(name):
    with pytest.raises(ValueError, match="one line"):
        encoded(Event("x", name))


@pytest.mark.parametrize(("text", "sequence"), [(None, 0), ("", 0), (" ", 0), ("0", 0), (" 12 ", 12), ("007", 7)])
def test_an_id_is_a_sequence(text, sequence):
    assert last_event_id(text) == sequence


@pytest.mark.parametrize("text", ["-1", "1.0", "abc", "१२", "1" * 20, "9" * 19, "1\n2", "+3"])
def test_an_id_that_was_never_given_out_is_refused(text):
    with pytest.raises(NotAnEventId, match="Last-Event-ID"):
        last_event_id(text)
