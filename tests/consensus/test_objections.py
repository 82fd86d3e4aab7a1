"""Ballots that can't be held: each is told what is wrong with it, and a ballot that may merely end undecided is not."""

import pytest

from contracts.v1.ballots import Option, Panelist
from contracts.v1.projects import Evidence
from workers.consensus.objections import objections
from workers.consensus.reading import contenders
from workers.consensus.rules import RULES
from workers.runtime.signing import Signer

KEY = Signer(b"SUAEL6GG2L2HIF7DUGZJGMRUFKXELGGYFMHF76UO2AYBG3K4YLWR3FKC2Q").public_key
KEYS = {f"v{n}": KEY for n in range(5)}
RED = Option(option="a", eligible=False)


def seen(passed: bool = True, tests: int = 3, failed: int = 0) -> Evidence:
    return Evidence(passed=passed, tests=tests, failed=failed, level="process", duration_s=1.0, files_digest="0" * 64)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_sound_ballot_of_any_rule_meets_no_objection(made, rule):
    panel = (Panelist(voter="v0"), Panelist(voter="v4", family="x"))
    fields = {"status_quo": "a", "default_option": "b", "no_quorum": "default", "panel": panel, "vetoers": ("v1",)}
    assert objections(made.ballot(rule, weights={"v0": 0}, signed=True, keys=KEYS, **fields)) == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rule": "coin"}, "no rule 'coin'; there are ahead, approval, majority"),
        ({"status_quo": "z"}, "status_quo 'z' is not among the options; name one of a, b, c"),
        ({"default_option": "z"}, "default_option 'z' is not among the options"),
        ({"no_quorum": "default"}, "set default_option"),
        ({"no_quorum": "extend"}, "set extension_s"),
        ({"tie": "status_quo"}, "set status_quo"),
        ({"rule": "veto"}, "the ballot names none; set status_quo"),
        ({"rule": "veto", "status_quo": "a", "options": (RED, "b")}, "'a' can't win; name one that can"),
        ({"rule": "supermajority", "threshold": (3, 2)}, "threshold 3/2"),
        ({"rule": "weighted", "weights": {f"v{n}": 0 for n in range(5)}}, "weights of all voters are 0"),
        ({"vetoers": ("v0", "x")}, "vetoers: x not in the electorate"),
        ({"weights": {"x": 1}}, "weights: x not in the electorate"),
        ({"keys": {"x": KEY}}, "keys: x not in the electorate"),
        ({"panel": (Panelist(voter="x"),)}, "panel: x not in the electorate"),
        ({"vetoers": tuple(f"x{n}" for n in range(9))}, "vetoers: x0, x1, x2, x3, x4 and 4 more not in"),
        ({"panel": (Panelist(voter="v0"), Panelist(voter="v0", persona="user"))}, "panel names v0 more than once"),
        ({"electorate": ("v0", "v1", "v0")}, "electorate names v0 more than once"),
        ({"options": (RED, Option(option="b", evidence=seen(failed=1)))}, "no option can win (a: it is not eligible"),
        ({"signed": True}, "no key of v0, v1, v2, v3, v4; add their public nkeys"),
        ({"signed": True, "keys": {**KEYS, "v1": KEY[:-1] + "A"}}, "v1: "),
        ({"signed": True, "keys": {**KEYS, "v1": "hello"}}, "'hello' is no"),
        ({"ballot": "b" * 41}, "41 characters; take at most 40"),
        ({"ballot": "one--two"}, "'one--two' has -- in it"),
        ({"ballot": "-one"}, "- at an end"),
        ({"ballot": "one-"}, "- at an end"),
        ({"ballot": "b" * 40, "electorate": ("v" * 18,), "panel": (Panelist(voter="v" * 18),)}, "57 characters togeth"),
    ],
)
def test_a_ballot_that_can_not_be_held_is_told_why(made, fields, says):
    (objection,) = objections(made.ballot(**fields))
    assert says in objection


def test_all_that_is_wrong_is_said_at_once(made):
    assert len(objections(made.ballot("coin", status_quo="z", no_quorum="extend", signed=True))) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"quorum": 5, "panel": (Panelist(voter="v0", family="x"),), "exclude_families": ("x",)},
        {"tie_order": ("status_quo", "weight", "hash")},
        {"tie": "status_quo", "tie_order": ("hash",)},
        {"no_quorum": "default", "default_option": "a", "options": (RED, "b")},
        {"options": (RED, "b")},
        {"threshold": (3, 2)},
        {"ballot": "b" * 40, "electorate": ("v" * 17,), "panel": (Panelist(voter="v" * 17),)},
        {"ballot": "b" * 40, "electorate": ("v" * 64,)},
        {"keys": {"v0": "hello"}},
    ],
)
def test_what_the_ballots_own_policy_or_no_rule_looks_at_is_no_objection(made, fields):
    assert objections(made.ballot(**fields)) == ()


def test_an_excluded_voter_needs_no_key(made):
    fields = {"panel": (Panelist(voter="v4", family="x"),), "exclude_families": ("x",)}
    keys = {voter: key for voter, key in KEYS.items() if voter != "v4"}
    assert objections(made.ballot(signed=True, keys=keys, **fields)) == ()
    assert len(objections(made.ballot(signed=True, keys=keys))) == 1


@pytest.mark.parametrize("evidence", [seen(False), seen(failed=1), seen(tests=0), seen(False, 0)])
def test_a_candidate_whose_tests_are_red_or_did_not_run_can_not_win(made, evidence):
    assert contenders(made.ballot(options=(Option(option="a", evidence=evidence), "b"))) == ("b",)
    assert contenders(made.ballot(options=(Option(option="a", evidence=seen()), "b"))) == ("a", "b")


def test_a_ranked_ballot_that_takes_too_long_to_count_is_refused(made):
    options = tuple(Option(option=f"o{n}") for n in range(50))
    [said] = objections(made.ballot("ranked", voters=1_000).model_copy(update={"options": options}))
    assert "50 options ranked by 1000 voters take too long" in said
    assert objections(made.ballot("majority", voters=1_000).model_copy(update={"options": options})) == ()
