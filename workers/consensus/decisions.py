"""The fact that a tally becomes: what was decided, by which votes and why, small enough for the bus."""

from collections.abc import Sequence

from contracts.message import MAX_PAYLOAD_BYTES
from contracts.v1.ballots import BallotOpened, CountedVote, DecisionMade, InvalidVote
from workers.consensus.reading import contenders, stands_for
from workers.consensus.tally import Tally

LONGEST_TEXT = 4_000
"""Characters that are repeated of one vote's reasons."""

LONGEST_TEXTS = 200_000
"""Characters that are repeated of all votes' reasons; where they are many, each gets the same part."""

LARGEST = MAX_PAYLOAD_BYTES * 9 // 10
"""Bytes of a decision. Characters that take several bytes may need still shorter texts."""

MOST_INVALID = 100
"""Invalid votes that are told one by one."""

LONGEST_REASON = 1_000


def as_decision(ballot: BallotOpened, now: Tally) -> DecisionMade:
    """The decision of a ballot that has one. The texts are cut until all fits; the votes themselves have the whole.

    Raises ValueError while the ballot is open.
    """
    if now.is_open:
        raise ValueError(f"ballot {ballot.ballot} is not decided yet, so there is no decision to write down")
    bare = DecisionMade(
        tenant=ballot.tenant,
        run=ballot.run,
        ballot=ballot.ballot,
        option=now.option,
        counts=dict(now.counts),
        reason=_cut(now.reason, LONGEST_TEXT),
        by=now.by,
        votes=now.votes,
        abstained=now.abstained,
        upto=now.upto,
        early=now.early,
        invalid=_invalid(now.invalid),
    )
    fair = min(LONGEST_TEXT, LONGEST_TEXTS // max(1, len(now.counted))) - 1
    for longest in (fair, fair // 4, fair // 16, 0):
        decision = bare.model_copy(update={"counted": _counted(ballot, now, longest)})
        if len(decision.model_dump_json().encode()) <= LARGEST:
            return decision
    return bare


def _counted(ballot: BallotOpened, now: Tally, longest: int) -> tuple[CountedVote, ...]:
    order = contenders(ballot)
    return tuple(
        CountedVote(
            voter=answer.voter,
            options=tuple(option for option in order if option in stands_for(ballot.rule, answer)),
            text=_cut((vote.rationale or vote.because).strip(), longest),
            task=vote.task,
        )
        for answer, vote in zip(now.answers, now.counted, strict=True)
    )


def _invalid(found: Sequence[tuple[str, str]]) -> tuple[InvalidVote, ...]:
    told = found if len(found) <= MOST_INVALID else found[: MOST_INVALID - 1]
    votes = [InvalidVote(voter=voter, reason=_cut(reason, LONGEST_REASON)) for voter, reason in told]
    if more := found[len(told) :]:
        votes.append(InvalidVote(voter=more[0][0], reason=f"{more[0][1][:LONGEST_REASON]}; and {len(more) - 1} more"))
    return tuple(votes)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…" if longest else ""
