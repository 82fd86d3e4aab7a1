"""Waves: which panelists are asked next. Votes that are not needed are never bought.

A wave is as small as can be: the fewest votes that could make the outcome certain if they all agreed. The first one is
at most as large as the ballot says. The next is asked when all who were asked have answered and nothing is certain.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence

from contracts.v1.ballots import BallotOpened, Panelist
from workers.consensus.rules import Answer, standing
from workers.consensus.tally import Tally, as_counted, contenders, electors

TRIED = 8
"""So many options are tried, those that lead first: more of them would hold up all other ballots of the worker."""


def panel_of(ballot: BallotOpened) -> tuple[Panelist, ...]:
    """Who may be asked, in order: without excluded families, and if it is wanted, each family once before any twice."""
    voters, first = set(electors(ballot)), {one.voter: one for one in reversed(ballot.panel)}
    able = [one for one in ballot.panel if one.voter in voters and one is first[one.voter]]
    if not ballot.distinct_families:
        return tuple(able)
    rounds: dict[str, int] = {}
    turns: list[tuple[int, int, Panelist]] = []
    for place, one in enumerate(able):
        turn = rounds[one.family] = rounds.get(one.family, -1) + 1
        turns.append((turn, place, one))
    return tuple(one for _, _, one in sorted(turns, key=lambda each: each[:2]))


def next_wave(ballot: BallotOpened, now: Tally, asked: Collection[str]) -> tuple[Panelist, ...]:
    """Whom to ask now; nobody when it is decided or somebody who was asked has not answered yet.

    In its extension nobody is waited for any more: all who are left are asked.
    """
    if not now.is_open:
        return ()
    rest = [one for one in panel_of(ballot) if one.voter in now.missing and one.voter not in asked]
    if now.extended:
        return tuple(rest)
    if not set(asked).isdisjoint(now.missing):
        return ()
    size = fewest(ballot, now, [one.voter for one in rest])
    return tuple(rest[: size if asked else min(size, ballot.wave)])


def fewest(ballot: BallotOpened, now: Tally, rest: Sequence[str]) -> int:
    """How many of these voters, in this order and all alike, could make the outcome certain; all when none can.

    Looked for by halving, because what some can settle more can settle too. Of more than `TRIED` options only those
    that lead and the status quo are tried; then a wave may be larger than it need be.
    """
    ballot, options = as_counted(ballot), contenders(ballot)
    leading = sorted(options, key=lambda option: -now.counts.get(option, 0))[:TRIED]
    tried = tuple(dict.fromkeys([*leading, *(option for option in options if option == ballot.status_quo)]))

    def can_settle(size: int) -> bool:
        if len(now.answers) + size < ballot.quorum:
            return False
        asked = set(rest[:size])
        missing = [voter for voter in now.missing if voter not in asked]
        return any(
            standing(
                ballot, options, [*now.answers, *(_all_for(option, voter, options) for voter in rest[:size])], missing
            ).certain
            for option in tried
        )

    return bisect_left(range(1, len(rest)), True, key=can_settle) + 1 if rest else 0


def _all_for(option: str, voter: str, options: Sequence[str]) -> Answer:
    """The strongest preference for an option that there is, whatever the rule looks at."""
    ranking = (option, *(other for other in options if other != option))
    scores = tuple((other, 100 if other == option else 0) for other in options)
    return Answer(voter, option, frozenset({option}), ranking, scores)
