"""Providers by name, as data: how each is reached and what its models can do unless a target says otherwise.

`adapter` names the module in `workers/llm/providers/` that speaks to it. `key_env` is the environment variable that
holds the key unless the target names another; empty means that none is needed. `prices` is the provider's name in
genai-prices, empty where it has none or use is free.
"""

from dataclasses import dataclass, field
from typing import Literal

from workers.llm.targets import Capabilities


@dataclass(frozen=True)
class Preset:
    """One provider, and what is its own in Chat Completions.

    `tokens_field`: what the limit of output tokens is called. `counts_streams`: whether it must be asked
    (`stream_options`) to count the tokens of a stream. `seed_field`: what the seed is called. `tells_schema`: whether
    the schema goes into the prompt as well when it goes as structured output, because the provider says it should.
    """

    name: str
    adapter: Literal["openai_chat", "openai_responses", "azure", "anthropic", "bedrock", "vertex", "groq", "builtin"]
    base_url: str = ""
    key_env: str = ""
    key_needed: bool = True
    prices: str = ""
    family: str = ""
    free: bool = False
    tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    counts_streams: bool = True
    seed_field: Literal["seed", "random_seed"] = "seed"
    tells_schema: bool = False
    capabilities: Capabilities = field(default_factory=Capabilities)


def _can(
    json_schema: str, max_output_tokens: int, *, seed: bool = False, context_tokens: int = 128_000
) -> Capabilities:
    return Capabilities.model_validate(
        {
            "json_schema": json_schema,
            "max_output_tokens": max_output_tokens,
            "context_tokens": context_tokens,
            "seed": seed,
        }
    )


_ALL = (
    Preset("builtin", "builtin", key_needed=False, free=True,
           capabilities=_can("native", 10**9, seed=True, context_tokens=10**9)),
    Preset("openai", "openai_chat", "https://api.openai.com/v1", "OPENAI_API_KEY", prices="openai",
           tokens_field="max_completion_tokens", capabilities=_can("strict", 16_384, seed=True)),
    Preset("openai-responses", "openai_responses", "https://api.openai.com/v1", "OPENAI_API_KEY", prices="openai",
           capabilities=_can("strict", 16_384)),
    Preset("azure", "azure", key_env="AZURE_OPENAI_API_KEY", prices="azure", tokens_field="max_completion_tokens",
           capabilities=_can("strict", 16_384, seed=True)),
    Preset("anthropic", "anthropic", key_env="ANTHROPIC_API_KEY", prices="anthropic",
           capabilities=_can("native", 32_000, context_tokens=200_000)),
    Preset("bedrock", "bedrock", key_needed=False, prices="aws",
           capabilities=_can("none", 32_000, context_tokens=200_000)),
    Preset("vertex", "vertex", key_needed=False, prices="google",
           capabilities=_can("none", 32_000, context_tokens=200_000)),
    # Groq's API refuses fields that it does not know, `stream_options` may be one; it counts unasked (`x_groq`).
    Preset("groq", "groq", "https://api.groq.com", "GROQ_API_KEY", prices="groq", counts_streams=False,
           tokens_field="max_completion_tokens", capabilities=_can("object", 32_768, seed=True)),
    Preset("mistral", "openai_chat", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", prices="mistral",
           counts_streams=False, seed_field="random_seed", capabilities=_can("strict", 16_384, seed=True)),
    Preset("together", "openai_chat", "https://api.together.xyz/v1", "TOGETHER_API_KEY", prices="together",
           tells_schema=True, capabilities=_can("native", 8_192, seed=True)),
    Preset("deepseek", "openai_chat", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", prices="deepseek",
           capabilities=_can("object", 8_192)),
    Preset("openrouter", "openai_chat", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", prices="openrouter",
           capabilities=_can("native", 16_384, seed=True)),
    # Gemini's compatible endpoint refuses `seed` and the penalties.
    Preset("gemini", "openai_chat", "https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY",
           prices="google", capabilities=_can("native", 65_536, context_tokens=1_000_000)),
    Preset("ollama", "openai_chat", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", key_needed=False, free=True,
           tells_schema=True, capabilities=_can("native", 8_192, seed=True, context_tokens=32_000)),
    Preset("vllm", "openai_chat", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", key_needed=False, free=True,
           capabilities=_can("native", 8_192, seed=True, context_tokens=32_000)),
    Preset("compatible", "openai_chat", key_env="", key_needed=False, capabilities=_can("object", 8_192)),
)  # fmt: skip

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
