"""Whatever happens to whom in whichever order: properties of whole runs in a simulated world."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.subjects import name_of
from contracts.v1.ballots import BallotOpened, Option
from contracts.v1.runs import RunRequested
from workers.orchestrator.run import Run, fold, fold_spoiled

BYTES = st.binary(max_size=400)


@settings(max_examples=600, deadline=None)
@given(BYTES, BYTES, st.integers(1, 3), st.booleans())
def test_every_history_ends_in_one_close_and_breaks_no_rule_on_the_way(world, script, schedule, replicas, own):
    assert world.World(script, schedule, replicas, own, racing=True).close()


@settings(max_examples=600, deadline=None)
@given(BYTES, BYTES, st.integers(2, 4), st.booleans())
def test_replicas_that_saw_different_prefixes_agree_on_the_end(world, script, schedule, replicas, own):
    alone = world.World(script, own=own).close()
    together = world.World(script, schedule, replicas, own).close()
    assert together.status == alone.status


def _ballot(make, name, *options):
    return BallotOpened(
        **make.IDS, ballot=name, question="?", electorate=("a",), options=[Option(option=one) for one in options]
    )


def _pool(make):
    """Valid facts of every kind under names of every stage, sensible or not."""
    long = make.task("b" * 40, "backend_developer", ["design"], each="module")
    plans = [make.project_plan(), make.project_plan(make.task("build-api")), make.plan(), make.project_plan(long)]
    names = ["plan", "plan-2", "design", "build", "build-api", "tests", "verify-1", "verify-2", "review-1"]
    names += [
        "design-O2",
        "design-R1",
        "repair-1",
        "package",
        "a",
        "plan-S2",
        "design-S2",
        "verify-1-S2",
        "b" * 38 + "-" + "x" * 9,
    ]
    facts = [make.request(), make.request(make.plan(make.task("a"), make.task("build-api", needs=["a"])))]
    facts += [make.cancel(), make.passed("run"), make.passed("task-plan-1"), make.passed("task-verify-1-1")]
    for ballot in ("design", "release-1", "vote-x"):
        facts += [
            make.decided(ballot, of, a="repair design", b="revise") for of in ("design", "release", "repair", None)
        ]
        facts += [make.decided(ballot, of, by="escalated") for of in ("revise", "design-O2", None)]
        facts += [make.approved(ballot, verdict) for verdict in ("approve", "reject", "ask_for_changes")]
        facts += [make.approved(ballot, option=option) for option in ("design", "nonsense")]
        facts += [_ballot(make, ballot, *options) for options in (("design", "revise"), ("release", "repair"))]
    for name in names:
        facts += [make.planned(plan, name) for plan in plans]
        facts += [make.proposed(*modules, name=name) for modules in (("api", "store"), ("api", "api"), ("x" * 48,))]
        facts += [make.built(name), make.tested(name), make.performed(name), make.packed(name)]
        facts += [make.verified(1, green).model_copy(update={"task": name}) for green in (True, False)]
        facts += [make.reviewed(1, of).model_copy(update={"task": name}) for of in ("note", "blocking")]
        facts += [make.repaired(1).model_copy(update={"task": name})]
        facts += [make.waits(name, attempt, what=what) for attempt in (1, 2) for what in ("models", "budget")]
        facts += [make.failed(name, attempt, retry) for attempt in (1, 2, 3) for retry in (True, False)]
    return facts


@settings(max_examples=600, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 120), st.integers(0, 4))
def test_any_valid_facts_whatsoever_can_be_decided_upon(world, make, rng, known, burnt):
    facts = rng.sample(_pool(make), known)
    run = Run("t", "r")
    for fact in rng.sample(facts, min(burnt, known)):
        run = fold_spoiled(run, name_of(fact)) if not isinstance(fact, RunRequested) else run
    for fact in (*facts, make.request(), *make.up_to_verify()):
        run = fold(run, [fact])
        for policy in (make.POLICY, make.VOTING, make.THREE):
            world.decided(run, policy)


def test_the_worlds_are_varied_enough_to_prove_something(world):
    chance, ends, taken = random.Random(1), Counter(), Counter()
    for n in range(240):
        one = world.World(chance.randbytes(300), chance.randbytes(300), 1 + n % 3, n % 3 == 0, racing=n % 2 == 0)
        ends[one.close().status] += 1
        taken.update(one.taken(name.removeprefix("ballot.")) for name in one.log if name.startswith("ballot."))
        taken.update(name.split(".")[0] for name in one.log)
    assert min(ends[status] for status in ("completed", "failed", "cancelled")) > 5
    assert min(taken[what] for what in ("design", "revise", "release", "repair", "approval", "outcome")) > 5
    assert taken["design-O2"] + taken["design-O3"] > 2
