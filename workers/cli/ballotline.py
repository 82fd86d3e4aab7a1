"""A ballot on one line of its run."""

from workers.cli.ballotview import BallotSeen, counts_of, figure
from workers.cli.figures import count, plain
from workers.cli.gist import said_at_gate


def on_one_line(seen: BallotSeen) -> str:
    """A ballot of a run: how many votes are in, the outcome, the counts."""
    counts = ", ".join(f"{name} {figure(seen.terms.rule, number)}" for name, number in counts_of(seen).items())
    waits = "; a person is asked" if seen.waits_for_person else ""
    outcome = f"→ {answered(seen)}{waits}  " if seen.outcome else ""
    return f"ballot {seen.name}  {votes_in(seen)} of {count(len(seen.terms.electorate), 'vote')}  {outcome}{counts}"


def votes_in(seen: BallotSeen) -> int:
    """How many votes are in that count, abstentions with them."""
    return sum(vote.counted in ("counted", "abstained") for vote in seen.votes)


def answered(seen: BallotSeen) -> str:
    """The outcome, and what a person made of it where one was asked."""
    if seen.approval is None:
        return seen.outcome
    return f"{seen.outcome}, and {plain(seen.approval.by)} says {said_at_gate(seen.approval)}"
