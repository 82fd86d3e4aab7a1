"""A ballot box: all that is known of one ballot, as the fold of its facts.

Like a run, it is a union by name, so order, duplicates and replicas do not matter. What decides is the place of votes
and deadlines in the log, which is the same for everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple

from contracts.message import Message
from contracts.subjects import Address
from contracts.v1.ballots import BallotOpened, DecisionMade, VoteCast, ballot_of, ballot_of_timer, deadline_timers
from contracts.v1.failures import TaskFailed
from workers.consensus.signatures import fault
from workers.consensus.tally import Cast, Count, Tally, begun, events_of


class Heard(NamedTuple):
    """A fact as the log has it: its place there, when it was stored (seconds since the epoch), and what it says.

    `fact` is None where the stored bytes don't validate; then `fault` says why.
    """

    address: Address
    sequence: int
    at: float
    fact: Message | None
    fault: str = ""


class Passed(NamedTuple):
    """A deadline that has passed: its place in the log and its time."""

    sequence: int
    at: float


@dataclass(frozen=True)
class Box:
    """What is known of a ballot. `opened` is its opening, `failed` the voters whose voting task failed, and why.

    `asked` are the voters whose task is in the log, `passed` the deadlines by the name of their timer.
    `memo` belongs to `standing` alone; it is no part of the value.
    """

    tenant: str
    run: str
    ballot: str
    opened: Heard | None = None
    cast: Mapping[str, Heard] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    passed: Mapping[str, Passed] = field(default_factory=dict)
    decided: Heard | None = None
    has_gate: bool = False
    memo: dict[str, Count] = field(default_factory=dict, compare=False, repr=False)

    @property
    def terms(self) -> BallotOpened | None:
        """The ballot as it was opened, if that can be read."""
        fact = self.opened.fact if self.opened else None
        return fact if isinstance(fact, BallotOpened) else None

    @property
    def decision(self) -> DecisionMade | None:
        """The decision that the log has, if it can be read."""
        fact = self.decided.fact if self.decided else None
        return fact if isinstance(fact, DecisionMade) else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of the ballot: it is decided, and a person who is to be asked has been."""
        return self.decided is not None and (self.has_gate or self.decision is None or self.decision.by != "escalated")

    def shut(self) -> "Box":
        """What is still looked at when it is over: the decision, without the votes."""
        heard, decision = self.decided, self.decision
        if heard is not None and decision is not None:
            heard = heard._replace(fact=decision.model_copy(update={"counted": ()}))
        return Box(self.tenant, self.run, self.ballot, decided=heard, has_gate=self.has_gate)

    def votes(self, terms: BallotOpened, after: int = 0) -> list[Cast]:
        """The votes behind a place in the log as the tally takes them, each checked for its signature."""
        return [_as_cast(terms, voter, heard) for voter, heard in self.cast.items() if heard.sequence > after]

    def standing(self, terms: BallotOpened) -> Tally:
        """How the ballot stands by these terms. What was counted before is not counted again, unless it was not all."""
        at = [heard.sequence for heard in self.cast.values()] + self.deadlines()
        count = self.memo.get("count")
        if count is None or sum(sequence <= count.upto for sequence in at) != count.events:
            count = begun(terms, self.opened.sequence if self.opened else 0)
        more = events_of(
            self.votes(terms, count.upto), [sequence for sequence in self.deadlines() if sequence > count.upto]
        )
        count = self.memo["count"] = reduce(Count.after, more, count)
        return count.now

    def deadlines(self) -> list[int]:
        """Where in the log the ballot's own deadline and that of its extension have passed."""
        return [self.passed[name].sequence for name in deadline_timers(self.ballot) if name in self.passed]


def _as_cast(terms: BallotOpened, voter: str, heard: Heard) -> Cast:
    vote = heard.fact if isinstance(heard.fact, VoteCast) else None
    if vote is None:
        return Cast(heard.sequence, voter, None, f"the stored vote can't be read: {heard.fault}"[:500])
    return Cast(heard.sequence, voter, vote, fault(terms, vote))


def ballot_in(address: Address) -> str | None:
    """The ballot that a fact is about; None when it is about none."""
    match address.noun:
        case "ballot" | "vote" | "decision":
            return address.names[0]
        case "timer":
            return ballot_of_timer(address.names[0])
        case "failure":
            asked = ballot_of(address.names[0])
        case "task":
            asked = ballot_of(address.names[1])
        case "gate":
            return address.names[0]
        case _:
            return None
    return asked[0] if asked else None


def fold(box: Box, heard: Heard) -> Box:
    """The box with this fact as well; the first fact of a name stays."""
    return replace(box, **_new(box, heard))


def _new(box: Box, heard: Heard) -> dict[str, Any]:
    """The fields of the box that the fact changes."""
    noun, names, new = heard.address.noun, heard.address.names, dict[str, Any]()
    match noun:
        case "ballot" if box.opened is None:
            new = {"opened": heard}
        case "vote" if names[1] not in box.cast:
            new = {"cast": {**box.cast, names[1]: heard}}
        case "task" if (asked := ballot_of(names[1])) is not None:
            new = {"asked": box.asked | {asked[1]}}
        case "failure" if (asked := ballot_of(names[0])) is not None:
            new = {"failed": {**box.failed, asked[1]: _reason(heard)}}
        case "timer" if names[0] not in box.passed:
            new = {"passed": {**box.passed, names[0]: Passed(heard.sequence, heard.at)}}
        case "decision" if box.decided is None:
            new = {"decided": heard}
        case "gate":
            new = {"has_gate": True}
    return new


def _reason(heard: Heard) -> str:
    return heard.fact.reason if isinstance(heard.fact, TaskFailed) else f"its failure can't be read: {heard.fault}"
