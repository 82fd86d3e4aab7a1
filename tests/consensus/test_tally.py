"""The tally: one decision for every delivery, what counts and what does not, equals, and the ballot's own policies."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.ballots import Option, Panelist
from workers.consensus.reading import contenders, invalid
from workers.consensus.rules import RULES, UnknownRule
from workers.consensus.tally import tally

DICE = st.randoms(use_true_random=False)


def full(asked, said, deadlines=()):
    """The count that waits for every valid vote."""
    valid = [one for one in said if not invalid(asked, one)]
    return tally(asked.model_copy(update={"quorum": max(asked.quorum, len(valid))}), said, deadlines)


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_every_delivery_of_the_same_votes_finds_the_same_decision(made, rng):
    """In any order, any of them twice, with later votes of the same voters and with votes of outsiders between."""
    asked = made.any_ballot(rng)
    voters = rng.sample(asked.electorate, len(asked.electorate))
    said = [made.any_vote(rng, 10 * n, voter) for n, voter in enumerate(voters, 1)]
    deadlines = tuple(rng.sample(range(5, 95, 10), rng.randint(0, 2)))
    decided = tally(asked, said, deadlines)
    noise = [made.any_vote(rng, 10 * n + 3, rng.choice(voters[:n])) for n in range(1, len(voters) + 1)]
    noise += [made.any_vote(rng, rng.randrange(1, 90, 10), f"outsider{n}") for n in range(3)]
    delivered = [*said, *noise, *rng.choices(said, k=3)]
    again = tally(asked, rng.sample(delivered, len(delivered)), (*deadlines, *deadlines)[::-1])
    members = tuple(one for one in again.invalid if not one[0].startswith("outsider"))
    assert replace(again, invalid=members) == decided


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_replicas_that_have_seen_less_of_the_log_find_the_same_decision_or_none_yet(made, rng):
    asked = made.any_ballot(rng)
    said = [made.any_vote(rng, 10 * n, voter) for n, voter in enumerate(asked.electorate, 1)]
    deadlines = tuple(sorted(rng.sample(range(5, 95, 10), rng.randint(0, 2))))
    decided, was_open = tally(asked, said, deadlines), True
    for seen in range(0, 100, 5):
        now = tally(asked, [one for one in said if one.sequence <= seen], [at for at in deadlines if at <= seen])
        assert now.is_open or now == decided
        assert was_open or not now.is_open
        was_open = now.is_open
    assert not was_open


@pytest.mark.parametrize("rule", sorted(RULES))
@given(rng=DICE)
@settings(max_examples=120, deadline=None)
def test_stopping_early_finds_the_winner_of_the_full_count(made, rule, rng):
    asked = made.any_ballot(rng, rules=(rule,), least=2, most=9)
    said = [made.any_vote(rng, n, voter) for n, voter in enumerate(asked.electorate, 1)]
    early, late = tally(asked, said), full(asked, said)
    assert (early.option, early.by) == (late.option, late.by)
    assert early.votes <= late.votes <= len(said)
    assert early.votes >= asked.quorum or early.by != "rule"
    assert early.early == bool(early.missing)


def saved(made, rng, agree: float, rounds: int = 1_000) -> float:
    """The part of the votes that a majority of 5 to 9 voters need not cast, if each takes `a` with this probability."""
    bought = cast = 0
    for _ in range(rounds):
        voters = rng.randint(5, 9)
        said = made.votes("".join("a" if rng.random() < agree else rng.choice("bc") for _ in range(voters)))
        asked = made.ballot(voters=voters)
        bought, cast = bought + tally(asked, said).votes, cast + voters
    return 1 - bought / cast


@pytest.mark.parametrize(("agree", "least"), [(1.0, 0.38), (0.9, 0.30), (0.75, 0.18)])
def test_the_more_the_voters_agree_the_fewer_votes_a_majority_takes(made, agree, least):
    """More than half of the votes are always needed, so 5 to 9 voters save some 40 % at most, where all agree."""
    assert least <= saved(made, random.Random(4), agree) <= 0.42


def test_a_late_vote_does_not_count(made):
    asked = made.ballot(voters=3)
    decided = tally(asked, [*made.votes("ab"), made.cast(9, "v2", "b")], deadlines=[5])
    assert (decided.option, decided.votes, decided.upto) == (None, 2, 5)
    assert tally(asked, [*made.votes("ab"), made.cast(9, "v2", "b")]).option == "b"


def test_a_vote_after_the_decision_changes_nothing(made):
    decided = tally(made.ballot(), made.votes("aaa"))
    assert (decided.option, decided.upto, decided.early) == ("a", 3, True)
    assert tally(made.ballot(), made.votes("aaabb")) == decided


def test_a_voters_first_vote_is_the_one_that_counts(made):
    said = [made.cast(2, "v0", "b"), made.cast(1, "v0", "a"), made.cast(3, "v1", "a")]
    assert tally(made.ballot(voters=2), said).option == "a"


def test_nobody_from_outside_the_electorate_is_counted(made):
    now = tally(made.ballot(voters=3), [made.cast(1, "x", "a"), made.cast(2, "y", "a"), made.cast(3, "v0", "b")])
    assert (now.is_open, now.votes, now.counts) == (True, 1, {"a": 0, "b": 1, "c": 0})


def test_an_abstention_counts_for_the_quorum_and_never_as_an_approval(made):
    decided = tally(made.ballot(voters=3, quorum=3), made.votes("bb-"))
    assert (decided.option, decided.votes, decided.abstained, decided.counts["a"]) == ("b", 3, 1, 0)


def test_nothing_but_abstentions_decide_nothing(made):
    for rule in RULES:
        decided = tally(made.ballot(rule, status_quo="a"), made.votes("-----"))
        assert (decided.option, decided.by, decided.abstained) == (None, "undecided", 5)


def test_what_is_certain_waits_for_the_quorum(made):
    asked = made.ballot(voters=5, quorum=4)
    assert tally(asked, made.votes("aaa")).is_open
    assert tally(asked, made.votes("aaa-")).option == "a"
    ended = tally(asked, made.votes("aaa"), deadlines=[9])
    assert (ended.option, ended.by, ended.upto) == (None, "undecided", 9)
    assert ended.reason == "3 of the 4 answers that it takes came"


def test_a_deadline_takes_what_is_there(made):
    decided = tally(made.ballot(quorum=2), made.votes("ab-a"), deadlines=[9])
    assert (decided.option, decided.by, decided.upto, decided.early) == ("a", "rule", 9, False)


@pytest.mark.parametrize(
    ("order", "weights", "said", "option", "by"),
    [
        ((), {}, "aabb", None, "undecided"),
        (("status_quo",), {}, "aabb", "b", "tie-status_quo"),
        (("status_quo",), {}, "aacc", None, "undecided"),
        (("status_quo", "hash"), {}, "aacc", "c", "tie-hash"),
        (("weight",), {"v0": 2_000_000}, "aabb", "a", "tie-weight"),
        (("weight",), {"v3": 2_000_000}, "aabb", "b", "tie-weight"),
        (("weight",), {}, "aabb", None, "undecided"),
        (("weight", "status_quo"), {}, "aabb", "b", "tie-status_quo"),
        (("status_quo", "weight"), {"v0": 2_000_000}, "aabb", "b", "tie-status_quo"),
        (("hash",), {}, "aabb", "b", "tie-hash"),
    ],
)
def test_equals_are_told_apart_by_the_declared_order_and_never_by_arrival(made, order, weights, said, option, by):
    asked = made.ballot(voters=4, status_quo="b", tie_order=order, weights=weights)
    for turn in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        arrived = [made.cast(n, f"v{voter}", said[voter]) for n, voter in enumerate(turn, 1)]
        decided = tally(asked, arrived)
        assert (decided.option, decided.by) == (option, by)


def test_the_weight_of_a_side_is_of_those_whom_the_rule_counts_for_it(made):
    """A ranked ballot reads the ranking, and a majority the choice, whatever else the voters wrote."""
    said = [
        made.cast(1, "v0", "b", ranking=("a", "b"), approved=("b",)),
        made.cast(2, "v1", "a", ranking=("b", "a"), approved=("a",)),
    ]
    fields = {"voters": 2, "options": ("a", "b"), "weights": {"v0": 2_000_000}, "tie_order": ("weight",)}
    assert tally(made.ballot("ranked", **fields), said).option == "a"
    assert tally(made.ballot("majority", **fields), said).option == "b"


def test_a_ballot_that_says_so_stays_with_the_status_quo_among_equals(made):
    assert tally(made.ballot(voters=2, tie="status_quo", status_quo="b"), made.votes("ab")).option == "b"


@pytest.mark.parametrize(
    ("policy", "option", "by"),
    [
        ({"no_quorum": "undecided", "default_option": "c"}, None, "undecided"),
        ({"no_quorum": "escalate"}, None, "escalated"),
        ({"no_quorum": "default", "default_option": "c"}, "c", "default"),
        ({"no_quorum": "default"}, None, "undecided"),
        ({"no_quorum": "default", "default_option": "nothing-of-the-kind"}, None, "undecided"),
        ({"no_quorum": "extend"}, None, "undecided"),
    ],
)
@pytest.mark.parametrize(("said", "deadlines"), [("ab", [9]), ("a", [9]), ("abab", []), ("", [9])])
def test_without_a_quorum_or_a_winner_the_ballots_own_policy_decides(made, policy, option, by, said, deadlines):
    decided = tally(made.ballot(voters=4, quorum=2, **policy), made.votes(said), deadlines)
    assert (decided.option, decided.by) == (option, by)


def test_an_extension_is_given_once(made):
    asked = made.ballot(voters=3, quorum=2, no_quorum="extend", extension_s=60)
    first, late = made.votes("a"), made.cast(7, "v1", "a")
    assert not tally(asked, first).extended
    waiting = tally(asked, first, [5])
    assert (waiting.is_open, waiting.extended) == (True, True)
    assert tally(asked, [*first, late], [5]).option == "a"
    ended = tally(asked, first, [5, 10])
    assert (ended.by, ended.upto, ended.extended) == ("undecided", 10, True)
    assert tally(asked, [*first, made.cast(11, "v1", "a")], [5, 10]) == ended


def test_a_timer_that_is_delivered_twice_ends_no_extension(made):
    asked = made.ballot(voters=3, quorum=2, no_quorum="extend", extension_s=60)
    assert tally(asked, made.votes("a"), [5, 5]).is_open


def test_equals_at_the_deadline_are_given_the_extension_too(made):
    asked = made.ballot(voters=3, no_quorum="extend", extension_s=60)
    assert tally(asked, made.votes("ab"), [5]).extended
    assert tally(asked, [*made.votes("ab"), made.cast(6, "v2", "b")], [5]).option == "b"


def test_a_winner_at_the_deadline_needs_no_extension(made):
    decided = tally(made.ballot(no_quorum="extend", extension_s=60), made.votes("aa"), [5])
    assert (decided.option, decided.extended) == ("a", False)


def alike(**last) -> tuple[Option, ...]:
    """Two options with the same content, and a third one."""
    return Option(option="a", content="0" * 64), Option(option="b"), Option(option="c", content="0" * 64, **last)


def test_identical_candidates_are_one(made):
    asked = made.ballot(voters=5, options=alike())
    decided = tally(asked, made.votes("acbbc"))
    assert (decided.option, decided.counts) == ("a", {"a": 3, "b": 2})


def test_a_ranking_or_scores_of_identical_candidates_count_once_and_at_their_best(made):
    ranked = made.ballot("ranked", 1, alike())
    assert tally(ranked, [made.cast(1, "v0", ranking=("c", "b", "a"))]).option == "a"
    scored = made.ballot("score", 1, alike())
    for scores in ({"a": 9, "b": 5, "c": 1}, {"c": 1, "b": 5, "a": 9}):
        assert tally(scored, [made.cast(1, "v0", scores=scores)]).counts == {"a": 9, "b": 5}


def test_the_status_quo_and_the_default_may_be_known_by_the_name_of_their_twin(made):
    kept = made.ballot("veto", 3, alike(), status_quo="c", quorum=1)
    assert tally(kept, made.votes("c")).option == "a"
    equals = made.ballot(voters=2, options=alike(), status_quo="c", tie_order=("status_quo",))
    assert tally(equals, made.votes("ab")).option == "a"
    default = made.ballot(voters=2, options=alike(), no_quorum="default", default_option="c")
    assert tally(default, made.votes("ab")).option == "a"


def failed(option: str) -> Option:
    return Option(option=option, eligible=False)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_candidate_that_is_not_eligible_can_not_win(made, rule):
    """Not by votes, by being the status quo, as the default, nor under the name of a twin that comes after it."""
    fields = {"status_quo": "b", "tie_order": ("status_quo", "hash"), "no_quorum": "default", "default_option": "b"}
    asked = made.ballot(rule, 4, ("a", failed("b")), **fields)
    for said in ("bbbb", "b", ""):
        assert tally(asked, made.votes(said), [9]).option is None
    whole = {"approved": ("b",), "ranking": ("b",), "scores": {"b": 10}}
    assert tally(asked, [made.cast(n, f"v{n}", "b", **whole) for n in range(4)]).option is None


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_only_eligible_candidate_wins_if_it_is_voted_for(made, rule):
    asked = made.ballot(rule, 3, (failed("a"), "b", failed("c")))
    whole = {"approved": ("b",), "ranking": ("b",), "scores": {"b": 10}}
    assert contenders(asked) == ("b",)
    assert tally(asked, [made.cast(n, f"v{n}", "b", **whole) for n in range(3)]).option == "b"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_ballot_without_any_eligible_candidate_stays_undecided(made, rule):
    asked = made.ballot(rule, 2, (failed("a"), failed("b")), status_quo="a", tie_order=("status_quo", "hash"))
    assert tally(asked, made.votes("ab")).by == "undecided"


def panel(*families: str) -> tuple[Panelist, ...]:
    return tuple(Panelist(voter=f"v{n}", family=family) for n, family in enumerate(families))


def test_nothing_waits_for_an_excluded_family_and_its_votes_do_not_count(made):
    asked = made.ballot(voters=3, panel=panel("x", "y", "z"), exclude_families=("z",))
    decided = tally(asked, [made.cast(1, "v2", "b"), made.cast(2, "v0", "a"), made.cast(3, "v1", "a")])
    assert (decided.option, decided.counts["b"], decided.early) == ("a", 0, False)
    assert tally(asked, made.votes("ab")).by == "undecided"


def test_a_quorum_that_can_not_be_reached_any_more_ends_the_ballot(made):
    asked = made.ballot(voters=3, quorum=3, panel=panel("x", "y", "z"), exclude_families=("z",), no_quorum="escalate")
    assert tally(asked, made.votes("aa")).by == "escalated"
    nobody = made.ballot(voters=1, panel=panel("x"), exclude_families=("x",))
    assert tally(nobody, []).by == "undecided"


def test_a_voter_that_is_named_twice_votes_once(made):
    asked = made.ballot(electorate=("v0", "v0", "v1"), quorum=2)
    decided = tally(asked, made.votes("aa"))
    assert (decided.option, decided.votes, decided.missing) == ("a", 2, ())


def test_a_rule_that_there_is_not_is_refused_at_the_first_vote(made):
    with pytest.raises(UnknownRule, match="coin"):
        tally(made.ballot("coin"), made.votes("a"))


def test_a_winner_that_never_led_by_enough_is_not_said_to_have(made):
    reason = tally(made.ballot("ahead", voters=3, ahead_by=9), made.votes("aba")).reason
    assert reason == "a wins with the most votes, though not 9 ahead, after 3 of 3 answers"
    assert tally(made.ballot("ahead", voters=3, ahead_by=2), made.votes("aab")).reason.startswith(
        "a wins by ahead after 2"
    )
