"""The rules of ballots: who leads by the answers so far, and whether the answers that are missing could change that.

`standing(ballot, answers, missing)` is all there is. `leaders` are the options that win if nobody else answers: none,
one, or several that are equal. `certain` says that whatever the missing voters do (vote for anything, abstain, stay
away) the leaders stay the same, so that their votes need not be bought. An answer without any preference is an
abstention: it counts for the quorum and nowhere else.

majority, supermajority   more than half, or at least the threshold, of the votes for options
unanimity                 all votes for options are for one
veto                      a vetoer's vote for the status quo decides for it; otherwise as majority
approval                  the option that most approve of (Brams and Fishburn 1978)
ranked                    Schulze's method with winning votes (Schulze 2011, doi 10.1007/s00355-010-0475-4)
weighted                  more than half of the weight, in millionths
ahead                     the first to lead by k votes, in the order of the log: a sequential probability ratio test
                          (Wald 1945; as first-to-ahead-by-k in MAKER, arXiv 2511.09030)
score                     the highest lower median (Balinski and Laraki 2011)

Curtailment, stopping when what is missing can't matter, never changes an outcome. It is exact for all rules but
`ranked`, where it is sufficient: a Condorcet winner that no missing vote can turn stays Schulze's winner.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.v1.ballots import BallotOpened


class Answer(NamedTuple):
    """One voter's answer as the rules read it; with everything empty the voter abstains. Options are canonical."""

    voter: str
    choice: str | None = None
    approved: frozenset[str] = frozenset()
    ranking: tuple[str, ...] = ()
    scores: tuple[tuple[str, int], ...] = ()

    @property
    def abstains(self) -> bool:
        """Whether it says nothing of any option."""
        return self.choice is None and not (self.approved or self.ranking or self.scores)


@dataclass(frozen=True)
class Standing:
    """Who would win now. `counts` are votes, weights, approvals, pairwise wins or medians, by option."""

    leaders: tuple[str, ...]
    certain: bool
    counts: Mapping[str, int] = field(default_factory=dict)


class UnknownRule(ValueError):
    """There is no rule of that name; the message lists those that there are."""


