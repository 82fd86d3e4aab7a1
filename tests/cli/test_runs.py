"""run, submit, watch and cancel: which broker, what is said, which exit code."""

import asyncio
import json

import pytest

from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from workers.cli.upfile import Up, write_up

IDEA = "Keep track of books"


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


class TestWhichBroker:
    def test_without_any_broker_a_run_brings_its_own_server_and_fleet(self, desk, new_story):
        desk.answers_with(new_story("made-up"))
        result = desk("run", IDEA)
        assert result.exit_code == 0, result.output
        assert desk.fleet.servers == [None]
        assert desk.fleet.ran == [("nats://127.0.0.1:5555", desk.fleet.names, False)]
        assert "embedded" in result.stderr

    def test_a_broker_that_is_named_is_used_and_no_fleet_is_started(self, desk, new_story):
        desk.answers_with(new_story("made-up"))
        result = desk("run", IDEA, "--nats", "nats://there:4222")
        assert result.exit_code == 0
        assert (desk.fleet.ran, desk.fleet.servers) == ([], [])
        assert desk.connected[0].nats_url == "nats://there:4222"
        assert "broker nats://there:4222 (--nats)" in result.stderr

    def test_the_environment_names_a_broker_too(self, desk, new_story):
        desk.answers_with(new_story("made-up"))
        desk.settings = type(desk.settings)(nats_url="nats://there:4222")
        assert "FLOTILLA_NATS_URL" in desk("run", IDEA).stderr
        assert desk.fleet.ran == []

    def test_a_fleet_that_is_up_is_found_without_options(self, desk, new_story):
        desk.answers_with(new_story("made-up"))
        desk.alive = {4711}
        write_up(desk.outside.state_dir, Up(4711, "nats://there:4222"))
        assert "flotilla up, process 4711" in desk("run", IDEA).stderr
        assert desk.connected[0].nats_url == "nats://there:4222"

    def test_the_note_of_a_fleet_that_died_is_ignored(self, desk, new_story):
        desk.answers_with(new_story("made-up"))
        write_up(desk.outside.state_dir, Up(4711, "nats://there:4222"))
        assert "embedded" in desk("run", IDEA).stderr

    def test_a_broker_that_does_not_answer_is_exit_code_3_with_the_address(self, desk):
        for command in (["run", IDEA], ["submit", IDEA], ["watch", "r1"], ["ls"], ["show", "r1"], ["cancel", "r1"]):
            result = desk(*command, "--nats", "nats://nowhere:1")
            assert result.exit_code == 3
            assert "nats://nowhere:1" in result.stderr
            assert "Traceback" not in result.output

    def test_a_fleet_that_breaks_at_the_start_says_so(self, desk):
        desk.fleet.breaks = "no room"
        result = desk("run", IDEA)
        assert result.exit_code == 1
        assert "no room" in result.stderr


class TestExitCodes:
    @pytest.mark.parametrize("status", ["failed", "cancelled", "refused"])
    def test_every_end_but_a_completed_run_is_1(self, desk, new_story, status):
        story = new_story()
        desk.tell([story.request(), *story.closing(status=status, reason="why")])
        assert desk("watch", "r1").exit_code == 1

    def test_a_completed_run_is_0(self, desk, story):
        desk.tell(story.whole())
        assert desk("watch", "r1").exit_code == 0

    def test_a_failed_run_ends_with_task_reason_and_where_the_evidence_is(self, desk, story):
        red = story.evidence(passed=False, failed=2, junit="b" * 64)
        closing = story.closing(status="failed", failed_task="verify", reason="still red after 3 repairs", evidence=red)
        desk.tell([story.request(), *closing])
        last = desk("watch", "r1").stdout.splitlines()[-5:]
        assert last[0].startswith("run r1 failed")
        assert "  task      verify" in last
        assert "  reason    still red after 3 repairs" in last
        assert last[-1] == f"  evidence  artifact {'b' * 64} · flotilla show r1"

    def test_a_refused_request_names_the_field(self, desk, story):
        errors = [{"field": "deadline_s", "message": "must be at least 1"}]
        desk.tell([RunClosed(**story.ids, status="refused", errors=errors)])
        assert "deadline_s: must be at least 1" in desk("watch", "r1").stdout


