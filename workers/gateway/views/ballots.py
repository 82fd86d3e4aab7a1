"""The ballots of a run: options, votes, how they stand by our own count, and what was decided."""

from datetime import datetime, timedelta

from pydantic import Field

from contracts.v1.approvals import ApprovalGiven
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen, deadline_timers
from contracts.v1.projects import Evidence, FileRef
from workers.consensus.box import Box
from workers.consensus.decisions import as_decision
from workers.consensus.objections import objections
from workers.consensus.reading import canonical, why_not
from workers.consensus.tally import Tally
from workers.gateway.views.facts import RunFacts, View
from workers.gateway.views.votes import TallyView, VoteView, tally_of, votes_of

_COMPARED = ("option", "by", "counts", "votes", "abstained", "upto", "early")


class OptionView(View):
    """One possible answer. `why_not` says why it can't win; `counts_for` is the option of the same content that its
    votes go to, itself for most."""

    option: str
    title: str = ""
    text: str = ""
    author: str = ""
    content: str | None = None
    files: tuple[FileRef, ...] = ()
    evidence: Evidence | None = None
    why_not: str = ""
    counts_for: str = ""


class DecisionView(View):
    """What was decided. `by` says by what (see `DecisionMade`), `recount` is `same`, or how our own count differs;
    `spoiled` says why the stored decision can't be read."""

    option: str | None = None
    by: str = ""
    reason: str = ""
    at: datetime
    counts: dict[str, int] = Field(default_factory=dict)
    votes: int = 0
    abstained: int = 0
    upto: int = 0
    early: bool = False
    recount: str = ""
    spoiled: str = ""


class BallotView(View):
    """A ballot with all that the log has of it. `wrong` says why it can't be held, `spoiled` why it can't be read.

    `asked` are the voters whom the fleet has asked. `deadline` is None where only the fleet knows it. `outcome` is the
    option that was taken, `undecided`, `escalated` or `refused`; empty while it is open. `answered_by` is the person
    who decided what the voters could not.
    """

    ballot: str
    question: str = ""
    context: str = ""
    rule: str = ""
    threshold: str = ""
    options: tuple[OptionView, ...] = ()
    electorate: tuple[str, ...] = ()
    quorum: int = 0
    opened_at: datetime
    opened_by: str = ""
    deadline: datetime | None = None
    asked: tuple[str, ...] = ()
    votes: tuple[VoteView, ...] = ()
    tally: TallyView | None = None
    decision: DecisionView | None = None
    outcome: str = ""
    answered_by: str = ""
    turned_out: OutcomeSeen | None = None
    wrong: tuple[str, ...] = ()
    spoiled: str = ""


def ballots_of(state: RunFacts) -> tuple[BallotView, ...]:
    """All ballots of a run in the order in which they were opened; one of which nothing came is not counted again."""
    opened = [box for box in state.boxes.values() if box.opened is not None]
    return tuple(
        _ballot(state, box) for box in sorted(opened, key=lambda box: box.opened.sequence if box.opened else 0)
    )


def _ballot(state: RunFacts, box: Box) -> BallotView:
    about = tuple(state.names.get(f"{noun}.{box.ballot}") for noun in ("approval", "outcome"))
    return state.derived(f"ballot.{box.ballot}", (box, *about), lambda: _seen(state, box))


def _seen(state: RunFacts, box: Box) -> BallotView:
    opening, terms = state.names[f"ballot.{box.ballot}"], box.terms
    if terms is None:
        made = _decision(state, box, None)
        return BallotView(
            ballot=box.ballot,
            opened_at=opening.at,
            spoiled=opening.spoiled,
            decision=made,
            outcome=_outcome(made, state.fact(f"approval.{box.ballot}", ApprovalGiven)),
        )
    wrong = state.derived(f"objections.{box.ballot}", (terms,), lambda: objections(terms))
    counted = None if wrong else box.standing(terms)
    answer = state.fact(f"approval.{box.ballot}", ApprovalGiven)
    decision = _decision(state, box, counted)
    return BallotView(
        ballot=box.ballot,
        question=terms.question,
        context=terms.context,
        rule=terms.rule,
        threshold="{}/{}".format(*terms.threshold) if terms.rule == "supermajority" else "",
        options=_options(terms),
        electorate=terms.electorate,
        quorum=terms.quorum,
        opened_at=opening.at,
        opened_by=terms.opened_by,
        deadline=_deadline(state, terms, opening.at, counted),
        asked=tuple(sorted(box.asked)),
        votes=votes_of(state, box, terms, counted, opening.sequence),
        tally=tally_of(terms, counted),
        decision=decision,
        outcome=_outcome(decision, answer),
        answered_by=answer.by if answer else "",
        turned_out=state.fact(f"outcome.{box.ballot}", OutcomeSeen),
        wrong=wrong,
    )


def _options(terms: BallotOpened) -> tuple[OptionView, ...]:
    counts_for = canonical(terms)
    return tuple(
        OptionView(
            option=one.option,
            title=one.title,
            text=one.text,
            author=one.author,
            content=one.content,
            files=one.files,
            evidence=one.evidence,
            why_not=why_not(one),
            counts_for=counts_for.get(one.option, ""),
        )
        for one in terms.options
    )


def _decision(state: RunFacts, box: Box, counted: Tally | None) -> DecisionView | None:
    if box.decided is None:
        return None
    at, made = state.names[f"decision.{box.ballot}"].at, box.decision
    if made is None:
        return DecisionView(at=at, spoiled=box.decided.fault)
    return DecisionView(
        option=made.option,
        by=made.by,
        reason=made.reason,
        at=at,
        counts=made.counts,
        votes=made.votes,
        abstained=made.abstained,
        upto=made.upto,
        early=made.early,
        recount=_recount(box.terms, made, counted),
    )


def _recount(terms: BallotOpened | None, made: DecisionMade, counted: Tally | None) -> str:
    if terms is None:
        return "the ballot can't be read"
    if counted is None:
        return "same" if made.by == "refused" else "it can't be held, and was decided"
    if counted.is_open:
        return "by our count it is still open"
    meant = as_decision(terms, counted)
    fields = [name for name in _COMPARED if getattr(meant, name) != getattr(made, name)]
    said = [f"{name} is {getattr(made, name)!r}, counted {getattr(meant, name)!r}" for name in fields]
    return "; ".join(said) or "same"


def _outcome(decision: DecisionView | None, answer: ApprovalGiven | None) -> str:
    if decision is None:
        return ""
    if decision.by == "escalated" and answer is not None:
        return answer.option or answer.verdict
    return decision.option or (decision.by if decision.by in ("escalated", "refused") else "undecided")


def _deadline(state: RunFacts, terms: BallotOpened, opened_at: datetime, counted: Tally | None) -> datetime | None:
    first, _ = deadline_timers(terms.ballot)
    passed = state.names.get(f"timer.{first}")
    if counted is not None and counted.extended and terms.extension_s and passed:
        return passed.at + timedelta(seconds=terms.extension_s)
    return opened_at + timedelta(seconds=terms.deadline_s) if terms.deadline_s else None
