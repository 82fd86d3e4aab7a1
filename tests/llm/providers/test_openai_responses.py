"""OpenAI's Responses API: what is sent, and what its events mean."""

import json

import pytest

from tests.llm.providers.conftest import KEY, SCHEMA
from workers.llm.model import Began, End, ModelRequest, PromptMessage, Text, Usage
from workers.llm.providers.schema import strict

PLAIN = ModelRequest(messages=(PromptMessage(role="user", text="Say hi."),), reply_schema=None, max_output_tokens=50)


async def test_a_recorded_exchange(provider, pieces, request_, tape):
    tape.recorded("openai-responses")
    got, failure = await pieces(provider("openai-responses", "/v1"), request_)
    assert failure is None
    assert tape.body == {
        "model": "m", "stream": True, "store": False, "max_output_tokens": 500,
        "input": [{"role": "system", "content": "You vote."}, {"role": "user", "content": "Tea or coffee?"}],
        "text": {"format": {"type": "json_schema", "name": "Vote", "schema": strict(SCHEMA), "strict": True}},
    }  # fmt: skip
    assert tape.heard[-1].path == "/v1/responses"
    assert tape.heard[-1].headers["authorization"] == f"Bearer {KEY}"
    assert "".join(piece.text for piece in got if isinstance(piece, Text)) == '{"choice":"tea","why":"It’s warm ☕"}'
    assert got[0] == Began()
    assert got[-1] == End("end", "completed", Usage(75, 125, 64, 96))
    assert len(tape.heard) == 1


async def test_a_refusal_comes_at_the_end_and_never_as_text(provider, pieces, request_, tape):
    tape.recorded("openai-responses-refusal")
    got, _ = await pieces(provider("openai-responses", "/v1"), request_)
    assert got == [Began(), End("refusal", "completed", Usage(75, 9, 64, 0), "I can't help with that.")]


async def test_a_response_that_the_limit_cut_is_truncated(provider, pieces, request_, tape):
    tape.recorded("openai-responses-incomplete")
    got, _ = await pieces(provider("openai-responses", "/v1"), request_)
    assert got == [Began(), Text('{"choice":'), End("length", "max_output_tokens", Usage(75, 500, 64, 96))]


async def test_a_response_that_the_filter_stopped_is_a_refusal(provider, pieces, tape):
    ended = {"type": "response.incomplete",
             "response": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}}  # fmt: skip
    tape.play(b"event: response.incomplete\ndata: " + json.dumps(ended).encode() + b"\n\n")
    got, _ = await pieces(provider("openai-responses", "/v1"), PLAIN)
    assert got == [Began(), End("refusal", "content_filter", None)]


@pytest.mark.parametrize("kind", ["response.incomplete", "response.completed"])
async def test_a_response_that_is_incomplete_for_no_reason_is_truncated(provider, pieces, tape, kind):
    ended = {"type": kind, "response": {"status": "incomplete", "usage": {"input_tokens": 3, "output_tokens": 2}}}
    tape.play(b"data: " + json.dumps(ended).encode() + b"\n\n")
    got, _ = await pieces(provider("openai-responses", "/v1"), PLAIN)
    assert got == [Began(), End("length", "incomplete", Usage(3, 2))]


async def test_a_response_that_failed_is_a_failure(provider, pieces, request_, tape):
    tape.recorded("openai-responses-failed")
    got, failure = await pieces(provider("openai-responses", "/v1"), request_)
    assert got == [Began()]
    assert (failure.kind, failure.reason) == ("server_error", "The model failed to generate a response.")


async def test_an_error_event_is_a_failure_of_its_code(provider, pieces, tape):
    error = {
        "type": "error",
        "sequence_number": 3,
        "code": "rate_limit_exceeded",
        "message": "Slow down",
        "param": None,
    }
    tape.play(b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n")
    _, failure = await pieces(provider("openai-responses", "/v1"), PLAIN)
    assert (failure.kind, failure.reason) == ("rate_limited", "Slow down")


async def test_a_last_event_without_a_response_is_nonsense(provider, pieces, tape):
    tape.play(b'data: {"type":"response.completed"}\n\n')
    _, failure = await pieces(provider("openai-responses", "/v1"), PLAIN)
    assert failure.kind == "server_error"


async def test_a_server_that_does_not_stream_is_understood(provider, pieces, tape):
    content = [{"type": "output_text", "text": "Hi there", "annotations": []}]
    whole = {"object": "response", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 2},
             "output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": content}]}  # fmt: skip
    tape.play(json.dumps(whole).encode(), headers={"content-type": "application/json"})
    got, _ = await pieces(provider("openai-responses", "/v1"), PLAIN)
    assert got == [Began(), Text("Hi there"), End("end", "completed", Usage(3, 2))]


async def test_options_have_their_places(provider, pieces, tape):
    tape.recorded("openai-responses")
    options = {"reasoning_effort": "low", "verbosity": "low", "temperature": 0.1, "organization": "org-1"}
    await pieces(provider("openai-responses", "/v1", options=options), PLAIN)
    sent = tape.body
    assert (sent["reasoning"], sent["text"], sent["temperature"]) == ({"effort": "low"}, {"verbosity": "low"}, 0.1)
    assert tape.heard[-1].headers["openai-organization"] == "org-1"
    assert "seed" not in sent


async def test_a_model_that_takes_no_schema_is_told_it(provider, pieces, request_, tape):
    tape.recorded("openai-responses")
    await pieces(provider("openai-responses", "/v1", capabilities={"json_schema": "object"}), request_)
    assert tape.body["text"] == {"format": {"type": "json_object"}}
    assert "JSON Schema" in tape.body["input"][0]["content"]
