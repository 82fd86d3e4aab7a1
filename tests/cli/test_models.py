"""`flotilla models` and `flotilla models test`: what is listed, at every width, and what one real call says."""

import asyncio
import json
import re
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.fakes.provider import FakeProvider
from tests.fakes.script import Play, failing, rate_limited, refused
from workers.cli.complaints import Unreachable
from workers.cli.modeltable import Row, listed
from workers.llm.accounts import Account, Health, failed
from workers.llm.known_accounts import record_key
from workers.llm.model import Usage
from workers.llm.presets import PRESETS
from workers.llm.records import MemoryRecords, RecordsUnavailable
from workers.llm.targets import Target
from workers.runtime.settings import Settings

DOC = Path(__file__).parents[2] / "docs" / "models.md"
SECRET = "sk-very-secret-4711"
FILE = """
targets:
  sonnet: {provider: anthropic, model: claude-sonnet-4-5, quality: 85,
           limits: {requests_per_minute: 50, tokens_per_minute: 40000}}
  fast: {provider: groq, model: llama-3.3-70b-versatile, price: {input: 0.59, output: 0.79}}
  odd: {provider: compatible, model: acme-1, base_url: "https://models.acme.example/v1"}
routes:
  - {name: design, roles: [architect], policy: best, quality: 80, targets: [sonnet], fallback: [fast]}
  - {name: voting, tasks: [review_project], policy: cheapest, targets: [fast, "ollama:qwen3:32b"]}
"""
DENIED = "denied: 401 the key was refused by the provider"


@pytest.fixture
def here(desk, tmp_path, monkeypatch):
    """The desk with a models file, no keys, and records that the test may fill."""
    for preset in PRESETS.values():
        monkeypatch.delenv(preset.key_env or "NOTHING", raising=False)
    desk.records = MemoryRecords()

    @asynccontextmanager
    async def connect(settings):
        yield SimpleNamespace(records=lambda bucket: {"models": desk.records}[bucket])

    def write(text, **changes):
        (tmp_path / "models.yaml").write_text(text)
        desk.settings = Settings(models_file=tmp_path / "models.yaml", **changes)

    desk.write = write
    desk.with_outside(connect=connect)
    desk.write(FILE)
    return desk


def widen(desk, width):
    desk.with_outside(console=lambda: Console(width=width, force_terminal=True))


def entries(desk, *arguments):
    return [json.loads(line) for line in desk("models", *arguments, "--json").stdout.splitlines()]


def opened(desk, now):
    """Let the records say that groq refused the key a moment ago."""
    target = Target(name="fast", provider="groq", model="llama-3.3-70b-versatile")
    account = failed(Account(), "denied", "401 the key was refused by the provider", None, now)
    desk.records.kept[record_key(target.account)] = account.encode()


