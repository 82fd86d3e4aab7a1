"""What goes wrong at each provider of the family becomes one typed failure, after exactly one request."""

import asyncio
import json
import socket

import pytest

from tests.llm.providers.conftest import KEY, RECORDED
from workers.llm.model import Began, End, Text

BASES = {"openai": "/v1", "openai-responses": "/v1", "azure": "", "groq": ""}
ERROR = {"error": {"message": f"It is so. Your key is {KEY}\nand so on", "type": "t", "param": None, "code": None}}
FOREVER = "Upgrade today at https://console.groq.com/settings/billing"

pytestmark = pytest.mark.parametrize("preset", BASES)


@pytest.fixture
def asked(preset, provider, pieces, request_):
    """Asks the preset's provider once."""

    async def ask():
        return await pieces(provider(preset, BASES[preset]), request_)

    return ask


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "bad_request"), (413, "bad_request"), (422, "bad_request"), (418, "bad_request"),
        (401, "denied"), (403, "denied"), (402, "quota"), (404, "unknown_model"),
        (408, "overloaded"), (409, "overloaded"), (425, "overloaded"), (503, "overloaded"), (529, "overloaded"),
        (429, "rate_limited"), (500, "server_error"), (502, "server_error"), (504, "server_error"),
        (520, "server_error"),
    ],
)  # fmt: skip
async def test_a_status_tells_the_kind_and_the_reason_shows_no_key(status, kind, asked, tape):
    tape.fail(status, ERROR)
    got, failure = await asked()
    assert (got, failure.kind, failure.retry_after_s) == ([], kind, None)
    assert failure.reason == f"HTTP {status}: It is so. Your key is *** and so on"
    assert len(tape.heard) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "90"}, 90.0),
        ({"retry-after": "400"}, 400.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-reset-requests": "9s"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
async def test_retry_after_is_honoured_exactly_and_never_slept_out_by_the_sdk(status, headers, wait, asked, tape):
    tape.fail(status, ERROR, headers)
    _, failure = await asked()
    assert failure.retry_after_s == wait
    assert len(tape.heard) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "You exceeded your current quota, check your plan.", "code": "insufficient_quota"}, "quota"),
        ({"message": "Your billing hard limit has been reached", "code": None}, "quota"),
        ({"message": "Insufficient Balance"}, "quota"),
        ({"message": f"Rate limit reached. Try again in 7s. {FOREVER}", "code": "rate_limit_exceeded"}, "rate_limited"),
        ({"message": f"Slow down. {FOREVER}"}, "rate_limited"),
    ],
)
async def test_a_429_is_a_matter_of_money_only_when_it_says_so(error, kind, asked, tape):
    tape.fail(429, {"error": error})
    _, failure = await asked()
    assert failure.kind == kind


async def test_a_page_of_html_is_no_answer(asked, tape):
    tape.play(b"<html>Welcome</html>", headers={"content-type": "text/html"})
    got, failure = await asked()
    assert (got, failure.kind) == ([Began()], "server_error")


async def test_an_error_page_says_only_its_status(asked, tape):
    tape.play(b"<html>Bad gateway</html>", status=502, headers={"content-type": "text/html"})
    _, failure = await asked()
    assert (failure.kind, failure.reason) == ("server_error", "HTTP 502: it gave no reason")


async def test_nobody_listening_is_unreachable(preset, provider, pieces, request_):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    got, failure = await pieces(provider(preset, base_url=base_url), request_)
    assert (got, failure.kind) == ([], "unreachable")
    assert "127.0.0.1" in failure.reason


async def test_a_connection_that_breaks_before_the_answer_is_disconnected(asked, tape):
    tape.drop()
    got, failure = await asked()
    assert (got, failure.kind) == ([], "disconnected")
    assert len(tape.heard) == 1


async def test_a_connection_that_breaks_after_the_headers_is_disconnected(asked, tape):
    tape.play(cut=True)
    got, failure = await asked()
    assert (got, failure.kind) == ([Began()], "disconnected")
    assert len(tape.heard) == 1


async def test_a_connection_that_breaks_in_the_text_is_interrupted(preset, asked, tape):
    tape.play(_until(preset, "tea"), cut=True)
    got, failure = await asked()
    assert failure.kind == "interrupted"
    assert [type(piece) for piece in got] == [Began, Text, Text]
    assert len(tape.heard) == 1


async def test_a_stream_that_ends_without_a_last_word_is_no_answer(preset, asked, tape):
    tape.play(_until(preset, "tea"))
    _, failure = await asked()
    assert failure.kind == "interrupted"
    tape.play(b": nothing\n\n")
    _, failure = await asked()
    assert failure.kind == "disconnected"


async def test_an_answer_whose_connection_breaks_after_its_last_word_is_complete(preset, asked, tape):
    tape.play((RECORDED / f"{preset}.sse").read_bytes().replace(b"data: [DONE]\n\n", b""), cut=True)
    got, failure = await asked()
    assert failure is None
    assert isinstance(got[-1], End)


