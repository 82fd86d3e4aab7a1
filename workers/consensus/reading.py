"""How a ballot and a stored vote are read: which options can win, who may vote, and what makes a vote invalid.

A vote is read as the rule reads it, and what the rule does not look at may say anything that the ballot knows:

    approval          the approved options, or the one choice
    ranked            the ranking, or the one choice
    score             the scores
    all other rules   the choice

A vote that states a preference only where its rule does not look is invalid: to take it for an abstention would put
words into the voter's mouth, and to take the first of its ranking for its choice would do so more. The same holds for a
score above the ballot's highest: whoever gave 50 of 100 did not mean 10 of 10. A vote without any preference is an
abstention, and valid.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.v1.ballots import BallotOpened, Option, VoteCast
from workers.consensus.rules import Answer

NAMES_SAID = 5
"""How many names a sentence lists before it only counts the rest: a decision must fit on the bus."""


class Cast(NamedTuple):
    """A vote as the log holds it. `vote` is None where the stored fact can't be read. `refused` says why it is invalid
    whatever it says, say for a wrong signature, or why it can't be read."""

    sequence: int
    voter: str
    vote: VoteCast | None
    refused: str = ""


def why_not(option: Option) -> str:
    """Why an option can't win; empty if it can. Evidence must be of tests that ran, and all of them green."""
    if not option.eligible:
        return "it is not eligible"
    seen = option.evidence
    if seen is None or seen.is_green:
        return ""
    return "its tests are red" if seen.tests > 0 else "no tests of it were run"


def canonical(ballot: BallotOpened) -> Mapping[str, str]:
    """Each option that can win and the one that it counts for: of those with the same content, the first."""
    first: dict[str, str] = {}
    able = [option for option in ballot.options if not why_not(option)]
    return {option.option: first.setdefault(option.content or f"-{option.option}", option.option) for option in able}


def contenders(ballot: BallotOpened) -> tuple[str, ...]:
    """The options that can win, in the ballot's order, each content once."""
    return tuple(dict.fromkeys(canonical(ballot).values()))


def as_counted(ballot: BallotOpened) -> BallotOpened:
    """The ballot with its status quo and its default under the names that they count for; none where they can't win."""
    named = canonical(ballot)
    kept, default = named.get(ballot.status_quo or ""), named.get(ballot.default_option or "")
    return ballot.model_copy(update={"status_quo": kept, "default_option": default})


def electors(ballot: BallotOpened) -> tuple[str, ...]:
    """Who may vote: the electorate without panelists of excluded families, so that nothing waits for those."""
    excluded = _excluded(ballot)
    return tuple(voter for voter in dict.fromkeys(ballot.electorate) if voter not in excluded)


def invalid(ballot: BallotOpened, cast: Cast, opened: int = 0) -> str:
    """Why a vote is not counted, not even for the quorum; empty for a valid one. `opened` is the ballot's sequence."""
    if cast.voter not in ballot.electorate:
        return f"{cast.voter} is not in the electorate"
    if (family := _excluded(ballot).get(cast.voter)) is not None:
        return f"{cast.voter} is of the family {family!r}, which the ballot excludes"
    if cast.sequence < opened:
        return "the vote was stored before the ballot was opened"
    if cast.refused:
        return cast.refused
    if cast.vote is None:
        return "the stored vote can't be read"
    return _strange_option(ballot, cast.vote) or _strange_shape(ballot, cast.vote)


def answer_of(ballot: BallotOpened, cast: Cast) -> Answer:
    """A valid vote as the rules read it: of identical options the highest score and the best rank count."""
    vote, named = cast.vote, canonical(ballot)
    if vote is None:
        return Answer(cast.voter)
    ascending = sorted(vote.scores.items(), key=lambda scored: scored[1])
    scores = {named[option]: score for option, score in ascending if option in named}
    return Answer(
        cast.voter,
        named.get(vote.choice) if vote.choice is not None else None,
        frozenset(named[option] for option in vote.approved if option in named),
        tuple(dict.fromkeys(named[option] for option in vote.ranking if option in named)),
        tuple(sorted(scores.items())),
    )


def stands_for(rule: str, answer: Answer) -> frozenset[str]:
    """The options that a voter stands for, as the rule reads the answer; with scores, those with its highest."""
    if rule == "approval" and answer.approved:
        return answer.approved
    if rule == "score":
        best = max((score for _, score in answer.scores), default=0)
        return frozenset(option for option, score in answer.scores if score == best)
    if rule == "ranked" and answer.ranking:
        return frozenset(answer.ranking[:1])
    return frozenset() if answer.choice is None else frozenset({answer.choice})


def listed(names: Iterable[str]) -> str:
    """The names with commas, and of many the first only and how many more there are."""
    all_of_them = list(names)
    more = len(all_of_them) - NAMES_SAID
    return ", ".join(all_of_them[:NAMES_SAID]) + (f" and {more} more" if more > 0 else "")


def _excluded(ballot: BallotOpened) -> dict[str, str]:
    return {one.voter: one.family for one in ballot.panel if one.family in ballot.exclude_families}


def _strange_option(ballot: BallotOpened, vote: VoteCast) -> str:
    named = (*(() if vote.choice is None else (vote.choice,)), *vote.approved, *vote.ranking, *vote.scores)
    options = {option.option: option for option in ballot.options}
    for name in named:
        if name not in options:
            return f"there is no option {name!r}; there are {listed(contenders(ballot))}"
        if reason := why_not(options[name]):
            return f"{name} can't win: {reason}; there are {listed(contenders(ballot))}"
    return ""


def _strange_shape(ballot: BallotOpened, vote: VoteCast) -> str:
    stated = {
        "choice": vote.choice is not None,
        "approved": bool(vote.approved),
        "ranking": bool(vote.ranking),
        "scores": bool(vote.scores),
    }
    said = [field for field, given in stated.items() if given]
    read = READ.get(ballot.rule, ("choice",))
    if said and not any(stated[field] for field in read):
        return f"it has only {' and '.join(said)}, and a ballot by {ballot.rule} reads {' or '.join(read)}"
    above = [f"{option}={score}" for option, score in vote.scores.items() if score > ballot.score_max]
    if above and ballot.rule == "score":
        return f"{listed(above)} is above the ballot's highest score of {ballot.score_max}"
    return ""


READ: Mapping[str, tuple[str, ...]] = {
    "approval": ("approved", "choice"),
    "ranked": ("ranking", "choice"),
    "score": ("scores",),
}
"""What a rule reads of a vote, where that is not the choice alone."""
