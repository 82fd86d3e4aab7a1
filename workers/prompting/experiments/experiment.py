"""An experiment as a fold of facts: take(fact) in any order and as often as they come, decide() → Decision.

Evidence is taken in the order in which tasks were *assigned* (their place in the log), and only as far as every task
before is settled. So it does not depend on when outcomes arrive: a candidate whose successes are quick and whose
failures never come is not ahead meanwhile. A task that did not answer by its deadline is settled as missing, and that
is a failure of its arm: nothing is promoted because its failures stay out.

    running     no evidence is enough yet
    promote     the candidate succeeds more often
    roll_back   it succeeds less often, costs too much, or takes too long
    stopped     tasks were not split as planned, so nothing else can be believed; or the plan's last outcome was taken

Of several that are certain with the same outcome: a wrong split, roll_back, promote, the plan's end. The first decision
stands: nothing after it is taken.

Cost and latency are guarded by the same bets (`amounts.py`). Where the candidate is to cost or take less, "better" is
a bet on "it succeeded, and was not above the yardstick" that both arms have in common. A candidate that succeeds less
often is rolled back, whatever it is tried for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from workers.prompting.experiments import spending
from workers.prompting.experiments.amounts import Guard, Yardstick
from workers.prompting.experiments.assignment import MILLION, Arm
from workers.prompting.experiments.evidence import FOR_LARGE, FOR_LOSSES, PAIRS, Evidence, micro_nats
from workers.prompting.experiments.split import Split

Verdict = Literal["running", "promote", "roll_back", "stopped"]
Why = Literal["", "success", "cost", "latency", "split", "length"]
Goal = Literal["won", "cost", "latency"]
"""What the candidate is to do better: succeed more often, or succeed and cost or take less."""

EVERY = 10
"""The curve has a point for each so many outcomes, and one for the last."""


class Assigned(NamedTuple):
    """A task got an arm. `place` is the fact's sequence in the log; of several for one task the earliest counts."""

    place: int
    task: str
    epoch: int
    arm: Arm


class Settled(NamedTuple):
    """How a task went; `won` is None if nothing had come by its deadline. The earliest counts, so what comes after the
    deadline changes nothing. One that is `void` counts for nothing. `cost` and `latency` are in any unit; unknown is
    never taken for cheap or quick."""

    place: int
    task: str
    won: bool | None
    cost: int | None = None
    latency: int | None = None
    void: bool = False


@dataclass(frozen=True)
class Plan:
    """`nth` is the candidate's number among all that its template ever had, `shares` in millionths are by epoch. The
    candidate may cost and take `dearer` and `slower` percent more than the live version; None: as much as it likes.
    After `most` outcomes without a decision there will be none; None: it goes on."""

    nth: int
    shares: tuple[int, ...]
    dearer: int | None = 25
    slower: int | None = 50
    goal: Goal = "won"
    most: int | None = None

    def __post_init__(self) -> None:
        spending.promotion(self.nth)
        if self.most is not None and self.most < 1:
            raise ValueError(f"an experiment of {self.most} outcomes: give it one or more")
        if wrong := [share for share in self.shares if not 0 <= share <= MILLION]:
            raise ValueError(f"shares of {wrong} millionths: give some from 0 to {MILLION}")


class Count(NamedTuple):
    """Tasks of an arm whose outcome was taken."""

    won: int = 0
    lost: int = 0
    missing: int = 0


class Point(NamedTuple):
    """Evidence after so many outcomes, ln of the wealth in millionths."""

    outcomes: int
    better: int
    worse: int
    dearer: int
    slower: int
    split: int


class Decision(NamedTuple):
    """`curve` ends with the outcome that decided, or the last that was taken."""

    verdict: Verdict
    why: Why
    live: Count
    candidate: Count
    curve: tuple[Point, ...]


class Better:
    """Bets that the candidate does better what it is tried for."""

    __slots__ = ("_goal", "_yardstick", "evidence")

    def __init__(self, goal: Goal, nth: int) -> None:
        self._goal = goal
        self._yardstick = Yardstick()
        self.evidence = Evidence(spending.promotion(nth), FOR_LARGE, PAIRS)

    def see(self, candidate: bool, share: int, settled: Settled) -> bool:
        """Take one outcome; whether the candidate certainly does better now."""
        happened = settled.won is True
        if self._goal != "won":
            above = self._yardstick.above(settled.cost if self._goal == "cost" else settled.latency)
            if above is None:
                return False
            happened = happened and not above
        return self.evidence.see(candidate, share, happened)