async def test_an_event_that_is_no_json_is_nonsense_before_the_text_and_an_interruption_in_it(preset, asked, tape):
    broken = b'data: {"choices": [{"delta": {"cont\n\n'
    tape.play(broken)
    _, failure = await asked()
    assert failure.kind == "server_error"
    tape.play(_until(preset, "tea"), broken)
    _, failure = await asked()
    assert failure.kind == "interrupted"


@pytest.mark.parametrize("event", [b"data: 7\n\n", b"data: [1]\n\n", b'data: "text"\n\n'])
async def test_an_event_that_is_no_object_is_nonsense(event, asked, tape):
    tape.play(event)
    _, failure = await asked()
    assert failure.kind == "server_error"


@pytest.mark.parametrize(
    "event",
    [
        b"data: {}\n\n",
        b'data: {"choices":null,"type":null,"delta":5}\n\n',
        b'data: {"choices":[{"delta":[],"finish_reason":null}]}\n\n',
        b'data: {"choices":[{"delta":{"content":{"a":1}}}],"usage":3,"x_groq":1}\n\n',
    ],
)
async def test_an_odd_object_says_nothing(event, preset, asked, tape):
    tape.play(event, (RECORDED / f"{preset}.sse").read_bytes())
    got, failure = await asked()
    assert failure is None
    assert got[-1].stop == "end"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "busy", "type": "overloaded_error", "code": None}, "overloaded"),
        ({"message": "slow", "type": "requests", "code": "rate_limit_exceeded"}, "rate_limited"),
        ({"message": "money", "type": "insufficient_quota", "code": "insufficient_quota"}, "quota"),
        ({"message": "broken", "type": "server_error", "code": None}, "server_error"),
        ({"message": "long", "type": "invalid_request_error", "code": "context_length_exceeded"}, "bad_request"),
        ({"message": "upstream", "code": 502}, "server_error"),
        ({"message": "upstream", "code": 429}, "rate_limited"),
        ("plain words", "server_error"),
    ],
)
async def test_an_error_in_the_stream_has_the_kind_that_its_words_tell(error, kind, asked, tape):
    tape.play(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    got, failure = await asked()
    assert (got, failure.kind) == ([Began()], kind)
    assert failure.reason == (error if isinstance(error, str) else error["message"])


async def test_an_error_of_the_server_after_some_text_is_an_interruption(preset, asked, tape):
    tape.play(_until(preset, "tea"), b'data: {"error": {"message": "busy", "type": "overloaded_error"}}\n\n')
    _, failure = await asked()
    assert (failure.kind, failure.reason) == ("interrupted", "busy")


async def test_closing_the_pieces_hangs_up(preset, provider, request_, tape):
    tape.play(_until(preset, "tea"), hang=True)
    said = provider(preset, BASES[preset]).stream(request_)
    async for piece in said:
        if isinstance(piece, Text):
            break
    await said.aclose()
    assert await asyncio.wait_for(tape.hung_up.wait(), 10.0)


async def test_a_key_that_no_header_can_hold_is_denied_and_not_shown(preset, provider, pieces, request_, tape):
    for key in ("sk-odd\nkey", "sk-ödd-këy"):
        _, failure = await pieces(provider(preset, BASES[preset], key=key), request_)
        assert failure.kind == "denied"
        assert "dd" not in failure.reason.replace("odd characters", "")
    assert tape.heard == []


async def test_a_provider_that_was_closed_asks_again_with_a_new_client(preset, provider, pieces, request_, tape):
    asked = provider(preset, BASES[preset])
    for _ in range(2):
        tape.recorded(preset)
        got, failure = await pieces(asked, request_)
        assert failure is None
        assert got[-1].stop == "end"
        await asked.close()


async def test_headers_tell_what_is_left(asked, preset, tape):
    tape.recorded(preset, {"x-ratelimit-remaining-requests": "59", "x-ratelimit-remaining-tokens": "149984",
                           "x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"})  # fmt: skip
    got, _ = await asked()
    assert got[0] == Began((59, 1.0, 149984, 360.0))


async def test_the_limit_of_output_tokens_is_the_smaller_of_wish_and_ability(preset, provider, pieces, request_, tape):
    tape.recorded(preset)
    await pieces(provider(preset, BASES[preset], capabilities={"max_output_tokens": 100}), request_)
    assert {v for k, v in tape.body.items() if k.startswith("max_")} == {100}


def test_an_option_that_is_not_known_is_refused_with_those_that_are(preset, provider):
    with pytest.raises(ValueError, match=r"no option 'temprature'; it knows .*temperature"):
        provider(preset, options={"temprature": 0.2})


def _until(preset: str, word: str) -> bytes:
    """A recorded stream up to the event that holds a word, that one included."""
    events = (RECORDED / f"{preset}.sse").read_bytes().split(b"\n\n")
    last = next(n for n, event in enumerate(events) if word.encode() in event)
    return b"\n\n".join(events[: last + 1]) + b"\n\n"
