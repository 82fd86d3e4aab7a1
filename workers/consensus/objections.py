"""What makes a ballot impossible to hold though its contract validates. Each sentence says what is wrong, what to do.

No objection is a ballot that may well end without a decision: a quorum above those who may vote once excluded families
are left out, a default that can't win, a status quo among the tie-breaks that there is not. Who opens a ballot does not
know beforehand which families or tests it will meet, and `no_quorum` says what happens then.
"""

from collections import Counter
from collections.abc import Iterable

from contracts.v1.ballots import BallotOpened
from workers.consensus.reading import as_counted, contenders, electors, listed, why_not
from workers.consensus.rules import ONE, RULES
from workers.consensus.signatures import key_fault

LONGEST_BALLOT = 40
"""Characters of a ballot's name: `vote-<ballot>--<voter>` and the timers of the ballot must be tokens of at most 64."""

LONGEST_TOGETHER = 57
"""Characters of a ballot's and a panelist's name together."""


LARGEST_RANKED = 500_000
"""Options squared times voters: what one more vote of a ranked ballot may take to count, about 40 ms."""


def objections(ballot: BallotOpened) -> tuple[str, ...]:
    """All that is wrong with a ballot; nothing if it can be held."""
    return (*_names(ballot), *_options(ballot), *_rule(ballot), *_policy(ballot), *_voters(ballot), *_keys(ballot))


def _names(ballot: BallotOpened) -> Iterable[str]:
    name = ballot.ballot
    if len(name) > LONGEST_BALLOT:
        yield f"the ballot's name has {len(name)} characters; take at most {LONGEST_BALLOT}"
    if "--" in name or name.startswith("-") or name.endswith("-"):
        yield f"the ballot's name {name!r} has -- in it or - at an end; take another name"
    long = [one.voter for one in ballot.panel if len(name) + len(one.voter) > LONGEST_TOGETHER]
    if long:
        yield (
            f"the names of the ballot and of a panelist may have {LONGEST_TOGETHER} characters together; "
            f"shorten that of the ballot or of {listed(long)}"
        )


def _options(ballot: BallotOpened) -> Iterable[str]:
    options = {option.option for option in ballot.options}
    for what, named in (("status_quo", ballot.status_quo), ("default_option", ballot.default_option)):
        if named is not None and named not in options:
            yield f"{what} {named!r} is not among the options; name one of {listed(sorted(options))}"
    if not contenders(ballot):
        reasons = [f"{option.option}: {why_not(option)}" for option in ballot.options]
        yield f"no option can win ({listed(reasons)}); there must be one that is eligible and whose tests are green"


def _rule(ballot: BallotOpened) -> Iterable[str]:
    if ballot.rule not in RULES:
        yield f"there is no rule {ballot.rule!r}; there are {', '.join(sorted(RULES))}"
    numerator, denominator = ballot.threshold
    if ballot.rule == "supermajority" and numerator > denominator:
        yield f"no share of the votes reaches the threshold {numerator}/{denominator}; it must be above 0 and at most 1"
    if ballot.rule == "weighted" and not any(ballot.weights.get(voter, ONE) for voter in ballot.electorate):
        yield "the weights of all voters are 0, so nothing can win; give one of them weight"
    if ballot.rule == "ranked" and (size := len(contenders(ballot)) ** 2 * len(ballot.electorate)) > LARGEST_RANKED:
        yield (
            f"{len(contenders(ballot))} options ranked by {len(ballot.electorate)} voters take too long to count "
            f"({size:,} comparisons a vote, at most {LARGEST_RANKED:,}); have fewer options or fewer voters"
        )
    if ballot.rule == "veto" and ballot.status_quo is None:
        yield "a veto is a vote for the status quo, and the ballot names none; set status_quo"
    elif ballot.rule == "veto" and as_counted(ballot).status_quo is None:
        yield f"a veto is a vote for the status quo, and {ballot.status_quo!r} can't win; name one that can"


def _policy(ballot: BallotOpened) -> Iterable[str]:
    if ballot.no_quorum == "default" and ballot.default_option is None:
        yield "without a quorum the default is taken, and there is none; set default_option or another no_quorum"
    if ballot.no_quorum == "extend" and ballot.extension_s is None:
        yield "without a quorum the time is extended, and it is not said by how much; set extension_s"
    if ballot.tie == "status_quo" and not ballot.tie_order and ballot.status_quo is None:
        yield "equals are left to the status quo, and the ballot names none; set status_quo, or tie to undecided"


def _voters(ballot: BallotOpened) -> Iterable[str]:
    if twice := _more_than_once(ballot.electorate):
        yield f"the electorate names {listed(twice)} more than once; a voter has one vote"
    if twice := _more_than_once(one.voter for one in ballot.panel):
        yield f"the panel names {listed(twice)} more than once; give each panelist a name of its own"
    members = set(ballot.electorate)
    named = {
        "vetoers": ballot.vetoers,
        "weights": tuple(ballot.weights),
        "keys": tuple(ballot.keys),
        "panel": tuple(one.voter for one in ballot.panel),
    }
    for what, voters in named.items():
        if outside := [voter for voter in dict.fromkeys(voters) if voter not in members]:
            yield f"{what}: {listed(outside)} not in the electorate; add them there or leave them out"


def _keys(ballot: BallotOpened) -> Iterable[str]:
    if not ballot.signed:
        return
    able = electors(ballot)
    if without := [voter for voter in able if voter not in ballot.keys]:
        yield f"the ballot counts signed votes only and has no key of {listed(without)}; add their public nkeys (U…)"
    bad = [f"{voter}: {fault}" for voter in able if voter in ballot.keys and (fault := key_fault(ballot.keys[voter]))]
    if bad:
        yield f"no votes can be checked with these keys: {listed(bad)}; give the voters' public nkeys (U…)"


def _more_than_once(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
