"""approve: a person's answer at a gate."""

import json

import pytest

from contracts.codec import decode
from contracts.v1.approvals import ApprovalGiven, GateOpened


@pytest.fixture
def gate(desk, story):
    """A gate with options, open."""
    asked = GateOpened(**story.ids, gate="release-1", question="Release it?", options=("release", "repair"))
    desk.tell([story.request(), asked])
    return asked


def answer(desk) -> ApprovalGiven:
    fact = decode(desk.log.facts[-1].subject, desk.log.facts[-1].data)
    assert isinstance(fact, ApprovalGiven)
    return fact


def test_without_an_answer_it_shows_what_is_asked_and_says_nothing(desk, gate):
    result = desk("approve", "r1", "release-1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["gate release-1 of run r1: Release it?", "  options   release, repair"]
    assert "`flotilla approve r1 release-1 --option OPTION`" in result.stderr
    assert len(desk.log.facts) == 2


@pytest.mark.parametrize(
    ("typed", "verdict", "option"),
    [
        (("--option", "repair"), "approve", "repair"),
        (("--yes",), "approve", "release"),
        (("--reject",), "reject", "repair"),
        (("--changes", "less", "--changes", "more"), "ask_for_changes", None),
    ],
)
def test_an_answer_is_recorded_with_who_gave_it(desk, gate, typed, verdict, option):
    result = desk("approve", "r1", "release-1", *typed, "--as", "ada", "--comment", "so be it")
    assert result.exit_code == 0, result.output
    said = answer(desk)
    assert (said.verdict, said.option, said.by, said.comment) == (verdict, option, "ada", "so be it")
    assert said.changes == (("less", "more") if verdict == "ask_for_changes" else ())


def test_a_gate_without_options_is_approved_or_rejected(desk, story):
    desk.tell([story.request(), GateOpened(**story.ids, gate="go", question="Go on?")])
    assert "has no options" in desk("approve", "r1", "go", "--option", "a").stderr
    assert desk("approve", "r1", "go", "--yes").exit_code == 0
    assert (answer(desk).verdict, answer(desk).option) == ("approve", None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("release-1", "--option", "drop"), "drop is none of the options of gate release-1: release, repair"),
        (("release-1", "--yes", "--reject"), "are two answers"),
        (("release-1", "--comment", "hm"), "--comment goes with an answer"),
        (("release-1", "--changes", " "), "say what is to be changed"),
        (("nope", "--yes"), "has no gate nope; open gates: release-1"),
        (("a b", "--yes"), "no name of a gate"),
        (("release-1", "--yes", "--as", "x" * 201), "--by"),
    ],
)
def test_what_is_put_wrongly_is_refused(desk, gate, typed, said):
    result = desk("approve", "r1", *typed)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(desk.log.facts) == 2


def test_a_gate_that_was_answered_says_by_whom(desk, gate):
    desk("approve", "r1", "release-1", "--option", "release", "--as", "ada")
    result = desk("approve", "r1", "release-1", "--option", "repair", "--as", "bob")
    assert result.exit_code == 1
    assert "answered already: release by ada" in result.stderr
    assert "answered already: release by ada" in desk("approve", "r1", "release-1").stdout
    assert json.loads(desk("approve", "r1", "release-1", "--json").stdout)["approval"]["by"] == "ada"


def test_the_same_answer_again_is_fine(desk, gate):
    for _ in range(2):
        result = desk("approve", "r1", "release-1", "--option", "release", "--as", "ada")
        assert result.exit_code == 0, result.output
    assert "answered already, the same" in result.stdout
    again = desk("approve", "r1", "release-1", "--option", "release", "--as", "ada", "--json")
    assert json.loads(again.stdout)["option"] == "release"
    assert len(desk.log.facts) == 3


def test_changes_that_were_asked_for_are_shown(desk, gate):
    said = desk("approve", "r1", "release-1", "--changes", "less", "--changes", "more", "--as", "ada").stdout
    assert "ask for changes (less; more) by ada" in said


def test_a_gate_without_options_says_which_answers_it_takes(desk, story):
    desk.tell([story.request(), GateOpened(**story.ids, gate="go", question="Go on?")])
    assert "`flotilla approve r1 go --yes`, or with --reject or --changes" in desk("approve", "r1", "go").stderr


def test_a_run_that_is_over_waits_for_nobody(desk, gate, story):
    desk.tell(story.closing(status="failed"))
    result = desk("approve", "r1", "release-1", "--yes")
    assert (result.exit_code, "over already" in result.stderr) == (1, True)
