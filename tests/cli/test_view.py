"""A run as it looks from outside."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, VoteCast
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import CancelRequested
from contracts.v1.tasks import DesignSystem, ProjectRepaired, RepairProject, ReviewProject
from workers.cli.ballotview import counts_of
from workers.cli.entries import read
from workers.cli.view import RunView, view_of
from workers.runtime.ports import Stored


@pytest.fixture
def viewed(stored):
    return lambda messages: view_of(read(fact) for fact in stored(messages))


def states(view: RunView) -> dict[str, str]:
    return {task.task: task.state for task in view.tasks}


def needs(view: RunView) -> dict[str, tuple[str, ...]]:
    return {task.task: task.needs for task in view.tasks}


def failed(story, task="design", attempt=1, retry=True):
    return TaskFailed(
        **story.ids,
        role="architect",
        task=task,
        attempt=attempt,
        error="malformed_reply",
        retry=retry,
        reason="no JSON",
    )


def asked_again(story, attempt):
    return DesignSystem(**story.ids, task="design", role="architect", attempt=attempt, requirements=story.requirements)


def repairing(story):
    given = {"requirements": story.requirements, "design": story.design, "files": ()}
    return RepairProject(**story.ids, task="repair-1", role="backend_developer", **given)


class TestTheFoldDoesNotCareHowFactsArrive:
    @given(data=st.data())
    def test_order_of_arrival_and_duplicates_change_nothing(self, data, whole_entries):
        facts = whole_entries
        arrived = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts)))))
        assert view_of(arrived) == view_of(facts)

    @given(data=st.data())
    def test_every_prefix_has_a_view_and_no_task_ever_goes_away(self, data, whole_entries):
        facts = whole_entries
        cut = data.draw(st.integers(0, len(facts)))
        before, after = view_of(facts[:cut]), view_of(facts)
        seen = {task.task for task in before.tasks if task.attempt}
        assert seen <= {task.task for task in after.tasks}


def test_nothing_is_known_before_the_first_fact():
    assert view_of([]) == RunView()


def test_a_run_that_went_well_is_completed_with_all_its_tasks_done(story, viewed):
    view = viewed(story.whole())
    assert view.state == "completed"
    assert set(states(view).values()) == {"done"}
    assert view.capsule is not None
    assert view.evidence is not None
    assert view.evidence.passed


def test_elapsed_is_between_stored_times(story, viewed, stored):
    facts = stored(story.whole())
    view = view_of(read(fact) for fact in facts)
    assert view.elapsed(facts[-1].at + timedelta(hours=5)) == facts[-1].at - facts[0].at


def test_elapsed_of_a_run_that_goes_on_is_up_to_now(story, viewed, stored):
    facts = stored(story.whole()[:4])
    view = view_of(read(fact) for fact in facts)
    assert view.elapsed(facts[0].at + timedelta(seconds=7)) == timedelta(seconds=7)


def test_a_clock_that_is_behind_the_broker_gives_no_negative_time(story, viewed, stored):
    facts = stored(story.whole()[:4])
    assert view_of(read(fact) for fact in facts).elapsed(facts[0].at - timedelta(hours=1)) == timedelta()


class TestTasks:
    def test_the_plan_shows_what_is_to_come(self, story, viewed):
        view = viewed([story.request(), *story.planning()])
        assert states(view) == {"plan": "done", "design": "ready", "build": "waiting", "tests": "waiting"}

    def test_a_task_per_module_is_written_out_once_the_design_is_there(self, story, viewed):
        view = viewed([story.request(), *story.planning(), *story.designing()])
        assert states(view) == {
            "plan": "done", "design": "done", "build-store": "ready", "build-http": "ready", "tests": "ready",
        }  # fmt: skip

    def test_needs_come_from_the_plan_and_for_others_from_what_was_there(self, story, viewed):
        view = viewed(story.whole())
        assert needs(view) == {
            "plan": (), "design": ("plan",), "build-store": ("design",), "build-http": ("design",),
            "tests": ("design",), "verify": ("build-store", "build-http", "tests"), "package": ("verify",),
        }  # fmt: skip

    def test_a_task_that_was_asked_for_runs_until_there_is_a_result(self, story, viewed):
        view = viewed([story.request(), *story.planning()[:1]])
        assert states(view) == {"plan": "running"}

    def test_a_failure_that_may_be_retried_makes_the_task_ready_again(self, story, viewed):
        view = viewed([story.request(), *story.planning(), *story.designing()[:1], failed(story)])
        task = next(task for task in view.tasks if task.task == "design")
        assert (task.state, task.attempt) == ("ready", 1)
        assert "no JSON" in task.note

    def test_another_attempt_is_counted_and_runs(self, story, viewed):
        facts = [story.request(), *story.planning(), *story.designing()[:1], failed(story), asked_again(story, 2)]
        task = next(task for task in viewed(facts).tasks if task.task == "design")
        assert (task.state, task.attempt, task.note) == ("running", 2, "again after malformed_reply")

    def test_a_failure_without_another_attempt_is_final(self, story, viewed):
        view = viewed([story.request(), *story.planning(), *story.designing()[:1], failed(story, retry=False)])
        assert states(view)["design"] == "failed"

    def test_red_tests_fail_the_verification_and_the_mending_shows_as_repairing(self, story, viewed):
        red = story.verifying(passed=False, failed=2)
        view = viewed([*story.whole()[:16], *red, repairing(story)])
        assert states(view)["verify"] == "failed"
        assert states(view)["repair-1"] == "repairing"
        assert needs(view)["repair-1"] == ("verify",)

    def test_a_repair_that_is_done_is_done(self, story, viewed):
        red = story.verifying(passed=False, failed=2)
        done = ProjectRepaired(**story.ids, task="repair-1")
        assert states(viewed([story.request(), *red, repairing(story), done]))["repair-1"] == "done"

    def test_what_a_closed_run_left_open_is_stopped(self, story, viewed):
        facts = [story.request(), *story.planning(), story.designing()[0], *story.closing(status="cancelled")]
        view = viewed(facts)
        assert view.state == "cancelled"
        assert states(view) == {"plan": "done", "design": "stopped", "build": "stopped", "tests": "stopped"}

    def test_the_time_of_a_task_is_from_its_command_to_its_result(self, story, viewed, stored):
        facts = stored([story.request(), *story.planning()])
        task = view_of(read(fact) for fact in facts).tasks[0]
        assert task.took(facts[-1].at + timedelta(hours=1)) == facts[3].at - facts[1].at

    def test_designs_to_choose_from_stand_side_by_side_and_the_chosen_one_is_built(self, story, viewed):
        asked, _, proposed = story.designing()
        facts = [story.request(), *story.planning(), asked.model_copy(update={"alternatives": 2})]
        facts.append(asked.model_copy(update={"task": "design-O2", "alternative": 2, "alternatives": 2}))
        other = story.design.model_copy(update={"modules": story.design.modules[:1]})
        facts += [proposed, proposed.model_copy(update={"task": "design-O2", "design": other})]
        assert needs(viewed(facts)) == {
            "plan": (), "design": ("plan",), "build": ("design",), "tests": ("design",), "design-O2": ("plan",),
        }  # fmt: skip
        build, _, built = story.building()[:3]
        facts += [build.model_copy(update={"design": other}), built, *story.verifying()]
        assert needs(viewed(facts)) == {
            "plan": (), "design": ("plan",), "build-store": ("design-O2",), "tests": ("design-O2",),
            "design-O2": ("plan",), "verify": ("build-store",),
        }  # fmt: skip

    def test_a_review_follows_the_verification(self, story, viewed):
        given = {"requirements": story.requirements, "design": story.design, "files": (), "evidence": story.evidence()}
        review = ReviewProject(**story.ids, task="review", role="reviewer", **given)
        whole = [story.request(), *story.planning(), *story.designing(), *story.building(), *story.verifying(), review]
        assert needs(viewed(whole))["review"] == ("verify",)


class TestSpending:
    def test_the_journal_is_summed(self, story, viewed):
        view = viewed([story.call("plan", cost=0.25), story.call("plan", n=2, cost=0.5)])
        assert (view.spent.calls, view.spent.input_tokens, view.spent.cost_usd) == (2, 200, 0.75)

    def test_one_unknown_price_makes_the_sum_unknown(self, story, viewed):
        assert viewed([story.call("plan", cost=0.25), story.call("plan", n=2, cost=None)]).spent.cost_usd is None


class TestVotesAndGates:
    def test_votes_are_counted_per_option_and_abstentions_apart(self, story, viewed):
        options = (Option(option="yes"), Option(option="no"))
        ballot = BallotOpened(
            **story.ids, ballot="release", question="Release?", options=options, electorate=("a", "b", "c")
        )
        votes = [
            VoteCast(**story.ids, ballot="release", voter=voter, choice=choice)
            for voter, choice in (("a", "yes"), ("b", None))
        ]
        seen = viewed([ballot, *votes]).ballots[0]
        assert counts_of(seen) == {"yes": 1, "no": 0}
        assert [vote.counted for vote in seen.votes] == ["counted", "abstained"]
        assert (seen.missing, seen.outcome) == (("c",), "")
        decided = DecisionMade(**story.ids, ballot="release", option=None)
        assert viewed([ballot, *votes, decided]).ballots[0].outcome == "undecided"

    def test_a_gate_waits_until_it_is_answered(self, story, viewed):
        gate = GateOpened(**story.ids, gate="release", question="May it go out?")
        answer = ApprovalGiven(**story.ids, gate="release", verdict="approve", by="ada")
        assert viewed([gate]).gates[0].verdict == ""
        assert viewed([gate, answer]).gates[0].verdict == "approve"


class TestEndings:
    def test_a_wish_to_stop_shows_before_the_end(self, story, viewed):
        assert viewed([story.request(), CancelRequested(**story.ids)]).state == "cancelling"

    def test_a_failed_run_keeps_task_reason_and_evidence(self, story, viewed):
        closing = story.closing(
            status="failed", failed_task="verify", reason="still red", evidence=story.evidence(passed=False)
        )
        view = viewed([story.request(), *closing])
        assert (view.state, view.failed_task, view.reason) == ("failed", "verify", "still red")
        assert view.evidence is not None


class TestSpoiledFacts:
    def put(self, stored, story, subject, data):
        facts = stored([story.request(), *story.planning()])
        return view_of(read(fact) for fact in [*facts, Stored(99, facts[-1].at, subject, data)])

    def test_bytes_that_are_no_json_are_listed_and_nothing_crashes(self, story, stored):
        view = self.put(stored, story, "flotilla.default.r1.vote.x.y", b"\xff\x00")
        assert view.spoiled[0][0] == "vote.x.y"
        assert view.state == "running"

    def test_a_name_outside_of_the_grammar_is_listed_by_its_whole_subject(self, story, stored):
        view = self.put(stored, story, "flotilla.default.r1.nonsense", b"{}")
        assert view.spoiled[0][0] == "flotilla.default.r1.nonsense"

    def test_a_newer_version_says_that_a_newer_program_can_read_it(self, story, stored):
        view = self.put(stored, story, "flotilla.default.r1.run.cancel", b'{"kind":"cancel_requested","version":9}')
        assert "newer flotilla" in view.spoiled[0][1]

    def test_a_spoiled_result_fails_its_task(self, story, stored):
        facts = stored([story.request(), *story.planning()[:1]])
        spoiled = Stored(99, facts[-1].at, "flotilla.default.r1.result.plan", b"{}")
        assert states(view_of(read(fact) for fact in [*facts, spoiled])) == {"plan": "failed"}

    def test_a_spoiled_end_is_an_end_because_its_name_is_used_up(self, story, stored):
        view = self.put(stored, story, "flotilla.default.r1.run.closed", b"{}")
        assert view.is_over
        assert view.state == "failed"
        assert "spoiled" in view.reason
