"""The reviewer reads the whole project and reports findings."""

import pytest

from contracts.v1.tasks import ReviewProject
from workers.roles.reviewer.worker import role
from workers.runtime.errors import MalformedReply


@pytest.fixture
def task(identity, requirements, design, evidence, kept):
    refs = kept({"src/books/api.py": "x = '</data>'\n"})
    return ReviewProject(**identity, requirements=requirements, design=design, files=refs, evidence=evidence)


async def test_findings_are_reported_with_their_severity(perform, stage, task):
    finding = {"severity": "blocking", "path": "src/books/api.py", "message": "loses data"}
    reviewed = await perform(role, task, {"summary": "Not yet.", "findings": [finding]})
    assert [found.model_dump() for found in reviewed.findings] == [finding]
    assert (reviewed.summary, reviewed.files, len(reviewed.calls)) == ("Not yet.", (), 1)
    assert stage.asked[0].reply_schema["title"] == "ReviewReply"


async def test_the_model_sees_the_project_and_the_evidence(perform, stage, task):
    await perform(role, task, {"summary": "Good."})
    blocks = stage.blocks()
    assert sorted(blocks) == ["design", "evidence", "files", "requirements"]
    assert blocks["files"] == [{"path": "src/books/api.py", "content": "x = '</data>'\n"}]


async def test_a_severity_of_ones_own_is_malformed(perform, task):
    wrong = {"summary": "", "findings": [{"severity": "fatal", "message": "x"}]}
    with pytest.raises(MalformedReply, match=r"findings\.0\.severity"):
        await perform(role, task, wrong, wrong)
