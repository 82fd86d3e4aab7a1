"""kill -9 of random workers and orchestrators in the middle of runs leaves every history whole."""

import random
import signal
import time
from dataclasses import dataclass, field

import pytest

from contracts.v1.capsules import CapsulePacked
from contracts.v1.journal import ModelCalled
from contracts.v1.tasks import Task
from workers.packager.unpack import unpack, verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

IDEA = "A recipe box: recipes have a name and a number of servings."
RUNS = 12
SLOW_MODEL = "builtin:latency_ms=400"
PREY = (
    "orchestrator",
    "consensus",
    "project_manager",
    "architect",
    "backend_developer",
    "test_engineer",
    "reviewer",
    "sandbox",
    "packager",
)
PATIENCE_S = 200.0


@dataclass
class Nemesis:
    """Kills by a seed who holds something just then, and starts again what it killed. Nobody is killed three times."""

    fleet: object
    rng: random.Random
    killed: list = field(default_factory=list)

    def strike(self):
        # These two hold their messages for a millisecond or two, so they are hit while they look idle, too.
        busy = sorted({*self.fleet.busy(PREY), "orchestrator", "consensus"})
        names = [f"{worker}-{number}" for worker in busy for number in (1, 2)]
        if choice := [name for name in names if self.killed.count(name) < 2]:
            name = self.rng.choice(choice)
            self.fleet.kill(name)
            self.fleet.start(name)
            self.killed.append(name)


def open_runs(fleet, runs):
    return [run for run in runs if fleet.facts(run).names[-1:] != ["run.closed"]]


@pytest.fixture(scope="module")
def survived(pairs):
    """Twelve runs in flight, and who was killed meanwhile."""
    nemesis = Nemesis(pairs, random.Random(2026))
    runs = [f"kills-{n}" for n in range(RUNS)]
    for run in runs:
        pairs.request(run, IDEA, SLOW_MODEL)
    deadline = time.monotonic() + PATIENCE_S
    while open_runs(pairs, runs):
        assert time.monotonic() < deadline, f"{open_runs(pairs, runs)} did not end; killed: {nemesis.killed}"
        nemesis.strike()
        time.sleep(nemesis.rng.uniform(0.2, 0.9))
    return runs, nemesis.killed


def test_every_run_ends_once_with_one_result_a_task_and_each_call_in_the_journal_once(pairs, survived, check):
    runs, killed = survived
    assert len(killed) >= 10 and len(set(killed)) >= 6
    for run in runs:
        check(pairs.facts(run))


def test_the_kills_hit_work_in_flight(pairs, survived):
    """More deliveries than commands: some were handed over again after their lease."""
    again = {role: pairs.deliveries(role) - len(pairs.commands(role)) for role in PREY[2:]}
    assert sum(again.values()) > 0, f"redeliveries by role: {again}"


def test_no_generated_code_outlives_the_sandbox_that_ran_it(pairs, survived):
    assert any(name.startswith("sandbox-") for name in survived[1])
    pairs.until(lambda: not pairs.at_work_in(pairs.temporary), "no process in the folders of the sandbox")


def test_every_capsule_verifies(pairs, survived, tmp_path):
    for run in survived[0]:
        [packed] = pairs.facts(run).of(CapsulePacked)
        archive = pairs.ask(lambda bus, sha256=packed.sha256: bus.artifacts.get(sha256))
        verify(archive, packed.sha256, packed.signature, packed.public_key)
        assert unpack(archive, tmp_path / run).run == run
    fetched = pairs.flotilla("fetch", survived[0][0], "--out", str(tmp_path / "fetched"))
    assert fetched.returncode == 0, fetched.stderr


def test_a_worker_that_wakes_up_after_its_lease_changes_nothing(pairs, check):
    """Both architects are stopped with the task in hand, one is replaced by a new one; later the zombies go on."""
    run = "zombie"
    pairs.request(run, IDEA, "builtin:latency_ms=1500")
    pairs.until(lambda: any(name.startswith("task.architect.") for name in pairs.facts(run).names), "the task")
    for name in ("architect-1", "architect-2"):
        pairs.signal(name, signal.SIGSTOP)
    assert not any(name.startswith("llm.design.") for name in pairs.facts(run).names), "the call is in flight"
    pairs.start("architect-3")
    pairs.until(lambda: "result.design" in pairs.facts(run).names, "another architect's result")
    before = pairs.facts(run)
    for name in ("architect-1", "architect-2"):
        pairs.signal(name, signal.SIGCONT)
    facts = pairs.closed(run, 90.0)
    check(facts)
    assert len([call for call in facts.of(ModelCalled) if call.task == "design"]) == 1
    assert [task.attempt for task in facts.of(Task) if task.task == "design"] == [1], "a redelivery, no new attempt"
    assert facts.names[: len(before.names)] == before.names
    assert len(facts.of(CapsulePacked)) == 1
    pairs.until(lambda: pairs.settled("architect"), "the zombies have settled what they held")
    assert pairs.facts(run).names == facts.names
