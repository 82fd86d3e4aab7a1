"""Whether a task's work or vote won its ballot. Who voted is right if its option won, or if that is known to be right.

the ballot's worth is known of the voter        that, whatever was decided
the decision counted the vote                   whether the option that won is among the voter's
the vote came late, or did not count            the same by the vote itself; an invalid one has lost
what the task made is an option                 whether it won, or one with the same content did
"""

from collections.abc import Sequence

from contracts.message import Message
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen, VoteCast
from workers.consensus.reading import Cast, answer_of, stands_for

Verdict = tuple[bool | None, str]


def of_task(facts: Sequence[Message], task: str) -> Verdict:
    """Whether the task has won, and by what; None if no ballot tells, or none does yet."""
    vote = next((one for one in facts if isinstance(one, VoteCast) and one.task == task), None)
    if vote is not None:
        return _of_vote(facts, vote)
    for opened in facts:
        if isinstance(opened, BallotOpened) and any(option.option == task for option in opened.options):
            return _of_option(facts, opened, task)
    return None, "no ballot was held on what it did"


def decision_on(facts: Sequence[Message], ballot: str) -> DecisionMade | None:
    """What was decided on a ballot."""
    return next((one for one in facts if isinstance(one, DecisionMade) and one.ballot == ballot), None)


def _of_vote(facts: Sequence[Message], vote: VoteCast) -> Verdict:
    for seen in facts:
        if isinstance(seen, OutcomeSeen) and seen.ballot == vote.ballot:
            right, wrong = vote.voter in seen.voters_right, vote.voter in seen.voters_wrong
            if right != wrong:
                return right, f"{vote.voter} turned out {'right' if right else 'wrong'} on ballot {vote.ballot}"
    decision = decision_on(facts, vote.ballot)
    if decision is None:
        return None, f"ballot {vote.ballot} is not decided"
    if decision.option is None:
        return _undecided(decision)
    stands = _options_of(facts, vote, decision)
    won = decision.option in stands
    return won, f"{vote.voter} was for {', '.join(sorted(stands)) or 'nothing'}, and {decision.option} won"


def _options_of(facts: Sequence[Message], vote: VoteCast, decision: DecisionMade) -> frozenset[str]:
    """What the voter stands for."""
    for counted in decision.counted:
        if counted.voter == vote.voter:
            return frozenset(counted.options)
    opened = next((one for one in facts if isinstance(one, BallotOpened) and one.ballot == vote.ballot), None)
    if opened is None or any(one.voter == vote.voter for one in decision.invalid):
        return frozenset()
    return stands_for(opened.rule, answer_of(opened, Cast(0, vote.voter, vote)))


def _of_option(facts: Sequence[Message], opened: BallotOpened, task: str) -> Verdict:
    decision = decision_on(facts, opened.ballot)
    if decision is None:
        return None, f"ballot {opened.ballot} is not decided"
    winner = decision.option or _taken_by_a_person(facts, opened.ballot)
    if winner is None:
        return _undecided(decision)
    # Identical options are one to the voters, under the name of the first.
    contents = {option.option: option.content for option in opened.options if option.content}
    won = winner == task or contents.get(task, "") == contents.get(winner)
    return won, f"{winner} won ballot {opened.ballot}"


def _taken_by_a_person(facts: Sequence[Message], ballot: str) -> str | None:
    outcomes = (one for one in facts if isinstance(one, OutcomeSeen) and one.ballot == ballot and one.right)
    return next((one.option for one in outcomes), None)


def _undecided(decision: DecisionMade) -> Verdict:
    if decision.by in ("refused", "escalated"):
        return None, f"ballot {decision.ballot} is {decision.by}"
    return False, f"nothing won ballot {decision.ballot}"
