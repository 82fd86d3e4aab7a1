"""models.yaml, names, keys: what is meant by a name, and everything that is wrong with a file."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from workers.llm.catalogue import BadModels, Catalogue, KeyMissing, builtin_text, usable_presets
from workers.llm.presets import PRESETS
from workers.llm.targets import Capabilities, Limits, NoSuchTarget, Price, Route, Target

FILE = """
    targets:
      sonnet: {provider: anthropic, model: claude-sonnet-4-5, quality: 85,
               limits: {requests_per_minute: 50, tokens_per_minute: 40000}}
      fast: {provider: groq, model: llama-3.3-70b-versatile, price: {input: 0.59, output: 0.79}}
      local: {provider: ollama, model: "qwen3:32b", base_url: "http://gpu-box:11434/v1"}
      rules: {provider: builtin, options: {error: 0.2, seed: 3}}
    routes:
      - {name: design, roles: [architect], policy: best, quality: 80, targets: [sonnet], fallback: [fast]}
      - {name: tests, tasks: [write_tests], targets: [fast, "openai:gpt-5-mini"]}
      - {name: review, roles: [reviewer], tasks: [review_project], targets: [sonnet]}
"""
ARCHITECT = ("architect", "design_system")
OTHER = ("backend_developer", "build_module")


@pytest.fixture
def load(tmp_path):
    def loaded(text):
        path = tmp_path / "models.yaml"
        path.write_text(dedent(text))
        return Catalogue.load(path)

    return loaded


@pytest.fixture
def faults(load):
    """The faults of a file's text; there must be some."""

    def found(text):
        with pytest.raises(BadModels) as caught:
            load(text)
        return list(caught.value.faults)

    return found


class TestRoutes:
    def test_the_first_route_that_holds_role_and_kind_of_task_is_taken(self, load):
        catalogue = load(FILE)
        assert catalogue.route("", "builtin", *ARCHITECT).name == "design"
        assert catalogue.route("", "builtin", "test_engineer", "write_tests").name == "tests"
        assert catalogue.route("", "builtin", "architect", "write_tests").name == "design"
        assert catalogue.route("", "builtin", "reviewer", "review_project").name == "review"

    def test_without_a_route_that_holds_it_a_call_goes_to_the_default(self, load):
        catalogue = load(FILE)
        assert catalogue.route("", "fast", *OTHER).targets == ("fast",)
        assert catalogue.route("", "builtin", "reviewer", "plan_project").targets == ("builtin",)

    def test_the_default_may_be_a_route(self, load):
        assert load(FILE).route("", "design", *OTHER).targets == ("sonnet",)

    def test_what_a_task_asks_for_goes_before_the_routes(self, load):
        catalogue = load(FILE)
        assert catalogue.route("local", "builtin", *ARCHITECT).targets == ("local",)
        assert catalogue.route("tests", "builtin", *ARCHITECT).targets == ("fast", "openai:gpt-5-mini")

    def test_a_route_without_roles_and_tasks_holds_everything(self, load):
        catalogue = load("targets: {a: {provider: vllm, model: m}}\nroutes: [{name: all, targets: [a]}]")
        assert catalogue.route("", "builtin", *OTHER).name == "all"

    def test_a_file_may_have_routes_alone(self, load):
        assert load("routes: [{name: all, targets: [builtin]}]").route("", "", *OTHER).targets == ("builtin",)


