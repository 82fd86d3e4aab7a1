"""Plain lines, figures and the task tree."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.failures import TaskFailed
from contracts.v1.prompts import GateResult, RevisionTried
from contracts.v1.tasks import TaskPerformed
from workers.cli.ending import Hints, ending
from workers.cli.entries import read
from workers.cli.figures import count, dollars, plain, seconds, short
from workers.cli.graph import dominators, tree
from workers.cli.lines import Lines, line
from workers.cli.view import view_of


class TestLines:
    def test_the_format_is_stable(self, story, stored):
        facts = [read(fact) for fact in stored(story.whole())]
        printed = [text for fact in facts if (text := line(fact, facts[0].at))]
        assert printed[:4] == [
            "     0.0  requested  run.requested             Keep track of books",
            "     0.1  started    plan                      plan_project for project_manager, attempt 1",
            "     0.3  done       plan                      Books: 3 tasks",
            "     0.4  started    design                    design_system for architect, attempt 1",
        ]

    def test_model_calls_get_no_line(self, story, stored):
        call = read(stored([story.call("plan")])[0])
        assert line(call, call.at) is None

    def test_a_failure_names_class_and_reason(self, story, stored):
        failure = TaskFailed(
            **story.ids, role="a", task="design", attempt=1, error="impossible", retry=False, reason="no\nway"
        )
        fact = read(stored([failure])[0])
        assert line(fact, fact.at).endswith(
            "failed     design                    impossible: no way (no other attempt)"
        )

    @pytest.mark.parametrize(
        ("came", "words"),
        [
            (
                {"candidate": "b" * 12, "gate": GateResult(cases=20, live=12, candidate=20, passed=True)},
                "version bbbbbbbbbbbb passed the gate, 20 of 20 cases, live 12 of 20",
            ),
            (
                {"candidate": "b" * 12, "gate": GateResult(cases=4, live=3, candidate=2, passed=False)},
                "version bbbbbbbbbbbb did not pass the gate, 2 of 4 cases, live 3 of 4",
            ),
            ({"reason": "2 cases are held out\nwait"}, "no version came of it: 2 cases are held out wait"),
        ],
    )
    def test_what_came_of_a_revision_is_told_in_words(self, story, stored, came, words):
        of = {"role": "reviewer", "name": "vote", "n": 1, **story.ids, "of": "a" * 12}
        output = RevisionTried(**of, **came).model_dump_json()
        done = read(stored([TaskPerformed(**story.ids, task="revise", output=output)])[0])
        assert line(done, done.at) == f"     0.0  done       revise                    {words}"

    def test_a_result_that_is_other_json_is_told_as_it_is(self, story, stored):
        done = read(stored([TaskPerformed(**story.ids, task="count", output='{"of": 3}')])[0])
        assert line(done, done.at).endswith('  {"of": 3}')

    def test_a_silent_fleet_is_mentioned_once(self, story, stored):
        said: list[str] = []
        lines = Lines("r1", said.append, Hints.kept("r1"))
        view = view_of(read(fact) for fact in stored([story.request()]))
        for wait in (1, 20, 30):
            lines.tick(view, view.began + timedelta(seconds=wait))
        assert len(said) == 1


class TestEnding:
    def test_a_completed_run_names_tests_capsule_and_the_way_to_its_project(self, story, stored):
        view = view_of(read(fact) for fact in stored(story.whole()))
        lines = ending("r1", view, Hints.kept("r1", " --tenant acme"))
        assert lines[0] == "run r1 completed in 2.1 s · 5 model calls, 600 tokens, $0.00"
        assert lines[1] == "  tests     green: 12 tests passed, coverage 94 % (landlock)"
        assert lines[2].startswith("  capsule   2 files, sha256 ")
        assert lines[3] == "  project   flotilla fetch r1 --tenant acme --out DIR"


class TestFigures:
    @pytest.mark.parametrize(
        ("given", "text"),
        [
            (0, "0.0 s"), (-3, "0.0 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"),
            (245, "4 min 05 s"), (3599.9, "1 h 00 min"), (7380, "2 h 03 min"), (timedelta(seconds=1.5), "1.5 s"),
        ],
    )  # fmt: skip
    def test_durations(self, given, text):
        assert seconds(given) == text

    @pytest.mark.parametrize(
        ("given", "text"), [(0.0, "$0.00"), (0.0042, "$0.0042"), (12.3, "$12.30"), (None, "cost unknown")]
    )
    def test_costs(self, given, text):
        assert dollars(given) == text

    def test_counts(self):
        assert [count(1, "call"), count(3, "call"), count(1200, "reply", "replies")] == [
            "1 call", "3 calls", "1,200 replies",
        ]  # fmt: skip

    @given(st.text())
    def test_plain_text_is_one_printable_line(self, text):
        assert plain(text) == "" or plain(text).isprintable()

    @given(st.text(), st.integers(2, 50))
    def test_short_text_fits(self, text, width):
        assert len(short(text, width)) <= width


class TestTree:
    def rows(self, needs) -> list[str]:
        return [branch.rails + branch.task for branch in tree(needs)]

    def test_a_chain_goes_straight_down(self):
        assert self.rows({"a": (), "b": ("a",), "c": ("b",)}) == ["a", "b", "c"]

    def test_branches_indent_and_the_join_stands_beside_them(self):
        needs = {"plan": (), "a": ("plan",), "b": ("plan",), "join": ("a", "b"), "end": ("join",)}
        assert self.rows(needs) == ["plan", "├ a", "├ b", "└ join", "  end"]

    def test_a_join_names_the_needs_that_the_tree_hides(self):
        joins = {branch.task: branch.joins for branch in tree({"p": (), "a": ("p",), "b": ("p",), "j": ("a", "b")})}
        assert joins == {"p": (), "a": (), "b": (), "j": ("a", "b")}

    def test_tasks_without_needs_stand_side_by_side(self):
        assert self.rows({"a": (), "b": ()}) == ["├ a", "└ b"]

    def test_a_plan_with_a_circle_can_be_shown(self):
        assert sorted(branch.task for branch in tree({"a": ("b",), "b": ("a",), "c": ("c",)})) == ["a", "b", "c"]

    @given(st.integers(1, 12).flatmap(lambda n: st.lists(st.sets(st.integers(0, n)), min_size=n, max_size=n)))
    def test_every_task_appears_once_whatever_the_needs(self, graph):
        needs = {str(task): tuple(str(need) for need in sorted(found)) for task, found in enumerate(graph)}
        assert sorted(branch.task for branch in tree(needs)) == sorted(needs)

    @given(
        st.integers(1, 9).flatmap(
            lambda n: st.tuples(*(st.sets(st.integers(0, k - 1)) if k else st.just(set()) for k in range(n)))
        )
    )
    def test_a_dominator_is_on_every_way_to_its_task(self, graph):
        needs = {str(task): tuple(str(need) for need in found) for task, found in enumerate(graph)}
        for task, dominator in dominators(needs).items():
            assert dominator is None or not reaches_root(needs, task, without=dominator)


def reaches_root(needs, task: str, without: str) -> bool:
    if not needs[task]:
        return True
    return any(need != without and reaches_root(needs, need, without) for need in needs[task])


def test_entries_are_dated_by_the_log(stored, story):
    assert read(stored([story.request()])[0]).at == datetime(2026, 3, 1, 12, tzinfo=UTC)
