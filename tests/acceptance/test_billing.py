"""What a provider bills is what the ledger counts, whoever is killed or stopped in the middle of calls."""

import json
import random
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from types import SimpleNamespace

import pytest

from contracts.v1.budgets import Budget
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunRequested
from contracts.v1.waits import TaskWaits
from workers.llm.ledger import run_key
from workers.llm.purse import Purse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
IDEA = "A recipe box: recipes have a name and a number of servings."
ROLES = ("project_manager", "architect", "backend_developer", "test_engineer", "reviewer")
NANOS, INPUT_NANOS, OUTPUT_NANOS = 10**9, 1_000, 2_000
"""A token, at one dollar per million tokens in and two out."""
PLENTY = Budget(usd=5.0)
LITTLE_USD, MORE_USD = 0.06, 1.0
OUTAGE_S = 6.0
KILLED, STOPPED, OUTAGE = ("killed-0", "killed-1"), ("stopped-0", "stopped-1"), ("outage-0", "outage-1")
SCARCE = "scarce"
MODELS = {**{run: run for run in (*KILLED, *STOPPED, SCARCE)}, **dict.fromkeys(OUTAGE, "outage")}
PATIENCE_S = 120.0
MOST_OF_A_ROLE = 2
"""Workers of one role that are ended while the same runs go on."""