class TestNames:
    @pytest.mark.parametrize(
        "name", ["builtin", "builtin:", "builtin:error=0.2", "builtin:wrong_code=0.3,latency_ms=5"]
    )
    def test_the_built_in_model_keeps_its_whole_text_as_a_name(self, name):
        catalogue = Catalogue.load(None)
        assert catalogue.route(name, "x", *OTHER).targets == (name,)
        assert catalogue.target(name).provider == "builtin"
        assert builtin_text(catalogue.target(name)) == name

    def test_the_built_in_model_may_have_another_name_in_a_file(self, load):
        assert builtin_text(load(FILE).target("rules")) == "builtin:error=0.2,seed=3"
        assert builtin_text(load("targets: {plain: {provider: builtin}}").target("plain")) == "builtin"

    @pytest.mark.parametrize("model", ["gpt-5", "qwen3:32b", "meta-llama/llama-3.3:free", "claude@20250929"])
    def test_any_model_of_a_provider_is_a_target_ad_hoc(self, model):
        target = Catalogue.load(None).target(f"openrouter:{model}")
        assert (target.name, target.provider, target.model) == (f"openrouter:{model}", "openrouter", model)

    def test_ad_hoc_targets_are_the_same_each_time_and_not_kept_for_ever(self):
        catalogue = Catalogue.load(None)
        first = catalogue.target("ollama:first")
        assert catalogue.target("ollama:first") is first
        for number in range(1_000):
            catalogue.target(f"ollama:m{number}")
        assert catalogue.target("ollama:first") is not first

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ("nobody", "there is no model target 'nobody'"), ("sonet", "did you mean 'sonnet'?"),
            ("ollama", "name a model of ollama as well: ollama:<model>"), ("builtin:eror=1", "'eror=1' is no option"),
            ("azure:gpt", "azure needs the address of your endpoint (base_url)"),
            ("compatible:x", "compatible needs the address"), ("openai:a b", "1 to 200 characters"),
            ("openai:" + "x" * 300, "1 to 200 characters"), ("builtin2", "there is no model target"),
        ],
    )  # fmt: skip
    def test_a_name_of_nothing_is_refused_with_what_there_is_and_how_to_add_it(self, load, asked, said):
        with pytest.raises(NoSuchTarget) as caught:
            load(FILE).route(asked, "builtin", *OTHER)
        text = str(caught.value)
        assert said in text
        assert "sonnet, fast, local, rules, design, tests, review, builtin" in text
        assert "add a target to" in text
        assert len(text) < 1_000

    def test_a_default_of_nothing_is_refused_too(self):
        with pytest.raises(NoSuchTarget, match="FLOTILLA_MODELS_FILE"):
            Catalogue.load(None).route("", "nobody", *OTHER)


class TestTargets:
    def test_own_capabilities_stand_above_those_of_the_preset(self, load):
        catalogue = load("targets: {a: {provider: openai, model: m, capabilities: {json_schema: none, seed: false}}}")
        can = catalogue.capabilities_of(catalogue.target("a"))
        preset = PRESETS["openai"].capabilities
        assert (can.json_schema, can.seed) == ("none", False)
        assert (can.context_tokens, can.max_output_tokens) == (preset.context_tokens, preset.max_output_tokens)

    def test_a_family_is_the_providers_unless_said_otherwise(self, load):
        catalogue = load("targets: {a: {provider: groq, model: m, family: llama}, b: {provider: groq, model: m}}")
        assert [catalogue.family_of(catalogue.target(name)) for name in "ab"] == ["llama", "groq"]

    def test_targets_are_in_the_order_of_the_file(self, load):
        assert list(load(FILE).targets) == ["sonnet", "fast", "local", "rules"]


class TestKeys:
    def test_a_key_comes_from_the_presets_variable_or_from_the_one_that_is_named(self, load):
        catalogue = load("targets: {a: {provider: groq, model: m, api_key_env: OURS}}")
        environment = {"GROQ_API_KEY": "one", "OURS": " two\n"}
        assert catalogue.key_of(catalogue.target("a"), environment) == "two"
        assert catalogue.key_of(catalogue.target("groq:m"), environment) == "one"

    def test_a_key_comes_from_a_file_beside_models_yaml(self, load, tmp_path):
        (tmp_path / "key").write_text("three\n")
        catalogue = load("targets: {a: {provider: groq, model: m, api_key_file: key}}")
        assert catalogue.key_of(catalogue.target("a"), {"GROQ_API_KEY": "one"}) == "three"

    @pytest.mark.parametrize("name", ["builtin", "ollama:m", "bedrock:m", "vertex:m"])
    def test_no_key_is_needed_where_the_preset_needs_none(self, name):
        catalogue = Catalogue.load(None)
        assert catalogue.key_of(catalogue.target(name), {}) == ""

    @pytest.mark.parametrize(
        ("target", "environment", "said"),
        [
            ({"provider": "groq"}, {}, "target t has no key: set the environment variable GROQ_API_KEY"),
            ({"provider": "groq"}, {"GROQ_API_KEY": "  "}, "set the environment variable GROQ_API_KEY"),
            ({"provider": "ollama", "api_key_env": "OURS"}, {}, "set the environment variable OURS"),
            ({"provider": "groq", "api_key_file": "gone"}, {}, "gone can't be read"),
            ({"provider": "groq"}, {"GROQ_API_KEY": "sk-1\nx: y"}, "characters that no key has; look at GROQ_API_KEY"),
            ({"provider": "groq"}, {"GROQ_API_KEY": "sk-ключ"}, "characters that no key has"),
        ],
    )
    def test_a_missing_key_names_target_and_place_and_never_the_key(self, target, environment, said):
        with pytest.raises(KeyMissing, match=said) as caught:
            Catalogue.load(None).key_of(Target(name="t", model="m", **target), environment)
        assert "sk-" not in str(caught.value)

    def test_an_empty_key_file_holds_no_key(self, load, tmp_path):
        (tmp_path / "key").write_text("\n")
        catalogue = load("targets: {a: {provider: groq, model: m, api_key_file: key}}")
        with pytest.raises(KeyMissing, match="key is empty"):
            catalogue.key_of(catalogue.target("a"), {})

    def test_presets_are_usable_by_their_variables(self):
        assert usable_presets({"GROQ_API_KEY": "x", "OPENAI_API_KEY": ""}) == ("groq",)
        assert usable_presets({"OPENAI_API_KEY": "x"}) == ("openai", "openai-responses")


