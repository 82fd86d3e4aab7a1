"""What providers share: kinds of failure, headers, and what is shown of an error."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.llm.failures import MEANINGS, CallFailed
from workers.llm.model import Allowance, Began, End, Piece, Text
from workers.llm.presets import PRESETS
from workers.llm.providers.faults import kind_of, message_of, shown, wanted_pause
from workers.llm.providers.headers import allowance_of, duration, retry_after
from workers.llm.providers.sdk import can, failure_of, guarded, output_limit
from workers.llm.targets import Capabilities, Target

NOW = 1_800_000_000.0


async def _told(*pieces: Piece | Exception) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


async def _heard(*pieces: Piece | Exception) -> tuple[list[Piece], CallFailed | None]:
    got: list[Piece] = []
    try:
        async for piece in guarded(_told(*pieces), "key-0123"):
            got.append(piece)
    except CallFailed as failure:
        return got, failure
    return got, None


# ---- retry-after


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 20 "}, 20.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:10 GMT"}, 10.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:10 GMT", "date": "Fri, 15 Jan 2027 07:59:00 GMT"}, 70.0),
        ({"retry-after": "Fri, 99 Jan 2027"}, None),
    ],
)
def test_retry_after_is_read_in_seconds_milliseconds_or_as_a_date(headers, wait):
    assert retry_after(headers, NOW) == wait


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text(max_size=40)))
def test_whatever_stands_in_the_headers_a_wait_is_none_or_not_negative(headers):
    wait = retry_after(headers, NOW)
    assert wait is None or wait >= 0


# ---- allowance


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("7.66s", 7.66), ("2m59.56s", 179.56), ("1h2m", 3720.0),
        ("1d", 86400.0), ("10", 10.0), ("0s", 0.0), ("", None), ("s", None), ("-1s", None), ("1 s", None),
        ("soon", None), (None, None),
    ],
)  # fmt: skip
def test_a_duration_is_read_as_providers_write_it(text, seconds):
    assert duration(text) == (seconds if seconds is None else pytest.approx(seconds))


def test_what_is_left_is_read_from_openais_headers():
    headers = {"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
               "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s"}  # fmt: skip
    assert allowance_of(headers, NOW) == Allowance(59, 1.0, 149_984, 360.0)


def test_what_is_left_is_read_from_anthropics_headers():
    headers = {"anthropic-ratelimit-requests-remaining": "49", "anthropic-ratelimit-tokens-remaining": "30000",
               "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z",
               "anthropic-ratelimit-tokens-reset": "2027-01-15T09:00:00+01:00",
               "anthropic-ratelimit-input-tokens-remaining": "1"}  # fmt: skip
    assert allowance_of(headers, NOW) == Allowance(49, 30.0, 30_000, 0.0)


@pytest.mark.parametrize("name", ["input", "output"])
def test_anthropics_limits_of_one_kind_of_token_count_where_nothing_else_is_said(name):
    headers = {f"anthropic-ratelimit-{name}-tokens-remaining": "7",
               f"anthropic-ratelimit-{name}-tokens-reset": "2027-01-15T08:01:00Z"}  # fmt: skip
    assert allowance_of(headers, NOW) == Allowance(None, None, 7, 60.0)


NAMES = [f"x-ratelimit-{a}-{b}" for a in ("remaining", "reset") for b in ("requests", "tokens")]
NAMES += [f"anthropic-ratelimit-{b}-{a}" for a in ("remaining", "reset") for b in ("requests", "tokens")]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=25)))
def test_whatever_stands_in_the_headers_what_is_left_is_none_or_not_negative(headers):
    assert all(value is None or value >= 0 for value in allowance_of(headers, NOW))


# ---- kinds


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too large"}},
         "bad_request"),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message":
               "Your credit balance is too low to access the API."}}, "quota"),
        (400, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, "unknown_model"),
        (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}, "unknown_model"),
        (400, {"error": {"message": "x/y is not a valid model ID", "code": 400}}, "unknown_model"),
        (400, {"message": "Invalid model: x", "type": "invalid_model", "code": "1500"}, "unknown_model"),
        (400, {"error": {"message": "The prompt asks whether a quota or billing is a good idea"}}, "bad_request"),
        (400, {"error": {"message": "API key not valid", "code": "invalid_api_key"}}, "denied"),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message":
               "You exceeded your current quota, please check your plan and billing details.",
               "details": [{"retryDelay": "34.5s"}]}}], "rate_limited"),
        (429, {"message": "Requests rate limit exceeded", "code": "3505"}, "rate_limited"),
        (429, "Too many requests", "rate_limited"),
        (429, None, "rate_limited"),
        (498, {}, "overloaded"),
        (301, {}, "server_error"),
        (200, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        (200, {"error": {"code": 402, "message": "credits"}}, "quota"),
        (200, {"error": {"code": "1302"}}, "server_error"),
    ],
)  # fmt: skip
def test_status_and_words_tell_the_kind(status, body, kind):
    assert kind_of(status, body) == kind


BODIES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "details", "detail",
                                                         "status", "retryDelay"]), inner, max_size=4))  # fmt: skip


@given(st.integers(100, 599), BODIES)
def test_no_body_is_too_odd_to_tell_a_kind_and_a_message(status, body):
    assert kind_of(status, body) in MEANINGS
    assert isinstance(message_of(body), str)
    assert wanted_pause(body) is None or wanted_pause(body) >= 0


def test_a_pause_that_the_body_asks_for_is_kept():
    assert wanted_pause([{"error": {"details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}}]) == 34.5


# ---- what is shown


def test_what_a_provider_quotes_of_the_request_is_not_shown():
    body = {"detail": [{"loc": ["body", "messages"], "msg": "Field required", "input": "the secret prompt"}]}
    assert message_of(body) == "Field required"
    assert message_of({"foo": "the secret prompt"}) == ""


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abcdefghijklmnop", "gsk_abcdefghijklmnop", "sk-ant-api03-abc_def-ghi", "Bearer abc.def.ghi",
     "xai-abcdefgh", "AIzaSyA1234567890abcdefg", "sk-abcd****wxyz", "key-0123"],
)  # fmt: skip
def test_nothing_that_looks_like_a_key_is_shown(secret):
    text = shown(f"Incorrect API key provided: {secret}. You can find yours at home.", "key-0123")
    assert secret.removeprefix("Bearer ") not in text
    assert "***" in text
    assert "at home" in text


@given(st.text(max_size=1000))
def test_what_is_shown_is_one_line_of_at_most_300_characters(text):
    line = shown(text)
    assert len(line) <= 300
    assert "\n" not in line


def test_a_name_with_a_dash_is_no_key():
    assert (
        shown("The model gpt-4o-mini-2024 and task-list are fine")
        == "The model gpt-4o-mini-2024 and task-list are fine"
    )


# ---- the guard


async def test_pieces_pass_until_the_end_and_nothing_after_it():
    end = End("end", "stop", None)
    got, failure = await _heard(Began(), Text("a"), end, Text("late"))
    assert (got, failure) == ([Began(), Text("a"), end], None)


@pytest.mark.parametrize(
    ("error", "before", "after"),
    [
        (TimeoutError(), "timeout", "interrupted"),
        (ConnectionResetError("gone"), "disconnected", "interrupted"),
        (ValueError("odd"), "server_error", "interrupted"),
        (CallFailed("overloaded", "busy"), "overloaded", "interrupted"),
        (CallFailed("rate_limited", "slow", 3.0), "rate_limited", "rate_limited"),
        (CallFailed("quota", "money"), "quota", "quota"),
    ],
)
async def test_how_far_the_answer_had_come_decides_what_a_failure_is(error, before, after):
    _, failure = await _heard(Began(), error)
    assert failure.kind == before
    _, failure = await _heard(Began(), Text("a"), error)
    assert failure.kind == after
    assert failure.retry_after_s == getattr(error, "retry_after_s", None)


async def test_pieces_without_an_end_are_a_failure():
    assert (await _heard())[1].kind == "disconnected"
    assert (await _heard(Began()))[1].kind == "disconnected"
    assert (await _heard(Began(), Text("a")))[1].kind == "interrupted"


async def test_what_no_provider_causes_is_raised_as_it_is():
    with pytest.raises(AttributeError):
        await _heard(AttributeError("a fault of ours"))


async def test_a_cancelled_call_stays_cancelled():
    async def hang() -> AsyncGenerator[Piece, None]:
        yield Began()
        await asyncio.Event().wait()

    async def ask() -> None:
        async for _ in guarded(hang(), ""):
            begun.set()

    begun = asyncio.Event()
    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_time_out_of_the_transport_is_told_apart_from_one_of_the_connection():
    import httpx
    import httpx2

    for kind in (httpx, httpx2):
        for name, said in (("ReadTimeout", "timeout"), ("WriteTimeout", "timeout"), ("ConnectTimeout", "unreachable"),
                           ("PoolTimeout", "unreachable"), ("ReadError", "disconnected"),
                           ("WriteError", "disconnected"), ("RemoteProtocolError", "disconnected"),
                           ("LocalProtocolError", "denied"), ("DecodingError", "server_error")):  # fmt: skip
            assert failure_of(getattr(kind, name)("x"), said=False).kind == said


# ---- targets


def test_a_target_says_what_it_can_and_its_preset_the_rest():
    target = Target(name="t", provider="groq", capabilities=Capabilities(max_output_tokens=5))
    able = can(target, PRESETS["groq"])
    assert (able.max_output_tokens, able.json_schema, able.seed) == (5, "object", True)
    assert output_limit(500, able) == 5
    assert output_limit(3, able) == 3
