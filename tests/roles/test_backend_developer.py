"""The backend developer writes exactly one module, and repairs anything but tests."""

import pytest

from contracts.v1.projects import Finding
from contracts.v1.tasks import BuildModule, RepairProject
from workers.roles.backend_developer.worker import role
from workers.runtime.errors import MalformedReply

INIT, API = "src/books/__init__.py", "src/books/api.py"


def files(**by_path):
    return [{"path": path, "content": content} for path, content in by_path.items()]


@pytest.fixture
def building(identity, requirements, design):
    return BuildModule(**identity, requirements=requirements, design=design, module=design.modules[0])


@pytest.fixture
def repairing(identity, requirements, design, evidence, kept):
    finding = Finding(severity="blocking", path=API, message="loses data")
    refs = kept({API: "x = 1\n", "tests/test_api.py": "def test_x(): ...\n"})
    return RepairProject(
        **identity, requirements=requirements, design=design, files=refs, evidence=evidence, findings=(finding,)
    )


async def test_a_module_is_built_with_exactly_its_files(perform, stage, building):
    reply = {"files": files(**{INIT: "", API: "x = 1\n"}), "notes": "plain"}
    built = await perform(role, building, reply)

    assert stage.content(built.files) == {INIT: "", API: "x = 1\n"}
    assert (built.notes, [call.prompt for call in built.calls]) == ("plain", ["backend_developer/module"])
    assert stage.asked[0].reply_schema["title"] == "ModuleReply"


async def test_the_model_sees_what_a_module_is_built_from(perform, stage, building):
    await perform(role, building, {"files": files(**{INIT: "", API: ""})})
    assert sorted(stage.blocks()) == ["design", "module", "requirements", "sandbox"]
    assert stage.blocks()["module"]["files"] == [INIT, API]


async def test_missing_and_extra_files_of_a_module_are_named(perform, stage, building):
    wrong = {"files": files(**{API: "", "src/books/more.py": ""})}
    with pytest.raises(MalformedReply, match=f"missing from module api: {INIT}; no part of module api: src/books/more"):
        await perform(role, building, wrong, wrong)
    assert stage.kept == {}


async def test_a_module_may_be_completed_in_the_repair_turn(perform, stage, building):
    built = await perform(role, building, {"files": files(**{API: ""})}, {"files": files(**{API: "", INIT: ""})})
    assert sorted(stage.content(built.files)) == [INIT, API]
    assert [call.entry for call in built.calls] == ["llm.t1.1.1", "llm.t1.1.2"]


async def test_a_file_twice_is_malformed(perform, building):
    with pytest.raises(MalformedReply, match="more than once"):
        await perform(role, building, {"files": [*files(**{INIT: "", API: "1"}), *files(**{API: "2"})]})


async def test_a_repair_reports_the_files_that_changed(perform, stage, repairing):
    repaired = await perform(role, repairing, {"diagnosis": "off by one", "files": files(**{API: "x = 2\n"})})
    assert stage.content(repaired.files) == {API: "x = 2\n"}
    assert (repaired.diagnosis, len(repaired.calls)) == ("off by one", 1)


async def test_the_model_sees_the_files_the_evidence_and_the_findings(perform, stage, repairing):
    await perform(role, repairing, {"diagnosis": "", "files": []})
    blocks = stage.blocks()
    assert sorted(blocks) == ["design", "evidence", "files", "findings", "requirements"]
    assert blocks["files"] == files(**{API: "x = 1\n", "tests/test_api.py": "def test_x(): ...\n"})
    assert blocks["evidence"]["failed"] == 1
    assert blocks["findings"] == [{"severity": "blocking", "path": API, "message": "loses data"}]


async def test_a_repair_without_evidence_shows_null(perform, stage, repairing):
    await perform(role, repairing.model_copy(update={"evidence": None}), {"diagnosis": "", "files": []})
    assert stage.blocks()["evidence"] is None


@pytest.mark.parametrize("path", ["tests/test_api.py", "tests/new/deep.py", "Tests/test_api.py", "conftest.py"])
async def test_a_repair_that_changes_tests_is_refused(perform, stage, repairing, path):
    wrong = {"diagnosis": "the test was wrong", "files": files(**{API: "y", path: "pass"})}
    before = dict(stage.kept)
    with pytest.raises(MalformedReply, match=f"never changes tests: {path}"):
        await perform(role, repairing, wrong, wrong)
    assert stage.kept == before
