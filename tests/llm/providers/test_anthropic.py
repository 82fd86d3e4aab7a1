"""Anthropic: what is sent, what comes back in pieces, and every way to fail, over real HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.provider import FakeProvider
from tests.fakes.script import Play, failing, rate_limited
from tests.llm.providers.claude import ASKED, SCHEMA, Claude, failure, pieces
from workers.llm.model import Allowance, Began, End, ModelRequest, PromptMessage, Provider, Text, Usage
from workers.llm.presets import PRESETS
from workers.llm.providers.anthropic import make
from workers.llm.targets import Capabilities, Target

TALK = ModelRequest(
    messages=(
        PromptMessage(role="system", text="You vote."),
        PromptMessage(role="user", text="The question."),
        PromptMessage(role="user", text="The options."),
        PromptMessage(role="assistant", text="Maybe."),
        PromptMessage(role="user", text="Yes or no?"),
    ),
    reply_schema={
        "title": "Vote",
        "type": "object",
        "properties": {
            "choice": {"type": "string", "title": "Choice", "minLength": 1},
            "weight": {"type": "integer", "minimum": 1, "maximum": 5, "default": 3},
        },
        "required": ["choice"],
        "additionalProperties": False,
    },
    max_output_tokens=50_000,
)
RECORDED = b"""event: message_start
data: {"type":"message_start","message":{"model":"claude-sonnet-5-5","id":"msg_01","type":"message",\
"role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,\
"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100,\
"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, a vote."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"{\\"choice\\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" \\"ja \xc3\xa9\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: some_event_of_tomorrow
data: {"type":"some_event_of_tomorrow","text":"not for us"}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,\
"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":55,\
"output_tokens_details":{"thinking_tokens":40}}}

event: message_stop
data: {"type":"message_stop"}

