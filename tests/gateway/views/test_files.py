"""Why each file is so."""

import pytest

from contracts.v1.projects import Finding
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    MadeFile,
    PackProject,
    ProjectRepaired,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    VerifyProject,
)

IDS = {"tenant": "acme", "run": "r"}
REQUEST = RunRequested(**IDS, idea="write")


def why(view, path):
    return next(file.why for file in view.files if file.path == path)


@pytest.mark.parametrize("name", ["designs", "flaky", "repaired-1"])
def test_the_files_are_those_that_are_packed_with_the_task_and_attempt_that_made_each(name, recorded, shown):
    packed = next(fact.message for fact in recorded(name) if isinstance(fact.message, PackProject))
    made = {(file.path, file.sha256, file.size, file.task, file.attempt) for file in packed.files}
    assert all(isinstance(file, MadeFile) for file in packed.files) and len(made) > 15
    assert {(one.path, one.sha256, one.size, one.why.task, one.why.attempt) for one in shown(name).files} == made


def test_a_repaired_file_says_which_red_tests_called_for_it_and_what_was_wrong(shown):
    seen = shown("repaired-1")
    repaired = [one for one in seen.files if one.why.repairs]
    assert repaired
    for file in repaired:
        [repair], first, last = file.why.repairs, file.why.written[0], file.why.written[-1]
        assert (repair.task, repair.round, repair.because) == ("repair-1", 1, ("result.verify-1",))
        assert repair.red and 0 < len(repair.failures) <= 5 and repair.diagnosis
        assert (repair.before, repair.after) == (first.sha256, last.sha256) and first.task.startswith("build-")
        assert (file.why.task, file.why.asks_for) == ("repair-1", "repair_project") and file.why.module
        assert [(one.task, one.passed) for one in file.why.tests] == [("verify-2", True)]


def test_a_file_that_was_right_at_once_was_tested_in_every_round(shown):
    whole = [one for one in shown("repaired-1").files if not one.why.repairs]
    assert whole and all([t.passed for t in one.why.tests] == [False, True] for one in whole)
    assert all(test.junit for one in whole for test in one.why.tests)


def test_a_file_names_its_prompts_with_versions_and_targets(shown, recorded):
    entries = {fact.name for fact in recorded("repaired-1")}
    for file in shown("repaired-1").files:
        assert file.why.prompts and {one.entry for one in file.why.prompts} <= entries
        assert all(one.prompt.split("/")[0] == file.why.role and one.prompt_version for one in file.why.prompts)
        assert {one.target for one in file.why.prompts} == {"builtin:wrong_code=0.5,seed=1"}


def test_the_ballots_on_the_design_and_on_the_release_decided_on_a_file(shown):
    for file in shown("designs").files:
        assert [(one.ballot, one.about) for one in file.why.decided] == [("design", "design"), ("release-1", "files")]
        assert all(one.option and one.votes and all(vote.voter for vote in one.votes) for one in file.why.decided)


def test_files_of_designs_that_were_not_chosen_and_of_red_rounds_do_not_hide_those_that_are(shown):
    seen = shown("repaired-2")
    assert seen.state == "failed" and {one.why.task for one in seen.files} >= {"repair-3"}
    histories = [one.why.written for one in seen.files if one.why.task == "repair-3"]
    assert all([w.task for w in written][-1] == "repair-3" for written in histories)


def test_a_repair_that_reviewers_asked_for_shows_the_findings_on_that_file_alone(make):
    on_a, on_all = Finding(severity="blocking", path="a.py", message="wrong"), Finding(severity="minor", message="meh")
    on_b = Finding(severity="blocking", path="b.py", message="bad")
    given = {
        "requirements": make.requirements,
        "design": make.design("store"),
        "files": (),
        "role": "backend_developer",
    }
    asked = RepairProject(**IDS, **given, task="repair-1", evidence=make.evidence(True), findings=(on_a, on_all, on_b))
    done = ProjectRepaired(**IDS, task="repair-1", files=(make.file("a.py"), make.file("b.py")), diagnosis="typo")
    review = ProjectReviewed(**IDS, task="review-1", findings=(on_a, on_all, on_b))
    [repair] = why(make.view(REQUEST, review, asked, done), "a.py").repairs
    assert (repair.findings, repair.because, repair.failures) == ((on_a, on_all), ("result.review-1",), ())


def test_a_test_run_with_other_content_says_nothing_of_a_file(make):
    done = ProjectRepaired(**IDS, task="repair-1", files=(make.file("a.py", "2"),))
    asked = VerifyProject(**IDS, role="sandbox", task="verify-1", files=(make.file("a.py", "1"),))
    seen = make.view(REQUEST, asked, ProjectVerified(**IDS, task="verify-1", evidence=make.evidence(True)), done)
    assert why(seen, "a.py").tests == ()
