"""The tally: a ballot's votes in the order of the log, counted until the outcome is certain, the time is up, or all
have answered.

    vote, vote, vote, … ──▶ after each: is the quorum there, and the outcome certain?   yes: decided, upto this one
    deadline            ──▶ what is there counts; what comes later is recorded and does not count
    no quorum, no winner ─▶ the ballot's own policy, as soon as those who are missing are too few for the quorum

The order is that of the stream, which is the same for everybody, and the decision falls at the first vote that makes it
certain. So all who count, at whatever moment and however often, find the same decision or none yet.

A valid vote without a preference is an abstention: it counts for the quorum and nowhere else. An invalid vote (see
`reading.invalid`) counts nowhere, not even for the quorum, and is kept with its reason. If a member of the electorate
cast it, nobody waits for that member any more: the log keeps a voter's first vote and refuses another, so the next wave
asks somebody else. A missing voter may thus answer, abstain, or turn out invalid, which is to the rules as if it stayed
away; `certain` holds whatever of these it does. The quorum is never foreseen: a decision by votes falls only when that
many valid votes are there. What is too few for it is foreseen, because valid votes never become more than those that
are there and those that are missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from hashlib import sha256
from typing import Literal, NamedTuple

from contracts.v1.ballots import BallotOpened, VoteCast
from workers.consensus.reading import (
    Cast,
    answer_of,
    as_counted,
    canonical,
    contenders,
    electors,
    invalid,
    stands_for,
)
from workers.consensus.rules import ONE, Answer, Standing, standing

__all__ = ["Cast", "Tally", "as_counted", "canonical", "contenders", "electors", "tally"]


Counted = Literal["counted", "abstained", "invalid", "late"]
"""What became of a vote."""


@dataclass(frozen=True)
class Tally:
    """How a ballot stands. `by` is what decided: `rule`, `tie-…`, `default`, `undecided` or `escalated`; empty while it
    is open. `upto` is the sequence of the vote or deadline that decided; while it is open, of an elector's last vote.
    `extended` asks for the second time.

    `answers` are the valid votes as the rules read them, `counted` the same as they were cast; `invalid` are voters and
    why their votes are not among them. All are in the order of the log.
    """

    option: str | None = None
    by: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    votes: int = 0
    abstained: int = 0
    upto: int = 0
    early: bool = False
    extended: bool = False
    reason: str = ""
    answers: tuple[Answer, ...] = ()
    missing: tuple[str, ...] = ()
    counted: tuple[VoteCast, ...] = ()
    invalid: tuple[tuple[str, str], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no decision yet."""
        return not self.by


class Event(NamedTuple):
    """What can end a ballot: a vote, or one of its deadlines, which has none."""

    sequence: int
    cast: Cast | None


@dataclass(frozen=True)
class Count:
    """A count under way, after `events` of the ballot's events, the last of them at `upto`. `now` is how it stands.

    Each event takes time that grows with the votes before it and no more, so a large electorate is counted as its votes
    come in and not anew at each.
    """

    ballot: BallotOpened
    opened: int
    now: Tally
    late: int = 0
    voted: frozenset[str] = frozenset()
    events: int = 0
    upto: int = 0

    def after(self, event: Event) -> "Count":
        """The count with the next event as well; nothing changes what is decided."""
        if not self.now.is_open:
            return replace(self, events=self.events + 1, upto=event.sequence)
        count = self._timed(event.sequence) if event.cast is None else self._voted(event.cast)
        return replace(count, events=self.events + 1, upto=event.sequence)

    def _timed(self, sequence: int) -> "Count":
        ballot, late = self.ballot, self.late + 1
        if ballot.no_quorum == "extend" and late == 1 and ballot.extension_s and _winner(ballot, self.now) is None:
            return replace(self, late=late, now=replace(self.now, extended=True))
        return replace(self, late=late, now=_ended(ballot, replace(self.now, upto=sequence)))

    def _voted(self, cast: Cast) -> "Count":
        if cast.voter in self.voted:
            return self
        now = _with(self.ballot, self.now, cast, invalid(self.ballot, cast, self.opened))
        return replace(self, now=now, voted=self.voted | {cast.voter})


def begun(ballot: BallotOpened, opened: int = 0) -> Count:
    """A count of nothing yet; `opened` is the sequence of the ballot."""
    ballot, now = as_counted(ballot), Tally(missing=electors(ballot))
    if len(now.missing) < ballot.quorum:
        now = _out_of_reach(ballot, now)
    return Count(ballot, opened, now)


def events_of(cast: Iterable[Cast], deadlines: Iterable[int]) -> list[Event]:
    """Votes and deadlines in the order of the log."""
    events = [*(Event(one.sequence, one) for one in cast), *(Event(at, None) for at in set(deadlines))]
    return sorted(events, key=lambda event: event.sequence)


def tally(ballot: BallotOpened, cast: Sequence[Cast], deadlines: Sequence[int] = (), opened: int = 0) -> Tally:
    """Count. `cast` may be in any order and hold a voter twice; `deadlines` are the sequences of the ballot's timers:
    its own, and that of its extension; `opened` is that of the ballot. Raises `UnknownRule`."""
    return reduce(Count.after, events_of(cast, deadlines), begun(ballot, opened)).now