"""
STREAM = {"content-type": "text/event-stream; charset=utf-8"}

Making = Callable[..., Provider]


@pytest_asyncio.fixture
async def provider(fake: FakeProvider) -> AsyncIterator[Making]:
    made: list[Provider] = []

    def new(key: str = "sk-ant-test-0001", url: str = fake.url, **target: Any) -> Provider:
        fields = {"name": "claude", "provider": "anthropic", "model": "claude-sonnet-5-5", "base_url": url, **target}
        made.append(make(Target(**fields), PRESETS["anthropic"], key))
        return made[-1]

    yield new
    for each in made:
        await each.close()


class TestAnthropic(Claude):
    """What holds for every way."""


async def test_a_recorded_stream_comes_as_text_and_inclusive_tokens(fake, provider):
    fake.script(Play(body=RECORDED, headers=STREAM))

    heard = await pieces(provider())

    assert heard == [
        Began(),
        Text('{"choice":'),
        Text(' "ja é"}'),
        End("end", "end_turn", Usage(1125, 55, 1000, 40, 100)),
    ]
    assert len(fake.requests) == 1


async def test_the_request_is_what_the_api_wants(fake, provider):
    await pieces(provider(), TALK)

    (heard,) = fake.requests
    assert (heard.method, heard.path) == ("POST", "/v1/messages")
    assert heard.headers["authorization"] == "Bearer sk-ant-test-0001"
    assert heard.headers["anthropic-version"] == "2026-10-21"
    assert heard.body == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 32_000,
        "stream": True,
        "system": [{"type": "text", "text": "You vote."}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "The question."}, {"type": "text", "text": "The options."}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Maybe."}]},
            {"role": "user", "content": [{"type": "text", "text": "Yes or no?"}]},
        ],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {
                    "title": "Vote",
                    "type": "object",
                    "properties": {
                        "choice": {"type": "string", "title": "Choice", "description": "{minLength: 1}"},
                        "weight": {"type": "integer", "description": "{minimum: 1, maximum: 5, default: 3}"},
                    },
                    "required": ["choice"],
                    "additionalProperties": False,
                },
            }
        },
    }


async def test_plain_text_is_asked_for_without_a_schema(fake, provider):
    request = ModelRequest(messages=(PromptMessage(role="user", text="Hi."),), reply_schema=None, max_output_tokens=77)
    await pieces(provider(), request)

    body = fake.requests[0].body
    assert set(body) == {"model", "max_tokens", "messages", "stream"}
    assert body["max_tokens"] == 77


@pytest.mark.parametrize("mode", ["none", "object"])
async def test_without_structured_output_the_schema_stands_in_the_system_message(fake, provider, mode):
    await pieces(provider(capabilities=Capabilities(json_schema=mode)))

    body = fake.requests[0].body
    assert "output_config" not in body
    assert body["system"][0]["text"] == "You vote."
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["system"][1]["text"]


@pytest.mark.parametrize(
    "field",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"title": "Anything"},
        {"type": ["string", "null"]},
    ],
)
async def test_a_schema_that_the_api_can_not_hold_a_model_to_goes_into_the_prompt(fake, provider, field):
    schema = {"title": "Open", "type": "object", "properties": {"field": field}}
    await pieces(provider(), ASKED.model_copy(update={"reply_schema": schema}))

    assert "output_config" not in fake.requests[0].body
    assert '"title":"Open"' in fake.requests[0].body["system"][1]["text"]


async def test_options_go_into_the_request(fake, provider):
    await pieces(provider(options={"effort": "low", "thinking": 2048, "service_tier": "standard_only"}))
    await pieces(provider(options={"thinking": "adaptive"}))
    await pieces(provider(options={"thinking": True}))

    first, second, third = (heard.body for heard in fake.requests)
    assert first["output_config"]["effort"] == "low"
    assert first["output_config"]["format"]["type"] == "json_schema"
    assert first["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert first["service_tier"] == "standard_only"
    assert second["thinking"] == third["thinking"] == {"type": "adaptive"}


def test_an_unknown_option_is_named_with_the_known_ones(provider):
    with pytest.raises(ValueError, match=r"claude.*'temperature'.*effort, service_tier, thinking"):
        provider(options={"temperature": 0})


async def test_nothing_is_taken_from_the_sdk_s_own_variables(fake, provider, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-another")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-another")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/")
    await pieces(provider())

    assert "of-another" not in str(fake.requests[0].headers)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("tool_use", "end"),
        ("pause_turn", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("a_reason_of_tomorrow", "end"),
    ],
)
async def test_stop_reasons_are_mapped_and_kept(fake, provider, finish, stop):
    fake.script(Play("Hm.", finish=finish))

    end = (await pieces(provider()))[-1]

    assert isinstance(end, End)
    assert (end.stop, end.finish) == (stop, finish)


async def test_tokens_that_were_not_counted_are_unknown_and_never_zero(fake, provider):
    fake.script(Play(counts=False))

    end = (await pieces(provider()))[-1]

    assert isinstance(end, End)
    assert end.usage is None


async def test_a_server_that_answers_in_one_piece_is_understood(fake, provider):
    whole = {
        "type": "message",
        "content": [{"type": "text", "text": "Yes."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 2},
    }
    fake.script(Play(body=json.dumps(whole).encode(), headers={"content-type": "application/json"}))

    assert await pieces(provider()) == [Began(), Text("Yes."), End("end", "end_turn", Usage(9, 2))]


async def test_what_is_left_is_read_from_the_headers(fake, provider):
    fake.script(Play(allowance=Allowance(49, 30.0, 79_000, 12.0)))

    began = (await pieces(provider()))[0]

    assert isinstance(began, Began)
    assert (began.allowance.requests, began.allowance.tokens) == (49, 79_000)
    assert 25 < (began.allowance.requests_full_in_s or 0) <= 30
    assert 8 < (began.allowance.tokens_full_in_s or 0) <= 12


@pytest.mark.parametrize(
    ("play", "kind", "retry_after_s"),
    [
        (rate_limited(7), "rate_limited", 7),
        (rate_limited(), "rate_limited", None),
        (rate_limited(2.5, how="ms"), "rate_limited", 2.5),
        (failing(500), "server_error", None),
        (failing(529, headers={"retry-after": "3"}), "overloaded", 3),
        (failing(503), "overloaded", None),
        (failing(401), "denied", None),
        (failing(403), "denied", None),
        (failing(402), "quota", None),
        (failing(404), "unknown_model", None),
        (failing(400), "bad_request", None),
        (failing(413), "bad_request", None),
        (failing(400, message="Your credit balance is too low to access the Anthropic API."), "quota", None),
    ],
)
async def test_a_status_is_a_kind_of_failure_and_one_request(fake, provider, play, kind, retry_after_s):
    fake.script(play)

    failed, heard = await failure(provider())

    assert (failed.kind, failed.retry_after_s) == (kind, retry_after_s)
    assert heard == []
    assert len(fake.requests) == 1


async def test_a_retry_after_date_is_never_early(fake, provider):
    fake.script(rate_limited(60, how="date"))

    failed, _ = await failure(provider())

    assert 58 <= (failed.retry_after_s or 0) <= 60


@pytest.mark.parametrize(
    ("code", "first", "later"),
    [
        ("overloaded_error", "overloaded", "interrupted"),
        ("api_error", "server_error", "interrupted"),
        ("rate_limit_error", "rate_limited", "rate_limited"),
        ("authentication_error", "denied", "denied"),
        ("invalid_request_error", "bad_request", "bad_request"),
    ],
)
async def test_an_error_event_in_the_stream_is_a_kind_of_failure(fake, provider, code, first, later):
    fake.script(*(Play("Some text.", fault="error_midway", code=code, after=after) for after in (0, 2)))

    before, heard = await failure(provider())
    after, _ = await failure(provider())

    assert (before.kind, after.kind) == (first, later)
    assert "It broke." in before.reason
    assert [type(piece) for piece in heard] == [Began]


async def test_a_key_in_an_error_is_not_shown(fake, provider):
    fake.script(failing(401, message="invalid x-api-key sk-ant-test-0001, look at https://console"))

    failed, _ = await failure(provider())

    assert "0001" not in failed.reason
    assert "invalid x-api-key" in failed.reason


async def test_calls_share_a_connection_and_close_lets_go_of_it(fake, provider):
    claude = provider()
    await pieces(claude)
    await pieces(claude)
    shared = fake.connections
    await claude.close()
    await pieces(claude)

    assert (shared, fake.connections) == (1, 2)
    assert len(fake.requests) == 3
