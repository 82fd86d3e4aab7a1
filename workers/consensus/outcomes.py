"""What outcomes teach of voters: the fold of one tenant's `OutcomeSeen` facts into the records of its voters.

An outcome counts once, by its name: run and ballot. It is an observation of each voter that it names, right or wrong;
of one that it calls both it proves nothing. So all who have read the same outcomes, in whatever order and however
often, know the same of every voter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.v1.ballots import OutcomeSeen
from workers.consensus.reliability import Record, drawn_rate, learn, mean, strength
from workers.consensus.reliability import weights as weights_by


@dataclass(frozen=True)
class Known:
    """What a tenant's outcomes say of its voters. `counted` are the outcomes, as (run, ballot)."""

    tenant: str
    records: Mapping[str, Record] = field(default_factory=dict)
    counted: frozenset[tuple[str, str]] = frozenset()

    def weights(self, voters: Iterable[str]) -> dict[str, int]:
        """The weights of a ballot's voters, in millionths: what its `weights` are to be."""
        return weights_by(self.records, voters)


class VoterSeen(NamedTuple):
    """One voter: how often it was right of how often it was seen, in figures from 0 to 1, and its weight in millionths.

    `rate` is its own, `expected` is drawn towards all voters' mean and is what the weight follows from.
    """

    voter: str
    right: int
    seen: int
    rate: float
    expected: float
    weight: int


def fold(known: Known, outcomes: Iterable[OutcomeSeen]) -> Known:
    """What is known with these outcomes as well. Those of other tenants and those counted before change nothing."""
    counted, observations = set(known.counted), list[tuple[str, bool]]()
    for outcome in outcomes:
        name = (outcome.run, outcome.ballot)
        if outcome.tenant == known.tenant and name not in counted:
            counted.add(name)
            observations += _observations(outcome)
    return Known(known.tenant, learn(observations, known.records), frozenset(counted))


def voters_seen(known: Known) -> tuple[VoterSeen, ...]:
    """All voters that were seen, the heaviest first, of equals by name."""
    of_all, found = mean(known.records), known.weights(known.records)
    drawn = strength(known.records)

    def expected(one: Record) -> float:
        return of_all.right / of_all.seen if drawn is None else drawn_rate(*one, *of_all, drawn)

    lines = [
        VoterSeen(voter, one.right, one.seen, one.right / one.seen, expected(one), found[voter])
        for voter, one in known.records.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.weight, -line.expected, line.voter)))


def _observations(outcome: OutcomeSeen) -> list[tuple[str, bool]]:
    right, wrong = set(outcome.voters_right), set(outcome.voters_wrong)
    return [(voter, voter in right) for voter in sorted(right ^ wrong)]