class TestTheList:
    def test_it_has_each_target_with_price_limits_and_quality(self, here):
        lines = here("models").stdout.splitlines()
        assert [" ".join(line.split()) for line in lines[:4:3]] == [
            "target health provider model key $/M in / out limits a minute quality",
            "fast up groq llama-3.3-70b-versatile missing 0.59 / 0.79 none 50",
        ]
        assert " ".join(lines[1].split()).endswith("missing 3+ / 15+ 50 calls, 40k tokens 85")
        assert any(" ".join(line.split()) == "odd up compatible acme-1 not needed unknown none 50" for line in lines)

    def test_it_has_targets_that_only_a_route_or_the_default_names(self, here):
        names = [entry["target"] for entry in entries(here) if entry["type"] == "target"]
        assert names == ["sonnet", "fast", "odd", "ollama:qwen3:32b", "builtin"]

    def test_it_has_the_routes_in_order_and_where_the_rest_goes(self, here):
        assert here("models").stdout.splitlines()[-3:] == [
            "route 1  design (roles architect): best from quality 80 of sonnet, then fast",
            "route 2  voting (tasks review_project): cheapest of fast, ollama:qwen3:32b",
            "everything else goes to builtin (FLOTILLA_MODEL)",
        ]

    def test_the_default_is_left_out_when_a_route_takes_everything(self, here):
        here.write("targets: {a: {provider: vllm, model: m}}\nroutes: [{name: all, targets: [a]}]")
        output = here("models").stdout
        assert "route 1  all (everything): best of a" in output
        assert "builtin" not in output

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_it_fits_the_terminal_and_leaves_nothing_out(self, here, width):
        opened(here, here.outside.now().timestamp())
        widen(here, width)
        output = here("models").stdout
        assert max(map(len, output.splitlines())) <= width
        words = " ".join(output.split())
        for said in ("sonnet", "claude-sonnet-4-5", "3+ / 15+", "50 calls, 40k tokens", "85", "open for 1 min 00 s"):
            assert said in words
        assert DENIED in words
        assert "set the environment variable ANTHROPIC_API_KEY" in words

    @pytest.mark.parametrize("width", [60, 120])
    def test_names_of_any_length_fit(self, here, width):
        here.write(f"targets: {{{'n' * 200}: {{provider: vllm, model: {'m' * 200}}}}}")
        widen(here, width)
        output = here("models").stdout
        assert max(map(len, output.splitlines())) <= width
        assert output.count("n" * 40) >= 2

    def test_a_key_is_present_or_missing_and_never_shown(self, here, monkeypatch):
        monkeypatch.setenv("GROQ_API_KEY", SECRET)
        keys = {entry["target"]: (entry["key"], entry["key_from"]) for entry in entries(here) if "key" in entry}
        assert keys["fast"] == ("present", "GROQ_API_KEY")
        assert keys["sonnet"] == ("missing", "ANTHROPIC_API_KEY")
        assert keys["ollama:qwen3:32b"] == ("not needed", "")
        for result in (here("models"), here("models", "--json")):
            assert SECRET not in result.output

    def test_without_a_file_it_has_the_default_and_the_presets_that_are_usable(self, here, monkeypatch):
        monkeypatch.setenv("MISTRAL_API_KEY", SECRET)
        here.settings = Settings(model="mistral:mistral-small-latest")
        output = here("models").stdout
        assert "mistral:mistral-small-latest  up      mistral" in output
        assert "usable by key variables: mistral:<model>" in output
        assert "FLOTILLA_MODELS_FILE" in output
        assert entries(here)[-1]["usable"] == ["mistral"]

    def test_json_has_prices_as_numbers_or_null(self, here):
        prices = {entry["target"]: entry["usd_per_million_in"] for entry in entries(here) if entry["type"] == "target"}
        assert prices == {"sonnet": 3.0, "fast": 0.59, "odd": None, "ollama:qwen3:32b": 0.0, "builtin": 0.0}


class TestHealth:
    def test_a_target_that_is_down_says_until_when_and_why(self, here):
        opened(here, here.outside.now().timestamp())
        lines = here("models").stdout.splitlines()
        (place,) = (place for place, line in enumerate(lines) if line.startswith("fast"))
        assert "open for 1 min 00 s" in lines[place]
        assert DENIED in lines[place + 1]
        entry = next(entry for entry in entries(here) if entry.get("target") == "fast")
        assert (entry["health"], entry["until"], entry["reason"]) == ("open", "2026-03-01T12:01:00+00:00", DENIED)

    @pytest.mark.parametrize(
        ("state", "said"), [("probing", "probing"), ("open", "open"), ("cooling", "cooling for 17 s")]
    )
    def test_times_are_whole_seconds_and_only_those_that_say_something(self, state, said):
        until = {"probing": 120.0, "open": 0.0, "cooling": 16.2}[state]
        target = Target(name="a", provider="openai")
        row = Row(target, Health(state, 1_000.0 + until, "so"), "", "", None)
        assert re.split("  +", list(listed([row], None, 1_000.0))[1])[1] == said

    def test_it_is_unknown_without_a_broker(self, here):
        here.reachable.clear()
        result = here("models")
        assert result.exit_code == 0
        assert "sonnet            unknown" in result.stdout
        assert "health is not known: no NATS broker can be reached" in result.stderr

    def test_a_broker_that_was_named_must_be_there(self, here):
        result = here("models", "--nats", "nats://nowhere:4222")
        assert result.exit_code == Unreachable.exit_code
        assert result.stdout == ""

    def test_it_is_unknown_where_the_broker_keeps_no_records(self, here):
        class Away(MemoryRecords):
            async def read(self, key):
                raise RecordsUnavailable("no bucket")

        here.records = Away()
        result = here("models")
        assert "unknown" in result.stdout
        assert "`flotilla provision`" in result.stderr


