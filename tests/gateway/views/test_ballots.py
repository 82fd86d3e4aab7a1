"""Ballots: options, votes as they came in, the tally while they come, and the decision."""

import pytest

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, OutcomeSeen, Panelist, VoteCast
from contracts.v1.tasks import CastVote
from workers.cli import entries as command_line
from workers.cli.ballotview import ballots_seen

IDS = {"tenant": "acme", "run": "r"}


def opened(**more):
    options = (Option(option="yes", title="do it"), Option(option="no"), Option(option="never", eligible=False))
    terms = {"ballot": "b", "question": "Shall we?", "options": options, "electorate": ("ann", "bob", "eve")}
    panel = tuple(Panelist(voter=voter, persona="security") for voter in ("ann", "bob"))
    return BallotOpened(**{**IDS, **terms, "panel": panel, "quorum": 2, "deadline_s": 60, **more})


def vote(voter, choice=None, **more):
    return VoteCast(**IDS, ballot="b", voter=voter, choice=choice, **more)


def asked(voter):
    options = (Option(option="yes"), Option(option="no"))
    return CastVote(
        **IDS, role="reviewer", task=f"vote-b--{voter}", ballot="b", voter=voter, question="?", options=options
    )


@pytest.mark.parametrize("name", ["designs", "flaky", "repaired-1", "repaired-2"])
def test_ballots_are_counted_as_the_command_counts_them(name, stored, shown):
    told = ballots_seen([command_line.read(one) for one in stored(name)])
    seen = shown(name).ballots
    assert seen and [(one.name, one.outcome, one.recount) for one in told] == [
        (one.ballot, one.outcome, one.decision.recount) for one in seen
    ]
    for mine, theirs in zip(seen, told, strict=True):
        assert [(vote.voter, vote.counted, vote.at) for vote in mine.votes] == [
            (vote.voter, vote.counted, vote.at) for vote in theirs.votes
        ]
        assert mine.decision.recount == "same" and mine.deadline == theirs.deadline


def test_the_tally_follows_the_votes_as_they_come_in(make):
    ballot, votes = opened(), [vote("ann", "yes", rationale="It is safe."), vote("bob", "no"), vote("eve", "yes")]
    standing = [make.view(ballot, *votes[:n]).ballots[0].tally for n in range(4)]
    assert [one.counts for one in standing] == [
        {"yes": 0, "no": 0}, {"yes": 1, "no": 0}, {"yes": 1, "no": 1}, {"yes": 2, "no": 1},
    ]  # fmt: skip
    assert [one.leading for one in standing] == [(), ("yes",), ("yes", "no"), ("yes",)]
    assert [(one.quorum_left, one.open) for one in standing] == [(2, True), (1, True), (0, True), (0, False)]
    assert [one.missing for one in standing][1] == ("bob", "eve")


def test_votes_say_what_they_stand_for_or_why_they_do_not_count(make):
    ballot = make.view(
        opened(), asked("ann"), vote("ann", "yes", rationale="It is safe."), vote("mallory", "yes"),
        vote("bob", "never"), vote("eve", because="I can't tell."),
    ).ballots[0]  # fmt: skip
    assert [(one.voter, one.counted, one.stands_for) for one in ballot.votes] == [
        ("ann", "counted", ("yes",)), ("mallory", "invalid", ()), ("bob", "invalid", ()), ("eve", "abstained", ()),
    ]  # fmt: skip
    assert ballot.votes[0].rationale == "It is safe." and ballot.votes[0].persona == "security"
    assert "not in the electorate" in ballot.votes[1].reason and "not eligible" in ballot.votes[2].reason
    assert ballot.votes[3].reason == "I can't tell." and ballot.asked == ("ann",)
    assert [(one.option, one.counts_for, one.why_not) for one in ballot.options][2] == (
        "never",
        "",
        "it is not eligible",
    )


def test_a_decision_that_the_votes_do_not_bear_out_says_so(make):
    wrong = DecisionMade(**IDS, ballot="b", option="no", votes=2, counts={"no": 2})
    ballot = make.view(opened(), vote("ann", "yes"), vote("bob", "yes"), wrong).ballots[0]
    assert ballot.outcome == "no" and "option is 'no', counted 'yes'" in ballot.decision.recount


def test_a_person_answers_for_voters_who_could_not_decide(make):
    facts = [
        opened(no_quorum="escalate"), vote("ann", "yes"), vote("bob", "no"),
        DecisionMade(**IDS, ballot="b", option=None, by="escalated", reason="equal"),
        GateOpened(**IDS, gate="b", question="You?", options=("yes", "no")),
    ]  # fmt: skip
    waits = make.view(*facts)
    assert waits.ballots[0].outcome == "escalated" and waits.standing == "waiting for a person"
    said = make.view(*facts, ApprovalGiven(**IDS, gate="b", verdict="approve", by="cleo", option="no"))
    assert (said.ballots[0].outcome, said.ballots[0].answered_by) == ("no", "cleo") and said.standing == "running"


def test_ballots_that_cannot_be_held_or_read_say_why(make):
    impossible = make.view(opened(rule="dice")).ballots[0]
    assert impossible.tally is None and "dice" in " ".join(impossible.wrong)
    unread = make.view("ballot.b", vote("ann", "yes"), "decision.b").ballots[0]
    assert (unread.spoiled, unread.decision.spoiled, unread.outcome) == ("it is no JSON", "it is no JSON", "undecided")


def test_a_spoiled_vote_is_shown_as_invalid(make):
    ballot = make.view(opened(), "vote.b.ann").ballots[0]
    assert [(one.voter, one.counted) for one in ballot.votes] == [("ann", "invalid")]
    assert "can't be read" in ballot.votes[0].reason


def test_what_a_decision_turned_out_to_be_worth_is_shown(make):
    facts = [opened(), vote("ann", "yes"), vote("bob", "yes"), DecisionMade(**IDS, ballot="b", option="yes")]
    seen = make.view(*facts, OutcomeSeen(**IDS, ballot="b", option="yes", right=False, voters_wrong=("ann", "bob")))
    assert seen.ballots[0].turned_out.voters_wrong == ("ann", "bob")
