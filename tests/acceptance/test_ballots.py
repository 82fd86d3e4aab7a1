"""A ballot ends once, soon after its deadline or after recovery, whoever is killed between opening and deadline."""

import itertools
import time

import pytest
from nats.errors import Error as NatsError

from contracts.v1.ballots import BallotOpened, DecisionMade, Option, VoteCast
from workers.runtime.errors import BusUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KEEPERS = ("consensus", "timekeeper")
SOON_S = 2.0
CONSUMERS = {"consensus": "LOG", "timekeeper": "TIMERS"}
BALLOTS = ("enough", "too-few")


@pytest.fixture(scope="module")
def keepers(outside, tmp_path_factory):
    """One consensus worker and one timekeeper."""
    with outside.Fleet(tmp_path_factory.mktemp("ballots"), workers=KEEPERS) as fleet:
        fleet.until(lambda: all(waiting(fleet, worker) for worker in KEEPERS), "both listen")
        yield fleet


def waiting(fleet, worker):
    """Whether the worker has asked its consumer for messages."""
    try:
        return bool(fleet.ask(lambda bus: bus.js.consumer_info(CONSUMERS[worker], worker)).num_waiting)
    except (NatsError, BusUnavailable, TimeoutError, OSError):
        return False


def opened(run, name, deadline_s):
    return BallotOpened(
        tenant="default", run=run, ballot=name, question="Which?", options=(Option(option="a"), Option(option="b")),
        electorate=tuple(f"v{n}" for n in range(7)), quorum=3, deadline_s=deadline_s,
    )  # fmt: skip


def open_ballots(fleet, run, deadline_s):
    """Two ballots that only a deadline can end: one with a quorum, one without."""

    async def say(bus):
        for name, votes in zip(BALLOTS, (3, 1), strict=True):
            await bus.log.say(opened(run, name, deadline_s))
            for n in range(votes):
                await bus.log.say(VoteCast(tenant="default", run=run, ballot=name, voter=f"v{n}", choice="a"))

    fleet.ask(say)


VICTIMS = [set(some) for count in (1, 2, 3) for some in itertools.combinations(("broker", *KEEPERS), count)]


@pytest.mark.parametrize("down_s", [0.0, 4.0], ids=["up again before the deadline", "down at the deadline"])
@pytest.mark.parametrize("victims", VICTIMS, ids=lambda some: " and ".join(sorted(some)))
def test_a_deadline_is_kept_though_everybody_is_killed(keepers, victims, down_s):
    run = f"{'-'.join(sorted(victims))}-{down_s:.0f}"
    deadline_s = 3
    at = time.time() + deadline_s
    open_ballots(keepers, run, deadline_s)
    for name in victims - {"broker"}:
        keepers.kill(f"{name}-1")
    if "broker" in victims:
        keepers.kill_broker()
    time.sleep(down_s)
    if "broker" in victims:
        keepers.start_broker()
    for name in victims - {"broker"}:
        keepers.start(f"{name}-1")
    keepers.until(lambda: all(waiting(keepers, name) for name in victims - {"broker"}), "they are back")
    recovered = max(at, time.time())
    names = [f"decision.{ballot}" for ballot in BALLOTS]
    keepers.until(lambda: set(names) <= set(keepers.facts(run).names), "both are decided", 20.0)
    stored = {fact.subject.partition(run + ".")[2]: fact.at.timestamp() for fact in history(keepers, run)}
    late = {name: stored[name] - recovered for name in names}
    assert max(late.values()) <= SOON_S, late
    made = {decision.ballot: (decision.option, decision.by) for decision in keepers.facts(run).of(DecisionMade)}
    assert made == {"enough": ("a", "rule"), "too-few": (None, "undecided")}
    assert keepers.facts(run).names.count("timer.ballot-enough") == 1


def history(fleet, run):
    return fleet.ask(lambda bus: bus.log.history("default", run))