class TestFaults:
    def test_all_faults_are_told_at_once_each_with_its_path(self, faults):
        found = faults("""
            targets:
              sonnet: {provider: anthropic, model: m, limits: {requests_per_minute: 0, tokens_per_mnute: 4}}
              fast: {provider: grok, model: m, qualty: 3}
            routes:
              - {name: design, policy: bst, targets: [sonet]}
              - {targets: []}
            rotes: []
        """)
        assert {fault.split(": ")[0] for fault in found} == {
            "targets.sonnet.limits.requests_per_minute", "targets.sonnet.limits.tokens_per_mnute",
            "targets.fast.provider", "targets.fast.qualty", "routes[0].policy", "routes[0].targets[0]",
            "routes[1].name", "routes[1].targets", "rotes",
        }  # fmt: skip
        assert len(found) == 9

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ("{provider: grok, model: m}", "targets.a.provider: unknown 'grok' (did you mean 'groq'?); there are"),
            ("{model: m}", "targets.a.provider: is missing; there are"),
            ("{provider: groq}", "targets.a.model: is missing; name the model as groq calls it"),
            ("{provider: groq, model: m, modle: m}", "targets.a.modle: unknown field (did you mean 'model'?)"),
            ("{provider: groq, model: m, price: {inptu: 1, input: 1, output: 1}}", "targets.a.price.inptu: unknown"),
            ("{provider: groq, model: m, price: {input: .inf, output: 1}}", "targets.a.price.input: must be a number"),
            ("{provider: groq, model: m, price: {input: -1, output: 1}}", "targets.a.price.input: input should be"),
            ("{provider: groq, model: m, price: {input: 1}}", "targets.a.price.output: is missing; add it"),
            ("{provider: groq, model: m, quality: 101}", "targets.a.quality: input should be less than or equal"),
            ("{provider: groq, model: m, options: {x: [1]}}", "targets.a.options.x: must be text, a number, true"),
            ("{provider: groq, model: m, name: b}", "targets.a.name: unknown field; the name is the key, 'a'"),
            ("{provider: azure, model: m}", "targets.a.base_url: is missing; azure needs the address"),
            ("{provider: compatible, model: m}", "targets.a.base_url: is missing; compatible needs"),
            ("{provider: vllm, model: m, base_url: gpu-box}", "targets.a.base_url: is no address; it looks like"),
            ("{provider: vllm, model: m, base_url: 'http://x/v1?a=b'}", "targets.a.base_url: must end before"),
            ("{provider: builtin, options: {eror: 1}}", "targets.a.options: 'eror=1' is no option"),
            ("[]", "targets.a: must be a mapping"),
            ("", "targets.a: must be a mapping"),
        ],
    )
    def test_a_fault_of_a_target_says_what_is_wrong_and_what_to_do(self, faults, body, fault):
        found = faults(f"targets:\n  a: {body}\n")
        assert len(found) == 1, found
        assert found[0].startswith(fault)

    @pytest.mark.parametrize(
        "body",
        [
            "{provider: groq, model: m, api_key: sk-very-secret}",
            "{provider: groq, model: m, options: {api_key: sk-very-secret}}",
            "{provider: groq, model: m, Authorization: sk-very-secret}",
            "{provider: groq, model: m, api_key_env: sk-very-secret}",
            "{provider: groq, model: m, base_url: 'https://sk-very-secret@host/v1'}",
            "{provider: groq, model: m, base_url: 'https://me:sk-very-secret@host/v1'}",
        ],
    )
    def test_a_key_in_the_file_is_refused_and_not_repeated(self, faults, body):
        (found,) = faults(f"targets:\n  a: {body}\n")
        assert "environment variable" in found
        assert "very-secret" not in found

    def test_one_key_is_enough(self, faults):
        (found,) = faults("targets: {a: {provider: groq, model: m, api_key_env: A, api_key_file: b}}")
        assert found == "targets.a.api_key_file: api_key_env names the key already; keep one of them"

    def test_a_name_means_one_thing(self, faults):
        found = faults("""
            targets:
              a: {provider: vllm, model: m}
              groq: {provider: groq, model: m}
              "builtin:x": {provider: builtin}
            routes:
              - {name: a, targets: [a]}
              - {name: r, targets: [a]}
              - {name: r, targets: [a]}
              - {name: builtin, targets: [r]}
        """)
        assert sorted(fault.split(";")[0] for fault in found) == [
            "routes[0].name: 'a' is a target's name as well",
            "routes[2].name: 'r' is given twice",
            "routes[3].name: 'builtin' is the name of a provider",
            "routes[3].targets[0]: 'r' is a route",
            "targets.builtin:x: 'builtin' is the name of a provider",
            "targets.groq: 'groq' is the name of a provider",
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("targets: [", "line 1, column 11: "), ("targets:\n\t- a", "line 2, column 1: "),
            ("targets: {}\ntargets: {}", "line 2, column 1: 'targets' is given twice; keep one of them"),
            ("targets:\n  a: {provider: groq, provider: openai}", "line 2, column 23: 'provider' is given twice"),
            ("? [a]\n: b", "line 1, column 3: a key must be a word"), ("a: \x07", "no YAML: unacceptable character"),
            ("a: !!python/object/apply:os.getcwd []", "line 1, column 4: could not determine a constructor"),
            ("", "the file is empty"), ("# nothing\n", "the file is empty"), ("- a", "the file must be a mapping"),
            ("a", "the file must be a mapping"), ("targets: 3", "targets: must be a mapping"),
            ("routes: {a: b}", "routes: must be a list"), ("routes: [3]", "routes[0]: must be a mapping"),
            ("targets: {2: {provider: vllm, model: m}}", "targets.2: a name must be text; put it into quotes"),
            ("targets: {a b: {provider: vllm, model: m}}", "targets.a b: use 1 to 200 characters"),
            ("a: " + "[" * 5_000, "no YAML"),
        ],
    )  # fmt: skip
    def test_what_is_no_models_file_is_told_with_its_place(self, faults, text, said):
        (found,) = faults(text)
        assert found.startswith(said), found

    def test_a_file_that_is_not_there_is_told(self, tmp_path):
        with pytest.raises(BadModels, match="can't be read: No such file"):
            Catalogue.load(tmp_path / "gone.yaml")

    def test_a_file_that_is_no_text_is_told(self, tmp_path):
        (tmp_path / "models.yaml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(BadModels, match="not UTF-8"):
            Catalogue.load(tmp_path / "models.yaml")


def test_a_catalogue_loads_no_sdk_and_no_built_in_model():
    code = """
import sys
from workers.llm.catalogue import Catalogue
Catalogue.load(None).target("openai:gpt-5")
heavy = {"openai", "anthropic", "groq", "genai_prices", "workers.llm.builtin.model"}
raise SystemExit(len(heavy & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


class TestThePageOnModels:
    PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

    @pytest.mark.parametrize("example", EXAMPLES)
    def test_each_example_is_a_models_file(self, load, example):
        assert load(example).targets

    def test_each_provider_has_an_example(self, load):
        shown = {target.provider for example in self.EXAMPLES for target in load(example).targets.values()}
        assert shown == set(PRESETS)

    @pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
    def test_each_provider_is_in_the_table_with_its_key(self, preset):
        (line,) = (line for line in self.PAGE.splitlines() if line.startswith(f"| `{preset.name}`: "))
        assert not preset.key_needed or f"`{preset.key_env}`" in line

    def test_the_options_of_each_example_are_known_to_its_provider(self, load):
        for example in self.EXAMPLES:
            catalogue = load(example)
            for target in catalogue.targets.values():
                preset = catalogue.preset_of(target)
                if preset.adapter != "builtin":
                    adapter = importlib.import_module(f"workers.llm.providers.{preset.adapter}")
                    assert adapter.make(target, preset, "a-key")

    def test_each_field_is_told(self):
        models = (Target, Route, Capabilities, Limits, Price)
        fields = {name for model in models for name in model.model_fields} - {"name"}
        assert [name for name in sorted(fields) if f"`{name}`" not in self.PAGE] == []


def test_targets_in_different_regions_share_nothing():
    one, two = (
        Target(name=n, provider="bedrock", model="m", options={"region": n}) for n in ("eu-west-1", "us-east-1")
    )
    assert one.account != two.account
