"""Gates: what is to be approved in full, what changed since, and the answer."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, VoteCast
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import Finding
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import DesignProposed, ProjectPlanned, ProjectRepaired, ProjectReviewed, ReviewProject
from contracts.v1.timers import DeadlinePassed
from workers.gateway.views.changes import diff
from workers.gateway.views.facts import RunFacts, fold, take
from workers.gateway.views.run import view

IDS = {"tenant": "acme", "run": "r"}
REQUEST = RunRequested(**IDS, idea="write")


def gate(name, **more):
    return GateOpened(**{**IDS, "gate": name, "question": "Is it right?", **more})


def answer(name, verdict="approve", **more):
    return ApprovalGiven(**{**IDS, "gate": name, "verdict": verdict, "by": "ann", **more})


def review(make, n, *files):
    given = {"requirements": make.requirements, "design": make.design("store"), "evidence": make.evidence(True)}
    name = f"review-{n}"
    found = (Finding(severity="minor", message=f"in round {n}"),)
    return [
        ReviewProject(**IDS, role="reviewer", task=name, files=files, **given),
        ProjectReviewed(**IDS, task=name, findings=found),
    ]


def planned(make):
    return ProjectPlanned(
        **IDS,
        task="plan",
        requirements=make.requirements,
        plan=Plan(tasks=(PlannedTask(task="design", role="architect"),)),
    )


def test_requirements_and_plan_are_shown_in_full(make):
    for opened in (gate("requirements"), gate("first", subject_task="plan")):
        [seen] = make.view(REQUEST, planned(make), opened).approvals
        assert (seen.state, seen.material.about, seen.material.requirements) == (
            "open",
            "requirements",
            make.requirements,
        )
        assert seen.material.plan.tasks[0].task == "design"


def test_a_design_that_was_sent_back_is_shown_beside_the_one_before(make):
    one, two = make.design("store"), make.design("store", "http")
    seen = make.view(
        REQUEST, planned(make),
        DesignProposed(**IDS, task="design", design=one), gate("design"),
        answer("design", "ask_for_changes", comment="HTTP is missing", changes=("add HTTP",)),
        DesignProposed(**IDS, task="design-R1", design=two), gate("design-2", subject_task="design-R1"),
    ).approvals  # fmt: skip
    assert [(one.state, one.material.design, one.material.design_before) for one in seen] == [
        ("answered", one, None), ("open", two, one),
    ]  # fmt: skip
    assert (seen[0].answer.by, seen[0].answer.changes) == ("ann", ("add HTTP",))
    assert (seen[1].material.against, seen[1].material.against_is) == ("design", "shown")


def test_files_are_compared_with_those_that_were_approved_last(make):
    a1, a2, a3, b = make.file("a.py", "1"), make.file("a.py", "2"), make.file("a.py", "3"), make.file("b.py")
    seen = make.view(
        REQUEST, *review(make, 1, a1, b), gate("release-1", subject_task="review-1"), answer("release-1"),
        *review(make, 2, a2, b), gate("release-2", subject_task="review-2"), answer("release-2", "reject"),
        *review(make, 3, a3), gate("release-3", subject_task="review-3", deadline_s=60),
    ).approvals  # fmt: skip
    found = [[(one.path, one.change) for one in gate.material.changes] for gate in seen]
    assert found == [
        [("a.py", "added"), ("b.py", "added")], [("a.py", "changed"), ("b.py", "same")],
        [("a.py", "changed"), ("b.py", "removed")],
    ]  # fmt: skip
    last = seen[2].material
    assert (last.against, last.against_is, last.changes[0].before) == ("release-1", "approved", a1)
    assert last.evidence.passed and last.findings[0].message == "in round 3"
    assert (seen[2].deadline - seen[2].opened_at).seconds == 60


@given(st.randoms(use_true_random=False))
def test_gates_and_ballots_look_the_same_in_whatever_order_their_facts_arrive(make, random):
    options = (Option(option="release", files=(make.file("a.py", "4"),)), Option(option="repair"))
    facts = make.facts(
        REQUEST, *review(make, 1, make.file("a.py", "1")), gate("first", subject_task="review-1"), answer("first"),
        ProjectRepaired(**IDS, task="repair-1", files=(make.file("a.py", "4"),)),
        BallotOpened(**IDS, ballot="release-1", question="Release?", options=options, electorate=("ann", "bob")),
        VoteCast(**IDS, ballot="release-1", voter="ann", choice="release"),
        DeadlinePassed(**IDS, name="ballot-release-1"),
        DecisionMade(**IDS, ballot="release-1", option=None, by="escalated", reason="nobody knows"),
        gate("release-1", options=("release", "repair")), answer("release-1", option="release"), gate("release"),
    )  # fmt: skip
    state, mixed = RunFacts("acme", "r"), random.sample(facts, len(facts))
    for fact in mixed:
        state = take(state, fact)
        view(state)
    assert view(state) == view(fold(RunFacts("acme", "r"), facts))
    assert view(state).files[0].why.decided[0].answered_by == "ann"


def test_a_gate_without_a_task_shows_the_files_as_they_were_when_it_was_opened(make):
    facts = [
        REQUEST, ProjectRepaired(**IDS, task="repair-1", files=(make.file("a.py", "1"),)), gate("release"),
        ProjectRepaired(**IDS, task="repair-2", files=(make.file("a.py", "2"),)),
    ]  # fmt: skip
    [seen] = make.view(*facts).approvals
    assert [one.sha256 for one in seen.material.files] == ["1" * 64]


def test_a_ballot_that_is_left_to_a_person_shows_options_files_and_why(make):
    options = (Option(option="release", files=(make.file("a.py"),)), Option(option="repair"))
    facts = [
        BallotOpened(**IDS, ballot="release-1", question="Release?", options=options, electorate=("ann",)),
        DecisionMade(**IDS, ballot="release-1", option=None, by="escalated", reason="nobody knows"),
        gate("release-1", options=("release", "repair")),
    ]
    [seen] = make.view(REQUEST, *facts).approvals
    assert (seen.ballot, seen.undecided_because, seen.options) == ("release-1", "nobody knows", ("release", "repair"))
    assert [one.option for one in seen.material.options] == ["release", "repair"]
    assert [(one.path, one.change) for one in seen.material.changes] == [("a.py", "added")]


def test_gates_of_a_run_that_ended_are_called_off_and_spoiled_ones_say_so(make):
    seen = make.view(
        REQUEST, gate("a"), "gate.b", gate("c"), "approval.c", RunClosed(**IDS, status="cancelled")
    ).approvals
    assert [(one.gate, one.state) for one in seen] == [("a", "called_off"), ("b", "spoiled"), ("c", "answered")]
    assert seen[1].spoiled and seen[2].answer.spoiled


def test_a_diff_counts_lines_and_says_why_there_is_none():
    found = diff("a.py", b"one\ntwo\n", b"one\n-- three\n+ four\n")
    assert (found.added, found.removed) == (2, 1) and found.text.startswith("--- a/a.py\n+++ b/a.py\n@@")
    assert diff("a.py", None, b"new\n").text.startswith("--- /dev/null")
    assert diff("a.py", b"old\n", None).removed == 1
    assert diff("a.bin", b"\xff\xfe", b"").note == "it is not text in UTF-8"
    assert "larger" in diff("a.txt", b"x" * 300_000, b"").note