class TestFaults:
    def test_every_fault_of_the_file_is_told(self, here):
        here.write("targets: {a: {provider: grok, model: m}, b: {provider: groq, api_key: " + SECRET + "}}")
        for arguments in (("models",), ("models", "test", "a")):
            result = here(*arguments)
            assert result.exit_code == 2
            assert "targets.a.provider: unknown 'grok' (did you mean 'groq'?)" in result.stderr
            assert "targets.b.api_key: refused" in result.stderr
            assert "targets.b.model: is missing" in result.stderr
            assert SECRET not in result.output

    def test_a_default_that_is_not_there_is_told(self, here):
        here.write(FILE, model="sonet")
        result = here("models")
        assert result.exit_code == 2
        assert "FLOTILLA_MODEL: there is no model target 'sonet' (did you mean 'sonnet'?)" in result.stderr

    def test_roles_and_tasks_that_nobody_has_are_told(self, here):
        here.write("routes: [{name: r, roles: [architekt], tasks: [design_sytem], targets: [builtin]}]")
        result = here("models")
        assert result.exit_code == 0
        assert "route r: this fleet has no role 'architekt'" in result.stderr
        assert "route r: there is no kind of task 'design_sytem'" in result.stderr

    def test_roles_of_ones_own_programs_are_known(self, here):
        here.write("routes: [{name: r, roles: [sommelier], targets: [builtin]}]", extra_roles=("sommelier",))
        assert "sommelier" not in here("models").stderr


@pytest.fixture
def fake():
    """A provider on a loop of its own, because the command has one of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = FakeProvider(Play('{"ok": true}', usage=Usage(1000, 200)))
    asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(10)
    yield running
    asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def asked(here, fake, monkeypatch):
    """One call to the fake by the name `t`; `fields` are more of the target's."""
    monkeypatch.setenv("OURS", SECRET)

    def made(*plays, fields="", arguments=(), url="", **changes):
        fake.script(*plays)
        here.write(
            f"targets: {{t: {{provider: openai, model: gpt-5-mini, api_key_env: OURS, "
            f"base_url: '{url or fake.url + '/v1'}'{fields}}}}}",
            **changes,
        )
        result = here("models", "test", "t", *arguments)
        assert SECRET not in result.output
        return result

    return made


