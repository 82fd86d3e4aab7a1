"""Every preset against a recorded exchange: what is sent, and the pieces that come out."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.llm.providers.conftest import KEY, SCHEMA
from workers.llm.model import Began, End, Text, Usage
from workers.llm.presets import PRESETS
from workers.llm.providers.schema import instruction, strict

ANSWER = '{"choice":"tea","why":"It’s warm ☕"}'
USER = {"role": "user", "content": "Tea or coffee?"}
SYSTEM = {"role": "system", "content": "You vote."}
TOLD = {"role": "system", "content": "You vote.\n\n" + instruction(SCHEMA)}
STRICT = {"type": "json_schema", "json_schema": {"name": "Vote", "schema": strict(SCHEMA), "strict": True}}
NATIVE = {"type": "json_schema", "json_schema": {"name": "Vote", "schema": SCHEMA}}
COUNTED = {"stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Exchange:
    """What a preset sends for the same request, and the tokens that its recorded answer counts."""

    preset: str
    path: str
    usage: Usage | None
    sent: dict[str, Any]
    base: str = ""
    key: str = KEY
    auth: tuple[str, str] = field(default=("authorization", f"Bearer {KEY}"))


EXCHANGES = (
    Exchange("openai", "/v1/chat/completions", Usage(64, 19, 32, 8), base="/v1",
             sent={"max_completion_tokens": 500, "seed": 7, "response_format": STRICT, **COUNTED}),
    Exchange("azure", "/openai/deployments/m/chat/completions?api-version=2025-04-01-preview", Usage(64, 19, 0, 0),
             sent={"max_completion_tokens": 500, "seed": 7, "response_format": STRICT, **COUNTED},
             auth=("api-key", KEY)),
    Exchange("groq", "/openai/v1/chat/completions", Usage(71, 30, 16, 11),
             sent={"max_completion_tokens": 500, "seed": 7, "messages": [TOLD, USER],
                   "response_format": {"type": "json_object"}}),
    Exchange("mistral", "/v1/chat/completions", Usage(15, 22), base="/v1",
             sent={"max_tokens": 500, "random_seed": 7, "response_format": STRICT}),
    Exchange("together", "/v1/chat/completions", Usage(49, 20, 12), base="/v1",
             sent={"max_tokens": 500, "seed": 7, "messages": [TOLD, USER], "response_format": NATIVE, **COUNTED}),
    Exchange("deepseek", "/v1/chat/completions", Usage(90, 18, 64), base="/v1",
             sent={"max_tokens": 500, "messages": [TOLD, USER], "response_format": {"type": "json_object"}, **COUNTED}),
    Exchange("openrouter", "/api/v1/chat/completions", Usage(58, 41, 0, 22), base="/api/v1",
             sent={"max_tokens": 500, "seed": 7, "response_format": NATIVE, **COUNTED}),
    Exchange("gemini", "/v1beta/openai/chat/completions", Usage(27, 121, 0, 100), base="/v1beta/openai/",
             sent={"max_tokens": 500, "response_format": NATIVE, **COUNTED}),
    Exchange("ollama", "/v1/chat/completions", Usage(33, 17), base="/v1", key="", auth=("authorization", ""),
             sent={"max_tokens": 500, "seed": 7, "messages": [TOLD, USER], "response_format": NATIVE, **COUNTED}),
    Exchange("vllm", "/v1/chat/completions", Usage(40, 18), base="/v1", key="", auth=("authorization", ""),
             sent={"max_tokens": 500, "seed": 7, "response_format": NATIVE, **COUNTED}),
    Exchange("compatible", "/v1/chat/completions", None, base="/v1", key="", auth=("authorization", ""),
             sent={"max_tokens": 500, "messages": [TOLD, USER], "response_format": {"type": "json_object"}, **COUNTED}),
)  # fmt: skip


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.preset)
async def test_a_preset_sends_what_its_provider_documents_and_reads_what_it_answers(
    exchange, tape, provider, pieces, request_
):
    tape.recorded(exchange.preset)
    got, failure = await pieces(provider(exchange.preset, exchange.base, key=exchange.key), request_)
    assert failure is None
    assert tape.body == {"model": "m", "stream": True, "messages": [SYSTEM, USER], **exchange.sent}
    heard = tape.heard[-1]
    assert (heard.method, heard.path) == ("POST", exchange.path)
    assert heard.headers.get(exchange.auth[0], "") == exchange.auth[1]
    assert got[0] == Began()
    assert got[-1] == End("end", "stop", exchange.usage)
    texts = [piece.text for piece in got[1:-1] if isinstance(piece, Text)]
    assert len(texts) == len(got) - 2
    assert all(texts)
    assert "".join(texts) == ANSWER
    assert len(tape.heard) == 1


def test_every_preset_of_the_family_has_its_recorded_exchange():
    family = {"openai_chat", "azure", "groq"}
    assert {each.preset for each in EXCHANGES} == {p.name for p in PRESETS.values() if p.adapter in family}


@pytest.mark.parametrize("preset", [p for p in PRESETS.values() if p.adapter != "builtin"], ids=lambda p: p.name)
def test_a_preset_says_everything_about_its_models_that_a_call_needs(preset):
    said = preset.capabilities
    assert None not in (said.json_schema, said.context_tokens, said.max_output_tokens, said.seed)
    assert bool(preset.key_env) or not preset.key_needed


AMBIENT = {
    "OPENAI_ORG_ID": "canary-of-openai",
    "OPENAI_PROJECT_ID": "canary-of-openai",
    "OPENAI_API_KEY": "canary-of-openai",
    "OPENAI_ADMIN_KEY": "canary-of-openai",
    "OPENAI_BASE_URL": "http://canary-of-openai.invalid",
    "OPENAI_CUSTOM_HEADERS": "authorization: Bearer canary-of-openai\nX-Team: canary-of-openai",
}


@pytest.mark.parametrize("name", AMBIENT)
@pytest.mark.parametrize(("preset", "key"), [("ollama", ""), ("mistral", KEY)])
async def test_what_the_environment_says_of_openai_reaches_nobody_else(
    preset, key, name, tape, provider, pieces, request_, monkeypatch
):
    monkeypatch.setenv(name, AMBIENT[name])
    tape.recorded(preset)
    got, failure = await pieces(provider(preset, "/v1", key=key), request_)
    assert failure is None
    assert isinstance(got[-1], End)
    assert "canary-of-openai" not in repr(tape.heard[-1])
    assert tape.heard[-1].headers.get("authorization", "") == (f"Bearer {key}" if key else "")
