"""The worlds notice faults: each of these, planted in the pure modules, breaks a property within a few examples."""

import random

import pytest

from contracts.v1 import plans
from contracts.v1.failures import TaskFailed
from contracts.v1.projects import Evidence
from workers.orchestrator import ballots, decider, designing, outcomes, pipeline, product
from workers.orchestrator.decider import Decision
from workers.orchestrator.run import Run, fold

decide, ask, failures = decider.decide, decider._ask, Run.failures
next_of_project, of_design, made = pipeline.next_of_project, outcomes._of_design, designing.Designing._made


def _does_not_wait_for_its_failure(run, request, step, policy, again):
    asked = ask(run, request, step, policy, again)
    if not any(isinstance(message, TaskFailed) for message in asked.messages):
        return asked
    after = _does_not_wait_for_its_failure(fold(run, asked.messages), request, step, policy, again)
    return after._replace(messages=(*after.messages, *asked.messages))


def _no_timers(run, policy):
    return Decision(messages=decide(run, policy).messages)


def _only_the_run_has_a_timer(run, policy):
    decision = decide(run, policy)
    return Decision(tuple(t for t in decision.timers if t.name == "run"), decision.messages)


def _always_worth_a_retry(run, *of):
    return [failure.model_copy(update={"retry": True}) for failure in failures(run, *of)]


def _one_failure_too_few(run, *of):
    return failures(run, *of)[:-1]


def _waited_at_all(run, task, attempt):
    return any(name.startswith(f"wait.{task}.") for name in run.facts)


def _never_gives_up(product, n, wrong):
    return [product._repair(n, [], wrong)]


def _says_it_again(run, policy):
    decision = decide(run, policy)
    first = next((fact for name, fact in run.facts.items() if name.startswith("task.")), None)
    return Decision(decision.timers, (*decision.messages, first)) if first else decision


def _goes_on_after_the_end(run, policy):
    return decide(fold(Run("t", "r"), [f for name, f in run.facts.items() if name != "run.closed"]), policy)


def _one_task_at_a_time_and_the_rest_never(run, request, policy):
    wanted = next_of_project(run, request, policy)
    return wanted[:1] if isinstance(wanted, list) and "result.design" not in run.facts else []


def _decided_when_opened(run, ballot):
    opened = run.facts.get(f"ballot.{ballot}")
    return ballots.Settled(opened.options[0].option, (), f"ballot.{ballot}") if opened else None


def _always_right(run, ballot):
    return [found.model_copy(update={"right": True}) for found in of_design(run, ballot)]


FAULTS = {
    "what follows from a failure does not wait for it": (decider, "_ask", _does_not_wait_for_its_failure),
    "what is lost is never noticed": (decider, "_lost", lambda *of: None),
    "no timers are set": (decider, "decide", _no_timers),
    "tasks have no timers": (decider, "decide", _only_the_run_has_a_timer),
    "what makes no sense to retry is retried": (Run, "failures", _always_worth_a_retry),
    "a failure is overlooked": (Run, "failures", _one_failure_too_few),
    "a wait leaves the deadline": (Run, "has_waited", lambda run, task, attempt: False),
    "a wait counts for every attempt": (Run, "has_waited", _waited_at_all),
    "what was waited for is not said": (Run, "open_waits", lambda run: []),
    "the same files are verified again": (product, "round_before", lambda run, writers, n: None),
    "repairs go on and on": (product.Product, "_gave_up", _never_gives_up),
    "a name is said again": (decider, "decide", _says_it_again),
    "the end is no end": (decider, "decide", _goes_on_after_the_end),
    "needs are not waited for": (Run, "has_result", lambda run, task: True),
    "spoiled results are not noticed": (Run, "names", lambda run, task: [task]),
    "results of the wrong kind count": (pipeline, "is_done", lambda run, step: run.has_result(step.name)),
    "a wrong kind in an own plan counts": (decider, "is_done", lambda run, step: run.has_result(step.name)),
    "red counts as green": (Evidence, "is_green", property(lambda evidence: True)),
    "colliding names are let through": (designing, "collisions", lambda steps, design: ()),
    "names are cut too late": (plans, "LONGEST_NAME", 64),
    "a cancel is ignored": (Run, "cancel_wanted", None),
    "an unsound plan is taken": (pipeline, "_objections", lambda run, name, planned, policy: ()),
    "ballots are not waited for": (ballots, "settled", _decided_when_opened),
    "the first design is built whatever was decided": (
        designing.Designing,
        "_made",
        lambda self, name: made(self, "design") or made(self, name),
    ),
    "designs are not put to a ballot": (designing.Designing, "_terms", lambda self: None),
    "a ballot does not wait for all designs": (designing, "is_done", lambda run, step: True),
    "releases are not put to a ballot": (product.Product, "_ballot", lambda *of: None),
    "a ballot without an option is waited for": (ballots, "_wrong_with", lambda *of: ""),
    "a person's answer is not heeded": (ballots, "_answered", lambda *of: None),
    "outcomes are not said": (pipeline, "outcomes", lambda *of: ()),
    "a red design was right": (outcomes, "_of_design", _always_right),
    "all but one task are forgotten": (decider, "next_of_project", _one_task_at_a_time_and_the_rest_never),
}


def _first_breach(world, examples=800):
    chance = random.Random(7)
    for n in range(examples):
        script, schedule = chance.randbytes(300), chance.randbytes(300)
        own, racing, replicas = n % 3 == 0, n % 2 == 0, 1 + n % 3
        try:
            world.World(script, schedule, replicas, own, racing).close()
        except Exception as breach:
            return breach
    return None


def test_without_a_fault_the_same_examples_break_nothing(world):
    assert _first_breach(world) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_a_property(world, monkeypatch, fault):
    where, name, instead = FAULTS[fault]
    monkeypatch.setattr(where, name, instead)
    assert _first_breach(world) is not None
