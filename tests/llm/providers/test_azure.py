"""Azure OpenAI: what is its own (the exchange and the failures are in test_presets and test_failures)."""

import pytest

from workers.llm.model import Began, End


async def test_the_version_of_the_api_and_its_word_for_the_limit_are_options(provider, pieces, request_, tape):
    tape.recorded("azure")
    options = {"api_version": "2024-10-21", "tokens_field": "max_tokens"}
    await pieces(provider("azure", model="my deployment", options=options), request_)
    assert tape.heard[-1].path == "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21"
    assert tape.body["max_tokens"] == 500
    assert "max_completion_tokens" not in tape.body


async def test_a_prompt_that_the_filter_stops_is_a_refusal(provider, pieces, request_, tape):
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
    message = "The response was filtered due to the prompt triggering the content management policy."
    error = {"message": message, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    tape.fail(400, {"error": {**error, "innererror": inner}})
    got, failure = await pieces(provider("azure"), request_)
    assert failure is None
    began, end = got
    assert began == Began()
    assert (end.stop, end.finish, end.usage) == ("refusal", "content_filter", None)
    assert message in end.refusal
    assert len(tape.heard) == 1


async def test_text_that_the_filter_stops_is_a_refusal(provider, pieces, request_, tape):
    tape.play(b'data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}\n\n', b"data: [DONE]\n\n")
    got, _ = await pieces(provider("azure"), request_)
    assert got[-1] == End("refusal", "content_filter", None)


async def test_a_deployment_that_does_not_exist_is_an_unknown_model(provider, pieces, request_, tape):
    tape.fail(404, {"error": {"code": "DeploymentNotFound", "message": "The deployment does not exist."}})
    _, failure = await pieces(provider("azure"), request_)
    assert failure.kind == "unknown_model"


async def test_the_key_of_the_environment_is_not_taken(provider, pieces, request_, tape, monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "canary-token")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: canary-token\nX-Team: canary-token")
    tape.recorded("azure")
    await pieces(provider("azure"), request_)
    assert "canary-token" not in repr(tape.heard[-1])


def test_a_resource_without_an_address_is_refused(provider):
    with pytest.raises(ValueError, match=r"give it a base_url"):
        provider("azure", base_url="")
