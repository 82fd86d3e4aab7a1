"""The fake provider, driven by the three SDKs themselves: what tests of the gateway rely on."""

import asyncio
import contextlib
import email.utils
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anthropic
import groq
import openai
import pytest
import pytest_asyncio

from tests.fakes.provider import Builtin, FakeProvider
from tests.fakes.script import Play, failing, rate_limited, refused, truncated
from workers.llm.builtin import BuiltinModel
from workers.llm.model import Allowance, End, ModelRequest, PromptMessage, Text, Usage
from workers.llm.presets import PRESETS
from workers.llm.targets import Target
from workers.roles.project_manager.replies import PlanReply

ROOT = Path(__file__).parents[2]
HELLO = [{"role": "user", "content": "Say hello."}]
SAID = Play("Hello, my friend.", pieces=3, usage=Usage(40, 12, 30, 2))


class Clients:
    """A client of each SDK and platform, made when it is first wanted, all of the same fake."""

    def __init__(self, url: str) -> None:
        plain: dict[str, Any] = {"max_retries": 0, "timeout": 5.0}
        azure = {"azure_endpoint": url, "azure_deployment": "gpt-fake", "api_version": "2024-10-21"}
        aws = {"aws_access_key": "AKFAKE", "aws_secret_key": "secret", "aws_region": "eu-west-1"}
        google = {"region": "europe-west1", "project_id": "lab", "access_token": "token"}
        self._make: dict[str, Callable[[], Any]] = {
            "openai": lambda: openai.AsyncOpenAI(api_key="key", base_url=f"{url}/v1", **plain),
            "azure": lambda: openai.AsyncAzureOpenAI(api_key="key", **azure, **plain),
            "groq": lambda: groq.AsyncGroq(api_key="key", base_url=url, **plain),
            "anthropic": lambda: anthropic.AsyncAnthropic(api_key="key", base_url=url, **plain),
            "bedrock": lambda: anthropic.AsyncAnthropicBedrock(**aws, base_url=url, **plain),
            "vertex": lambda: anthropic.AsyncAnthropicVertex(**google, base_url=f"{url}/v1", **plain),
        }
        self._made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        made = self._make[name]()
        self._made.append(made)
        setattr(self, name, made)
        return made

    async def close(self) -> None:
        for client in self._made:
            await client.close()


@pytest_asyncio.fixture
async def clients(fake: FakeProvider) -> AsyncIterator[Clients]:
    made = Clients(fake.url)
    yield made
    await made.close()


async def chat(client: Any, stream: bool) -> tuple[str, str, Any]:
    """Text (or refusal), finish reason and usage of a chat completion."""
    if not stream:
        reply = await client.chat.completions.create(model="gpt-fake", messages=HELLO)
        choice = reply.choices[0]
        return choice.message.content or choice.message.refusal, choice.finish_reason, reply.usage
    text, finish, usage = "", "", None
    more = {"stream_options": {"include_usage": True}}
    chunks = await client.chat.completions.create(model="gpt-fake", messages=HELLO, stream=True, extra_body=more)
    async for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or getattr(choice.delta, "refusal", None) or ""
            finish = choice.finish_reason or finish
    return text, finish, usage


async def respond(client: Any, stream: bool) -> tuple[str, str, Any]:
    """The same of a response."""
    if not stream:
        reply = await client.responses.create(model="gpt-fake", input=HELLO)
        return reply.output_text or reply.output[0].content[0].refusal, reply.status, reply.usage
    text, last = "", None
    async for event in await client.responses.create(model="gpt-fake", input=HELLO, stream=True):
        if event.type in ("response.output_text.delta", "response.refusal.delta"):
            text += event.delta
        last = event
    return text, last.response.status, last.response.usage


async def message(client: Any, stream: bool) -> tuple[str, str, Any]:
    """The same of an Anthropic message."""
    asked = {"model": "claude-fake", "max_tokens": 100, "messages": HELLO}
    if not stream:
        reply = await client.messages.create(**asked)
        return reply.content[0].text, reply.stop_reason, reply.usage
    text, finish, usage = "", "", None
    async for event in await client.messages.create(**asked, stream=True):
        if event.type == "message_start":
            usage = event.message.usage
        elif event.type == "content_block_delta":
            text += event.delta.text
        elif event.type == "message_delta":
            finish = event.delta.stop_reason
            if usage is not None and event.usage is not None:
                usage.output_tokens = event.usage.output_tokens
    return text, finish, usage