class Fake:
    """The fake provider as a process; each run asks a model of its own, so that it has a bill of its own."""

    def __init__(self, url):
        self.url = url

    def told(self, method="GET", plays=None):
        body = None if plays is None else json.dumps(plays).encode()
        asked = urllib.request.Request(f"{self.url}/_fake", body, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
            return json.load(answer)

    def bill(self, model):
        """What was counted for a model, with tokens and nano-dollars in all."""
        names = ("requests", "open", "hung_up", "input_tokens", "output_tokens")
        counted = SimpleNamespace(**self.told()["models"].get(model, dict.fromkeys(names, 0)))
        counted.tokens = counted.input_tokens + counted.output_tokens
        counted.nanos = counted.input_tokens * INPUT_NANOS + counted.output_tokens * OUTPUT_NANOS
        return counted

    def is_asked(self, models):
        """Whether a request to one of these models is being answered."""
        return any(counted["open"] for model, counted in self.told()["models"].items() if model in models)


@pytest.fixture(scope="module")
def fake():
    """Says what the built-in model would say, slowly enough to be interrupted."""
    command = (sys.executable, "-m", "tests.fakes.provider", "--builtin", "--first-ms", "100", "--each-ms", "150")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield Fake(json.loads(process.stdout.readline())["url"])
        process.terminate()


@pytest.fixture(scope="module")
def fleet(outside, fake, tmp_path_factory):
    """Two workers of each role, of which each makes one call at a time."""
    folder = tmp_path_factory.mktemp("billing")
    models = folder / "models.yaml"
    entries = [
        f"  {name}: {{provider: compatible, model: {name}, base_url: '{fake.url}/v1', price: {{input: 1, output: 2}},"
        " capabilities: {json_schema: native, max_output_tokens: 8000}}"
        for name in sorted(set(MODELS.values()))
    ]
    models.write_text("\n".join(["targets:", *entries, ""]))
    with outside.Fleet(
        folder, dict.fromkeys(ROLES, 2), lease_s="2", concurrency="1", wait_in_place_s="0.5", models_file=str(models),
        daily_budget_tokens="100000000",
    ) as running:  # fmt: skip
        yield running


@dataclass
class Nemesis:
    """Ends by a seed workers of a role that has calls in flight, one or both, and starts others in their place."""

    fleet: object
    fake: Fake
    rng: random.Random
    ended: list = field(default_factory=list)

    def prey(self, models):
        """Whom to end now: nobody when no call of these models is in flight, and no role again and again."""
        busy = self.fleet.busy(ROLES) if self.fake.is_asked(models) else []
        spared = [role for role in busy if sum(name.startswith(role) for name in self.ended) < MOST_OF_A_ROLE]
        names = [f"{role}-{number}" for role in spared[:1] for number in self.rng.choice(((1,), (2,), (1, 2)))]
        self.ended += names
        return names

    def kill(self, models):
        """As a crash would."""
        names = self.prey(models)
        for name in names:
            self.fleet.kill(name)
        for name in names:
            self.fleet.start(name)

    def stop(self, models):
        """As a roll-out does: they have time to finish what they hold. One that only begins may end at once."""
        names = self.prey(models)
        for name in names:
            self.fleet.signal(name, SIGTERM)
        for name in names:
            assert self.fleet.processes[name].wait(30) in (0, -SIGTERM), f"{name} was stopped"
            self.fleet.start(name)


def request(fleet, run):
    asked = RunRequested(tenant="default", run=run, idea=IDEA, model=MODELS[run], budget=PLENTY)
    assert fleet.ask(lambda bus: bus.log.say(asked)).news


def harry(fleet, runs, strike, rng):
    """Strike again and again while the runs go on; returns when they are over."""
    models, deadline = {MODELS[run] for run in runs}, time.monotonic() + PATIENCE_S
    while not all(fleet.facts(run).names[-1:] == ["run.closed"] for run in runs):
        assert time.monotonic() < deadline, f"some of {runs} did not end"
        strike(models)
        time.sleep(rng.uniform(0.1, 0.5))


@pytest.fixture(scope="module")
def killed(fleet, fake):
    """Runs during which workers were killed; whom."""
    nemesis = Nemesis(fleet, fake, random.Random(2026))
    for run in KILLED:
        request(fleet, run)
    harry(fleet, KILLED, nemesis.kill, nemesis.rng)
    return nemesis.ended


@pytest.fixture(scope="module")
def outage(fleet, fake, killed):
    """Runs whose only target is down when they begin, for a few seconds; how many requests it got in that time."""
    seen = SimpleNamespace(requests=None)

    def end():
        fake.told("DELETE")
        seen.requests = fake.bill("outage").requests

    fake.told("POST", [{"status": 503, "model": "outage"}] * 500)
    ending = threading.Timer(OUTAGE_S, end)
    ending.start()
    for run in OUTAGE:
        request(fleet, run)
    yield seen
    ending.join()


@pytest.fixture(scope="module")
def scarce(fleet, fake, outside, outage):
    """A run with a budget that does not reach, somebody who watches it, and a raise; what was seen until then."""
    command = (
        sys.executable, "-m", "workers.cli", "run", IDEA, "--run-id", SCARCE, "--model", SCARCE, "--budget",
        str(LITTLE_USD), "--json",
    )  # fmt: skip
    with subprocess.Popen(
        command,
        cwd=fleet.folder,
        env=fleet.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as watching:
        try:
            outside.until(lambda: fleet.facts(SCARCE).of(TaskWaits), "a task that waits for budget")
            shown = outside.until(lambda: _waiting(fleet), "the whole run waits for budget")
            before = fake.bill(SCARCE)
            raised = fleet.flotilla("budget", SCARCE, "--add", str(MORE_USD))
            yield SimpleNamespace(shown=shown, before=before, raised=raised, watching=watching)
        finally:
            watching.kill()


def _waiting(fleet):
    said = fleet.flotilla("show", SCARCE).stdout
    return said if "waiting for budget" in said else None


@pytest.fixture(scope="module")
def stopped(fleet, fake, outage, scarce):
    """Runs during which workers were stopped; whom."""
    nemesis = Nemesis(fleet, fake, random.Random(7))
    for run in STOPPED:
        request(fleet, run)
    harry(fleet, STOPPED, nemesis.stop, nemesis.rng)
    return nemesis.ended


def check_the_bill(fleet, fake, run, budget_usd):
    """Billed ≤ counted ≤ budget, and nothing is held any more."""
    record = fleet.ask(lambda bus: bus.records("budgets").read(run_key("default", run)))
    book, bill = Purse.decode(record), fake.bill(MODELS[run])
    gone = book.spent.plus(book.written_off)
    print(f"{run}: billed {bill.nanos} nano-dollars, spent {book.spent.nanos}, written off {book.written_off.nanos}")
    assert bill.tokens <= gone.tokens
    assert bill.nanos <= gone.nanos <= budget_usd * NANOS
    assert book.holds == ()


def missing(fleet, fake, run):
    """How many calls were made that are not in the journal."""
    return fake.bill(run).requests - len(fleet.facts(run).of(ModelCalled))


def test_a_call_that_was_made_is_missing_in_the_journal_at_most_once_for_each_kill(fleet, fake, killed, check):
    for run in KILLED:
        check(fleet.facts(run))
        check_the_bill(fleet, fake, run, PLENTY.usd)
    gone = sum(missing(fleet, fake, run) for run in KILLED)
    print(f"{gone} calls are missing after {len(killed)} kills: {killed}")
    assert len(killed) >= 4
    assert 1 <= gone <= len(killed)


def test_no_call_is_missing_after_workers_were_stopped_in_order(fleet, fake, stopped, check):
    print(f"stopped: {stopped}")
    assert len(stopped) >= 4
    for run in STOPPED:
        check(fleet.facts(run))
        check_the_bill(fleet, fake, run, PLENTY.usd)
    assert [missing(fleet, fake, run) for run in STOPPED] == [0] * len(STOPPED)


def test_runs_that_begin_while_their_only_target_is_down_complete_by_themselves(fleet, fake, outage, check):
    for run in OUTAGE:
        facts = fleet.closed(run)
        check(facts)
        assert {wait.what for wait in facts.of(TaskWaits)} == {"models"}
    calls = sum(len(fleet.facts(run).of(ModelCalled)) for run in OUTAGE)
    print(f"{outage.requests} requests in an outage of {OUTAGE_S} s, {calls} calls after it")
    assert 3 <= outage.requests <= 3 + len(OUTAGE), "the breaker's three strikes, and who was on the way"
    assert fake.bill("outage").requests == outage.requests + calls


def test_a_run_that_meets_its_budget_waits_and_goes_on_after_a_raise(fleet, fake, scarce, check):
    assert "flotilla budget scarce --add" in scarce.shown
    assert scarce.before.requests >= 2 and scarce.before.nanos <= LITTLE_USD * NANOS
    assert scarce.raised.returncode == 0, scarce.raised.stderr
    assert scarce.watching.wait(60) == 0, "whoever watches sees it complete"
    facts = fleet.facts(SCARCE)
    check(facts)
    assert {wait.what for wait in facts.of(TaskWaits)} == {"budget"}
    check_the_bill(fleet, fake, SCARCE, LITTLE_USD + MORE_USD)
    assert fake.bill(SCARCE).nanos > LITTLE_USD * NANOS, "it needed the raise"
