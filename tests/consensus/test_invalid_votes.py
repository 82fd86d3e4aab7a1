"""Invalid votes: never counted, not even for the quorum, kept with the reason, and of no effect on the option."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.ballots import Option, Panelist
from workers.consensus.reading import invalid
from workers.consensus.rules import RULES
from workers.consensus.tally import tally
from workers.consensus.waves import next_wave

DICE = st.randoms(use_true_random=False)


@pytest.mark.parametrize(
    ("rule", "fields", "says"),
    [
        ("majority", {"choice": "z"}, "there is no option 'z'; there are a, b"),
        ("majority", {"choice": "c"}, "c can't win: it is not eligible; there are a, b"),
        ("approval", {"approved": ("a", "z")}, "no option 'z'"),
        ("approval", {"approved": ("a", "c")}, "c can't win"),
        ("ranked", {"ranking": ("a", "z")}, "no option 'z'"),
        ("score", {"scores": {"a": 1, "z": 2}}, "no option 'z'"),
        ("majority", {"choice": "a", "scores": {"z": 2}}, "no option 'z'"),
        ("majority", {"scores": {"a": 2}}, "it has only scores, and a ballot by majority reads choice"),
        ("veto", {"approved": ("a",), "ranking": ("a",)}, "it has only approved and ranking"),
        ("approval", {"ranking": ("a",)}, "reads approved or choice"),
        ("ranked", {"approved": ("a",)}, "reads ranking or choice"),
        ("score", {"choice": "a"}, "it has only choice, and a ballot by score reads scores"),
        ("score", {"scores": {"a": 11, "b": 3}}, "a=11 is above the ballot's highest score of 10"),
    ],
)
def test_a_vote_that_says_what_can_not_be_counted_is_invalid(made, rule, fields, says):
    asked = made.ballot(rule, 3, ("a", "b", Option(option="c", eligible=False)), status_quo="b")
    now = tally(asked, [made.cast(1, "v0", **fields)])
    assert (now.votes, now.abstained, now.missing) == (0, 0, ("v1", "v2"))
    ((voter, reason),) = now.invalid
    assert voter == "v0"
    assert says in reason


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_the_rule_reads_makes_a_vote_valid_and_so_does_no_preference_at_all(made, rule):
    asked = made.ballot(rule, score_max=9)
    fields = {"score": {"scores": {"a": 9}}, "approval": {"approved": ("a",)}, "ranked": {"ranking": ("a",)}}
    assert invalid(asked, made.cast(1, "v0", **fields.get(rule, {"choice": "a"}))) == ""
    assert invalid(asked, made.cast(1, "v0", because="I do not know")) == ""
    everything = {"approved": ("a",), "ranking": ("a",), "scores": {"a": 9}}
    assert invalid(asked, made.cast(1, "v0", "a", **everything)) == ""


@pytest.mark.parametrize(("spoiled", "says"), [("!", "can't be read"), ("#", "signature is wrong")])
def test_what_can_not_be_read_or_is_refused_is_invalid(made, spoiled, says):
    now = tally(made.ballot(), made.votes(spoiled))
    assert (now.votes, now.invalid[0][0]) == (0, "v0")
    assert says in now.invalid[0][1]


def test_outsiders_and_excluded_families_are_invalid_and_leave_no_trace_in_the_count(made):
    asked = made.ballot(voters=3, panel=(Panelist(voter="v2", family="x"),), exclude_families=("x",))
    now = tally(asked, [made.cast(1, "stranger", "b"), made.cast(2, "v2", "b"), made.cast(3, "stranger", "b")])
    assert (now.is_open, now.votes, now.upto, now.missing) == (True, 0, 0, ("v0", "v1"))
    assert now.invalid == (
        ("stranger", "stranger is not in the electorate"),
        ("v2", "v2 is of the family 'x', which the ballot excludes"),
    )


def test_a_vote_from_before_the_opening_is_invalid_and_its_voter_is_not_waited_for(made):
    asked = made.ballot(voters=3, quorum=2)
    now = tally(asked, made.votes("aab"), opened=2)
    assert (now.option, now.votes, now.missing) == (None, 2, ())
    assert now.invalid == (("v0", "the vote was stored before the ballot was opened"),)
    assert tally(asked, made.votes("aab"), opened=1).option == "a"


def test_an_abstention_counts_for_the_quorum_and_an_invalid_vote_does_not(made):
    asked = made.ballot(voters=3, quorum=3)
    assert tally(asked, made.votes("aa-")).option == "a"
    for spoiled in "!#":
        decided = tally(asked, made.votes(f"aa{spoiled}"))
        assert (decided.option, decided.by, decided.votes) == (None, "undecided", 2)
        assert decided.reason == "2 valid votes are there and 0 may still come, too few for the 3 that it takes"


def test_nothing_but_invalid_votes_decide_nothing(made):
    for rule in RULES:
        for deadlines in ([], [9]):
            decided = tally(made.ballot(rule, status_quo="a"), made.votes("!#!#!"), deadlines)
            assert (decided.option, decided.by, decided.votes, len(decided.invalid)) == (None, "undecided", 0, 5)


@pytest.mark.parametrize(
    ("policy", "by"), [("undecided", "undecided"), ("extend", "undecided"), ("escalate", "escalated")]
)
def test_a_quorum_out_of_reach_ends_the_ballot_before_anybody_else_is_asked(made, policy, by):
    """An extension would have nothing to wait for."""
    asked = made.ballot(voters=5, quorum=4, no_quorum=policy, extension_s=60)
    assert tally(asked, made.votes("!")).is_open
    decided = tally(asked, made.votes("!!"))
    assert (decided.by, decided.early, decided.upto, decided.extended) == (by, True, 2, False)
    excluded = made.ballot(
        quorum=5, panel=(Panelist(voter="v0", family="x"),), exclude_families=("x",), no_quorum=policy
    )
    assert (tally(excluded, []).by, tally(excluded, []).upto) == (by, 0)


def test_the_next_wave_asks_somebody_else_for_an_invalid_vote(made):
    asked = made.ballot(voters=5, quorum=3, panel=tuple(Panelist(voter=f"v{n}") for n in range(5)), wave=3)
    wave = next_wave(asked, tally(asked, made.votes("aa!")), ["v0", "v1", "v2"])
    assert [one.voter for one in wave] == ["v3"]


def test_an_invalid_vote_may_be_the_one_that_makes_an_outcome_certain(made):
    """With one voter less to come, a majority of those who are left is there."""
    asked = made.ballot(voters=5)
    assert tally(asked, made.votes("aa-")).is_open
    decided = tally(asked, made.votes("aa-!"))
    assert (decided.option, decided.upto, decided.early) == ("a", 4, True)


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_an_invalid_vote_changes_no_count(made, rng):
    """Of each prefix with an invalid vote at its end, the counts are those without it."""
    asked = made.any_ballot(rng)
    said = [made.any_vote(rng, n, voter) for n, voter in enumerate(asked.electorate[1:], 1)]
    before = tally(asked, said)
    after = tally(asked, [*said, made.any_invalid_vote(rng, 90, asked.electorate[0])])
    if not before.is_open:
        assert after == before
    else:
        assert (dict(after.counts) or {}, after.votes, after.abstained, after.answers) == (
            dict(before.counts) or dict.fromkeys(after.counts, 0), before.votes, before.abstained, before.answers
        )  # fmt: skip


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_when_the_invalid_votes_arrive_does_not_change_the_option(made, rng):
    """Valid votes keep their order; the invalid ones of other voters come anywhere between."""
    asked = made.any_ballot(rng)
    voters = rng.sample(asked.electorate, len(asked.electorate))
    valid = rng.randint(0, len(voters))
    said = [_valid(made, rng, 100 * n, voter) for n, voter in enumerate(voters[:valid], 1)]
    ends = set()
    for _ in range(4):
        places = rng.sample(range(1, 1_000), len(voters) - valid)
        spoiled = [
            made.any_invalid_vote(rng, place + (place % 100 == 0), voter)
            for place, voter in zip(places, voters[valid:], strict=True)
        ]
        decided = tally(asked, [*spoiled, *said])
        assert not decided.is_open
        ends.add((decided.option, decided.by))
    assert len(ends) == 1


def _valid(made, rng: random.Random, sequence: int, voter: str):
    """A vote that any rule reads, or an abstention."""
    if rng.random() < 0.15:
        return made.cast(sequence, voter)
    names = ("a", "b", "c")
    ranking = tuple(rng.sample(names, rng.randint(1, 3)))
    scores = {option: rng.randint(0, 10) for option in names}
    return made.cast(sequence, voter, rng.choice(names), approved=ranking[:1], ranking=ranking, scores=scores)


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_every_decision_by_the_rule_has_its_quorum_of_valid_votes(made, rng):
    asked = made.any_ballot(rng)
    said = [made.any_vote(rng, n, voter) for n, voter in enumerate(asked.electorate, 1)]
    decided = tally(asked, said, rng.choice([(), (rng.randint(1, 9),)]))
    assert decided.votes == len(decided.answers) == len(decided.counted) <= len(said) - len(decided.invalid)
    if decided.by == "rule" or decided.by.startswith("tie-"):
        assert decided.votes >= asked.quorum