def _with(ballot: BallotOpened, now: Tally, cast: Cast, fault: str) -> Tally:
    if fault:
        now = replace(now, invalid=(*now.invalid, (cast.voter, fault)))
    if cast.voter not in now.missing:
        return now
    now = replace(now, missing=tuple(voter for voter in now.missing if voter != cast.voter), upto=cast.sequence)
    if not fault and cast.vote is not None:
        answer = answer_of(ballot, cast)
        abstained = now.abstained + answer.abstains
        now = replace(
            now,
            answers=(*now.answers, answer),
            counted=(*now.counted, cast.vote),
            votes=now.votes + 1,
            abstained=abstained,
        )
    found = standing(ballot, contenders(ballot), now.answers, now.missing)
    now = replace(now, counts=found.counts, early=False)
    if now.votes + len(now.missing) < ballot.quorum:
        return _out_of_reach(ballot, now)
    if now.votes < ballot.quorum or not found.certain:
        return now
    return _decided(ballot, replace(now, early=bool(now.missing)), found)


def _out_of_reach(ballot: BallotOpened, now: Tally) -> Tally:
    """However those who are missing vote, they are too few: there is nothing to wait or to ask for."""
    if not now.votes and not now.missing and not now.invalid:
        return _without_winner(ballot, now, "nobody may vote")
    of_whom = f"{now.votes} valid votes are there and {len(now.missing)} may still come"
    why = f"{of_whom}, too few for the {ballot.quorum} that it takes"
    return _without_winner(ballot, replace(now, early=bool(now.missing)), why)


def _ended(ballot: BallotOpened, now: Tally) -> Tally:
    """The time is up, or all have answered: what is there counts, if it is enough."""
    if now.votes < ballot.quorum:
        return _without_winner(ballot, now, f"{now.votes} of the {ballot.quorum} answers that it takes came")
    return _decided(ballot, now, standing(ballot, contenders(ballot), now.answers, ()))


def _winner(ballot: BallotOpened, now: Tally) -> str | None:
    if now.votes < ballot.quorum:
        return None
    found = standing(ballot, contenders(ballot), now.answers, ())
    return _first_of(ballot, now, found)[0]


def how_counted(ballot: BallotOpened, cast: Cast, now: Tally | None, opened: int) -> tuple[Counted, str]:
    """What became of a vote, and why it does not count or is no preference. `now` is None where the ballot can't be
    held, `opened` is the ballot's sequence."""
    if now is None:
        return "invalid", "the ballot can't be held"
    if not now.is_open and cast.sequence > now.upto:
        return "late", "it came after the decision"
    if reason := invalid(ballot, cast, opened):
        return "invalid", reason
    if answer_of(ballot, cast).abstains:
        return "abstained", cast.vote.because if cast.vote else ""
    return "counted", ""


def _first_of(ballot: BallotOpened, now: Tally, found: Standing) -> tuple[str | None, str]:
    """The winner and what decided: the rule, or of equals the first declared tie-break that tells them apart."""
    if len(found.leaders) == 1:
        return found.leaders[0], "rule"
    order = ballot.tie_order or (("status_quo",) if ballot.tie == "status_quo" else ())
    for tie_break in order if found.leaders else ():
        if tie_break == "status_quo" and ballot.status_quo in found.leaders:
            return ballot.status_quo, "tie-status_quo"
        if tie_break == "weight" and (heaviest := _heaviest(ballot, now, found.leaders)) is not None:
            return heaviest, "tie-weight"
        if tie_break == "hash":
            return min(found.leaders, key=lambda option: _hash(ballot, option)), "tie-hash"
    return None, ""


def _heaviest(ballot: BallotOpened, now: Tally, leaders: Sequence[str]) -> str | None:
    weights = dict.fromkeys(leaders, 0)
    for answer in now.answers:
        for option in stands_for(ballot.rule, answer):
            if option in weights:
                weights[option] += ballot.weights.get(answer.voter, ONE)
    most = [option for option, weight in weights.items() if weight == max(weights.values())]
    return most[0] if len(most) == 1 else None


def _hash(ballot: BallotOpened, option: str) -> str:
    return sha256(f"{ballot.tenant}/{ballot.run}/{ballot.ballot}/{option}".encode()).hexdigest()


def _decided(ballot: BallotOpened, now: Tally, found: Standing) -> Tally:
    option, by = _first_of(ballot, now, found)
    if option is None:
        equal = f"{' and '.join(found.leaders)} are equal" if found.leaders else f"no option wins by {ballot.rule}"
        return _without_winner(ballot, replace(now, counts=found.counts), equal)
    early = f", with {len(now.missing)} not asked or missing that could not change it" if now.early else ""
    how = _how(ballot, found) if by == "rule" else f"among equals by {by.removeprefix('tie-')}"
    reason = f"{option} wins {how} after {now.votes} of {len(ballot.electorate)} answers{early}"
    return replace(now, option=option, by=by, counts=found.counts, reason=reason)


def _how(ballot: BallotOpened, found: Standing) -> str:
    first, second, *_ = (*sorted(found.counts.values(), reverse=True), 0, 0)
    if ballot.rule == "ahead" and first - second < ballot.ahead_by:
        return f"with the most votes, though not {ballot.ahead_by} ahead,"
    return f"by {ballot.rule}"


def _without_winner(ballot: BallotOpened, now: Tally, why: str) -> Tally:
    """The ballot's own policy. An extension that is over, or has nothing to wait for, leaves it undecided."""
    if ballot.no_quorum == "default" and ballot.default_option is not None:
        return replace(now, option=ballot.default_option, by="default", reason=f"{why}; the default is taken")
    if ballot.no_quorum == "escalate":
        return replace(now, by="escalated", reason=f"{why}; a person is asked")
    return replace(now, by="undecided", reason=why)
