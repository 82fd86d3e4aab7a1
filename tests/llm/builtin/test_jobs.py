"""What the built-in model answers to each role."""

import pytest

from workers.llm.builtin import BuiltinModel
from workers.llm.builtin.project.mutations import applicable

IDEA = (
    "Track books (title, ISBN unique, price, published date, status: new/used) and shelves with a unique name; "
    "each book belongs to a shelf; books can have many tags."
)


@pytest.fixture(scope="module")
def project(build):
    return build(IDEA)


def test_a_plan_names_tasks_team_and_criteria(asked, offered_roles):
    plan = asked(BuiltinModel(), "PlanReply", idea=IDEA, roles=offered_roles, objections=[])

    assert [(task.task, task.role, task.needs, task.each) for task in plan.tasks] == [
        ("design", "architect", (), None),
        ("build", "backend_developer", ("design",), "module"),
        ("tests", "test_engineer", ("design",), None),
    ]
    assert {member.role: member.count for member in plan.team}["backend_developer"] == 4
    topics = {criterion.topic for criterion in plan.requirements.criteria}
    assert topics >= {"create", "validation", "uniqueness", "filter", "sort", "search", "pages", "links", "persistence"}


def test_a_plan_that_was_refused_says_what_and_what_instead(asked, offered_roles):
    plan = asked(
        BuiltinModel(), "PlanReply", idea="Build a real-time multiplayer game", roles=offered_roles, objections=[]
    )

    assert not plan.understood
    assert "real-time multiplayer game" in plan.problem
    assert "players and matches" in plan.suggestion
    assert plan.requirements is None and plan.tasks == ()


def test_the_plan_needs_its_roles(answered):
    refused = answered(BuiltinModel(), "PlanReply", idea=IDEA, roles=[{"name": "reviewer", "purpose": ""}])

    assert refused.stop == "refusal"
    assert "architect" in refused.text


def test_no_two_modules_write_the_same_file(project):
    paths = [path for module in project.design.modules for path in module.files]

    assert len(paths) == len(set(paths))
    assert 4 <= len(project.design.modules) <= 7
    names = {module.name for module in project.design.modules}
    assert all(set(module.depends_on) <= names for module in project.design.modules)
    assert project.design.start == ("python", "-m", project.package)


def test_every_criterion_is_cited_by_a_test(project):
    tests = "\n".join(content for path, content in project.files.items() if path.startswith("tests/"))

    assert all(f"{criterion.id}:" in tests for criterion in project.requirements.criteria)


def test_a_criterion_that_can_not_be_read_is_named_and_not_faked(project, asked):
    plans = project.plans
    plans["requirements"]["criteria"].append({"id": "AC-900", "statement": "It feels snappy.", "topic": "other"})

    reply = asked(BuiltinModel(), "TestsReply", **plans, sandbox={})

    assert "AC-900" in reply.notes
    assert "AC-900" not in "".join(file.content for file in reply.files)


def test_a_module_of_a_foreign_design_is_refused(project, answered):
    module = {"name": "cache", "purpose": "Caches.", "files": ["src/cache.py"]}

    refused = answered(BuiltinModel(), "ModuleReply", **project.plans, module=module, sandbox={})

    assert refused.stop == "refusal"
    assert "src/cache.py" in refused.text


def test_requirements_without_records_are_refused(project, answered):
    requirements = {**project.plans["requirements"], "records": []}

    assert answered(BuiltinModel(), "DesignReply", requirements=requirements, sandbox={}).stop == "refusal"


def test_a_repair_returns_only_what_changes_and_cites_the_red_cases(project):
    path = f"src/{project.package}/storage.py"
    broken = type(project)(project.model, project.requirements, project.design, {**project.files, path: "pass\n"})
    evidence = {
        "passed": False,
        "tests": 3,
        "failed": 1,
        "failures": [{"case": "test_books_come_in_pages", "message": "assert 1 == 2"}],
        "level": "landlock",
        "duration_s": 1.0,
        "files_digest": "0" * 64,
    }

    reply = broken.repair(BuiltinModel(), evidence)

    assert {file.path: file.content for file in reply.files} == {path: project.files[path]}
    assert "test_books_come_in_pages" in reply.diagnosis
    assert path in reply.diagnosis


def test_a_repair_of_nothing_changes_nothing(project):
    reply = project.repair(BuiltinModel())

    assert reply.files == ()
    assert "nothing to change" in reply.diagnosis


def test_every_mistake_that_can_be_made_is_repaired(project):
    sources = {path: content for path, content in project.files.items() if not path.startswith("tests/")}

    for path, mistake in applicable(sources):
        files = {**project.files, path: sources[path].replace(mistake.right, mistake.wrong)}
        reply = type(project)(project.model, project.requirements, project.design, files).repair(BuiltinModel())
        assert {file.path: file.content for file in reply.files} == {path: sources[path]}


def test_wrong_code_hits_modules_and_repairs_but_never_tests(build, project):
    wrong = build(IDEA, "builtin:wrong_code=1")

    changed = {path for path in project.files if wrong.files[path] != project.files[path]}
    assert len(changed) == len(project.design.modules)
    assert not any(path.startswith("tests/") for path in changed)
    repaired = wrong.repair(BuiltinModel("builtin:wrong_code=1"))
    assert any(file.content != project.files[file.path] for file in repaired.files)


def reviewed(asked, project, files, evidence=None):
    shown = [{"path": path, "content": content} for path, content in files.items()]
    return asked(BuiltinModel(), "ReviewReply", **project.plans, files=shown, evidence=evidence)


def test_a_review_of_what_the_model_writes_finds_nothing_that_blocks(asked, project):
    evidence = {
        "passed": True, "tests": 9, "coverage": 94.0, "level": "landlock", "duration_s": 1.0, "files_digest": "0" * 64,
    }  # fmt: skip

    assert reviewed(asked, project, project.files, evidence).findings == ()


@pytest.mark.parametrize(
    ("code", "severity", "words"),
    [
        ('"""M."""\ndef broken(:\n', "blocking", "not Python"),
        ('"""M."""\neval("1")\n', "blocking", "eval"),
        ('"""M."""\ndb.execute(f"SELECT * FROM t WHERE a = {value}")\n', "blocking", "parameters"),
        ('"""M."""\ndb.execute(f"INSERT INTO t VALUES ({value})")\n', "blocking", "parameters"),
        ('"""M."""\ndb.execute("SELECT * FROM t WHERE a = %s" % value)\n', "blocking", "parameters"),
        ('"""M."""\ndb.execute("SELECT * FROM t WHERE a = " + value)\n', "blocking", "parameters"),
        ('"""M."""\ntry:\n    pass\nexcept:\n    pass\n', "major", "bare except"),
        ('"""M."""\ndef f():\n' + "    x = 1\n" * 90, "minor", "split it"),
        ("x = 1\n", "note", "docstring"),
    ],
)
def test_a_review_finds_by_rules(asked, project, code, severity, words):
    review = reviewed(asked, project, {**project.files, "src/extra.py": code})

    found = [finding for finding in review.findings if finding.path == "src/extra.py"]
    assert [finding.severity for finding in found] == [severity]
    assert words in found[0].message


def test_a_criterion_without_a_test_blocks(asked, project):
    files = {path: content for path, content in project.files.items() if path != "tests/test_service.py"}

    review = reviewed(asked, project, files)

    assert any(finding.severity == "blocking" and "No test cites" in finding.message for finding in review.findings)
