"""What decisions turned out to be worth, as far as the log proves it. Who learns of voters reads nothing else.

A design that was chosen is right if its first test run is green, and wrong if it is red. A ballot that was left to a
person was answered: that option is right. Nothing proves a revision, nor a release.
"""

from collections.abc import Iterator, Sequence

from contracts.v1.ballots import DecisionMade, OutcomeSeen
from contracts.v1.tasks import ProjectVerified
from workers.orchestrator import ballots
from workers.orchestrator.ballots import Settled
from workers.orchestrator.designing import REVISE
from workers.orchestrator.endings import OPENED_BY
from workers.orchestrator.releasing import release_ballot
from workers.orchestrator.run import Run


def outcomes(run: Run, design: str, rounds: int) -> tuple[OutcomeSeen, ...]:
    """The outcomes that are known and not yet said, of the ballot on the design and of those on releases."""
    found = (*_of_design(run, design), *_of_persons(run, [design, *map(release_ballot, range(1, rounds + 1))]))
    first = {outcome.ballot: outcome for outcome in reversed(found)}
    return tuple(outcome for outcome in first.values() if not run.knows(f"outcome.{outcome.ballot}"))


def _of_design(run: Run, ballot: str) -> Iterator[OutcomeSeen]:
    decision, verified = _decided(run, ballot), run.result("verify-1", ProjectVerified)
    if decision is None or verified is None or decision.option in (None, REVISE):
        return
    if not isinstance(ballots.settled(run, ballot), Settled):
        return
    right, stood = verified.evidence.is_green, _stood(decision, str(decision.option))
    yield OutcomeSeen(
        tenant=run.tenant,
        run=run.run,
        ballot=ballot,
        option=str(decision.option),
        right=right,
        voters_right=stood if right else (),
        voters_wrong=() if right else stood,
        evidence_at=f"result.{run.current('verify-1')}",
        by=OPENED_BY,
        reason=f"the first tests of what was built by it are {'green' if right else 'red'}",
    )


def _of_persons(run: Run, named: Sequence[str]) -> Iterator[OutcomeSeen]:
    for ballot in named:
        decision = _decided(run, ballot)
        if decision is None or decision.option is not None:
            continue
        found = ballots.settled(run, ballot)
        if not isinstance(found, Settled):
            continue
        right = _stood(decision, found.option)
        yield OutcomeSeen(
            tenant=run.tenant,
            run=run.run,
            ballot=ballot,
            option=found.option,
            right=True,
            voters_right=right,
            voters_wrong=tuple(vote.voter for vote in decision.counted if vote.options and vote.voter not in right),
            evidence_at=found.at,
            by=OPENED_BY,
            reason="a person to whom the ballot was left took it",
        )


def _decided(run: Run, ballot: str) -> DecisionMade | None:
    return run.fact(f"decision.{ballot}", DecisionMade)


def _stood(decision: DecisionMade, option: str) -> tuple[str, ...]:
    return tuple(vote.voter for vote in decision.counted if option in vote.options)
