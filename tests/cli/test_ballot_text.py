"""Ballots as text: on their own, while votes come in, and within a run."""

from datetime import timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import Panelist, voting_task
from contracts.v1.tasks import BallotAnswered, CastVote
from contracts.v1.waits import TaskWaits
from workers.cli.ballotscreen import Picture
from workers.cli.ballottext import Page, bars, described, kept_up
from workers.cli.ballotview import ballot_seen
from workers.cli.ending import Hints, standing, summary
from workers.cli.entries import read
from workers.cli.lines import line
from workers.cli.picture import Size, picture
from workers.cli.view import view_of
from workers.cli.votertable import listed
from workers.consensus.outcomes import VoterSeen

WIDTHS = [60, 80, 120]
LONG = "Which of these stores should keep the books of all the libraries there are, and why? " * 5


@pytest.fixture
def long_one(new_held, stored):
    panel = [Panelist(voter=f"voter-{n}", persona="security", target="builtin:error=0.25") for n in range(9)]
    held = new_held(
        "b1", ("sqlite", "x" * 64), electorate=tuple(one.voter for one in panel), panel=tuple(panel), context=LONG,
        tie_order=("status_quo", "hash"), status_quo="sqlite", no_quorum="escalate",
    )  # fmt: skip
    held.terms = held.terms.model_copy(update={"question": LONG})
    votes = [held.vote(f"voter-{n}", "sqlite", rationale=LONG, target="builtin:error=0.25") for n in range(4)]
    facts = stored([held.terms, *votes, held.vote("voter-5", because=LONG), held.vote("nobody", "x" * 64), held.gate()])
    return ballot_seen([read(fact) for fact in facts], "b1"), facts[-1].at


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(long_one, width):
    seen, now = long_one
    for text in (*described(seen, now, Page(width), "flotilla approve b1 b1"), *kept_up(seen, now, Page(width), 24)):
        assert cell_len(text) <= width


def test_what_goes_on_below_one_of_several_texts_is_further_in_than_they_are(long_one):
    seen, now = long_one
    lines = list(described(seen, now, Page(60)))
    start = next(place for place, text in enumerate(lines) if text.startswith("  votes"))
    assert lines[start][12] != " "
    assert lines[start + 1].startswith(" " * 14)


@pytest.mark.parametrize("height", [12, 24])
def test_what_is_kept_up_is_no_higher_than_the_terminal_and_has_the_newest_votes(long_one, height):
    seen, now = long_one
    lines = kept_up(seen, now, Page(200), height)
    assert len(lines) <= max(height, 12)
    assert any("nobody" in text for text in lines)


def test_bars_are_as_long_as_their_counts_and_ascii_where_nothing_else_is_shown(held, stored):
    facts = stored([held.terms, held.vote("ada", "a"), held.vote("eve", "b"), held.vote("bob", "a")])
    seen = ballot_seen([read(fact) for fact in facts], "b1")
    assert [text.count("█") for text in bars(seen, Page(None))] == [40, 20]
    plain = bars(seen, Page(60, unicode=False))
    assert all(text.isascii() for text in plain)
    assert plain[0].count("#") == 2 * plain[1].count("#")


def test_while_there_are_no_votes_it_says_who_was_asked(new_held, stored):
    panel = tuple(Panelist(voter=name) for name in ("ada", "bob", "eve"))
    held = new_held("b1", panel=panel)
    ask = {**held.ids, "task": voting_task("b1", "ada"), "voter": "ada", "role": "reviewer"}
    facts = stored([held.terms, CastVote(**ask, question="?", options=held.terms.options)])
    for upto, said in ((1, "nobody"), (2, "ada")):
        seen = ballot_seen([read(fact) for fact in facts[:upto]], "b1")
        assert f"  votes     none yet; asked so far: {said}" in kept_up(seen, facts[-1].at, Page(80), 24)


def test_preferences_stand_in_one_column(held, stored):
    facts = stored([held.terms, held.vote("ada", "a", target="anthropic:claude-sonnet-5"), held.vote("bob", "b")])
    seen = ballot_seen([read(fact) for fact in facts], "b1")
    ada, bob = kept_up(seen, facts[-1].at, Page(120), 24)[2:4]
    assert ada.index("a", ada.index(")")) == bob.index("b", bob.index("bob") + 3)


@given(data=st.data())
def test_order_of_arrival_and_duplicates_change_nothing(data, ballot_entries):
    facts = ballot_entries
    arrived = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts)))))
    assert ballot_seen(arrived, "b1") == ballot_seen(facts, "b1")


@pytest.mark.parametrize("width", WIDTHS)
def test_voters_fit_the_terminal(width):
    rows = [VoterSeen("ada", 9, 10, 0.9, 0.8, 1_386_294), VoterSeen("x" * 64, 0, 5, 0.0, 0.2, 0)]
    lines = list(listed(rows, Page(width)))
    assert all(cell_len(text) <= width for text in lines)
    assert "█" in lines[1]
    assert "█" not in lines[2]


