"""What a ballot now calls for: pure, and the same for every replica that knows the same facts.

    opened ─ objections ─▶ decision: refused
       │
       ├─ wave: those that could decide it if they agreed ─▶ votes, abstentions of those whose task failed
       │        ▲ nothing is certain yet, all have answered ─┘
       └─ certain, all have answered, or the deadline ─▶ decision ─▶ a gate, if a person is to be asked

Each message that is wanted has a name, and only those are said whose name is not yet in the log.
"""

from dataclasses import dataclass
from typing import NamedTuple

from contracts.message import Message
from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import (
    BallotOpened,
    DecisionMade,
    Option,
    Panelist,
    VoteCast,
    deadline_timers,
    voting_task,
)
from contracts.v1.tasks import CastVote
from workers.consensus.box import Box
from workers.consensus.decisions import as_decision
from workers.consensus.objections import objections
from workers.consensus.tally import Tally, contenders
from workers.consensus.waves import next_wave

LONGEST_REASON = 4_000


class SetTimer(NamedTuple):
    """A deadline that the broker is to keep: the timer's name and its time in seconds since the epoch."""

    name: str
    at: float


@dataclass(frozen=True)
class Wanted:
    """The messages may go out at once. So may the timers; setting one again changes nothing."""

    messages: tuple[Message, ...] = ()
    timers: tuple[SetTimer, ...] = ()


NOTHING = Wanted()


def decide(box: Box, default_deadline_s: int) -> Wanted:
    """Return what this ballot now calls for and whose name is not yet in the log."""
    if box.opened is None:
        return NOTHING
    if box.decided is not None:
        return _after(box)
    terms = box.terms
    if terms is None:
        return Wanted((_refused(box, f"the ballot does not validate: {box.opened.fault}"),))
    if wrong := objections(terms):
        return Wanted((_refused(box, "; ".join(wrong)),))
    now = box.standing(terms)
    if not now.is_open:
        return Wanted((as_decision(terms, now),))
    messages = (*_abstentions(box, now), *_wave(box, terms, now, default_deadline_s))
    return Wanted(messages, timers_of(box, terms, now, default_deadline_s))


def _after(box: Box) -> Wanted:
    """A gate, when a person is to say what the voters could not."""
    terms, decision = box.terms, box.decision
    if box.has_gate or terms is None or decision is None or decision.by != "escalated":
        return NOTHING
    question = f"{terms.question} (ballot {box.ballot} is left to you: {decision.reason})"[:20_000]
    options = contenders(terms)
    return Wanted((GateOpened(tenant=box.tenant, run=box.run, gate=box.ballot, question=question, options=options),))


def _refused(box: Box, reason: str) -> DecisionMade:
    return DecisionMade(
        tenant=box.tenant, run=box.run, ballot=box.ballot, option=None, by="refused", reason=reason[:LONGEST_REASON]
    )


def _abstentions(box: Box, now: Tally) -> list[VoteCast]:
    """The votes of those whose voting task failed: nobody else would ever say anything in their name.

    Who is not on the panel votes in person, whatever anybody publishes as the failure of a task for it.
    """
    panel = {one.voter for one in box.terms.panel} if box.terms else set[str]()
    return [
        VoteCast(
            tenant=box.tenant,
            run=box.run,
            ballot=box.ballot,
            voter=voter,
            because=f"the voting task failed: {reason}"[:LONGEST_REASON],
            task=voting_task(box.ballot, voter),
        )
        for voter, reason in sorted(box.failed.items())
        if voter in panel and voter in now.missing and voter not in box.cast
    ]


def _wave(box: Box, terms: BallotOpened, now: Tally, default_deadline_s: int) -> list[CastVote]:
    options = {option.option: option for option in terms.options}
    shown = tuple(options[name] for name in contenders(terms))
    deadline_s = terms.deadline_s or default_deadline_s
    return [_task(terms, one, shown, deadline_s) for one in next_wave(terms, now, box.asked)]


def _task(terms: BallotOpened, one: Panelist, shown: tuple[Option, ...], deadline_s: int) -> CastVote:
    return CastVote(
        tenant=terms.tenant,
        run=terms.run,
        role=one.role,
        task=voting_task(terms.ballot, one.voter),
        model=one.target,
        budget=terms.budget,
        deadline_s=deadline_s,
        ballot=terms.ballot,
        voter=one.voter,
        persona=one.persona,
        question=terms.question,
        context=terms.context,
        options=shown,
        rule=terms.rule,
        score_max=terms.score_max,
        signed=terms.signed,
    )


def timers_of(box: Box, terms: BallotOpened, now: Tally, default_deadline_s: int) -> tuple[SetTimer, ...]:
    """The deadline that the ballot waits for, counted from its opening; after it, that of its extension."""
    first, second = deadline_timers(box.ballot)
    if box.opened is None:
        return ()
    if not now.extended:
        return (SetTimer(first, box.opened.at + (terms.deadline_s or default_deadline_s)),)
    if first in box.passed and terms.extension_s and second not in box.passed:
        return (SetTimer(second, box.passed[first].at + terms.extension_s),)
    return ()
