"""A ballot as it looks from outside: a pure fold of its facts, counted again the way the fleet counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from contracts.message import Message
from contracts.subjects import Address
from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen, VoteCast, deadline_timers
from workers.cli.entries import Entry, ordered
from workers.consensus.box import Box, Heard, ballot_in, fold
from workers.consensus.decisions import as_decision
from workers.consensus.objections import objections
from workers.consensus.reading import Cast, contenders
from workers.consensus.tally import Counted, Tally, how_counted, tally

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class VoteSeen:
    """A vote in the log. `said` is what it says, in words; `reason` why it does not count, or why it is no preference.
    `stands_for` is empty for an abstention."""

    voter: str
    sequence: int
    at: datetime
    counted: Counted
    said: str
    reason: str = ""
    rationale: str = ""
    target: str = ""


@dataclass(frozen=True)
class BallotSeen:
    """A ballot with all that the log has of it. `tally` is our own count; None for a ballot that can't be held, and
    then `wrong` says why."""

    terms: BallotOpened
    opened_at: datetime
    tally: Tally | None
    wrong: tuple[str, ...] = ()
    votes: tuple[VoteSeen, ...] = ()
    asked: tuple[str, ...] = ()
    decision: DecisionMade | None = None
    decided_at: datetime | None = None
    spoiled: str = ""
    deadline: datetime | None = None
    gate: GateOpened | None = None
    approval: ApprovalGiven | None = None
    turned_out: OutcomeSeen | None = None

    @property
    def name(self) -> str:
        """The ballot's name."""
        return self.terms.ballot

    @property
    def is_decided(self) -> bool:
        """Whether there is a decision; a spoiled one is one too, because its name is used up."""
        return self.decision is not None or bool(self.spoiled)

    @property
    def outcome(self) -> str:
        """The option that won, `undecided`, `escalated` or `refused`; empty while it is open."""
        if self.decision is None:
            return "undecided" if self.spoiled else ""
        by = self.decision.by
        return self.decision.option or (by if by in ("escalated", "refused") else "undecided")

    @property
    def waits_for_person(self) -> bool:
        """Whether a person is asked and has not answered."""
        return self.gate is not None and self.approval is None

    @property
    def missing(self) -> tuple[str, ...]:
        """Whose votes may still come."""
        return () if self.tally is None or self.is_decided else self.tally.missing

    @property
    def recount(self) -> str:
        """How the recorded decision compares with our own count: `same`, or what differs; empty while it is open."""
        if self.decision is None:
            return ""
        if self.tally is None:
            return "same" if self.decision.by == "refused" else "it can't be held, and was decided"
        if self.tally.is_open:
            return "by our count it is still open"
        meant = as_decision(self.terms, self.tally)
        fields = [name for name in _COMPARED if getattr(meant, name) != getattr(self.decision, name)]
        said = [f"{name} is {getattr(self.decision, name)!r}, counted {getattr(meant, name)!r}" for name in fields]
        return "; ".join(said) or "same"


_COMPARED = ("option", "by", "counts", "votes", "abstained", "upto", "early")


def ballots_seen(entries: Iterable[Entry]) -> tuple[BallotSeen, ...]:
    """All ballots of a run, in the order in which they were opened."""
    facts = ordered(entries)
    opened = [(entry, entry.message) for entry in facts if isinstance(entry.message, BallotOpened)]
    if not opened:
        return ()
    boxes = {terms.ballot: Box(terms.tenant, terms.run, terms.ballot) for _, terms in opened}
    asked: dict[str, list[str]] = {}
    for entry in facts:
        heard = _heard(entry, opened[0][1])
        about = ballot_in(heard.address)
        if about in boxes:
            known = boxes[about].asked
            boxes[about] = fold(boxes[about], heard)
            asked.setdefault(about, []).extend(boxes[about].asked - known)
    return tuple(
        _seen(entry, terms, boxes[terms.ballot], asked.get(terms.ballot, ()), facts) for entry, terms in opened
    )


def ballot_seen(entries: Iterable[Entry], ballot: str) -> BallotSeen | None:
    """One ballot of a run, if it was opened and can be read."""
    return next((seen for seen in ballots_seen(entries) if seen.name == ballot), None)


