"""Claude on Bedrock: signed requests, AWS's frames and AWS's errors, over real HTTP."""

import importlib.util
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.messages import AWS_STREAM_TYPE, aws_frame
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Play, failing
from tests.llm.providers.claude import Claude, failure, pieces, texts
from workers.llm.model import Began, End, Provider, Text, Usage
from workers.llm.presets import PRESETS
from workers.llm.providers.bedrock import make
from workers.llm.targets import Capabilities, Target

MODEL = "eu.anthropic.claude-sonnet-4-6-v1:0"

Making = Callable[..., Provider]


@pytest_asyncio.fixture
async def provider(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Making]:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKEFAKEFAKE0001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-that-signs-0002")
    _forget_sessions()
    made: list[Provider] = []

    def new(key: str = "", url: str = fake.url, options: Any = None, **target: Any) -> Provider:
        given = {"region": "eu-west-1"} if options is None else options
        fields = {"name": "claude", "provider": "bedrock", "model": MODEL, "base_url": url, "options": given, **target}
        made.append(make(Target(**fields), PRESETS["bedrock"], key))
        return made[-1]

    yield new
    for each in made:
        await each.close()


def _forget_sessions() -> None:
    """The SDK keeps AWS sessions, and with them the credentials of the test before."""
    from anthropic.lib.aws._auth import _get_session

    _get_session.cache_clear()


class TestBedrock(Claude):
    """What holds for every way."""


async def test_a_signed_request_goes_to_the_model_s_path(fake, provider):
    await pieces(provider())

    (heard,) = fake.requests
    assert heard.path == "/model/eu.anthropic.claude-sonnet-4-6-v1:0/invoke-with-response-stream"
    assert heard.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAFAKEFAKEFAKE0001/")
    assert "/eu-west-1/bedrock/aws4_request" in heard.headers["authorization"]
    assert "a-secret-that-signs" not in str(heard)
    assert {name: heard.body[name] for name in ("anthropic_version", "max_tokens", "messages")} == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Yes or no?"}]}],
    }
    assert "model" not in heard.body
    assert "stream" not in heard.body


async def test_the_schema_stands_in_the_system_message_unless_the_target_says_that_its_model_takes_one(fake, provider):
    await pieces(provider())
    await pieces(provider(capabilities=Capabilities(json_schema="native")))

    by_prompt, native = (heard.body for heard in fake.requests)
    assert [block["text"][:9] for block in by_prompt["system"]] == ["You vote.", "Answer wi"]
    assert "output_config" not in by_prompt
    assert native["output_config"]["format"]["schema"]["title"] == "Vote"
    assert len(native["system"]) == 1


async def test_an_api_key_goes_as_a_bearer_token(fake, provider):
    await pieces(provider(key="bedrock-api-key-0003"))

    assert fake.requests[0].headers["authorization"] == "Bearer bedrock-api-key-0003"


async def test_the_newer_endpoint_speaks_anthropic_s_own_api(fake, provider):
    options = {"region": "eu-west-1", "endpoint": "mantle"}
    heard = await pieces(provider(url=f"{fake.url}/anthropic", options=options, model="anthropic.claude-opus-5-5"))

    (asked,) = fake.requests
    assert "".join(texts(heard)) == "All is well."
    assert asked.path == "/anthropic/v1/messages"
    assert "/eu-west-1/bedrock-mantle/aws4_request" in asked.headers["authorization"]
    assert asked.body["model"] == "anthropic.claude-opus-5-5"
    assert "anthropic_version" not in asked.body


async def test_the_region_may_come_from_the_environment(fake, provider, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    await pieces(provider(options={}))

    assert "/us-west-2/bedrock/" in fake.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({}, "", "no region"),
        ({"region": "eu-west-1", "temperature": 1}, "", "anthropic_version, effort, endpoint, profile, region"),
        ({"region": "eu-west-1", "endpoint": "moon"}, "", "runtime or mantle"),
        ({"region": "eu-west-1", "profile": "work"}, "a-key", "key as well as a profile"),
    ],
)
def test_what_is_missing_or_unknown_is_said_when_it_is_made(provider, options, key, words):
    with pytest.raises(ValueError, match=words):
        provider(options=options, key=key)