class TestOneCall:
    def test_a_target_that_works_says_what_came_back(self, asked, fake):
        result = asked()
        assert result.exit_code == 0
        lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
        assert lines[0] == ["t", "works"]
        said = dict(lines[1:])
        assert said["answer"] == '{"ok": true}'
        assert said["finish"] == "end (stop)"
        assert said["tokens"] == "1,000 in, 200 out"
        assert said["cost"] == "$0.00065"
        assert "the first token after" in said["time"]
        assert len(fake.requests) == 1

    def test_it_says_whom_it_asks_before_it_does(self, asked, fake):
        assert f"asking t: gpt-5-mini at {fake.url}/v1" in asked().stderr

    def test_a_schema_goes_with_it(self, asked, fake):
        asked()
        assert "TestReply" in json.dumps(fake.requests[0].body)

    @pytest.mark.parametrize(
        ("play", "kind", "advice"),
        [
            (rate_limited(7), "rate_limited", "requests_per_minute"), (failing(401), "denied", "OURS"),
            (failing(404), "unknown_model", "'gpt-5-mini'"), (failing(400), "bad_request", "capabilities"),
            (failing(500), "server_error", "try again"), (failing(503), "overloaded", "fallback"),
            (Play(fault="drop_after_headers"), None, "try again"), (Play(fault="drop_midway"), "interrupted", "again"),
            (Play("Sure, it is ok."), "no_json", "json_schema"), (Play("[]"), "no_json", "json_schema"),
            (Play('{"ok": tr', stop="length"), "length", "max_output_tokens"), (refused(), "refusal", "refuses"),
        ],
    )  # fmt: skip
    def test_one_that_does_not_says_why_and_what_to_do(self, asked, fake, play, kind, advice):
        result = asked(play, arguments=("--json",))
        assert result.exit_code == 1
        tried = json.loads(result.stdout)
        assert tried["ok"] is False
        assert kind is None or tried["kind"] == kind
        assert advice in tried["advice"]
        assert len(fake.requests) == 1

    def test_what_to_do_is_said_to_people_as_well(self, asked):
        result = asked(rate_limited(7))
        assert "t: no answer (rate_limited)" in result.stdout
        assert "  again    in 7 s, says the provider" in result.stdout
        assert "  to do    wait; requests_per_minute" in result.stdout

    def test_nobody_waits_for_a_target_that_says_nothing(self, asked):
        result = asked(Play(fault="hang_after_headers"), arguments=("--json",), first_token_s=0.2)
        assert json.loads(result.stdout)["kind"] == "timeout"

    def test_nor_for_one_that_stops_in_the_middle(self, asked):
        play = Play('{"ok": true}', fault="hang_midway")
        result = asked(play, arguments=("--json",), first_token_s=10, idle_token_s=0.2)
        assert json.loads(result.stdout)["kind"] == "interrupted"

    def test_an_address_where_nothing_answers_is_unreachable(self, asked):
        result = asked(url="http://127.0.0.1:1/v1", arguments=("--json",))
        assert json.loads(result.stdout)["kind"] == "unreachable"
        assert "base_url" in json.loads(result.stdout)["advice"]

    def test_an_answer_in_a_code_fence_is_one(self, asked):
        assert asked(Play('```json\n{"ok": true}\n```')).exit_code == 0

    def test_a_target_without_its_key_is_not_called(self, here, fake):
        here.write(f"targets: {{t: {{provider: groq, model: m, base_url: '{fake.url}'}}}}")
        result = here("models", "test", "t")
        assert result.exit_code == 1
        assert "t: no key" in result.stdout
        assert "set the environment variable GROQ_API_KEY" in result.stdout
        assert fake.requests == []

    def test_the_built_in_model_can_be_tested_like_any_other(self, here):
        assert here("models", "test", "builtin").exit_code == 0
        result = here("models", "test", "builtin:error=1", "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["kind"] == "overloaded"

    def test_a_route_is_told_from_a_target(self, here):
        result = here("models", "test", "voting")
        assert result.exit_code == 2
        assert "'voting' is a route; test one of its targets: fast, ollama:qwen3:32b" in result.stderr

    def test_a_name_of_nothing_is_refused(self, here):
        result = here("models", "test", "sonet")
        assert result.exit_code == 2
        assert "did you mean 'sonnet'?" in result.stderr


@pytest.mark.parametrize("arguments", [("models",), ("models", "test")])
def test_the_page_on_models_has_the_command_with_every_option(desk, arguments):
    text = DOC.read_text()
    assert f"\nflotilla {' '.join(arguments)}" in text
    shown = desk(*arguments, "--help").stdout
    options = {word for word in shown.split() if word.startswith("--") and word.strip("-").isalpha()} - {"--help"}
    assert [option for option in sorted(options) if option not in text] == []
