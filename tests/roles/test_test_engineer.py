"""The test engineer writes tests and nothing else."""

import pytest

from contracts.v1.tasks import WriteTests
from workers.roles.test_engineer.worker import role
from workers.runtime.errors import MalformedReply

TEST = {"path": "tests/test_books.py", "content": "def test_x() -> None: ...\n"}


@pytest.fixture
def task(identity, requirements, design):
    return WriteTests(**identity, requirements=requirements, design=design)


async def test_criteria_become_test_files(perform, stage, task):
    written = await perform(role, task, {"files": [TEST], "notes": "AC-1"})
    assert stage.content(written.files) == {TEST["path"]: TEST["content"]}
    assert (written.notes, len(written.calls)) == ("AC-1", 1)
    assert stage.asked[0].reply_schema["title"] == "TestsReply"


async def test_the_model_sees_the_design_and_no_code(perform, stage, task):
    await perform(role, task, {"files": [TEST]})
    assert sorted(stage.blocks()) == ["design", "requirements", "sandbox"]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ([TEST, {"path": "src/books/api.py", "content": ""}], "only files under tests/ are wanted: src/books/api.py"),
        ([{"path": "testsuite/a.py", "content": ""}], "only files under tests/"),
        ([], "there are no test files"),
    ],
)
async def test_anything_but_tests_is_malformed(perform, stage, task, files, fault):
    with pytest.raises(MalformedReply, match=fault):
        await perform(role, task, {"files": files}, {"files": files})
    assert stage.kept == {}