def test_without_boto3_it_says_what_to_install(provider, monkeypatch):
    from workers.llm.providers import bedrock

    monkeypatch.setattr(bedrock, "find_spec", lambda name: importlib.util.find_spec("no_such_module_at_all"))
    with pytest.raises(ValueError, match=r"flotilla\[bedrock\]"):
        provider()


async def test_frames_come_as_text_and_inclusive_tokens(fake, provider):
    fake.script(Play("Yes, indeed.", pieces=3, usage=Usage(100, 7, 60)))

    heard = await pieces(provider())

    assert heard == [
        Began(),
        Text("Yes,"),
        Text(" ind"),
        Text("eed."),
        End("end", "end_turn", Usage(100, 7, 60)),
    ]
    assert len(fake.requests) == 1


def test_the_fake_s_frames_are_those_of_aws():
    """Lengths and checksum of a frame that botocore's own tests hold as recorded from AWS."""
    recorded = bytes.fromhex("0000003d0000002007fd83960c") + b"content-type\x07\x00\x10application/json{'foo':'bar'}"

    assert aws_frame({"content-type": "application/json"}, b"{'foo':'bar'}") == recorded + bytes.fromhex("8d9c08b1")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "ThrottlingException", "Too many requests, please wait.", "rate_limited"),
        (400, "ServiceQuotaExceededException", "Too many tokens per day.", "rate_limited"),
        (429, "ModelNotReadyException", "The model is not ready.", "rate_limited"),
        (503, "ServiceUnavailableException", "Try again.", "overloaded"),
        (500, "InternalServerException", "Oh.", "server_error"),
        (424, "ModelErrorException", "The model failed.", "server_error"),
        (408, "ModelTimeoutException", "It took too long.", "overloaded"),
        (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", "denied"),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", "denied"),
        (404, "ResourceNotFoundException", "Could not resolve the model.", "unknown_model"),
        (400, "ValidationException", "The provided model identifier is invalid.", "unknown_model"),
        (400, "ValidationException", "messages: at least one message is required", "bad_request"),
    ],
)
async def test_aws_s_errors_are_kinds_of_failure_and_one_request(fake, provider, status, code, message, kind):
    fake.script(failing(status, code=f"{code}:http://internal.amazon.com/coral/", message=message))

    failed, heard = await failure(provider())

    assert failed.kind == kind
    assert message in failed.reason
    assert heard == []
    assert len(fake.requests) == 1


async def test_a_pause_that_aws_asks_for_is_told(fake, provider):
    fake.script(failing(429, headers={"retry-after": "11"}))

    assert (await failure(provider()))[0].retry_after_s == 11


async def test_the_signed_headers_that_aws_quotes_are_not_shown(fake, provider, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-0004")
    quoted = (
        "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for"
        " this request should have been\n'POST\nx-amz-security-token:session-token-0004'"
    )
    fake.script(failing(403, code="InvalidSignatureException", message=quoted))

    failed, _ = await failure(provider())

    assert failed.kind == "denied"
    assert "does not match" in failed.reason
    assert "0004" not in failed.reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("throttlingException", "rate_limited"),
        ("serviceUnavailableException", "overloaded"),
        ("internalServerException", "server_error"),
        ("modelStreamErrorException", "server_error"),
        ("validationException", "bad_request"),
    ],
)
async def test_an_exception_frame_is_a_kind_of_failure(fake, provider, code, kind):
    fake.script(Play(fault="error_midway", code=code, after=0, message="AWS says so."))

    failed, heard = await failure(provider())

    assert failed.kind == kind
    assert "AWS says so." in failed.reason
    assert [type(piece) for piece in heard] == [Began]


async def test_half_a_frame_is_no_answer(fake, provider):
    frame = aws_frame({":event-type": "chunk", ":message-type": "event"}, b'{"bytes":"e30="}')
    fake.script(Play(body=frame[:-7], headers={"content-type": AWS_STREAM_TYPE}))

    assert (await failure(provider()))[0].kind == "disconnected"


async def test_without_credentials_it_says_where_to_put_them(fake, provider, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _forget_sessions()

    failed, _ = await failure(provider())

    assert failed.kind == "denied"
    assert "AWS_ACCESS_KEY_ID" in failed.reason
    assert fake.requests == []
