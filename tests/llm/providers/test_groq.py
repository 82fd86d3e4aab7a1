"""Groq: what is its own (the exchange and the failures are in test_presets and test_failures)."""

from workers.llm.model import End, Text, Usage


async def test_options_go_into_the_request(provider, pieces, request_, tape):
    tape.recorded("groq")
    options = {"reasoning_format": "hidden", "reasoning_effort": "low", "temperature": 0.5}
    await pieces(provider("groq", options=options), request_)
    sent = tape.body
    assert (sent["reasoning_format"], sent["reasoning_effort"], sent["temperature"]) == ("hidden", "low", 0.5)


async def test_its_models_that_take_a_schema_are_sent_one(provider, pieces, request_, tape):
    tape.recorded("groq")
    await pieces(provider("groq", model="openai/gpt-oss-20b", capabilities={"json_schema": "strict"}), request_)
    assert tape.body["response_format"]["json_schema"]["strict"] is True
    assert tape.body["messages"][0]["content"] == "You vote."


async def test_tokens_that_come_in_a_chunk_of_their_own_count_as_well(provider, pieces, request_, tape):
    tape.play(
        b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1,"total_tokens":5}}\n\n',
        b"data: [DONE]\n\n",
    )
    got, _ = await pieces(provider("groq"), request_)
    assert got[1:] == [Text("Hi"), End("end", "stop", Usage(4, 1))]


async def test_a_model_that_could_not_make_json_is_at_fault_and_not_the_request(provider, pieces, request_, tape):
    error = {"message": "Failed to generate JSON.", "type": "invalid_request_error", "code": "json_validate_failed",
             "failed_generation": "secret words of the answer"}  # fmt: skip
    tape.fail(400, {"error": error})
    _, failure = await pieces(provider("groq"), request_)
    assert (failure.kind, failure.reason) == ("server_error", "HTTP 400: Failed to generate JSON.")


async def test_a_request_that_is_too_large_for_its_minute_never_fits(provider, pieces, request_, tape):
    error = {"message": "Request too large for model: Limit 6000, Requested 9000", "code": "rate_limit_exceeded"}
    tape.fail(413, {"error": error})
    _, failure = await pieces(provider("groq"), request_)
    assert failure.kind == "bad_request"


async def test_variables_of_the_environment_are_not_taken(provider, pieces, request_, tape, monkeypatch):
    monkeypatch.setenv("GROQ_BASE_URL", "http://canary.invalid")
    monkeypatch.setenv("GROQ_API_KEY", "gsk_canary")
    tape.recorded("groq")
    _, failure = await pieces(provider("groq"), request_)
    assert failure is None
    assert "canary.invalid" not in repr(tape.heard[-1])