class TestBadArguments:
    def test_a_bad_run_id_says_which_characters_are_allowed(self, desk):
        for command in (["watch", "no.dots"], ["run", IDEA, "--run-id", "no dots"], ["cancel", "ü"], ["show", "a*"]):
            result = desk(*command)
            assert result.exit_code == 2
            assert "A-Z a-z 0-9 _ -" in result.stderr

    def test_a_bad_tenant_says_so_before_anything_is_started(self, desk):
        result = desk("run", IDEA, "--tenant", "a.b")
        assert result.exit_code == 2
        assert "'a.b' is no tenant" in result.stderr
        assert desk.fleet.servers == []

    def test_an_empty_idea_is_refused_at_once(self, desk):
        result = desk("run", "  ")
        assert result.exit_code == 2
        assert "idea" in result.stderr

    def test_a_folder_that_is_not_empty_is_refused_before_the_run_starts(self, desk, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("keep me")
        result = desk("run", IDEA, "--out", str(tmp_path / "out"))
        assert result.exit_code == 2
        assert str(tmp_path / "out") in result.stderr
        assert (desk.fleet.servers, desk.log.facts) == ([], [])

    def test_a_run_id_that_is_taken_says_how_to_watch_that_run(self, desk, story):
        desk.tell([story.request()])
        result = desk("submit", IDEA, "--run-id", "r1")
        assert result.exit_code == 2
        assert "run r1 exists already" in result.stderr
        assert "flotilla watch r1" in result.stderr

    def test_an_unknown_run_lists_recent_ones(self, desk, new_story):
        for run in ("first", "second"):
            desk.tell([new_story(run).request()])
        result = desk("watch", "third")
        assert result.exit_code == 2
        assert "there is no run third" in result.stderr
        assert "recent runs: second, first" in result.stderr


class TestRun:
    def test_the_project_is_written_to_out(self, desk, new_story, tmp_path):
        desk.answers_with(new_story("made-up"))
        result = desk("run", IDEA, "--out", str(tmp_path / "out"))
        assert result.exit_code == 0, result.output
        assert (tmp_path / "out" / "books" / "app.py").read_text() == "print('books')\n"
        assert "2 files in" in result.stdout
        assert f"as {tmp_path / 'out' / 'README.md'} says" in result.stdout

    def test_the_request_carries_idea_tenant_run_and_model(self, desk):
        stories = []
        desk.log.answer = lambda log, message: (
            stories.append(message),
            desk.tell([RunClosed(tenant="acme", run="mine", status="cancelled")]),
        )
        desk("run", IDEA, "--tenant", "acme", "--run-id", "mine", "--model", "builtin:latency=1")
        assert stories == [
            RunRequested(tenant="acme", run="mine", idea=IDEA, model="builtin:latency=1", requested_by="flotilla")
        ]

    def test_json_is_one_object_per_fact_and_the_summary(self, desk, new_story):
        story = new_story("made-up")
        desk.answers_with(story)
        result = desk("run", IDEA, "--json")
        said = json_lines(result.stdout)
        assert [line["type"] for line in said] == ["fact"] * len(story.whole()) + ["summary"]
        assert said[0]["name"] == "run.requested"
        assert said[0]["message"]["idea"] == IDEA
        assert said[-1]["status"] == "completed"
        assert said[-1]["spent"]["calls"] == 5

    def test_plain_lines_have_no_escape_codes_even_if_a_fact_brings_some(self, desk, new_story):
        desk.answers_with(new_story("made-up", idea="Books\x1b[31m\x07 and\nmore"))
        desk.tell([new_story("other", idea="Books\x1b[2J").request()])
        desk.signals.left, desk.signals.can_ask = 1, False
        assert "\x1b" not in desk("watch", "other", "--nats", "nats://there:4222").output
        assert "\x1b" not in desk("show", "other", "--nats", "nats://there:4222").output
        assert "\x1b" not in desk("ls", "--nats", "nats://there:4222").output

    def test_spoiled_facts_show_as_spoiled(self, desk, story):
        desk.tell(story.whole()[:-1])
        desk.log.put("flotilla.default.r1.vote.x.eve", b"not json")
        desk.tell(story.closing())
        result = desk("watch", "r1")
        assert result.exit_code == 0
        assert "spoiled    vote.x.eve" in result.stdout


class TestSubmit:
    def test_the_run_id_is_all_that_goes_to_stdout(self, desk):
        result = desk("submit", IDEA)
        assert (result.exit_code, result.stdout) == (0, "made-up\n")
        assert "flotilla watch made-up" in result.stderr

    def test_the_hint_repeats_the_options_that_are_needed_to_get_there(self, desk):
        result = desk("submit", IDEA, "--tenant", "acme", "--nats", "nats://there:4222")
        assert "flotilla watch made-up --nats nats://there:4222 --tenant acme" in result.stderr


class TestCancel:
    def test_the_wish_is_recorded_with_its_reason(self, desk, story):
        desk.tell([story.request()])
        result = desk("cancel", "r1", "--reason", "changed my mind")
        assert result.exit_code == 0
        assert b"changed my mind" in desk.log.facts[-1].data

    def test_a_second_cancel_is_no_news(self, desk, story):
        desk.tell([story.request(), CancelRequested(**story.ids)])
        assert "already" in desk("cancel", "r1").stdout

    def test_a_run_that_is_over_stays_as_it_is(self, desk, story):
        desk.tell(story.whole())
        before = len(desk.log.facts)
        assert "over already: completed" in desk("cancel", "r1").stdout
        assert len(desk.log.facts) == before


class TestInterrupts:
    def cancellable(self, desk, story):
        desk.log.answer = lambda log, message: (
            isinstance(message, CancelRequested) and desk.tell(story.closing(status="cancelled"))
        )

    def test_without_a_terminal_the_run_is_left_running_and_the_exit_code_is_130(self, desk, story):
        desk.tell([story.request()])
        desk.signals.left, desk.signals.can_ask = 1, False
        result = desk("watch", "r1")
        assert result.exit_code == 130
        assert "flotilla watch r1" in result.stderr
        assert "flotilla cancel r1" in result.stderr
        assert len(desk.log.facts) == 1

    def test_c_cancels_and_watches_to_the_end(self, desk, story):
        desk.tell([story.request()])
        self.cancellable(desk, story)
        desk.signals.left, desk.signals.answers = 1, ["c"]
        result = desk("watch", "r1")
        assert result.exit_code == 1
        assert "[c/l/g]" in desk.signals.asked[0]
        assert "run r1 cancelled" in result.stdout

    def test_l_leaves_it_running(self, desk, story):
        desk.tell([story.request()])
        desk.signals.left, desk.signals.answers = 1, ["l"]
        assert desk("watch", "r1").exit_code == 130
        assert len(desk.log.facts) == 1

    def test_g_goes_on_watching(self, desk, story):
        desk.tell([story.request()])
        desk.signals.left, desk.signals.answers = 1, ["g", "l"]
        assert desk("watch", "r1").exit_code == 130
        assert len(desk.signals.asked) == 2

    def test_a_second_ctrl_c_leaves_it_running(self, desk, story):
        desk.tell([story.request()])
        desk.signals.left = 2
        assert desk("watch", "r1").exit_code == 130
        assert len(desk.log.facts) == 1

    def test_a_run_with_its_own_fleet_is_cancelled_and_says_so(self, desk, new_story):
        self.cancellable(desk, new_story("made-up"))
        desk.signals.left, desk.signals.can_ask = 1, False
        result = desk("run", IDEA)
        assert result.exit_code == 130
        assert "cancelled: its fleet lives in this process" in result.stderr
        assert "run made-up cancelled" in result.stdout

    def test_whoever_brought_the_fleet_is_not_offered_to_leave_it_running(self, desk, new_story):
        self.cancellable(desk, new_story("made-up"))
        desk.signals.left, desk.signals.answers = 1, ["c"]
        assert desk("run", IDEA).exit_code == 1
        assert desk.signals.asked[0].endswith("[c/g]")

    def test_a_terminal_that_is_gone_means_leaving(self, desk, story):
        desk.tell([story.request()])
        desk.signals.left, desk.signals.answers = 1, [""]
        assert desk("watch", "r1").exit_code == 130

    def test_a_fleet_of_its_own_that_breaks_ends_the_run(self, desk):
        async def breaks(settings, names, processes, ready, stop) -> None:
            ready.set()
            await asyncio.sleep(0.05)
            raise RuntimeError("out of memory")

        desk.fleet.run = breaks
        result = desk("run", IDEA)
        assert result.exit_code == 1
        assert "the fleet ended by itself: out of memory" in result.stderr

    def test_the_facts_of_a_run_that_failed_outlive_its_broker(self, desk, new_story):
        story = new_story("made-up")
        desk.log.answer = lambda log, message: desk.tell(story.closing(status="failed", reason="no"))
        result = desk("run", IDEA)
        left = desk.outside.state_dir / "runs" / "default.made-up.jsonl"
        assert result.stdout.splitlines()[-1] == f"  evidence  facts in {left}"
        assert [line["name"] for line in json_lines(left.read_text())] == ["run.requested", "run.closed"]

    def test_a_broker_that_goes_away_is_told_and_again_when_it_is_back(self, desk, story):
        desk.tell([story.request()])

        def looks():
            yield from (True, *[False] * 5, True)
            desk.signals.interrupt()

        desk.is_connected, desk.signals.can_ask = looks(), False
        desk.with_outside(gone_s=0.0)
        result = desk("watch", "r1")
        assert "the broker does not answer: what is shown may be old" in result.stderr
        assert result.stderr.count("the broker answers again") == 1

    def test_a_fleet_that_does_not_react_to_the_cancel_is_not_waited_for_for_ever(self, desk):
        desk.signals.left, desk.signals.can_ask = 1, False
        assert desk("run", IDEA).exit_code == 130
