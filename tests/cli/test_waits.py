"""Waiting for models and for budget is seen everywhere: in the view, on the screen, in lines, lists and JSON."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.failures import TaskFailed
from contracts.v1.waits import TaskWaits
from workers.cli.ending import Hints, what_helps
from workers.cli.entries import read
from workers.cli.lines import Lines, line
from workers.cli.picture import Size, picture
from workers.cli.view import RunView, view_of

LONG = "the run's budget has 0.02 dollars left, and the call may cost 0.11 with anthropic:claude-sonnet-4-5 " * 3


@pytest.fixture
def viewed(stored):
    return lambda messages: view_of(read(fact) for fact in stored(messages))


def wait(story, what="budget", task="design", n=1, attempt=1, reason="nothing is left", **more):
    given = {"role": "architect", "task": task, "attempt": attempt, "n": n, "what": what, "reason": reason}
    return TaskWaits(**story.ids, **given, **more)


def up_to_design(story):
    command = story.designing()[0].model_copy(update={"budget": Budget(usd=1.0)})
    return [story.request(), *story.planning(), command]


def failure(story, attempt=1):
    given = {"error": "transient", "retry": True, "reason": "away"}
    return TaskFailed(**story.ids, role="architect", task="design", attempt=attempt, **given)


def state(view: RunView, task: str = "design") -> str:
    return next(known.state for known in view.tasks if known.task == task)


class TestTheView:
    @pytest.mark.parametrize("what", ["models", "budget"])
    def test_a_task_waits_from_its_fact_on_with_the_reason_and_since_when(self, story, stored, what):
        until = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
        facts = stored([*up_to_design(story), wait(story, what, until=until)])
        view = view_of(read(fact) for fact in facts)
        assert (state(view), view.standing, view.state) == (f"waiting for {what}", f"waiting for {what}", "running")
        [seen] = view.waits
        assert (seen.task, seen.what, seen.reason) == ("design", what, "nothing is left")
        assert (seen.since, seen.until) == (facts[-1].at, until)

    def test_the_wait_is_over_when_the_call_that_waited_was_made(self, story, viewed):
        before = [*up_to_design(story), story.call("design"), wait(story, n=2)]
        assert state(viewed(before)) == "waiting for budget"
        after = viewed([*before, story.call("design", n=2)])
        assert (state(after), after.standing, after.waits) == ("running", "running", ())

    def test_a_call_of_another_attempt_ends_no_wait(self, story, viewed):
        again = story.designing()[0].model_copy(update={"attempt": 2})
        facts = [*up_to_design(story), story.call("design"), failure(story), again, wait(story, attempt=2)]
        assert state(viewed(facts)) == "waiting for budget"

    def test_result_failure_and_the_runs_end_end_a_wait(self, story, viewed):
        before = [*up_to_design(story), wait(story)]
        assert state(viewed([*before, story.designing()[-1]])) == "done"
        assert state(viewed([*before, failure(story)])) == "ready"
        closed = viewed([*before, *story.closing(status="failed", reason="late")])
        assert (state(closed), closed.standing, closed.waits) == ("stopped", "failed", ())

    def test_the_newest_wait_of_a_call_counts(self, story, viewed):
        view = viewed([*up_to_design(story), wait(story, "budget"), wait(story, "models")])
        assert [(seen.task, seen.what) for seen in view.waits] == [("design", "models")]

    def test_a_new_attempt_does_not_wait_because_the_one_before_did(self, story, viewed):
        again = story.designing()[0].model_copy(update={"attempt": 2})
        assert state(viewed([*up_to_design(story), wait(story), failure(story), again])) == "running"

    def test_a_run_of_which_a_task_goes_on_is_running_and_lists_its_waits(self, story, viewed):
        build = story.building()
        facts = [story.request(), *story.planning(), *story.designing(), build[0], build[3]]
        view = viewed([*facts, wait(story, task="build-store")])
        assert (view.standing, len(view.waits)) == ("running", 1)
        view = viewed([*facts, wait(story, "models", "build-store"), wait(story, "budget", "build-http")])
        assert view.standing == "waiting for budget"
        assert [seen.what for seen in view.waits] == ["budget", "models"]


class TestTheScreen:
    @pytest.fixture
    def drawn(self, stored):
        def draw(messages, width, height=24, hints=None) -> list[str]:
            facts, out = stored(messages), StringIO()
            view = view_of(read(fact) for fact in facts)
            console = Console(file=out, width=width, height=height, color_system=None)
            console.print(picture("r1", view, facts[-1].at + timedelta(seconds=65), Size(width, height), hints))
            return out.getvalue().splitlines()

        return draw

    @pytest.mark.parametrize("width", [60, 80, 120])
    @pytest.mark.parametrize("what", ["models", "budget"])
    def test_state_reason_and_time_are_there_at_every_width(self, drawn, story, width, what):
        shown = drawn([*up_to_design(story), wait(story, what, reason=LONG)], width)
        assert all(cell_len(text) <= width for text in shown)
        assert shown[0].startswith(f"r1  waiting for {what}")
        assert any(f"◌ no {what}" in text and "design" in text for text in shown)
        assert any(text.startswith(f"design has waited 1 min 05 s for {what}: the run's") for text in shown)

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_for_budget_it_tells_the_whole_command_that_helps(self, drawn, story, width):
        hints = Hints.kept("r1", " --nats nats://a-broker-far-away.example:4222 --tenant acme")
        shown = drawn([*up_to_design(story), wait(story)], width, hints=hints)
        assert f"`{hints.budget} --add 5`" in " ".join(text.strip() for text in shown)
        assert all(cell_len(text) <= width for text in shown)

    def test_for_models_nothing_has_to_be_done_and_there_is_where_to_look(self, drawn, story):
        shown = drawn([*up_to_design(story), wait(story, "models")], 80)
        assert not any("--add" in text for text in shown)
        assert "it goes on as soon as one can serve; see `flotilla models`" in shown

    def test_tasks_that_wait_for_the_same_are_one_line_whatever_amounts_they_need(self, drawn, story):
        build = story.building()
        facts = [story.request(), *story.planning(), *story.designing(), build[0], build[3], build[6]]
        tasks = ("build-store", "build-http", "tests")
        facts += [wait(story, task=task, reason=f"it may cost $0.{place}") for place, task in enumerate(tasks)]
        shown = [text for text in drawn(facts, 120) if "waited" in text]
        assert shown == ["build-store and 2 more tasks have waited 1 min 05 s for budget: it may cost $0.0"]

    def test_a_reason_is_said_once_and_in_a_few_lines_where_there_is_room(self, drawn, story):
        facts = [*up_to_design(story), wait(story, reason="first second third " * 12 + "last")]
        assert "".join(drawn(facts, 120)).count("last") == 1
        assert sum("second" in text for text in drawn(facts, 80)) == 3
        assert sum("second" in text for text in drawn(facts, 80, height=15)) == 1

    def test_with_many_waits_it_is_not_higher_than_the_terminal(self, drawn, story):
        build = story.building()
        facts = [story.request(), *story.planning(), *story.designing(), build[0], build[3], build[6]]
        reasons = {"build-store": "this", "build-http": "that", "tests": "neither"}
        facts += [wait(story, task=task, reason=reason) for task, reason in reasons.items()]
        shown = drawn(facts, 60, height=14)
        assert len(shown) < 14
        assert "1 more task waiting" in shown

    def test_what_others_wrote_as_the_reason_can_not_steer_the_terminal(self, drawn, story):
        shown = drawn([*up_to_design(story), wait(story, reason="\x1b[2Jgone\x07")], 80)
        assert not any("\x1b" in text or "\x07" in text for text in shown)


class TestLines:
    def test_a_wait_and_a_raise_have_a_line_each(self, story, stored):
        more = BudgetRaised(**story.ids, raise_id="x1", usd=5.0, tokens=1_000, raised_by="ada")
        facts = [read(fact) for fact in stored([wait(story), more])]
        assert [line(fact, facts[0].at) for fact in facts] == [
            "     0.0  waits      design                    waits for budget: nothing is left",
            "     0.1  raised     budget.x1                 $5.00 and 1,000 tokens more, says ada",
        ]

    def test_what_helps_is_said_once_for_each_time_that_it_is_needed(self, story, viewed):
        said: list[str] = []
        lines = Lines("r1", said.append, Hints.kept("r1"))
        waits = viewed([*up_to_design(story), wait(story)])
        for view in (waits, waits, viewed(up_to_design(story)), waits):
            lines.tick(view, view.began)
        assert said == ["it goes on after `flotilla budget r1 --add 5`"] * 2


@pytest.mark.parametrize(
    ("budget", "helps"),
    [
        (Budget(usd=1.0), "it goes on after `flotilla budget r1 --add 5`"),
        (Budget(tokens=1), "it goes on after `flotilla budget r1 --add-tokens 1000000`"),
        (Budget(usd=0.0, tokens=1), "it goes on after `flotilla budget r1 --add 5 --add-tokens 1000000`"),
        (None, "see `flotilla budget r1`"),
    ],
)
def test_what_helps_raises_what_the_run_has_a_limit_of(story, viewed, budget, helps):
    command = story.designing()[0].model_copy(update={"budget": budget})
    view = viewed([story.request(), *story.planning(), command, wait(story)])
    assert what_helps(view, Hints.kept("r1")) == helps


class TestCommands:
    def test_ls_says_what_a_run_waits_for_and_keeps_its_columns(self, desk, new_story):
        story = new_story("waits")
        desk.tell([*up_to_design(story), wait(story)])
        over = new_story("over")
        desk.tell([*up_to_design(over), wait(over), *over.closing(status="failed", reason="late")])
        desk.tell([new_story("goes-on").request()])
        head, *rows = desk("ls").stdout.splitlines()
        assert [row.split("  ")[0] for row in rows] == ["goes-on", "over", "waits"]
        assert "  waiting for budget  " in rows[2]
        assert "  failed              " in rows[1]
        assert len({head.index("idea"), *(row.index("Keep track") for row in rows)}) == 1

    def test_ls_gives_the_waits_as_json_and_the_state_stays_what_it_was(self, desk, story):
        desk.tell([*up_to_design(story), wait(story)])
        row = json.loads(desk("ls", "--json").stdout)
        assert (row["state"], row["waits"][0]["task"], row["waits"][0]["what"]) == ("running", "design", "budget")

    def test_show_ends_with_what_it_waits_for_and_what_helps(self, desk, story):
        desk.tell([*up_to_design(story), wait(story)])
        assert desk("show", "r1", "--tenant", "default").stdout.splitlines()[-3:] == [
            "run r1 waiting for budget",
            "  design has waited 0.0 s for budget: nothing is left",
            "  it goes on after `flotilla budget r1 --add 5`",
        ]

    def test_the_summary_as_json_has_the_waits(self, desk, story):
        desk.tell([*up_to_design(story), wait(story, "models")])
        said = json.loads(desk("show", "r1", "--json").stdout.splitlines()[-1])
        assert [(seen["task"], seen["what"], seen["reason"]) for seen in said["waits"]] == [
            ("design", "models", "nothing is left")
        ]
        assert said["status"] == "running"
        assert said["tasks"][1]["state"] == "waiting for models"

    def test_watch_tells_on_a_pipe_what_helps(self, desk, story):
        desk.tell([*up_to_design(story), wait(story)])
        desk.signals.can_ask = False
        asked = desk.signals.next

        async def after_a_look() -> bool:
            await asyncio.sleep(0.1)
            desk.signals.left = 1
            return await asked()

        desk.signals.next = after_a_look
        result = desk("watch", "r1")
        assert "it goes on after `flotilla budget r1 --add 5`" in result.stdout.splitlines()
