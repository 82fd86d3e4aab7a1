"""ballot show, vote and outcome; and voters, who are known by outcomes."""

import json
from datetime import timedelta

import pytest

from contracts.codec import decode
from contracts.v1.ballots import OutcomeSeen, Panelist, VoteCast
from workers.runtime.signing import Signer, check_bytes, new_seed


def last(desk):
    return decode(desk.log.facts[-1].subject, desk.log.facts[-1].data)


class TestShow:
    def test_an_open_ballot_shows_votes_tally_and_what_is_missing(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a", rationale="it is short"), held.vote("bob", because="no idea")])
        text = desk("ballot", "show", "b1").stdout
        assert text.splitlines()[0] == "ballot b1  open, 59.8 s left"
        for said in (
            "majority: more than half",
            "quorum 2 of 3",
            "it is short",
            "abstains: no idea",
            "1 of 3 votes: eve",
        ):
            assert said in text

    def test_votes_that_did_not_count_say_why(self, desk, held):
        facts = [held.vote("mallory", "a"), held.vote("eve", "z"), held.vote("ada", "a"), held.vote("bob", "a")]
        desk.tell([held.terms, *facts])
        desk.decide(held)
        desk.log.put("flotilla.default.b1.vote.b1.late", b"not json")
        shown = json.loads(desk("ballot", "show", "b1", "--json").stdout)
        assert {vote["voter"]: vote["counted"] for vote in shown["votes"]} == {
            "mallory": "invalid", "eve": "invalid", "ada": "counted", "bob": "counted", "late": "late",
        }  # fmt: skip
        assert "not in the electorate" in shown["votes"][0]["reason"]
        assert shown["recount"] == "same"

    def test_the_decision_is_counted_again_and_one_that_differs_is_told(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a"), held.vote("bob", "a")])
        forged = held.decision(desk.log.facts).model_copy(update={"option": "b"})
        desk.tell([forged])
        text = desk("ballot", "show", "b1").stdout
        assert "IT DIFFERS: option is 'b', counted 'a'" in text

    def test_a_decision_that_is_right_says_so(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a"), held.vote("bob", "a")])
        desk.decide(held)
        text = desk("ballot", "show", "b1").stdout
        assert text.startswith("ballot b1  decided: a after")
        assert "the same, counted again from the log" in text

    def test_a_ballot_is_found_in_whatever_run_it_is_and_two_need_the_run(self, desk, new_held):
        desk.tell([new_held("release-1", run="r1").terms])
        assert desk("ballot", "show", "release-1").exit_code == 0
        desk.tell([new_held("release-1", run="r2").terms])
        result = desk("ballot", "show", "release-1")
        assert result.exit_code == 2
        assert "--run r1 | r2" in result.stderr
        assert desk("ballot", "show", "release-1", "--run", "r2").exit_code == 0

    def test_one_that_is_not_there_says_which_are(self, desk, held):
        assert "nor any other" in desk("ballot", "show", "nope").stderr
        desk.tell([held.terms])
        result = desk("ballot", "show", "nope")
        assert (result.exit_code, "recent ballots: b1" in result.stderr) == (2, True)
        assert "has no ballot nope; it has b1" in desk("ballot", "show", "nope", "--run", "b1").stderr

    def test_a_ballot_that_ended_without_votes_expects_none(self, desk, held):
        desk.tell([held.terms])
        assert "votes     none yet" in desk("ballot", "show", "b1").stdout
        desk.tell([held.passed()])
        desk.decide(held)
        lines = desk("ballot", "show", "b1").stdout.splitlines()
        assert lines[0].startswith("ballot b1  undecided after")
        assert "  votes     none" in lines

    def test_one_that_nobody_decides_after_its_deadline_asks_for_a_fleet(self, desk, held):
        desk.tell([held.terms])
        desk.with_outside(now=lambda: desk.log.facts[0].at + timedelta(seconds=71))
        result = desk("ballot", "show", "b1")
        assert "no worker has decided; is a fleet with a consensus worker running" in result.stderr

    def test_what_was_written_for_programs_is_not_poured_out(self, desk, new_held):
        held = new_held("b1", context=json.dumps({"requirements": "r" * 500}))
        desk.tell([held.terms])
        assert "context   520 characters of JSON" in desk("ballot", "show", "b1").stdout

    def test_without_the_lead_that_is_wanted_most_votes_win_and_the_rule_says_so(self, desk, new_held):
        desk.tell([new_held("b1", rule="ahead", ahead_by=2).terms])
        text = desk("ballot", "show", "b1").stdout
        assert "the first option that leads by 2 votes, else the one with the most" in text

    def test_a_decision_that_no_rule_made_says_why_in_the_list_of_facts(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a"), held.vote("bob", "a")])
        made = held.decision(desk.log.facts).model_copy(update={"by": "default", "reason": "the default is taken"})
        desk.tell([made])
        assert "a (a 2, b 0): the default is taken" in desk("show", "b1").stdout

    def test_a_ballot_that_can_not_be_read_says_why(self, desk):
        desk.log.put("flotilla.default.b1.ballot.b1", b"{}")
        result = desk("ballot", "show", "b1")
        assert (result.exit_code, "can't be read" in result.stderr) == (1, True)

    def test_one_that_can_not_be_held_says_what_is_wrong(self, desk, new_held):
        held = new_held("b1", rule="dice")
        desk.tell([held.terms, held.vote("ada", "a")])
        text = desk("ballot", "show", "b1").stdout
        assert "there is no rule 'dice'" in text

    def test_who_was_asked_and_what_a_person_said_is_there(self, desk, new_held):
        panel = (Panelist(voter="ada", persona="security", target="builtin"),)
        held = new_held("b1", panel=panel, no_quorum="escalate")
        desk.tell([held.terms, held.passed()])
        desk.decide(held)
        desk.tell([held.gate()])
        assert "flotilla approve b1 b1" in desk("ballot", "show", "b1").stdout
        assert desk("approve", "b1", "b1", "--option", "b", "--as", "ada").exit_code == 0
        assert "escalated, and ada says b" in desk("ballot", "show", "b1").stdout


class TestVote:
    @pytest.mark.parametrize(
        ("terms", "typed", "field", "value"),
        [
            ({}, ("--choice", "a"), "choice", "a"),
            ({"rule": "approval"}, ("--approve", "a,b"), "approved", ("a", "b")),
            ({"rule": "ranked"}, ("--rank", "b, a"), "ranking", ("b", "a")),
            ({"rule": "score"}, ("--score", "a=3,b=0"), "scores", {"a": 3, "b": 0}),
            ({}, ("--abstain", "--because", "no idea"), "because", "no idea"),
        ],
    )
    def test_each_rule_has_its_way_to_vote(self, desk, new_held, terms, typed, field, value):
        desk.tell([new_held("b1", **terms).terms])
        result = desk("ballot", "vote", "b1", "--as", "ada", *typed)
        assert result.exit_code == 0, result.output
        vote = last(desk)
        assert isinstance(vote, VoteCast)
        assert (vote.voter, getattr(vote, field)) == ("ada", value)

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            (("--as", "ada"), "nothing is voted"),
            (("--as", "ada", "--choice", "a", "--abstain"), "are two votes"),
            (("--as", "ada", "--choice", "a", "--because", "x"), "--rationale"),
            (("--as", "eve2", "--choice", "a"), "not in the electorate of ballot b1; may vote: ada, bob, eve"),
            (("--as", "ada", "--choice", "z"), "there is no option 'z'"),
            (("--as", "ada", "--approve", "a"), "reads choice; use --choice"),
            (("--as", "ada", "--rank", "a,a"), "names an option twice"),
            (("--as", "ada", "--score", "a"), "NAME=VALUE"),
            (("--as", "ada", "--score", "a=1000"), "--score: give at most 100"),
            (("--as", "ada", "--score", "a=-1"), "--score: give at least 0"),
            (("--as", "ada", "--score", "a=x"), "--score: give a whole number"),
            (("--as", "ada", "--score", "a=1,a=2"), "--score names a twice"),
            (("--as", "a b", "--choice", "a"), "--as: 'a b' is no name of a voter"),
            (("--as", "ada", "--choice", "a", "--key-file", "nowhere"), "can't be read"),
        ],
    )
    def test_what_would_not_count_is_refused_and_not_said(self, desk, held, typed, said):
        desk.tell([held.terms])
        result = desk("ballot", "vote", "b1", *typed)
        assert result.exit_code == 2
        assert said in result.stderr
        assert len(desk.log.facts) == 1

    def test_a_vote_on_a_decided_ballot_is_too_late(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a"), held.vote("bob", "a")])
        desk.decide(held)
        result = desk("ballot", "vote", "b1", "--as", "eve", "--choice", "b")
        assert (result.exit_code, "decided already (a)" in result.stderr) == (1, True)

    def test_a_second_vote_says_what_the_first_one_was(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a")])
        same = desk("ballot", "vote", "b1", "--as", "ada", "--choice", "a")
        other = desk("ballot", "vote", "b1", "--as", "ada", "--choice", "b")
        assert (same.exit_code, other.exit_code) == (0, 1)
        assert "voted already on ballot b1, the same: a" in same.stdout
        assert "and it says: a" in other.stderr
        assert len(desk.log.facts) == 2
        again = desk("ballot", "vote", "b1", "--as", "ada", "--choice", "a", "--json")
        assert json.loads(again.stdout)["choice"] == "a"

    def test_a_signed_ballot_wants_the_voters_own_signature(self, desk, new_held, tmp_path):
        mine, other = new_seed(), new_seed()
        held = new_held("b1", electorate=("ada", "bob"), signed=True, keys={
            "ada": Signer(mine).public_key, "bob": Signer().public_key,
        })  # fmt: skip
        desk.tell([held.terms])
        (tmp_path / "mine").write_bytes(mine + b"\n")
        (tmp_path / "other").write_bytes(other)
        (tmp_path / "none").write_bytes(b"hello")
        vote = ("ballot", "vote", "b1", "--as", "ada", "--choice", "a")
        assert "sign with --key-file" in desk(*vote).stderr
        assert "the ballot knows ada by" in desk(*vote, "--key-file", str(tmp_path / "other")).stderr
        assert "no nkey seed" in desk(*vote, "--key-file", str(tmp_path / "none")).stderr
        assert desk(*vote, "--key-file", str(tmp_path / "mine")).exit_code == 0
        said = last(desk)
        check_bytes(said.signed_bytes, said.signature, held.terms.keys["ada"])
        assert "a" in desk("ballot", "show", "b1").stdout


class TestOutcome:
    def decided(self, desk, held):
        desk.tell([held.terms, held.vote("ada", "a"), held.vote("bob", "b"), held.vote("eve", "a")])
        desk.decide(held)

    def test_right_proves_those_who_stood_for_it_and_all_others(self, desk, held):
        self.decided(desk, held)
        result = desk("ballot", "outcome", "b1", "--right", "a", "--reason", "green")
        assert result.exit_code == 0, result.output
        seen = last(desk)
        assert isinstance(seen, OutcomeSeen)
        assert (seen.voters_right, seen.voters_wrong, seen.reason) == (("ada", "eve"), ("bob",), "green")

    def test_wrong_proves_only_those_who_stood_for_it(self, desk, held):
        self.decided(desk, held)
        desk("ballot", "outcome", "b1", "--wrong", "a")
        assert (last(desk).right, last(desk).voters_right, last(desk).voters_wrong) == (False, (), ("ada", "eve"))

    def test_there_is_one_outcome(self, desk, held):
        self.decided(desk, held)
        codes = [desk("ballot", "outcome", "b1", way, "a").exit_code for way in ("--right", "--right", "--wrong")]
        assert codes == [0, 0, 1]

    def test_the_ballot_shows_its_outcome(self, desk, held):
        self.decided(desk, held)
        assert json.loads(desk("ballot", "show", "b1", "--json").stdout)["turned_out"] is None
        desk("ballot", "outcome", "b1", "--right", "a", "--reason", "no complaints")
        text = desk("ballot", "show", "b1").stdout
        assert "outcome   a was right (ada, eve right; bob wrong): no complaints" in text
        assert json.loads(desk("ballot", "show", "b1", "--json").stdout)["turned_out"]["right"] is True

    def test_nothing_is_learned_before_the_decision_or_of_unknown_options(self, desk, held):
        desk.tell([held.terms])
        assert "not decided yet" in desk("ballot", "outcome", "b1", "--right", "a").stderr
        assert desk("ballot", "outcome", "b1", "--right", "z").exit_code == 2
        assert desk("ballot", "outcome", "b1").exit_code == 2
        assert len(desk.log.facts) == 1


class TestVoters:
    def test_voters_are_listed_by_weight_with_how_often_they_were_right(self, desk, new_held):
        for number in range(8):
            ids = {"tenant": "default", "run": f"r{number}", "ballot": "x", "option": "a", "right": True}
            desk.tell([OutcomeSeen(**ids, voters_right=("ada",), voters_wrong=("bob",) if number % 2 else ())])
        lines = desk("voters").stdout.splitlines()
        assert lines[0].split() == ["voter", "right", "seen", "rate", "expected", "weight"]
        assert lines[1].split()[:5] == ["ada", "8", "8", "100", "%"]
        assert lines[2].split()[:5] == ["bob", "0", "4", "0", "%"]
        assert "weigh the same" not in desk("voters").stderr
        said = [json.loads(line) for line in desk("voters", "--json").stdout.splitlines()]
        assert [(one["voter"], one["right"], one["seen"]) for one in said] == [("ada", 8, 8), ("bob", 0, 4)]
        assert said[0]["weight"] > said[1]["weight"]

    def test_voters_who_weigh_the_same_have_it_said_why(self, desk):
        ids = {"tenant": "default", "run": "r1", "ballot": "x", "option": "a", "right": True}
        desk.tell([OutcomeSeen(**ids, voters_right=("ada", "bob"))])
        assert "voters weigh the same until they are known to differ" in desk("voters").stderr

    def test_without_outcomes_it_says_where_they_come_from(self, desk):
        result = desk("voters")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "flotilla ballot outcome" in result.stderr
