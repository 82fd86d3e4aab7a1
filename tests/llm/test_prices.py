"""Tariffs: those of owners, free ones, those of the snapshot; `cost` against genai-prices' own, `worst` above all."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import ROUND_CEILING
from fractions import Fraction
from itertools import pairwise
from math import ceil
from time import perf_counter

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.llm.model import Usage
from workers.llm.presets import PRESETS
from workers.llm.prices import FREE, price_of
from workers.llm.targets import Price, Target

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
LISTED = sorted({preset.prices: preset.name for preset in PRESETS.values() if preset.prices}.items())
"""(provider in genai-prices, one of our presets)."""


def target(provider, model="m", **fields):
    return Target(name="t", provider=provider, model=model, **fields)


def tariff_of(provider, model, at=NOON, **fields):
    return price_of(target(provider, model, **fields), PRESETS[provider], at.timestamp())


def snapshot_models():
    """(preset, model's id, model) of everything in the snapshot that a preset can call and that the id finds."""
    snapshot = data_snapshot.get_snapshot()
    for provider, preset in LISTED:
        found = snapshot.find_provider(None, provider, None)
        for model in found.models:
            if found.find_model(model.id, all_providers=snapshot.providers) is model:
                yield preset, model.id, model


MODELS = list(snapshot_models())
PRICED = [(preset, name, model) for preset, name, model in MODELS if tariff_of(preset, name) is not None]
TIERED = [case for case in PRICED if len(tariff_of(*case[:2]).rates) > 1]
TOKENS = st.one_of(
    st.integers(0, 2_000_000), st.sampled_from([0, 1, 127_999, 199_999, 200_000, 200_001, 272_000, 272_001])
)


@st.composite
def usages(draw):
    tokens, answered = draw(TOKENS), draw(st.integers(0, 200_000))
    return Usage(tokens, answered, draw(st.integers(0, tokens)), draw(st.integers(0, answered)))


def nanos(model, usage, at=NOON):
    """What genai-prices itself says, in nano-dollars rounded up."""
    counted = GenaiUsage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=usage.cached_input_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )  # fmt: skip
    total = model.get_prices(at).calc_price(counted)["total_price"]
    return int((total * 10**9).to_integral_value(ROUND_CEILING))


class TestOwn:
    def test_a_price_of_its_own_is_taken_before_all_others(self):
        tariff = tariff_of("openai", "gpt-5", price=Price(input=2, output=10.5, cached_input=0.2))
        assert tariff.cost(Usage(1_000_000, 1_000_000, 500_000)) == (1_000 + 100 + 10_500) * 10**6
        assert tariff.shown == "2 / 10.5"

    def test_cached_input_costs_as_much_as_other_input_unless_it_has_a_price(self):
        tariff = tariff_of("compatible", "x", price=Price(input=2, output=10))
        assert tariff.cost(Usage(1000, 0, 1000)) == tariff.cost(Usage(1000, 0)) == 2_000_000

    def test_part_of_a_nano_dollar_is_a_whole_one(self):
        assert tariff_of("compatible", "x", price=Price(input=0.0001, output=0)).cost(Usage(1)) == 1

    def test_a_price_of_zero_is_free(self):
        tariff = tariff_of("openrouter", "x:free", price=Price(input=0, output=0))
        assert tariff.cost(Usage(10**6, 10**6)) == tariff.worst(10**6, 10**6) == 0
        assert tariff.shown == "free"

    @given(st.floats(0, 1000), st.floats(0, 1000), usages())
    def test_it_is_exact(self, inward, outward, usage):
        tariff = price_of(target("compatible", price=Price(input=inward, output=outward)), PRESETS["compatible"])
        exact = usage.input_tokens * Fraction(repr(inward)) + usage.output_tokens * Fraction(repr(outward))
        assert tariff.cost(usage) == ceil(exact * 1000)