def is_about(entry: Entry, terms: BallotOpened) -> bool:
    """Whether a fact of its run is about this ballot."""
    return terms.ballot in (ballot_in(_heard(entry, terms).address), entry.name.removeprefix("approval."))


def _heard(entry: Entry, of: BallotOpened) -> Heard:
    noun, *names = entry.name.split(".")
    address = Address(of.tenant, of.run, noun, tuple(names))
    return Heard(address, entry.sequence, entry.at.timestamp(), entry.message, entry.spoiled)


def _seen(opening: Entry, terms: BallotOpened, box: Box, asked: Sequence[str], facts: Sequence[Entry]) -> BallotSeen:
    wrong = objections(terms)
    counted = None if wrong else tally(terms, box.votes(terms), box.deadlines(), opening.sequence)
    at = {entry.sequence: entry.at for entry in facts}
    return BallotSeen(
        terms=terms,
        opened_at=opening.at,
        tally=counted,
        wrong=wrong,
        votes=tuple(_vote(terms, cast, at, counted, opening.sequence) for cast in sorted(box.votes(terms))),
        asked=tuple(asked),
        decision=box.decision,
        decided_at=at[box.decided.sequence] if box.decided else None,
        spoiled=box.decided.fault if box.decided and box.decision is None else "",
        deadline=_deadline(terms, opening.at, counted, {name: at[one.sequence] for name, one in box.passed.items()}),
        gate=_of(facts, GateOpened, f"gate.{terms.ballot}"),
        approval=_of(facts, ApprovalGiven, f"approval.{terms.ballot}"),
        turned_out=_of(facts, OutcomeSeen, f"outcome.{terms.ballot}"),
    )


def _of(facts: Sequence[Entry], kind: type[M], name: str) -> M | None:
    return next((entry.message for entry in facts if entry.name == name and isinstance(entry.message, kind)), None)


def _deadline(
    terms: BallotOpened, opened_at: datetime, counted: Tally | None, passed: Mapping[str, datetime]
) -> datetime | None:
    """Until when votes count; None when only the fleet knows, because the ballot leaves it to the fleet's default."""
    first, _ = deadline_timers(terms.ballot)
    if counted is not None and counted.extended and terms.extension_s and first in passed:
        return passed[first] + timedelta(seconds=terms.extension_s)
    return opened_at + timedelta(seconds=terms.deadline_s) if terms.deadline_s else None


def _vote(terms: BallotOpened, cast: Cast, at: Mapping[int, datetime], counted: Tally | None, opened: int) -> VoteSeen:
    how, reason = how_counted(terms, cast, counted, opened)
    vote = cast.vote
    return VoteSeen(
        voter=cast.voter,
        sequence=cast.sequence,
        at=at[cast.sequence],
        counted=how,
        said=vote_in_words(terms, vote) if vote else "",
        reason=reason,
        rationale=vote.rationale if vote else "",
        target=vote.target if vote else "",
    )


def vote_in_words(terms: BallotOpened, vote: VoteCast) -> str:
    """What a vote says, as its ballot's rule reads it; empty when it states no preference."""
    ways = {
        "approval": ", ".join(vote.approved),
        "ranked": " > ".join(vote.ranking),
        "score": ", ".join(f"{option} {score}" for option, score in vote.scores.items()),
    }
    first = ways.get(terms.rule, "") or vote.choice or ""
    return first or next((said for said in ways.values() if said), "")


def counts_of(seen: BallotSeen) -> dict[str, int]:
    """The counts by option: those of the decision, else our own; every option that can win is there."""
    recorded = seen.decision.counts if seen.decision and seen.decision.counts else None
    counts = recorded if recorded is not None else (seen.tally.counts if seen.tally else {})
    return {option: counts.get(option, 0) for option in contenders(seen.terms)}


def unit_of(rule: str) -> str:
    """What the counts of a rule are: the plural of it."""
    return {"approval": "approvals", "ranked": "pairwise wins", "weighted": "weight", "score": "median"}.get(
        rule, "votes"
    )


def figure(rule: str, count: int) -> str:
    """A count as people read it: weights are in millionths."""
    return f"{count / 1_000_000:.2f}" if rule == "weighted" else f"{count:,}"