CALLS: dict[str, Callable[..., Any]] = {
    "openai": lambda clients, stream=True: chat(clients.openai, stream),
    "responses": lambda clients, stream=True: respond(clients.openai, stream),
    "azure": lambda clients, stream=True: chat(clients.azure, stream),
    "groq": lambda clients, stream=True: chat(clients.groq, stream),
    "anthropic": lambda clients, stream=True: message(clients.anthropic, stream),
    "bedrock": lambda clients, stream=True: message(clients.bedrock, stream),
    "vertex": lambda clients, stream=True: message(clients.vertex, stream),
}
apis = pytest.mark.parametrize("api", CALLS)
ERRORS = (openai.APIError, groq.APIError, anthropic.APIError)
# What the SDKs let through when the stream itself breaks.
BROKEN = (*ERRORS, json.JSONDecodeError)


async def failure(call: Any) -> Exception:
    """The error that a call ends with, of whatever class."""
    try:
        await call
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


@apis
@pytest.mark.parametrize("stream", [True, False])
async def test_every_api_answers_in_text_and_counts_its_tokens(fake, clients, api, stream):
    fake.script(SAID)

    text, finish, usage = await CALLS[api](clients, stream)

    assert text == SAID.text
    assert finish in ("stop", "completed", "end_turn")
    counted = usage.model_dump()
    assert (counted.get("completion_tokens") or counted.get("output_tokens")) == 12
    anthropics = counted.get("input_tokens", 0) + (counted.get("cache_read_input_tokens") or 0)
    assert (counted.get("prompt_tokens") or anthropics) == 40
    assert fake.billed == (40, 12)
    assert [heard.outcome for heard in fake.requests] == ["answered"]


@apis
@pytest.mark.parametrize(
    ("play", "words"),
    [
        (truncated("Half of"), {"length", "incomplete", "max_tokens"}),
        (refused("No, I will not."), {"stop", "completed", "refusal"}),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_truncation_and_refusal_have_each_api_s_own_word(fake, clients, api, play, words, stream):
    fake.script(play)

    text, finish, _ = await CALLS[api](clients, stream)

    assert text == play.text
    assert finish in words


@apis
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503, 529])
async def test_errors_are_the_sdk_s_status_errors(fake, clients, api, status):
    fake.script(failing(status, headers={"retry-after": "7"}))

    error: Any = await failure(CALLS[api](clients))

    assert isinstance(error, ERRORS)
    assert error.status_code == status
    assert error.response.headers["retry-after"] == "7"
    assert fake.billed == (0, 0)
    assert len(fake.requests) == 1


@apis
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after_headers", "drop_midway", "malformed", "nonsense"])
async def test_a_broken_answer_is_no_success(fake, clients, api, fault, stream):
    fake.script(Play("A long answer, in pieces.", fault=fault))

    with contextlib.suppress(Exception):
        text, *_ = await CALLS[api](clients, stream)
        assert fault == "nonsense"
        assert not text

    await fake.idle()
    assert len(fake.requests) == 1


@apis
@pytest.mark.parametrize("cut_at", [0, 1, 17, 150, 400])
async def test_the_connection_can_drop_at_any_byte(fake, clients, api, cut_at):
    fake.script(Play(cut_at=cut_at))

    await failure(CALLS[api](clients))

    await fake.idle()
    assert [heard.outcome for heard in fake.requests] == ["cut"]


@apis
@pytest.mark.parametrize("fault", ["hang_before", "hang_after_headers", "hang_midway"])
async def test_a_hang_lasts_until_the_client_gives_up(fake, clients, api, fault):
    fake.script(Play("four pieces of text", usage=Usage(10, 8), fault=fault))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(CALLS[api](clients), 0.3)

    await fake.idle()
    assert fake.requests[0].outcome == "hung up"
    assert fake.billed == (10, 4 if fault == "hang_midway" else 0)


async def test_an_error_event_in_a_stream_reaches_each_sdk(fake, clients):
    fake.script(Play(fault="error_midway", code="overloaded_error"), model="claude-fake")
    fake.script(Play(fault="error_midway"), model="gpt-fake")

    assert "overloaded_error" in str(await failure(CALLS["anthropic"](clients)))
    assert isinstance(await failure(CALLS["openai"](clients)), openai.APIError)


async def test_bedrock_sends_its_own_exceptions_in_a_stream(fake, clients):
    fake.script(Play(fault="error_midway", code="throttlingException", message="Slow down."))

    assert "throttlingException" in str(await failure(CALLS["bedrock"](clients)))


