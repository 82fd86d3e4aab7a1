"""What Chat Completions say: refusals, truncation, options, and servers that do it their own way."""

import asyncio
import json

import pytest

from workers.llm.model import Began, End, ModelRequest, PromptMessage, Text, Usage
from workers.llm.providers.schema import instruction

PLAIN = ModelRequest(messages=(PromptMessage(role="user", text="Say hi."),), reply_schema=None, max_output_tokens=50)


def _chunk(delta=None, finish=None, **more):
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "c", "choices": choices, **more}).encode() + b"\n\n"


async def test_a_refusal_comes_at_the_end_and_never_as_text(provider, pieces, request_, tape):
    tape.recorded("openai-refusal")
    got, failure = await pieces(provider("openai", "/v1"), request_)
    assert failure is None
    assert got == [Began(), End("refusal", "stop", Usage(60, 9), "I can't help with that.")]


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end"), ("eos", "end"), ("tool_calls", "end"),
        ("length", "length"), ("model_length", "length"),
        ("content_filter", "refusal"), ("content_filter: PROHIBITED_CONTENT", "refusal"),
    ],
)  # fmt: skip
async def test_the_providers_word_tells_why_it_stopped(finish, stop, provider, pieces, tape):
    tape.play(_chunk({"content": "Hi"}), _chunk({}, finish), b"data: [DONE]\n\n")
    got, failure = await pieces(provider("openai", "/v1"), PLAIN)
    assert failure is None
    assert got == [Began(), Text("Hi"), End(stop, finish, None)]


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource", "abort"])
async def test_an_answer_that_the_provider_broke_off_is_an_interruption(finish, provider, pieces, tape):
    tape.play(_chunk({"content": "Hi"}), _chunk({}, finish), b"data: [DONE]\n\n")
    _, failure = await pieces(provider("deepseek", "/v1"), PLAIN)
    assert failure.kind == "interrupted"
    assert finish in failure.reason


async def test_an_error_beside_a_choice_is_a_failure(provider, pieces, tape):
    error = {"code": 502, "message": "Upstream is gone"}
    tape.play(_chunk({"content": ""}, "error", error=error))
    _, failure = await pieces(provider("openrouter", "/v1"), PLAIN)
    assert (failure.kind, failure.reason) == ("server_error", "Upstream is gone")


async def test_a_server_that_does_not_stream_is_understood(provider, pieces, tape):
    message = {"role": "assistant", "content": "Hi there", "refusal": None}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}  # fmt: skip
    tape.play(json.dumps(whole).encode(), headers={"content-type": "application/json; charset=utf-8"})
    got, failure = await pieces(provider("compatible", "/v1"), PLAIN)
    assert failure is None
    assert got == [Began(), Text("Hi there"), End("end", "stop", Usage(3, 2))]


async def test_an_error_with_status_200_is_a_failure(provider, pieces, tape):
    body = {"error": {"message": "No such model", "code": "model_not_found"}}
    tape.play(json.dumps(body).encode(), headers={"content-type": "application/json"})
    _, failure = await pieces(provider("compatible", "/v1"), PLAIN)
    assert (failure.kind, failure.reason) == ("unknown_model", "No such model")


async def test_content_that_comes_in_parts_is_put_together(provider, pieces, tape):
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hi"}]
    tape.play(_chunk({"content": parts}), _chunk({}, "stop"), b"data: [DONE]\n\n")
    got, _ = await pieces(provider("mistral", "/v1"), PLAIN)
    assert got[1:-1] == [Text("Hi")]


async def test_a_request_for_plain_text_has_no_form(provider, pieces, tape):
    tape.recorded("ollama")
    await pieces(provider("ollama", "/v1"), PLAIN)
    assert "response_format" not in tape.body
    assert tape.body["messages"] == [{"role": "user", "content": "Say hi."}]


async def test_a_schema_without_a_system_message_gets_one(provider, pieces, tape):
    schema = {"title": "Hi", "type": "object", "properties": {"hi": {"type": "string"}}, "required": ["hi"]}
    tape.recorded("compatible")
    asked = provider("compatible", "/v1", capabilities={"json_schema": "none"})
    await pieces(asked, PLAIN.model_copy(update={"reply_schema": schema}))
    assert "response_format" not in tape.body
    assert tape.body["messages"] == [
        {"role": "system", "content": instruction(schema)}, {"role": "user", "content": "Say hi."},
    ]  # fmt: skip


async def test_a_schema_that_cannot_be_strict_goes_as_it_is(provider, pieces, tape):
    schema = {"title": "Any", "type": "object", "additionalProperties": {"type": "string"}}
    tape.recorded("openai")
    await pieces(provider("openai", "/v1"), PLAIN.model_copy(update={"reply_schema": schema}))
    assert tape.body["response_format"]["json_schema"] == {"name": "Any", "schema": schema, "strict": False}


async def test_options_go_into_the_request_or_the_headers(provider, pieces, tape):
    tape.recorded("openai")
    options = {"temperature": 0.2, "reasoning_effort": "low", "service_tier": "flex", "verbosity": "low",
               "organization": "org-1", "project": "proj-1", "tokens_field": "max_tokens"}  # fmt: skip
    await pieces(provider("openai", "/v1", options=options), PLAIN)
    sent, headers = tape.body, tape.heard[-1].headers
    assert (sent["temperature"], sent["reasoning_effort"], sent["service_tier"]) == (0.2, "low", "flex")
    assert (sent["verbosity"], sent["max_tokens"]) == ("low", 50)
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
    assert "max_completion_tokens" not in sent


async def test_a_target_may_refuse_the_seed(provider, pieces, tape):
    tape.recorded("openai")
    await pieces(provider("openai", "/v1", capabilities={"seed": False}), PLAIN)
    assert "seed" not in tape.body


def test_an_endpoint_without_an_address_is_refused(provider):
    with pytest.raises(ValueError, match=r"compatible has no address of its own; give it a base_url"):
        provider("compatible", base_url="")


def test_a_limit_that_no_server_knows_is_refused(provider):
    with pytest.raises(ValueError, match=r"tokens_field is max_completion_tokens or max_tokens, not limit"):
        provider("compatible", options={"tokens_field": "limit"})


async def test_calls_at_the_same_time_share_one_client(provider, pieces, request_, tape):
    asked = provider("openai", "/v1")
    for _ in range(3):
        tape.recorded("openai")
    answers = await asyncio.gather(*(pieces(asked, request_) for _ in range(3)))
    assert [(failure, got[-1].stop) for got, failure in answers] == [(None, "end")] * 3
    client = asked._client
    tape.recorded("openai")
    await pieces(asked, request_)
    assert asked._client is client
    assert len(tape.heard) == 4


def test_a_provider_shows_neither_its_key_nor_makes_a_client_before_it_is_asked(provider):
    asked = provider("openai", "/v1")
    assert "canary" not in repr(asked)
    assert asked._client is None


async def test_a_target_without_a_model_asks_for_its_name(provider, pieces, tape):
    tape.recorded("openai")
    await pieces(provider("openai", "/v1", name="gpt-x", model=""), PLAIN)
    assert tape.body["model"] == "gpt-x"