class _Taken:
    """What the outcomes taken so far prove."""

    def __init__(self, plan: Plan) -> None:
        self._shares = plan.shares
        self._most = plan.most
        self._better = Better(plan.goal, plan.nth)
        self._won_by: Why = "success" if plan.goal == "won" else plan.goal
        self._worse = Evidence(spending.ROLL_BACK, FOR_LOSSES)
        self._dearer, self._slower = Guard(plan.dearer), Guard(plan.slower)
        self._split = Split(spending.SPLIT)
        self._counts = {arm: [0, 0, 0] for arm in ("live", "candidate")}
        self._curve: list[tuple[int, ...]] = []
        self.outcomes = self.void = 0
        self.verdict: Verdict = "running"
        self.why: Why = ""

    def see(self, assigned: Assigned, settled: Settled) -> None:
        candidate, share, won = assigned.arm == "candidate", self._shares[assigned.epoch], settled.won is True
        self._counts[assigned.arm][2 if settled.won is None else 1 - won] += 1
        self.outcomes += 1
        better = self._better.see(candidate, share, settled)
        worse = self._worse.see(candidate, share, not won)
        dearer = self._dearer.see(candidate, share, settled.cost)
        slower = self._slower.see(candidate, share, settled.latency)
        if self._split.see(candidate, share):
            self.verdict, self.why = "stopped", "split"
        elif worse or dearer or slower:
            self.verdict, self.why = "roll_back", "success" if worse else "cost" if dearer else "latency"
        elif better:
            self.verdict, self.why = "promote", self._won_by
        elif self._most is not None and self.outcomes >= self._most:
            self.verdict, self.why = "stopped", "length"
        if self.outcomes % EVERY == 0:
            self._curve.append(self._wealths())

    def decision(self) -> Decision:
        """All of it as a value."""
        curve = list(self._curve)
        if self.outcomes % EVERY:
            curve.append(self._wealths())
        points = tuple(Point(outcomes, *map(micro_nats, wealths)) for outcomes, *wealths in curve)
        live, candidate = Count(*self._counts["live"]), Count(*self._counts["candidate"])
        return Decision(self.verdict, self.why, live, candidate, points)

    def _wealths(self) -> tuple[int, ...]:
        guards = self._dearer.evidence.wealth, self._slower.evidence.wealth
        return self.outcomes, self._better.evidence.wealth, self._worse.wealth, *guards, self._split.wealth


class Experiment:
    """The fold. Facts that come in the order of the log are taken once; one that belongs before what is taken already
    makes it count anew, from the beginning."""

    def __init__(self, plan: Plan, facts: Iterable[Assigned | Settled] = ()) -> None:
        self.plan = plan
        self._assigned: dict[str, Assigned] = {}
        self._settled: dict[str, Settled] = {}
        self._order: list[Assigned] = []
        self._in_order = True
        self._taken = _Taken(plan)
        for fact in facts:
            self.take(fact)

    def take(self, fact: Assigned | Settled) -> None:
        """Keep a fact. Raises ValueError if it is of an epoch that the plan does not know."""
        if isinstance(fact, Assigned):
            self._assign(fact)
            return
        known = self._settled.get(fact.task)
        if known is None or _rank(fact) < _rank(known):
            self._settled[fact.task] = fact
            # A task that was taken already went otherwise than was known then.
            self._in_order &= known is None

    def verdict(self) -> tuple[Verdict, Why]:
        """What is decided, by all facts so far, and why."""
        self._catch_up()
        return self._taken.verdict, self._taken.why

    def decide(self) -> Decision:
        """What is decided, with counts and the curve of evidence."""
        self._catch_up()
        return self._taken.decision()

    def _assign(self, fact: Assigned) -> None:
        if not 0 <= fact.epoch < len(self.plan.shares):
            raise ValueError(f"task {fact.task} is of epoch {fact.epoch}, and the plan has {len(self.plan.shares)}")
        known = self._assigned.get(fact.task)
        if known is not None and known <= fact:
            return
        self._in_order &= known is None and (not self._order or self._order[-1] < fact)
        self._assigned[fact.task] = fact
        self._order.append(fact)

    def _catch_up(self) -> None:
        if not self._in_order:
            self._order, self._taken, self._in_order = sorted(self._assigned.values()), _Taken(self.plan), True
        taken = self._taken
        while taken.verdict == "running" and taken.outcomes + taken.void < len(self._order):
            assigned = self._order[taken.outcomes + taken.void]
            settled = self._settled.get(assigned.task)
            if settled is None:
                return
            if settled.void:
                taken.void += 1
            else:
                taken.see(assigned, settled)


def _rank(fact: Settled) -> tuple[int, str]:
    return fact.place, repr(fact)
