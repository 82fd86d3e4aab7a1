"""How the built-in model votes, in the form of each rule."""

import gc
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from contracts.v1.projects import Design
from workers.llm.builtin import BuiltinModel
from workers.llm.builtin.jobs.review import _file
from workers.llm.builtin.project.cutting import flaws
from workers.roles.reviewer.replies import ChoiceReply

IDEA = "Track books (title, ISBN unique, price) and shelves with a unique name; each book belongs to a shelf."
GREEN = {
    "passed": True, "tests": 30, "coverage": 95.0, "level": "landlock", "duration_s": 1.0, "files_digest": "0" * 64,
}  # fmt: skip
RED = {**GREEN, "passed": False, "failed": 2}


@pytest.fixture(scope="module")
def project(build):
    return build(IDEA)


@pytest.fixture
def voted(asked):
    """Asks for a vote on these options."""

    def vote(options, reply="ChoiceReply", context="", target="builtin", rule="majority"):
        shown = context if isinstance(context, str) else json.dumps(context)
        blocks = {"question": "Which?", "context": shown, "options": options, "rule": rule, "score_max": 10}
        return asked(BuiltinModel(target), reply, **blocks)

    return vote


@pytest.fixture
def release(project):
    """The options of a release, with changes to the files and the evidence that they are shown with."""

    def options(evidence=GREEN, **changed):
        files = [file for file in [*project.written, *changed.get("more", [])] if file["path"] != changed.get("gone")]
        shown = {"option": "release", "files": files, **({"evidence": evidence} if evidence else {})}
        return [shown, {"option": "repair", "title": "Send it back."}]

    return options


def test_a_green_project_without_flaws_is_released(voted, release, project):
    context = {"requirements": project.plans["requirements"], "findings": []}
    vote = voted(release(), context=context)
    assert (vote.choice, "green" in vote.rationale) == ("release", True)
    assert voted(release(), "ApprovalReply", context).approved == ("release",)
    assert voted(release(), "RankingReply", context).ranking == ("release", "repair")
    scores = voted(release(), "ScoresReply", context).scores
    assert [(each.option, each.score) for each in scores] == [("release", 10), ("repair", 0)]


@pytest.mark.parametrize(
    ("changed", "findings", "reason"),
    [
        ({"evidence": RED}, [], "2 of 30 red"),
        ({"evidence": None}, [], "no test evidence"),
        ({"evidence": {"passed": True}}, [], "can't be read"),
        (
            {"more": [{"path": "src/books/x.py", "content": '"""X."""\neval("1")\n'}]},
            [],
            "src/books/x.py: Line 2: eval",
        ),
        ({"more": [{"path": "src/books/x.py", "content": "def"}]}, [], "not Python"),
        ({"gone": "tests/test_books.py"}, [], "No test cites AC-"),
        ({}, [{"severity": "blocking", "path": "README.md", "message": "No start."}], "README.md: No start."),
    ],
)
def test_what_blocks_is_a_reason_to_repair(voted, release, project, changed, findings, reason):
    context = {"requirements": project.plans["requirements"], "findings": findings}
    vote = voted(release(**changed), context=context)
    assert vote.choice == "repair"
    assert reason in vote.rationale


def test_findings_that_do_not_block_and_a_context_that_is_cut_do_not_hold_a_release_back(voted, release, project):
    minor = {"severity": "minor", "path": None, "message": "Names."}
    context = {"requirements": project.plans["requirements"], "findings": [minor, {"severity": "odd"}, 7]}
    assert voted(release(), context=context).choice == "release"
    for broken in ("", json.dumps(context)[:-5], "[" * 9_999, "7", "null"):
        assert voted(release(), context=broken).choice == "release"


def designs_of(project, *texts):
    options = [{"option": f"design-O{n}", "text": text} for n, text in enumerate(texts, start=1)]
    return [*options, {"option": "revise"}]


def test_designs_that_can_be_built_are_approved(voted, project):
    good, context = project.design.model_dump_json(), {"requirements": project.plans["requirements"]}
    wrong = project.design.model_copy(update={"modules": (project.design.modules[0],) * 2}).model_dump_json()
    options = designs_of(project, wrong, good, good)
    assert voted(options, context=context).choice == "design-O2"
    assert voted(options, "ApprovalReply", context).approved == ("design-O2", "design-O3")
    assert voted(options, "RankingReply", context).ranking == ("design-O2", "design-O3", "revise", "design-O1")
    assert [each.score for each in voted(options, "ScoresReply", context).scores] == [0, 10, 10, 5]
    assert "design-O1: module 'project' is there more than once" in voted(options, context=context).rationale


