"""Decisions as facts: which votes counted and why, in a size that the bus carries."""

import pytest

from contracts.message import MAX_PAYLOAD_BYTES
from contracts.v1.ballots import CountedVote, InvalidVote, Option
from workers.consensus.decisions import as_decision
from workers.consensus.tally import tally


def decided(asked, votes, deadlines=(99_999,)):
    return as_decision(asked, tally(asked, votes, deadlines))


def test_a_decision_says_what_was_counted_and_what_was_not(made):
    asked = made.ballot(voters=4, quorum=3)
    votes = [
        made.cast(1, "stranger", "a"),
        made.cast(2, "v2", "a", rationale=" It is the shortest. ", because="never read", task="vote-x--v2"),
        made.cast(3, "v0", because="I know none of them"),
        made.cast(4, "v1", "z"),
        made.cast(5, "v3", "a"),
        made.cast(6, "other stranger".replace(" ", "-"), "a"),
    ]
    made_of = decided(asked, votes)
    assert (made_of.tenant, made_of.run, made_of.ballot, made_of.option, made_of.by) == ("t", "r", "x", "a", "rule")
    assert (made_of.votes, made_of.abstained, made_of.upto, made_of.early) == (3, 1, 5, False)
    assert made_of.counts == {"a": 2, "b": 0, "c": 0}
    assert made_of.counted == (
        CountedVote(voter="v2", options=("a",), text="It is the shortest.", task="vote-x--v2"),
        CountedVote(voter="v0", text="I know none of them"),
        CountedVote(voter="v3", options=("a",)),
    )
    assert made_of.invalid == (
        InvalidVote(voter="stranger", reason="stranger is not in the electorate"),
        InvalidVote(voter="v1", reason="there is no option 'z'; there are a, b, c"),
    )


@pytest.mark.parametrize(
    ("rule", "vote", "options"),
    [
        ("majority", {"choice": "b", "approved": ("a",), "scores": {"a": 9}}, ("b",)),
        ("approval", {"choice": "c", "approved": ("b", "a")}, ("a", "b")),
        ("approval", {"choice": "c"}, ("c",)),
        ("ranked", {"ranking": ("c", "a")}, ("c",)),
        ("ranked", {"choice": "b"}, ("b",)),
        ("score", {"scores": {"a": 3, "b": 7, "c": 7}}, ("b", "c")),
        ("score", {}, ()),
    ],
)
def test_a_counted_vote_names_the_options_that_the_rule_reads_it_for(made, rule, vote, options):
    made_of = decided(made.ballot(rule, 1), [made.cast(1, "v0", **vote)])
    assert made_of.counted[0].options == options


def test_a_vote_for_a_twin_is_named_after_the_option_that_it_counts_for(made):
    twins = (Option(option="a", content="0" * 64), Option(option="b", content="0" * 64))
    assert decided(made.ballot(voters=1, options=twins), [made.cast(1, "v0", "b")]).counted[0].options == ("a",)


def test_an_open_ballot_has_no_decision(made):
    with pytest.raises(ValueError, match="ballot x is not decided yet"):
        as_decision(made.ballot(), tally(made.ballot(), made.votes("a")))


@pytest.mark.parametrize(("voters", "each"), [(1, 4_000), (10, 4_000), (500, 400), (1_000, 200)])
def test_texts_are_cut_where_they_are_long_or_many(made, voters, each):
    votes = [made.cast(n + 1, f"v{n}", rationale="x" * 20_000) for n in range(voters)]
    counted = decided(made.ballot(voters=voters, quorum=voters), votes).counted
    assert len(counted) == voters
    assert all(len(one.text) < each and one.text.endswith("x…") for one in counted)
    assert sum(len(one.text) for one in counted) < 200_000


@pytest.mark.parametrize("letter", ["\x01", "🚀", '"'])
def test_a_decision_fits_on_the_bus_whatever_the_letters(made, letter):
    votes = [made.cast(n + 1, f"v{n}", rationale=letter * 1_000) for n in range(1_000)]
    made_of = decided(made.ballot(voters=1_000, quorum=1_000), votes)
    assert len(made_of.model_dump_json().encode()) < MAX_PAYLOAD_BYTES
    assert (len(made_of.counted), made_of.votes) == (1_000, 1_000)


def test_votes_that_are_too_many_to_tell_one_by_one_are_left_to_the_log(made):
    options = tuple(f"{n:02}" + "o" * 62 for n in range(50))
    votes = [made.cast(n + 1, f"v{n}", approved=options) for n in range(400)]
    made_of = decided(made.ballot("approval", 400, options, quorum=400), votes)
    assert len(made_of.model_dump_json().encode()) < MAX_PAYLOAD_BYTES
    assert (made_of.counted, made_of.votes, made_of.counts[options[0]]) == ((), 400, 400)


@pytest.mark.parametrize(
    ("strangers", "told", "last"), [(100, 100, ""), (101, 100, "; and 1 more"), (250, 100, "; and 150 more")]
)
def test_of_many_invalid_votes_a_hundred_are_told(made, strangers, told, last):
    votes = [made.cast(n + 1, f"stranger{n}", "a") for n in range(strangers)]
    made_of = decided(made.ballot(), votes)
    assert len(made_of.invalid) == told
    assert made_of.invalid[-1].reason.endswith(f"not in the electorate{last}")


def test_a_reason_for_refusal_is_told_up_to_a_bound(made):
    refused = made.cast(1, "v0", "a")._replace(refused="y" * 30_000)
    assert len(decided(made.ballot(voters=1), [refused]).invalid[0].reason) == 1_000