async def test_tokens_can_be_slow_and_the_bill_grows_with_them(fake, clients):
    fake.script(Play("abcdefgh", pieces=4, each_s=10.0, usage=Usage(5, 8)))
    stream = await clients.openai.chat.completions.create(model="gpt-fake", messages=HELLO, stream=True)
    texts = []
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            texts.append(chunk.choices[0].delta.content)
            break

    await stream.close()
    await fake.idle()

    assert texts == ["ab"]
    assert fake.requests[0].outcome == "hung up"
    assert fake.billed == (5, 2)


async def test_the_wait_comes_in_seconds_in_milliseconds_or_as_a_date(fake, clients):
    fake.script(rate_limited(2), rate_limited(1.5, how="ms"), rate_limited(90, how="date"), rate_limited())
    heads = [(await failure(CALLS["openai"](clients))).response.headers for _ in range(4)]

    assert heads[0]["retry-after"] == "2"
    assert heads[1]["retry-after-ms"] == "1500"
    assert 85 < email.utils.parsedate_to_datetime(heads[2]["retry-after"]).timestamp() - time.time() < 91
    assert "retry-after" not in heads[3]


async def test_what_is_left_stands_in_each_provider_s_headers(fake, clients):
    fake.default = Play(allowance=Allowance(9, 90.0, 8000, 0.25))
    create = clients.openai.chat.completions.with_raw_response.create
    openais = (await create(model="gpt-fake", messages=HELLO)).headers
    anthropics = (
        await clients.anthropic.messages.with_raw_response.create(model="c", max_tokens=9, messages=HELLO)
    ).headers

    assert openais["x-ratelimit-remaining-requests"] == "9"
    assert openais["x-ratelimit-reset-requests"] == "1m30s"
    assert openais["x-ratelimit-reset-tokens"] == "250ms"
    assert anthropics["anthropic-ratelimit-tokens-remaining"] == "8000"


async def test_the_tokens_of_a_stream_are_told_as_each_provider_does(fake, clients):
    fake.default = Play(counts_unasked=True)
    unasked = await clients.openai.chat.completions.create(model="gpt-fake", messages=HELLO, stream=True)
    groqs = await clients.groq.chat.completions.create(model="gpt-fake", messages=HELLO, stream=True)

    assert [chunk.usage is not None for chunk in [chunk async for chunk in unasked]][-1]
    assert [chunk async for chunk in groqs][-1].x_groq.usage.prompt_tokens == 2

    fake.default = Play(counts=False)
    assert (await CALLS["openai"](clients))[2] is None


async def test_requests_are_kept_whole_and_scripts_can_be_for_one_model(fake, clients):
    fake.script(Play("for claude"), model="claude-fake")
    fake.script(Play("first"), Play("second"))

    texts = [(await CALLS[api](clients))[0] for api in ("openai", "anthropic", "groq", "azure")]

    assert texts == ["first", "for claude", "second", "All is well."]
    assert [heard.api for heard in fake.requests] == ["chat", "messages", "groq", "azure"]
    assert fake.requests[1].headers["authorization"] == "Bearer key"
    assert fake.requests[0].body["messages"] == HELLO
    assert fake.requests[3].path == "/openai/deployments/gpt-fake/chat/completions?api-version=2024-10-21"
    assert fake.connections == 4


SCHEMA = {
    "title": "ReviewReply",
    "type": "object",
    "properties": {"verdict": {"type": "string"}},
    "required": ["verdict"],
    "additionalProperties": False,
}
STRUCTURED: dict[str, Callable[[Clients, list[Any]], Any]] = {
    "chat": lambda clients, messages: clients.openai.chat.completions.create(
        model="m",
        messages=messages,
        seed=3,
        response_format={"type": "json_schema", "json_schema": {"name": "ReviewReply", "schema": SCHEMA}},
    ),
    "responses": lambda clients, messages: clients.openai.responses.create(
        model="m",
        input=messages,
        text={"format": {"type": "json_schema", "name": "ReviewReply", "schema": SCHEMA}},
    ),
    "messages": lambda clients, messages: clients.anthropic.messages.create(
        model="m",
        max_tokens=100,
        system=[{"type": "text", "text": messages[0]["content"]}],
        messages=messages[1:],
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    ),
    "in the prompt": lambda clients, messages: clients.groq.chat.completions.create(
        model="m",
        messages=[{"role": "system", "content": f"Use this: {json.dumps(SCHEMA)} and no other."}, *messages],
        response_format={"type": "json_object"},
    ),
}