@pytest.mark.parametrize("text", ["", "A fine design.", "{}", '{"summary": 1}', "[1]"])
def test_without_any_design_they_are_to_be_revised(voted, project, text):
    options = designs_of(project, '{"no": "design"}', text)
    vote = voted(options)
    assert vote.choice == "revise"
    assert "None of the designs can be built" in vote.rationale
    assert voted(options, "ApprovalReply").approved == ("revise",)


@pytest.mark.parametrize("of", ["all", "a path"])
def test_a_design_that_is_cut_off_is_judged_by_what_is_shown_of_it(voted, project, of):
    whole = project.design.model_dump_json()
    cut = whole[:500] if of == "all" else whole.replace("/__main__.py", "/__ma…")
    vote = voted(designs_of(project, cut))
    assert (vote.choice, "cut off" in vote.rationale) == ("design-O1", True)


def test_what_keeps_a_design_from_being_built_is_named():
    module = {"purpose": "x", "files": ["a.py"]}
    modules = [{**module, "name": "a", "depends_on": ["b", "z"]}, {**module, "name": "b", "depends_on": ["a"]}]
    found = flaws(Design(summary="x", package="books", modules=modules), "shelves")
    assert found[:3] == [
        "file 'a.py' belongs to more than one module",
        "module 'a' depends on 'z', which is no module",
        "it builds the package 'books', not 'shelves'",
    ]
    assert found[3].startswith("these modules depend on each other in a circle: ")


def test_designs_to_choose_from_are_cut_differently_and_all_can_be_built(asked, project):
    requirements = project.plans["requirements"]
    cuts = []
    for number in (1, 2, 3, 4):
        shown = {"requirements": requirements, "sandbox": {}, "alternative": {"number": number, "of": 4}}
        made = Design(package=project.package, **asked(BuiltinModel(), "DesignReply", **shown).model_dump())
        assert flaws(made, project.package) == []
        assert {path for module in made.modules for path in module.files} == {
            path for module in project.design.modules for path in module.files
        }
        cuts.append((made.modules, made.decisions))
    assert len(set(cuts)) == 4
    assert [len(modules) for modules, _ in cuts] == [5, 6, 7, 6]
    assert cuts[3] == (project.design.modules, project.design.decisions)


def test_candidates_are_chosen_by_their_evidence(voted):
    source = [{"path": "a.py", "content": '"""A."""\n'}]
    options = [
        {"option": "one", "evidence": RED, "files": source},
        {"option": "two", "evidence": GREEN, "files": [{"path": "a.py", "content": "exec('1')"}]},
        {"option": "three", "evidence": GREEN, "files": source},
        {"option": "four", "evidence": GREEN, "files": source},
    ]
    assert voted(options).choice == "three"
    assert voted(options, "ApprovalReply").approved == ("three", "four")


@pytest.mark.parametrize(("reply", "field", "taken"), [
    ("ChoiceReply", "choice", "tea"), ("ApprovalReply", "approved", ("tea",)),
    ("RankingReply", "ranking", ("tea", "coffee", "revise")),
])  # fmt: skip
def test_a_question_that_rules_can_not_weigh_takes_the_first_option_and_says_so(voted, reply, field, taken):
    vote = voted([{"option": "tea"}, {"option": "coffee"}, {"option": "revise"}], reply)
    assert getattr(vote, field) == taken
    assert "can't weigh this question" in vote.rationale
    assert "'tea'" in vote.rationale


def test_a_vote_can_be_refused_malformed_and_the_same_again(answered):
    blocks = {
        "question": "?",
        "context": "",
        "options": [{"option": "a"}, {"option": "b"}],
        "rule": "x",
        "score_max": 1,
    }
    assert answered(BuiltinModel("builtin:refusal=1"), "ChoiceReply", **blocks).stop == "refusal"
    with pytest.raises(ValidationError):
        ChoiceReply.model_validate_json(answered(BuiltinModel("builtin:malformed=1"), "ChoiceReply", **blocks).text)
    first, second = (answered(BuiltinModel(), "ChoiceReply", **blocks) for _ in range(2))
    assert first == second
    assert answered(BuiltinModel(), "ChoiceReply", **{**blocks, "options": []}).stop == "refusal"


def test_reviews_in_several_threads_at_once_read_every_file():
    """CPython 3.11 raises SystemError when two threads build syntax trees and one is interrupted by the collector."""
    lines = (f"def f{n}(a, b):\n    return [x for x in (a + b) * {n} if x > ({n} + (a * (b + 1)))]" for n in range(200))
    source = "\n".join(lines)
    threshold = gc.get_threshold()
    gc.callbacks.append(give_way := lambda phase, told: time.sleep(0))
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: _file("src/a.py", source), range(48)))
    finally:
        gc.callbacks.remove(give_way)
        gc.set_threshold(*threshold)
    assert found == [found[0]] * 48
