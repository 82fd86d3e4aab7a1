"""The benchmark of the library: what it counts in journals, what it records, and that its table has every template."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import library, library_recordings
from benchmarks.library_fleet import FAULTS, Row, fits_of, target_of
from benchmarks.library_turns import CONTINUE, MEND, Spoken, Told, Turn, told
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.projects import Requirements
from workers.llm.builtin.faults import RATES, Faults
from workers.llm.builtin.jobs.job import Brief
from workers.llm.builtin.jobs.plan import plan
from workers.prompting.templates import Prompts

ROOT = Path(library.__file__).parents[1]
WHOLE, HALF, REST = '{"a": "b"}', '{"a": ', '"b"}'


def fits(texts):
    return WHOLE in texts


@pytest.mark.parametrize(
    ("spoken", "came_of_it"),
    [
        ([("end", WHOLE)], Told(True, True, ())),
        ([("end", "x")], Told(False, False, ())),
        ([("refusal", WHOLE)], Told(False, False, ())),
        ([("length", HALF), ("end", REST)], Told(False, True, (Turn(CONTINUE, True),))),
        ([("length", HALF)], Told(False, False, ())),
        ([("length", " "), ("end", WHOLE)], Told(False, True, (Turn(MEND, True),))),
        ([("end", "x"), ("end", WHOLE)], Told(False, True, (Turn(MEND, True),))),
        ([("end", "x"), ("refusal", "no")], Told(False, False, (Turn(MEND, False),))),
        ([("length", HALF), ("refusal", "no")], Told(False, False, (Turn(CONTINUE, False),))),
        (
            [("length", HALF), ("end", "x"), ("end", WHOLE)],
            Told(False, True, (Turn(CONTINUE, False), Turn(MEND, True))),
        ),
        (
            [("end", "x"), ("length", HALF), ("end", REST)],
            Told(False, True, (Turn(CONTINUE, True), Turn(MEND, True))),
        ),
    ],
)
def test_a_journal_tells_whether_an_answer_was_whole_at_once_and_after_each_turn(spoken, came_of_it):
    assert told([Spoken(*one) for one in spoken], fits) == came_of_it


def test_an_answer_after_which_more_was_asked_was_not_whole_whatever_its_shape():
    spoken = [Spoken("end", WHOLE), Spoken("end", WHOLE)]
    assert told(spoken, fits) == Told(False, True, (Turn(MEND, True),))


def test_an_answer_fits_in_any_of_the_shapes_that_its_template_asks_for():
    vote = fits_of("reviewer/vote")
    assert vote([json.dumps({"rationale": "x", "choice": "a"})])
    assert vote(["{", json.dumps({"rationale": "x", "approved": ["a"]})])
    assert not vote(["{"])


@pytest.mark.parametrize("idea", library_recordings.IDEAS)
def test_the_built_in_model_reads_every_idea(idea):
    said = plan(Brief({"idea": idea}, idea, Faults()))
    assert Requirements.model_validate(said["requirements"]).records


def test_no_two_recordings_ask_the_same():
    assert len(set(library_recordings.IDEAS)) == len(library_recordings.IDEAS) >= 40
    plans, ballots = zip(
        *((library_recordings.team_plan(n), library_recordings.ballot(n)) for n in range(40)), strict=True
    )
    assert len({task.instruction for plan in plans for task in plan.tasks}) == 40 * len(library_recordings.TEAM)
    assert len({ballot.question for ballot in ballots}) == 40
    assert {ballot.rule for ballot in ballots[:4]} == set(library_recordings.RULES)


def test_every_fault_of_the_built_in_model_is_in_place_and_can_be_ordered():
    target = target_of(3)
    assert all(getattr(Faults.parse(target), rate) > 0 for rate in RATES)
    assert FAULTS in EvaluatePrompt(template="a/b", target=target).target


def test_a_template_without_figures_is_not_passed_over_in_silence():
    rows = [Row("a/b", "valid", 2, 4, 3, 4), Row("a/c", "tests_green", note="no sandbox")]
    lines = library.table(rows, 7, 1.0).splitlines()
    assert lines[2] == "| `a/b` | fits at once | 2 | 4 | 3 | 75.0% | 24.9% | 100.0% |"
    assert "not measured: no sandbox" in lines[3]
    assert (rows[0].figures()["rate"], rows[1].figures()["rate"]) == (0.75, None)


def test_the_page_has_the_figures_of_every_template_and_the_settings_that_they_hold_for():
    page = (ROOT / "docs" / "prompts-library.md").read_text()
    assert f"\n{target_of(7)}\n" in page
    for name in sorted(prompt.name for prompt in Prompts.load()):
        purpose, measured = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")][:2]
        assert Prompts.load().named(name).purpose in purpose
        assert "%" in measured


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_table_has_every_template_with_its_bound():
    command = (sys.executable, "-m", "benchmarks.library", "--cases", "4", "--tries", "12", "--tested", "1", "--json")
    said = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT)
    assert said.returncode == 0, said.stderr
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert {row["template"] for row in rows} == {prompt.name for prompt in Prompts.load()}
    assert all(0 <= row["bound"] <= row["rate"] <= 1 for row in rows)
