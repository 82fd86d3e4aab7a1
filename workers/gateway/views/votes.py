"""The votes of a ballot as they came in, and how they stand by our own count, which is the fleet's."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from contracts.v1.ballots import BallotOpened, VoteCast
from workers.consensus.box import Box
from workers.consensus.reading import Cast, answer_of, contenders, stands_for
from workers.consensus.tally import Counted, Tally, how_counted
from workers.gateway.views.facts import RunFacts, Seen, View


class VoteView(View):
    """A vote in the log. `stands_for` is empty for one that is no preference; `reason` says why it does not count, or
    why the voter abstained. `sequence` is its place in the log."""

    voter: str
    sequence: int
    at: datetime
    counted: Counted
    stands_for: tuple[str, ...] = ()
    choice: str | None = None
    approved: tuple[str, ...] = ()
    ranking: tuple[str, ...] = ()
    scores: dict[str, int] = Field(default_factory=dict)
    rationale: str = ""
    reason: str = ""
    persona: str = ""
    target: str = ""
    task: str | None = None


class TallyView(View):
    """How the ballot stands by our own count. `counts` has every option that can win: votes, approvals, pairwise wins,
    weight in millionths, or the median score, as the rule counts. `quorum_left` is how many answers it still takes."""

    counts: dict[str, int] = Field(default_factory=dict)
    leading: tuple[str, ...] = ()
    votes: int = 0
    abstained: int = 0
    missing: tuple[str, ...] = ()
    quorum_left: int = 0
    extended: bool = False
    open: bool = True


def tally_of(terms: BallotOpened, counted: Tally | None) -> TallyView | None:
    if counted is None:
        return None
    counts = {option: counted.counts.get(option, 0) for option in contenders(terms)}
    most = max(counts.values(), default=0)
    return TallyView(
        counts=counts,
        leading=tuple(option for option, count in counts.items() if count == most and most > 0),
        votes=counted.votes,
        abstained=counted.abstained,
        missing=counted.missing,
        quorum_left=max(0, terms.quorum - counted.votes),
        extended=counted.extended,
        open=counted.is_open,
    )


def votes_of(
    state: RunFacts, box: Box, terms: BallotOpened, counted: Tally | None, opened: int
) -> tuple[VoteView, ...]:
    personas = {one.voter: one.persona for one in terms.panel}
    casts = sorted(box.votes(terms), key=lambda cast: cast.sequence)
    return tuple(_vote(state.names[f"vote.{box.ballot}.{c.voter}"], terms, c, counted, opened, personas) for c in casts)


def _vote(
    seen: Seen, terms: BallotOpened, cast: Cast, counted: Tally | None, opened: int, personas: Mapping[str, str]
) -> VoteView:
    how, reason = how_counted(terms, cast, counted, opened)
    stands = stands_for(terms.rule, answer_of(terms, cast)) if how == "counted" else ()
    vote = cast.vote or VoteCast(tenant=terms.tenant, run=terms.run, ballot=terms.ballot, voter=cast.voter)
    return VoteView(
        voter=cast.voter,
        sequence=cast.sequence,
        at=seen.at,
        counted=how,
        stands_for=tuple(option for option in contenders(terms) if option in stands),
        choice=vote.choice,
        approved=vote.approved,
        ranking=vote.ranking,
        scores=vote.scores,
        rationale=vote.rationale,
        reason=reason,
        persona=personas.get(cast.voter, ""),
        target=vote.target,
        task=vote.task,
    )