def test_what_others_wrote_can_not_steer_the_terminal(held, stored):
    vote = held.vote("ada", "a", rationale="\x1b[2J\x07owned")
    facts = stored([held.terms.model_copy(update={"question": "\x1b]0;x\x07?"}), vote])
    seen = ballot_seen([read(fact) for fact in facts], "b1")
    assert "\x1b" not in "".join(described(seen, facts[-1].at, Page(80)))
    assert "\x1b" not in "".join(kept_up(seen, facts[-1].at, Page(80), 24))


def test_the_picture_stays_with_the_decision(held, stored):
    facts = stored([held.terms, held.vote("ada", "a"), held.vote("bob", "a")])
    facts += stored([held.terms, held.vote("ada", "a"), held.vote("bob", "a"), held.decision(facts)])[-1:]
    out = StringIO()
    shown = Picture(Console(file=out, width=80, height=24, force_terminal=True, color_system=None), "")
    for upto in range(1, 5):
        shown.tick(ballot_seen([read(fact) for fact in facts[:upto]], "b1"), facts[0].at)
    shown.end(ballot_seen([read(fact) for fact in facts], "b1"), facts[-1].at)
    assert "decided: a after" in out.getvalue()


class TestInARun:
    @pytest.fixture
    def told(self, story, new_held):
        held = new_held("release-1", ("release", "repair"), run="r1")
        asks = []
        for voter in ("ada", "bob"):
            given = {**story.ids, "task": voting_task("release-1", voter), "ballot": "release-1", "voter": voter}
            asks += [CastVote(**given, role="reviewer", question="?", options=held.terms.options)]
            asks += [held.vote(voter, "release"), BallotAnswered(**given)]
        return [*story.whole()[:-4], held.terms, *asks], held

    def drawn(self, facts, width=100):
        out = StringIO()
        view = view_of(read(fact) for fact in facts)
        now = facts[-1].at + timedelta(seconds=1)
        Console(file=out, width=width, height=40).print(picture("r1", view, now, Size(width, 40), Hints.kept("r1")))
        return out.getvalue()

    def test_voting_tasks_stand_behind_their_ballot(self, told, stored):
        facts = stored(told[0])
        view = view_of(read(fact) for fact in facts)
        assert [task.task for task in view.tasks if task.task.startswith("vote-")] == []
        assert [(task.task, task.state) for task in view.voting] == [
            ("vote-release-1--ada", "done"), ("vote-release-1--bob", "done"),
        ]  # fmt: skip
        text = self.drawn(facts)
        assert "ballot release-1  2 of 3 votes  release 2, repair 0" in text
        assert "vote-release" not in text

    def test_lines_do_not_tell_of_the_asking(self, told, stored):
        facts = [read(fact) for fact in stored(told[0])]
        said = [line(entry, facts[0].at) or "" for entry in facts]
        assert not any("vote-release-1--" in text for text in said)
        assert any("vote.release-1.ada" in text for text in said)

    def test_a_voter_that_waits_for_models_is_told(self, told, stored, story):
        task = {**story.ids, "task": "vote-release-1--eve", "role": "reviewer"}
        waits = TaskWaits(**task, attempt=1, n=1, what="models", reason="all are down")
        ask = told[0][-3].model_copy(update={"task": "vote-release-1--eve", "voter": "eve"})
        assert "all are down" in self.drawn(stored([*told[0], ask, waits]))

    @pytest.mark.parametrize("width", WIDTHS)
    def test_an_open_gate_says_how_to_answer(self, told, stored, story, width):
        gate = GateOpened(**story.ids, gate="release-1", question="Release?", options=("release", "repair"))
        facts = stored([*told[0], gate])
        view = view_of(read(fact) for fact in facts)
        assert view.standing == "waiting for a person"
        assert "`flotilla approve r1 release-1`" in " ".join(self.drawn(facts, width).split())
        assert "answer it with `flotilla approve r1 release-1`" in "\n".join(
            standing("r1", view, facts[-1].at, Hints.kept("r1"))
        )

    def test_the_summary_has_ballots_and_gates(self, told, stored, story):
        gate = GateOpened(**story.ids, gate="release-1", question="Release?", options=("release", "repair"))
        said = summary("default", "r1", view_of(read(fact) for fact in stored([*told[0], gate])))
        assert said["ballots"][0]["counts"] == {"release": 2, "repair": 0}
        assert said["gates"][0]["options"] == ["release", "repair"]

    @pytest.mark.parametrize("command", [("watch", "b1"), ("cancel", "b1"), ("fetch", "b1", "--out", "nowhere")])
    def test_a_ballot_of_its_own_is_no_run_to_be_watched_cancelled_or_fetched(self, desk, held, command):
        desk.tell([held.terms])
        result = desk(*command)
        assert (result.exit_code, "flotilla ballot show b1" in result.stderr) == (2, True)
        assert len(desk.log.facts) == 1
        assert "run b1" not in desk("show", "b1").stdout.splitlines()[-1]

    def test_a_request_says_how_many_designs_it_wants(self, desk):
        assert desk("submit", "Books", "--designs", "3").exit_code == 0
        assert b'"designs":3' in desk.log.facts[-1].data
        assert desk("submit", "Books", "--designs", "10").exit_code == 2
