"""The tally: a ballot's votes in the order of the log, counted until the outcome is certain, the time is up, or all
have answered.

    vote, vote, vote, … ──▶ after each: is the quorum there, and the outcome certain?   yes: decided, upto this one
    deadline            ──▶ what is there counts; what comes later is recorded and does not count
    no quorum, no winner ─▶ the ballot's own policy

The order is that of the stream, which is the same for everybody, and the decision falls at the first vote that makes it
certain. So all who count, at whatever moment and however often, find the same decision or none yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from contracts.v1.ballots import BallotOpened, VoteCast
from workers.consensus.rules import ONE, Answer, Standing, standing


class Cast(NamedTuple):
    """A vote as the log holds it. `vote` is None where the stored fact can't be read: its voter abstains.
    `refused` says why one that can be read does not count as cast, say a wrong signature."""

    sequence: int
    voter: str
    vote: VoteCast | None
    refused: str = ""


@dataclass(frozen=True)
class Tally:
    """How a ballot stands. `by` is what decided: `rule`, `tie-…`, `default`, `undecided` or `escalated`; empty while it
    is open. `upto` is the sequence of the last vote, or deadline, that counted. `extended` asks for the second time."""

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

    @property
    def is_open(self) -> bool:
        """Whether there is no decision yet."""
        return not self.by


def canonical(ballot: BallotOpened) -> Mapping[str, str]:
    """Each eligible option and the one that it counts for: of those with the same content, the first."""
    first: dict[str, str] = {}
    eligible = [option for option in ballot.options if option.eligible]
    return {
        option.option: first.setdefault(option.content or f"-{option.option}", option.option) for option in eligible
    }


def contenders(ballot: BallotOpened) -> tuple[str, ...]:
    """The options that can win, in the ballot's order."""
    return tuple(dict.fromkeys(canonical(ballot).values()))


def as_counted(ballot: BallotOpened) -> BallotOpened:
    """The ballot with its status quo and its default under the names that they count for; none where they can't win."""
    named = canonical(ballot)
    kept, default = named.get(ballot.status_quo or ""), named.get(ballot.default_option or "")
    return ballot.model_copy(update={"status_quo": kept, "default_option": default})


def electors(ballot: BallotOpened) -> tuple[str, ...]:
    """Who may vote: the electorate without panelists of excluded families, so that nothing waits for those."""
    excluded = {one.voter for one in ballot.panel if one.family in ballot.exclude_families}
    return tuple(voter for voter in dict.fromkeys(ballot.electorate) if voter not in excluded)


def answer_of(ballot: BallotOpened, cast: Cast) -> Answer:
    """A vote as the rules read it. What is not among the options is no preference; of identical options the highest
    score and the best rank count."""
    vote, named = cast.vote, canonical(ballot)
    if vote is None or cast.refused:
        return Answer(cast.voter)
    ascending = sorted(vote.scores.items(), key=lambda scored: scored[1])
    scores = {named[option]: score for option, score in ascending if option in named}
    return Answer(
        cast.voter,
        named.get(vote.choice) if vote.choice is not None else None,
        frozenset(named[option] for option in vote.approved if option in named),
        tuple(dict.fromkeys(named[option] for option in vote.ranking if option in named)),
        tuple(sorted(scores.items())),
    )


def tally(ballot: BallotOpened, cast: Sequence[Cast], deadlines: Sequence[int] = ()) -> Tally:
    """Count. `cast` may be in any order and hold a voter twice; `deadlines` are the sequences of the ballot's timers:
    its own, and that of its extension. Raises `UnknownRule`."""
    ballot, now = as_counted(ballot), Tally(missing=electors(ballot))
    if not now.missing:
        return _without_winner(ballot, now, "nobody may vote")
    events = sorted(
        [(one.sequence, one) for one in cast] + [(at, None) for at in set(deadlines)], key=lambda event: event[0]
    )
    late = 0
    for sequence, vote in events:
        if vote is None:
            late += 1
            if ballot.no_quorum == "extend" and late == 1 and ballot.extension_s and _winner(ballot, now) is None:
                now = replace(now, extended=True)
                continue
            return _ended(ballot, replace(now, upto=sequence))
        if vote.voter in now.missing:
            now = _with(ballot, now, vote)
            if not now.is_open:
                return now
    return now


def _with(ballot: BallotOpened, now: Tally, cast: Cast) -> Tally:
    answer = answer_of(ballot, cast)
    missing = tuple(voter for voter in now.missing if voter != cast.voter)
    answers = (*now.answers, answer)
    found = standing(ballot, contenders(ballot), answers, missing)
    now = replace(
        now,
        counts=found.counts,
        votes=len(answers),
        abstained=now.abstained + answer.abstains,
        upto=cast.sequence,
        answers=answers,
        missing=missing,
    )
    if len(answers) < ballot.quorum:
        return now if missing else _ended(ballot, now)
    if not found.certain:
        return now
    return _decided(ballot, replace(now, early=bool(missing)), found)


def _ended(ballot: BallotOpened, now: Tally) -> Tally:
    """The time is up, or all have answered: what is there counts, if it is enough."""
    if len(now.answers) < ballot.quorum:
        return _without_winner(ballot, now, f"{len(now.answers)} of the {ballot.quorum} answers that it takes came")
    return _decided(ballot, now, standing(ballot, contenders(ballot), now.answers, ()))


def _winner(ballot: BallotOpened, now: Tally) -> str | None:
    if len(now.answers) < ballot.quorum:
        return None
    found = standing(ballot, contenders(ballot), now.answers, ())
    return _first_of(ballot, now, found)[0]


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
        for option in _side(ballot.rule, answer):
            if option in weights:
                weights[option] += ballot.weights.get(answer.voter, ONE)
    most = [option for option, weight in weights.items() if weight == max(weights.values())]
    return most[0] if len(most) == 1 else None


def _side(rule: str, answer: Answer) -> Collection[str | None]:
    """The options that a voter stands for, as the rule reads the answer."""
    if rule == "approval" and answer.approved:
        return answer.approved
    return answer.ranking[:1] if rule == "ranked" and answer.ranking else (answer.choice,)


def _hash(ballot: BallotOpened, option: str) -> str:
    return sha256(f"{ballot.tenant}/{ballot.run}/{ballot.ballot}/{option}".encode()).hexdigest()


def _decided(ballot: BallotOpened, now: Tally, found: Standing) -> Tally:
    option, by = _first_of(ballot, now, found)
    if option is None:
        equal = f"{' and '.join(found.leaders)} are equal" if found.leaders else f"no option wins by {ballot.rule}"
        return _without_winner(ballot, replace(now, counts=found.counts), equal)
    early = f", with {len(now.missing)} not asked or missing that could not change it" if now.early else ""
    how = f"by {ballot.rule}" if by == "rule" else f"among equals by {by.removeprefix('tie-')}"
    reason = f"{option} wins {how} after {now.votes} of {len(ballot.electorate)} answers{early}"
    return replace(now, option=option, by=by, counts=found.counts, reason=reason)


def _without_winner(ballot: BallotOpened, now: Tally, why: str) -> Tally:
    """The ballot's own policy. An extension that is over, or has nothing to wait for, leaves it undecided."""
    if ballot.no_quorum == "default" and ballot.default_option is not None:
        return replace(now, option=ballot.default_option, by="default", reason=f"{why}; the default is taken")
    if ballot.no_quorum == "escalate":
        return replace(now, by="escalated", reason=f"{why}; a person is asked")
    return replace(now, by="undecided", reason=why)