def standing(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    """Who leads on a ballot among these options (canonical, eligible), and whether that is certain.

    `answers` are in the order of the log; `missing` are the voters who may still answer. Raises `UnknownRule`.
    """
    rule = RULES.get(ballot.rule)
    if rule is None:
        raise UnknownRule(f"there is no rule {ballot.rule!r}; there are {', '.join(sorted(RULES))}")
    return rule(ballot, options, [answer for answer in answers if not answer.abstains], missing)


def votes_to_lead(error_rate: float, accuracy: float) -> int:
    """By how many votes one must lead to be wrong at most at `error_rate`, when each voter is right with
    probability `accuracy` (above ½) and independently: k = ⌈ln((1−ε)/ε) / ln(p/(1−p))⌉ (arXiv 2511.09030)."""
    if not (0.0 < error_rate < 0.5 < accuracy < 1.0):
        raise ValueError("the error rate must be between 0 and ½, the accuracy of a voter between ½ and 1")
    return max(1, math.ceil(math.log((1 - error_rate) / error_rate) / math.log(accuracy / (1 - accuracy)) - 1e-9))


def _choices(options: Sequence[str], answers: Sequence[Answer]) -> dict[str, int]:
    counted = Counter(answer.choice for answer in answers)
    return {option: counted[option] for option in options}


def _half(counts: Mapping[str, int], missing: int) -> Standing:
    """More than half of the sum, of which `missing` may still come. Two that share it equally are equals."""
    total = sum(counts.values())
    leaders = tuple(option for option, count in counts.items() if 2 * count > total)
    if not leaders:
        leaders = tuple(option for option, count in counts.items() if total and 2 * count == total)
        leaders = leaders if len(leaders) == 2 else ()
    best = max(counts.values(), default=0)
    won, lost = 2 * best > total + missing, 2 * best + missing <= total
    return Standing(leaders, not missing or won or lost, counts)


def _majority(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    return _half(_choices(options, answers), len(missing))


def _supermajority(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    (numerator, denominator), more = ballot.threshold, len(missing)
    counts = _choices(options, answers)
    total, best = sum(counts.values()), max(counts.values(), default=0)

    def reaches(count: int, of: int) -> bool:
        return count > 0 and count * denominator >= numerator * of

    leaders = tuple(option for option, count in counts.items() if count == best and reaches(count, total))
    others = max((count for option, count in counts.items() if option not in leaders), default=0)
    unbeaten = 2 * numerator > denominator or best > others + more
    won = len(leaders) == 1 and reaches(best, total + more) and unbeaten
    return Standing(leaders, not more or won or not reaches(best + more, total + more), counts)


def _unanimity(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    counts = _choices(options, answers)
    voted = tuple(option for option, count in counts.items() if count)
    return Standing(voted if len(voted) == 1 else (), len(voted) > 1 or not missing, counts)


def _veto(ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]) -> Standing:
    vetoers = set(ballot.vetoers or ballot.electorate)
    counts, kept = _choices(options, answers), ballot.status_quo or ""
    if kept in options and any(answer.voter in vetoers and answer.choice == kept for answer in answers):
        return Standing((kept,), True, counts)
    found = _half(counts, len(missing))
    may_veto = kept in options and not vetoers.isdisjoint(missing)
    return Standing(found.leaders, found.certain and not may_veto, counts)


def _most(counts: Mapping[str, int], more: int) -> Standing:
    """The highest count; each of the others may gain `more`."""
    best = max(counts.values(), default=0)
    leaders = tuple(option for option, count in counts.items() if count == best) if best > 0 else ()
    others = [count for option, count in counts.items() if option not in leaders]
    return Standing(leaders, not more or (len(leaders) == 1 and best > max(others, default=0) + more), counts)


def _approval(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    approved = [answer.approved or frozenset({answer.choice or ""}) for answer in answers]
    return _most({option: sum(option in one for one in approved) for option in options}, len(missing))


def _weighted(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    weight = ballot.weights.get
    counts = {
        option: sum(weight(answer.voter, ONE) for answer in answers if answer.choice == option) for option in options
    }
    return _half(counts, sum(weight(voter, ONE) for voter in missing))


def _ahead(ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]) -> Standing:
    counts = dict.fromkeys(options, 0)
    for answer in answers:
        if answer.choice in counts:
            counts[answer.choice] += 1
            first, second, *_ = (*sorted(counts.values(), reverse=True), 0)
            if first - second >= ballot.ahead_by:
                return Standing((max(counts, key=lambda option: counts[option]),), True, counts)
    return _most(counts, len(missing))


def _ranked(
    ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]
) -> Standing:
    prefers = {(a, b): 0 for a in options for b in options if a != b}
    for answer in answers:
        place = {option: n for n, option in enumerate(answer.ranking or ((answer.choice,) if answer.choice else ()))}
        for a, b in prefers:
            prefers[a, b] += place.get(a, len(options)) < place.get(b, len(options))
    wins = {a: sum(prefers[a, b] > prefers[b, a] for b in options if b != a) for a in options}
    leaders = _schulze(options, prefers) if any(answer.ranking or answer.choice for answer in answers) else ()
    sure = len(leaders) == 1 and all(
        prefers[leaders[0], b] - prefers[b, leaders[0]] > len(missing) for b in options if b != leaders[0]
    )
    return Standing(leaders, sure or not missing, wins)


def _schulze(options: Sequence[str], prefers: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Those that no other option beats by a stronger path (Floyd and Warshall's algorithm on winning votes)."""
    strength = {pair: votes if votes > prefers[pair[1], pair[0]] else 0 for pair, votes in prefers.items()}
    for by, (a, b) in itertools.product(options, prefers):
        if by not in (a, b):
            strength[a, b] = max(strength[a, b], min(strength[a, by], strength[by, b]))
    return tuple(a for a in options if all(strength[a, b] >= strength[b, a] for b in options if b != a))


def _score(ballot: BallotOpened, options: Sequence[str], answers: Sequence[Answer], missing: Sequence[str]) -> Standing:
    most = ballot.score_max
    given = {
        option: sorted(min(score, most) for answer in answers for name, score in answer.scores if name == option)
        for option in options
    }
    counts = {option: _median(scores) for option, scores in given.items()}
    best = max(counts.values(), default=0)
    leaders = tuple(option for option, median in counts.items() if median == best) if any(given.values()) else ()
    if not missing or not leaders:
        return Standing(leaders, not missing, counts)
    lowest = {option: _median([*([0] * len(missing)), *scores]) for option, scores in given.items()}
    highest = {option: _median([*scores, *([most] * len(missing))]) for option, scores in given.items()}
    others = max((highest[option] for option in options if option not in leaders), default=-1)
    # One leader may move as long as nobody reaches it; several stay equal only if none of them can move.
    settled = len(leaders) == 1 or all(lowest[option] == highest[option] for option in leaders)
    return Standing(leaders, settled and min(lowest[option] for option in leaders) > others, counts)


def _median(ascending: Sequence[int]) -> int:
    """The lower median; 0 of nothing."""
    return ascending[(len(ascending) - 1) // 2] if ascending else 0


ONE = 1_000_000
"""The weight of a voter that has none of its own, in millionths."""

Rule = Callable[[BallotOpened, Sequence[str], Sequence[Answer], Sequence[str]], Standing]

RULES: Mapping[str, Rule] = {
    "majority": _majority,
    "supermajority": _supermajority,
    "unanimity": _unanimity,
    "veto": _veto,
    "approval": _approval,
    "weighted": _weighted,
    "ahead": _ahead,
    "ranked": _ranked,
    "score": _score,
}