PLAN = ModelRequest(
    messages=(
        PromptMessage(role="system", text="Plan it."),
        PromptMessage(
            role="user",
            text='<data name="idea">\n"Track books (title, ISBN unique, price)."\n</data>\n'
            '<data name="roles">\n[]\n</data>\n<data name="objections">\n[]\n</data>',
        ),
    ),
    reply_schema=PlanReply.model_json_schema(),
)


@pytest.mark.parametrize("way", STRUCTURED)
async def test_the_request_is_rebuilt_from_each_wire_format(fake, clients, way):
    asked: list[Any] = []

    def note(request: Any) -> Play:
        asked.append(request.request)
        return Play("{}")

    fake.default = note
    await STRUCTURED[way](clients, [{"role": "system", "content": "Be brief."}, *HELLO])

    request: ModelRequest = asked[0]
    assert request.reply_schema == SCHEMA
    assert request.messages[-2:] == (
        PromptMessage(role="system", text="Be brief."),
        PromptMessage(role="user", text="Say hello."),
    )
    assert request.seed == (3 if way == "chat" else 1)


@apis
async def test_in_builtin_mode_it_says_what_the_builtin_model_says(fake, clients, api):
    fake.default = Builtin("builtin")
    said = await BuiltinModel().complete(
        ModelRequest(messages=(PromptMessage(role="user", text="Say hello."),), reply_schema=None)
    )

    text, *_ = await CALLS[api](clients)

    assert text == said.text
    assert fake.billed == (max(said.input_tokens, 0), said.output_tokens)


@pytest.mark.parametrize("preset", ["openai", "openai-responses", "azure", "groq", "anthropic", "bedrock", "vertex"])
async def test_through_every_adapter_the_builtin_model_does_the_same_job(fake, preset, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fake.default = Builtin("builtin")
    made = PRESETS[preset]
    module = importlib.import_module(f"workers.llm.providers.{made.adapter}")
    options = {"vertex": {"region": "eu", "project_id": "lab"}, "bedrock": {"region": "eu-west-1"}}.get(preset, {})
    tail = {"openai": "/v1", "openai-responses": "/v1", "vertex": "/v1"}.get(preset, "")
    target = Target(name="t", provider=preset, model="m", base_url=fake.url + tail, options=options)
    provider = module.make(target, made, "" if preset == "bedrock" else "key")

    heard = [piece async for piece in provider.stream(PLAN)]
    await provider.close()

    said = await BuiltinModel().complete(PLAN)
    assert said.stop == "end"
    assert "".join(piece.text for piece in heard if isinstance(piece, Text)) == said.text
    assert isinstance(heard[-1], End)
    assert heard[-1].usage is not None
    assert heard[-1].usage.output_tokens == said.output_tokens
    assert len(fake.requests) == 1


async def test_an_outage_of_the_builtin_model_is_a_503(fake, clients):
    fake.default = Builtin("builtin:error=1")

    error: Any = await failure(CALLS["openai"](clients))

    assert error.status_code == 503


@pytest.fixture
def process():
    command = [sys.executable, "-m", "tests.fakes.provider", "--port", "0", "--text", "From afar."]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield started
    started.kill()
    started.wait()


async def test_it_serves_as_a_process_until_sigterm(process):
    url = json.loads(process.stdout.readline())["url"]
    client = openai.AsyncOpenAI(api_key="key", base_url=f"{url}/v1", max_retries=0)

    script = [{"text": "On demand.", "usage": {"input_tokens": 3, "output_tokens": 4}}, {"status": 500}]
    await client.post(f"{url}/_fake", body=script, cast_to=object)
    assert (await chat(client, True))[0] == "On demand."
    assert isinstance(await failure(chat(client, True)), openai.InternalServerError)
    await client.post(f"{url}/_fake", body=[{"text": "To another.", "model": "other"}], cast_to=object)
    await client.post(f"{url}/_fake", body=[{"status": 500, "model": "any"}, {"status": 500}], cast_to=object)
    await client.delete(f"{url}/_fake", cast_to=object)
    assert (await chat(client, False))[0] == "From afar."
    counted: Any = await client.get(f"{url}/_fake", cast_to=object)
    await client.close()
    process.send_signal(signal.SIGTERM)

    assert counted["requests"] == 3
    assert counted["billed"] == {"input_tokens": 3 + 2, "output_tokens": 4 + 3}
    assert await asyncio.to_thread(process.wait, 10) == 0


async def test_the_process_ends_with_its_parent():
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'tests.fakes.provider'], stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline())\n"
    )
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    pid = int(ran.stdout.split()[0])

    assert await asyncio.to_thread(_ends, pid)


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not _runs(pid):
            return True
        time.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent is gone and that nobody has reaped yet has ended all the same.
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
