"""The picture of a run on a terminal."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.v1.ballots import BallotOpened, Option, VoteCast
from workers.cli.ending import Hints, silence
from workers.cli.entries import read
from workers.cli.picture import Size, fitted, picture
from workers.cli.screen import Screen, hanging
from workers.cli.taskview import TaskView
from workers.cli.view import view_of

HINTS = Hints.kept("r1")


@pytest.fixture
def drawn(stored):
    def draw(messages, width=100, height=40, color=False) -> str:
        facts = stored(messages)
        out = StringIO()
        system = "standard" if color else None
        console = Console(file=out, width=width, height=height, force_terminal=color, color_system=system)
        view = view_of(read(fact) for fact in facts)
        console.print(picture("r1", view, facts[-1].at + timedelta(seconds=3), Size(width, height)))
        return out.getvalue()

    return draw


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(drawn, story, new_story, width):
    long = new_story(idea="Keep track of books, 本棚, members and loans " * 20)
    for line in drawn(long.whole()[:-1], width).splitlines():
        assert cell_len(line) <= width


@pytest.mark.parametrize("height", [8, 16, 24])
def test_it_is_never_higher_than_the_terminal_while_the_run_goes_on(drawn, story, height):
    assert len(drawn(story.whole()[:-1], height=max(height, 12)).splitlines()) < max(height, 12)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tasks_states_attempts_and_calls_are_there_at_every_width(drawn, story, width):
    text = drawn([story.request(), *story.planning(), *story.designing()[:2]], width)
    plan, design = (next(line for line in text.splitlines() if word in line) for word in ("plan ", "design "))
    assert "✓ done" in plan
    assert "● running" in design
    assert design.split()[-2:] != []
    assert "2 calls" in text or "2 model calls" in text
    assert "$0.00" in text


def test_no_figure_is_cut_in_a_narrow_terminal(drawn, story):
    first = drawn(story.whole()[:-1], 60).splitlines()[3]
    assert first.split() == ["task", "state", "try", "time", "calls"]


def test_roles_appear_where_there_is_room(drawn, story):
    assert "project_manager" in drawn(story.whole(), 80)
    assert "project_manager" not in drawn(story.whole(), 60)


def test_what_a_join_waits_for_is_said_where_there_is_room(drawn, story):
    waiting = drawn([story.request(), *story.planning()], 120)
    assert "waiting" in waiting


def test_a_model_that_all_tasks_share_is_named_once(drawn, story):
    assert drawn(story.whole(), 120).count("builtin") == 1
    other = story.call("tests", n=2).model_copy(update={"target": "openai:big"})
    text = drawn([*story.whole()[:-1], other], 120)
    assert "openai:big" in text
    assert text.count("builtin") > 1


def test_votes_are_shown_with_how_many_are_out(drawn, story):
    options = (Option(option="yes"), Option(option="no"))
    ballot = BallotOpened(**story.ids, ballot="release", question="?", options=options, electorate=("a", "b", "c"))
    vote = VoteCast(**story.ids, ballot="release", voter="a", choice="yes")
    assert "ballot release  1 of 3 votes  yes 1, no 0" in drawn([story.request(), ballot, vote])


def test_what_others_wrote_can_not_steer_the_terminal(drawn, new_story):
    text = drawn([new_story(idea="Books\x1b]0;owned\x07\x1b[2J [red]not markup[/red]").request()])
    assert "\x1b" not in text
    assert "[red]not markup[/red]" in text


def test_states_are_told_without_colour_as_well(drawn, story):
    assert "\x1b" not in drawn(story.whole())
    assert "\x1b[" in drawn(story.whole(), color=True)


def test_no_color_is_respected(drawn, story, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = drawn(story.whole(), color=True)
    assert "\x1b[3" not in text.replace("\x1b[39", "")


def test_a_request_that_nobody_answers_says_so_after_a_while(story, stored):
    view = view_of(read(fact) for fact in stored([story.request()]))
    assert silence(view, view.began + timedelta(seconds=2)) == ""
    assert "flotilla up" in silence(view, view.began + timedelta(seconds=20))


def test_when_room_is_short_what_is_done_goes_first_and_what_works_stays():
    states = ["done", "done", "done", "running", "failed", "waiting", "waiting"]
    rows = [(None, TaskView(str(place), "role", state)) for place, state in enumerate(states)]
    shown, hidden = fitted(rows, 5)
    assert [task.state for _, task in shown] == ["running", "failed", "waiting", "waiting"]
    assert hidden == 3
    assert fitted(rows, 7) == (rows, 0)


def test_the_screen_leaves_the_last_picture_and_the_ending(story, stored):
    out = StringIO()
    console = Console(file=out, width=100, height=12, force_terminal=True, color_system=None)
    screen = Screen("r1", console, HINTS)
    facts = stored(
        [story.request(), *story.planning(), *story.closing(status="failed", failed_task="design", reason="no")]
    )
    screen.tick(view_of([read(facts[0])]), facts[0].at)
    screen.pause()
    screen.end(view_of(read(fact) for fact in facts))
    text = out.getvalue()
    assert "✓ done" in text
    assert text.rstrip().splitlines()[-1] == "  evidence  flotilla show r1"


def test_a_run_that_was_left_keeps_its_last_picture_and_no_ending(story, stored):
    out = StringIO()
    console = Console(file=out, width=100, height=12, force_terminal=True, color_system=None)
    screen = Screen("r1", console, HINTS)
    view = view_of(read(fact) for fact in stored([story.request()]))
    screen.tick(view, view.began)
    screen.pause()
    before = out.getvalue()
    screen.end(view)
    assert out.getvalue() == before


def test_long_endings_wrap_below_their_second_column_and_digests_stay_whole():
    wrapped = hanging(f"  evidence  artifact {'b' * 64} · flotilla show r1", 60).splitlines()
    assert any("b" * 64 in line for line in wrapped)
    assert all(line.startswith(" " * 12) for line in wrapped[1:])
