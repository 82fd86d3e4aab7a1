"""Trials in a fleet that runs for long: what was read once is not read again, and only so much is kept."""

from datetime import UTC, datetime

from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.prompts import PromptChosen
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import PerformTask, TaskPerformed
from workers.prompt_lab.trials import LOOKED_AT, Trials
from workers.runtime.ports import Stored

OLD, NEW = "0" * 12, "1" * 12


class MemoryLog:
    """Facts in their order, and how many messages were handed out under wildcards over all runs."""

    def __init__(self):
        self.facts, self.handed = [], 0

    def say(self, *facts):
        for fact in facts:
            self.facts.append(
                Stored(len(self.facts) + 1, datetime.fromtimestamp(0, UTC), subject_of(fact), encode(fact))
            )

    async def scan(self, subjects, after=0):
        wanted = subjects.split(".")
        found = [one for one in self.facts[after:] if fits(one.subject.split("."), wanted)]
        self.handed += len(found) if wanted[1] == "*" else 0
        return found

    async def find_all(self, subjects):
        return [one for one in self.facts if one.subject in subjects]


def fits(tokens, wanted):
    if wanted[-1] == ">":
        return tokens[: len(wanted) - 1] == wanted[:-1]
    return len(tokens) == len(wanted) and all(want in ("*", token) for token, want in zip(tokens, wanted, strict=True))


def run(log, n, version=OLD):
    who = {"tenant": "t", "run": f"r{n}", "task": "write"}
    log.say(
        PerformTask(**who, role="poet", idea="x"),
        PromptChosen(**who, template="poet-poem", prompt="poet/poem", prompt_version=version),
        TaskPerformed(**who),
        RunClosed(tenant="t", run=f"r{n}", status="completed"),
    )


async def test_what_was_read_of_a_version_is_not_read_again():
    log = MemoryLog()
    trials = Trials(log, "flotilla")
    for n in range(30):
        run(log, n)
    assert len(await trials.of("poet/poem", OLD, "valid")) == 30
    before = log.handed
    for n in range(30, 33):
        run(log, n)
    assert [trial.run for trial in await trials.of("poet/poem", OLD, "valid")] == [f"r{n}" for n in range(33)]
    assert log.handed - before == 3


async def test_another_version_is_looked_for_from_the_beginning_and_only_the_newest_tasks_count():
    log = MemoryLog()
    trials = Trials(log, "flotilla")
    for n in range(LOOKED_AT + 20):
        run(log, n, NEW if n % 2 else OLD)
    run(log, "x", NEW)
    assert len(await trials.of("poet/poem", OLD, "valid")) == LOOKED_AT // 2 + 10
    assert (await trials.of("poet/poem", NEW, "valid"))[-1].run == "rx"
    for n in range(1_000, 1_000 + LOOKED_AT):
        run(log, n, NEW)
    found = await trials.of("poet/poem", NEW, "valid")
    assert [trial.run for trial in found] == [f"r{n}" for n in range(1_000, 1_000 + LOOKED_AT)]


async def test_a_run_that_was_not_over_counts_once_it_is():
    log = MemoryLog()
    trials = Trials(log, "flotilla")
    who = {"tenant": "t", "run": "r1", "task": "write"}
    log.say(PromptChosen(**who, template="poet-poem", prompt="poet/poem", prompt_version=OLD))
    log.say(PerformTask(**who, role="poet", idea="x"))
    requested = Stored(99, datetime.fromtimestamp(0, UTC), "flotilla.t.r1.run.requested", b"{}")
    log.facts.append(requested)
    assert await trials.of("poet/poem", OLD, "valid") == []
    log.say(RunClosed(tenant="t", run="r1", status="failed"))
    assert [trial.run for trial in await trials.of("poet/poem", OLD, "valid")] == ["r1"]
