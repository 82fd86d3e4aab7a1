"""Claude on Vertex: the path of a publisher's model, access tokens and Google's errors, over real HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.provider import FakeProvider
from tests.fakes.script import Play, failing, rate_limited
from tests.llm.providers.claude import SCHEMA, Claude, failure, pieces
from workers.llm.model import Began, End, Provider, Text, Usage
from workers.llm.presets import PRESETS
from workers.llm.providers.vertex import make
from workers.llm.targets import Capabilities, Target

PLACE = {"project_id": "lab-7", "region": "europe-west1"}
VARIABLES = (
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "GOOGLE_CLOUD_PROJECT",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
)

Making = Callable[..., Provider]


@pytest_asyncio.fixture
async def provider(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Making]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    made: list[Provider] = []

    def new(key: str = "token-0001", url: str = f"{fake.url}/v1", options: Any = None, **target: Any) -> Provider:
        given = PLACE if options is None else options
        fields = {"name": "claude", "provider": "vertex", "model": "claude-opus-5-5", "base_url": url, **target}
        made.append(make(Target(**fields, options=given), PRESETS["vertex"], key))
        return made[-1]

    yield new
    for each in made:
        await each.close()


class TestVertex(Claude):
    """What holds for every way."""


async def test_the_request_goes_to_the_publisher_s_model_with_the_token(fake, provider):
    await pieces(provider())

    (heard,) = fake.requests
    place = "/v1/projects/lab-7/locations/europe-west1/publishers/anthropic/models"
    assert heard.path == f"{place}/claude-opus-5-5:streamRawPredict"
    assert heard.headers["authorization"] == "Bearer token-0001"
    assert heard.body["stream"] is True
    assert heard.body["max_tokens"] == 1000
    assert heard.body["anthropic_version"]
    assert "model" not in heard.body


async def test_the_schema_stands_in_the_system_message_unless_the_target_says_that_its_model_takes_one(fake, provider):
    await pieces(provider())
    await pieces(provider(capabilities=Capabilities(json_schema="native")))

    by_prompt, native = (heard.body for heard in fake.requests)
    assert json.dumps(SCHEMA, separators=(",", ":")) in by_prompt["system"][1]["text"]
    assert "output_config" not in by_prompt
    assert native["output_config"]["format"]["schema"]["title"] == "Vote"


async def test_project_and_region_may_come_from_the_environment(fake, provider, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "lab-8")
    monkeypatch.setenv("CLOUD_ML_REGION", "global")
    await pieces(provider(options={}))

    assert fake.requests[0].path.startswith("/v1/projects/lab-8/locations/global/")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "eu"}, "no project_id.*ANTHROPIC_VERTEX_PROJECT_ID"),
        ({"project_id": "lab-7"}, "no region.*CLOUD_ML_REGION"),
        ({**PLACE, "token": "x"}, "effort, project_id, region, service_tier, thinking"),
    ],
)
def test_what_is_missing_or_unknown_is_said_when_it_is_made(provider, options, words):
    with pytest.raises(ValueError, match=words):
        provider(options=options)


def test_without_google_auth_it_says_what_to_install(provider, monkeypatch):
    from workers.llm.providers import vertex

    monkeypatch.setattr(vertex, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"flotilla\[vertex\]"):
        provider(key="")


async def test_a_stream_comes_as_text_and_inclusive_tokens(fake, provider):
    fake.script(Play("Yes, indeed.", pieces=2, usage=Usage(100, 7, 60)))

    assert await pieces(provider()) == [
        Began(),
        Text("Yes, i"),
        Text("ndeed."),
        End("end", "end_turn", Usage(100, 7, 60)),
    ]
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("play", "kind", "retry_after_s"),
    [
        (rate_limited(9), "rate_limited", 9),
        (rate_limited(message="Quota exceeded for online_prediction_requests_per_base_model."), "rate_limited", None),
        (failing(401), "denied", None),
        (failing(403), "denied", None),
        (failing(404), "unknown_model", None),
        (failing(400), "bad_request", None),
        (failing(400, code="invalid_request_error"), "bad_request", None),
        (failing(500), "server_error", None),
        (failing(503), "overloaded", None),
        (failing(529, code="overloaded_error"), "overloaded", None),
    ],
)
async def test_google_s_and_anthropic_s_errors_are_kinds_of_failure(fake, provider, play, kind, retry_after_s):
    fake.script(play)

    failed, heard = await failure(provider())

    assert (failed.kind, failed.retry_after_s) == (kind, retry_after_s)
    assert heard == []
    assert len(fake.requests) == 1


async def test_a_quota_by_the_minute_is_a_rate_limit_in_google_s_own_words(fake, provider):
    said = {"error": {"code": 429, "message": "Quota exceeded for requests.", "status": "RESOURCE_EXHAUSTED"}}
    fake.script(Play(status=429, body=json.dumps([said]).encode(), headers={"content-type": "application/json"}))

    failed, _ = await failure(provider())

    assert failed.kind == "rate_limited"
    assert "Quota exceeded" in failed.reason


async def test_without_credentials_it_says_where_to_put_them(fake, provider, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))

    failed, _ = await failure(provider(key=""))

    assert failed.kind == "denied"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in failed.reason
    assert fake.requests == []


async def test_a_token_in_an_error_is_not_shown(fake, provider):
    fake.script(failing(401, message="The token token-0001 has expired."))

    assert "0001" not in (await failure(provider()))[0].reason
