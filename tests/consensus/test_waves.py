"""Waves: who is asked and who never is, and that the asking stops when it is decided and always ends."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.ballots import BallotOpened, Panelist
from workers.consensus.rules import RULES
from workers.consensus.tally import Cast, Tally, electors, tally
from workers.consensus.waves import fewest, next_wave, panel_of

DICE = st.randoms(use_true_random=False)
FAMILIES = ("x", "y", "z")


def panel(*families: str) -> tuple[Panelist, ...]:
    return tuple(Panelist(voter=f"v{n}", family=family) for n, family in enumerate(families))


def names(asked: tuple[Panelist, ...]) -> list[str]:
    return [one.voter for one in asked]


def any_panel(made, rng: random.Random, everybody: bool = False) -> BallotOpened:
    """A ballot of any rule, with a panel that may lack voters, name outsiders, or name somebody twice."""
    plain = made.any_ballot(rng, least=2)
    asked = list(plain.electorate) if everybody else rng.sample(plain.electorate, rng.randint(1, len(plain.electorate)))
    asked += [] if everybody else rng.choices([*asked, "outsider"], k=rng.randint(0, 2))
    more = {
        "panel": tuple(Panelist(voter=voter, family=rng.choice(FAMILIES)) for voter in asked),
        "wave": rng.randint(1, 4),
        "distinct_families": rng.random() < 0.5,
        "exclude_families": tuple(rng.sample(FAMILIES, rng.choice([0, 0, 1]))),
    }
    return plain.model_copy(update=more)


def ask(made, ballot: BallotOpened, rng: random.Random, choices: str = "") -> tuple[Tally, list[list[str]]]:
    """Ask in waves until nobody is asked any more. Those asked answer in any order: one of the choices, or anything."""
    said: list[Cast] = []
    waves: list[list[str]] = []
    while wave := names(next_wave(ballot, now := tally(ballot, said), [one for each in waves for one in each])):
        assert now.is_open
        waves.append(wave)
        for voter in rng.sample(wave, len(wave)):
            sequence = len(said) + 1
            if choices:
                choice = rng.choice(choices)
                said.append(made.cast(sequence, voter, choice, scores={one: 10 * (one == choice) for one in "abc"}))
            else:
                said.append(made.any_vote(rng, sequence, voter))
    return tally(ballot, said), waves


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_only_panelists_of_the_electorate_and_of_no_excluded_family_are_asked_and_each_once(made, rng):
    ballot = any_panel(made, rng)
    _, waves = ask(made, ballot, rng)
    asked = [voter for wave in waves for voter in wave]
    first = {one.voter: one.family for one in reversed(ballot.panel)}
    assert len(asked) == len(set(asked))
    assert all(voter in ballot.electorate and first[voter] not in ballot.exclude_families for voter in asked)
    assert all(len(wave) <= ballot.wave for wave in waves[:1])


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_the_asking_ends_decided_or_undecided_when_the_panel_is_the_electorate(made, rng):
    ballot = any_panel(made, rng, everybody=True)
    now, waves = ask(made, ballot, rng)
    assert not now.is_open
    assert len(waves) <= len(ballot.panel)


@given(rng=DICE)
@settings(max_examples=300, deadline=None)
def test_with_others_in_the_electorate_the_asking_ends_and_the_deadline_decides(made, rng):
    ballot = any_panel(made, rng)
    now, waves = ask(made, ballot, rng)
    asked = {voter for wave in waves for voter in wave}
    assert not now.is_open or asked == {one.voter for one in panel_of(ballot)}
    said = [made.any_vote(rng, n, voter) for n, voter in enumerate(sorted(asked), 1)]
    assert not tally(ballot, said, [20, 30]).is_open


@given(rng=DICE)
@settings(max_examples=200, deadline=None)
def test_no_wave_is_larger_than_what_could_decide(made, rng):
    """With one voter less than asked, all for the same option, the ballot would still be open."""
    ballot = any_panel(made, rng)
    voters = electors(ballot)
    said = [made.any_vote(rng, n, one) for n, one in enumerate(voters[: rng.randint(0, len(voters))], 1)]
    now = tally(ballot, said)
    asked = [one.voter for one in said]
    for option in "abc":
        order = [option, *(set("abc") - {option})]
        whole = {
            "approved": (option,),
            "ranking": tuple(order),
            "scores": {one: 10 * (one == option) for one in "abc"},
        }
        fewer = names(next_wave(ballot, now, asked))[:-1]
        more = [made.cast(n, voter, option, **whole) for n, voter in enumerate(fewer, len(said) + 1)]
        assert not fewer or tally(ballot, [*said, *more]).is_open


@pytest.mark.parametrize(
    ("rule", "voters", "wave", "sizes"),
    [
        ("majority", 9, 3, [3, 2]),
        ("majority", 5, 3, [3]),
        ("majority", 5, 5, [3]),
        ("majority", 3, 1, [1, 1]),
        ("supermajority", 9, 3, [3, 3]),
        ("unanimity", 4, 3, [3, 1]),
        ("ahead", 9, 2, [2, 1]),
        ("approval", 5, 4, [3]),
    ],
)
def test_where_all_agree_no_more_are_asked_than_it_takes(made, rule, voters, wave, sizes):
    ballot = made.ballot(rule, voters, panel=panel(*"x" * voters), wave=wave)
    said, waves = [], []
    while asked := names(next_wave(ballot, tally(ballot, said), [one.voter for one in said])):
        waves.append(len(asked))
        whole = {"approved": ("a",)}
        said += [made.cast(n, voter, "a", **whole) for n, voter in enumerate(asked, len(said) + 1)]
    assert tally(ballot, said).option == "a"
    assert waves == sizes


def test_nobody_is_asked_while_an_answer_is_awaited(made):
    ballot = made.ballot(panel=panel(*"xxxxx"))
    assert names(next_wave(ballot, tally(ballot, []), [])) == ["v0", "v1", "v2"]
    assert next_wave(ballot, tally(ballot, made.votes("ab")), ["v0", "v1", "v2"]) == ()
    assert names(next_wave(ballot, tally(ballot, made.votes("aba")), ["v0", "v1", "v2"])) == ["v3"]


def test_nobody_is_asked_when_it_is_decided(made):
    ballot = made.ballot(panel=panel(*"xxxxx"), wave=1)
    assert next_wave(ballot, tally(ballot, made.votes("aaa")), []) == ()
    assert next_wave(ballot, tally(ballot, made.votes("a"), [9]), []) == ()


def test_who_has_voted_unasked_is_not_asked_and_leaves_fewer_to_ask(made):
    ballot = made.ballot(panel=panel(*"xxxxx"), wave=5)
    assert names(next_wave(ballot, tally(ballot, made.votes("aa")), [])) == ["v2"]


def test_an_abstention_leads_to_one_more_question(made):
    ballot = made.ballot(voters=5, panel=panel(*"xxxxx"), quorum=3)
    assert tally(ballot, made.votes("aa-")).is_open
    assert names(next_wave(ballot, tally(ballot, made.votes("aa-")), ["v0", "v1", "v2"])) == ["v3"]


def test_each_family_is_asked_once_before_any_is_asked_twice(made):
    ballot = made.ballot(voters=6, panel=panel(*"xxxyyz"), distinct_families=True)
    assert names(panel_of(ballot)) == ["v0", "v3", "v5", "v1", "v4", "v2"]
    assert names(panel_of(made.ballot(voters=6, panel=panel(*"xxxyyz")))) == ["v0", "v1", "v2", "v3", "v4", "v5"]


def test_a_heavy_panelist_is_counted_with_its_own_weight(made):
    """v4 is asked first, though it is the last of the electorate, and its weight is enough."""
    heavy = {"v4": 9_000_000}
    ballot = made.ballot("weighted", weights=heavy, panel=(Panelist(voter="v4"), Panelist(voter="v0")))
    assert fewest(ballot, tally(ballot, []), ["v4", "v0"]) == 1


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_panel_that_agrees_saves_votes_or_takes_them_all(made, rule):
    """Never more than the panel; with all rules but unanimity and veto some are saved."""
    ballot = made.ballot(rule, 7, status_quo="b", panel=panel(*"xxxxxxx"))
    now, waves = ask(made, ballot, random.Random(1), choices="a")
    taken = sum(len(wave) for wave in waves)
    assert taken == now.votes <= 7
    assert (taken < 7) == (rule not in {"unanimity", "veto"})


def test_in_the_extension_nobody_is_waited_for_and_all_who_are_left_are_asked(made):
    asked = made.ballot(voters=5, quorum=4, panel=panel(*"xxxxx"), no_quorum="extend", extension_s=60)
    before = tally(asked, [made.cast(2, "v0", "a")])
    assert names(next_wave(asked, before, ["v0", "v1"])) == []
    extended = tally(asked, [made.cast(2, "v0", "a")], deadlines=[3])
    assert extended.extended and names(next_wave(asked, extended, ["v0", "v1"])) == ["v2", "v3", "v4"]