class TestListed:
    def test_free_providers_cost_nothing(self):
        for name in ("builtin", "ollama", "vllm"):
            assert tariff_of(name, "anything") is FREE

    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("openai", "no-such-model"), ("openrouter", "openrouter/auto"), ("azure", "our-deployment"),
            ("compatible", "gpt-5"), ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"),
            ("openai", "text-embedding-3-small"), ("openrouter", "meta-llama/llama-3.3-70b-instruct:free"),
        ],
    )  # fmt: skip
    def test_what_has_no_price_for_input_and_output_is_unknown_and_not_free(self, provider, model):
        assert tariff_of(provider, model) is None

    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("openai", "gpt-5-mini"), ("openai-responses", "gpt-5"), ("azure", "gpt-4o"),
            ("anthropic", "claude-sonnet-4-5"), ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("vertex", "claude-sonnet-4-5@20250929"), ("groq", "llama-3.3-70b-versatile"),
            ("mistral", "mistral-small-latest"), ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
            ("deepseek", "deepseek-chat"), ("openrouter", "anthropic/claude-sonnet-4.5"),
            ("gemini", "gemini-2.5-flash"), ("gemini", "models/gemini-2.5-flash"),
        ],
    )  # fmt: skip
    def test_every_provider_that_costs_has_prices_under_the_names_that_it_gives_models(self, provider, model):
        tariff = tariff_of(provider, model)
        assert tariff is not None
        assert 0 < tariff.input_usd < tariff.output_usd or provider == "together"

    def test_every_preset_names_a_provider_of_the_snapshot(self):
        there = {provider.id for provider in data_snapshot.get_snapshot().providers}
        assert {preset.prices for preset in PRESETS.values() if preset.prices} <= there

    def test_a_compatible_endpoint_that_the_snapshot_knows_has_its_prices(self):
        model = "accounts/fireworks/models/deepseek-v3p2"
        assert tariff_of("compatible", model, base_url="https://api.fireworks.ai/inference/v1") is not None
        assert tariff_of("compatible", model, base_url="https://elsewhere.example/v1") is None

    def test_a_price_that_changes_over_the_day_is_that_of_the_hour(self):
        cheap = tariff_of("deepseek", "deepseek-chat", NOON.replace(hour=17))
        dear = tariff_of("deepseek", "deepseek-chat", NOON.replace(hour=12))
        assert {cheap.cost(Usage(1000, 1000)), dear.cost(Usage(1000, 1000))} == {1_370_000, 685_000}

    def test_the_worst_case_minds_the_price_of_the_next_hour(self):
        costs = [tariff_of("deepseek", "deepseek-chat", NOON.replace(hour=hour)) for hour in range(24)]
        before = next(a for a, b in pairwise(costs) if a.cost(Usage(9)) < b.cost(Usage(9)))
        assert before.worst(1000, 1000) == max(tariff.cost(Usage(1000, 1000)) for tariff in costs)


class TestSnapshot:
    def test_most_models_have_a_price(self):
        assert len(PRICED) > 1000
        assert len(TIERED) > 50

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from(PRICED), usages())
    def test_a_cost_is_what_genai_prices_says(self, case, usage):
        preset, name, model = case
        assert tariff_of(preset, name).cost(usage) == nanos(model, usage)

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from(TIERED), usages())
    def test_so_it_is_where_long_prompts_cost_more(self, case, usage):
        preset, name, model = case
        assert tariff_of(preset, name).cost(usage) == nanos(model, usage)

    @settings(max_examples=600, deadline=None)
    @given(st.one_of(st.sampled_from(PRICED), st.sampled_from(TIERED)), usages(), usages(), st.integers(0, 7_000))
    def test_no_call_within_its_bounds_costs_more_than_the_worst_case(self, case, bounds, usage, later_s):
        tokens, answered = min(usage.input_tokens, bounds.input_tokens), min(usage.output_tokens, bounds.output_tokens)
        within = Usage(tokens, answered, min(usage.cached_input_tokens, tokens), min(usage.reasoning_tokens, answered))
        tariff = tariff_of(*case[:2])
        settled = price_of(target(*case[:2]), PRESETS[case[0]], NOON.timestamp() + later_s)
        worst = tariff.worst(bounds.input_tokens, bounds.output_tokens)
        assert worst >= tariff.cost(within)
        assert worst >= settled.cost(within)

    def test_counts_that_contradict_each_other_do_not_lower_a_cost_below_zero(self):
        tariff = tariff_of("anthropic", "claude-sonnet-4-5")
        assert tariff.cost(Usage(10, 10, 500, 500)) == tariff.cost(Usage(10, 10, 10, 10)) > 0

    def test_a_long_prompt_is_shown_to_cost_more(self):
        assert tariff_of("gemini", "gemini-2.5-pro").shown == "1.25+ / 10+"


def test_prices_are_not_loaded_before_they_are_wanted():
    code = "import sys, workers.llm.prices; raise SystemExit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_asking_again_is_cheap():
    one, preset = target("anthropic", "claude-sonnet-4-5"), PRESETS["anthropic"]
    price_of(one, preset).cost(Usage(1000, 100))
    took = []
    for _ in range(20):
        began = perf_counter()
        for _ in range(100):
            price_of(one, preset).cost(Usage(1000, 100))
        took.append((perf_counter() - began) / 100)
    assert min(took) < 30e-6
