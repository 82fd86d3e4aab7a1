"""What every thinking role makes of an instruction."""

import asyncio

import pytest

from contracts.v1.tasks import PerformTask, TaskPerformed
from workers.llm.builtin import BuiltinModel
from workers.roles.performing import PerformReply
from workers.runtime.errors import MalformedReply
from workers.runtime.roster import roles

THINKING = ("project_manager", "architect", "backend_developer", "test_engineer", "reviewer")
FILE = {"path": "docs/plan.md", "content": "# Plan\n"}
REPLY = {"output": "Two ways; the first one is better.", "files": [FILE]}


@pytest.fixture(params=THINKING)
def role(request):
    return next(role for role in roles() if role.name == request.param)


@pytest.fixture
def task(identity, kept):
    files = kept({"notes.txt": "short"})
    inputs = [{"task": "outline", "output": "Three parts.", "files": files}]
    return PerformTask(**identity, idea="a library", instruction="Weigh it.", inputs=inputs)


async def test_an_instruction_is_asked_with_the_idea_and_with_what_came_before(perform, stage, role, task):
    performed = await perform(role, task, REPLY)
    assert isinstance(performed, TaskPerformed)
    assert performed.output == "Two ways; the first one is better."
    assert stage.content(performed.files) == {"docs/plan.md": "# Plan\n"}
    earlier = {"task": "outline", "output": "Three parts.", "files": [{"path": "notes.txt", "content": "short"}]}
    assert stage.blocks() == {"idea": "a library", "instruction": "Weigh it.", "inputs": [earlier]}
    assert [call.prompt for call in performed.calls] == [f"{role.name}/perform"]


async def test_words_without_files_are_an_answer(perform, role, task):
    assert (await perform(role, task, {"output": "Yes."})).files == ()


@pytest.mark.parametrize(
    "wrong", [{"output": ""}, {"output": " \n"}, {**REPLY, "files": [FILE, FILE]}, {"files": [FILE]}]
)
async def test_an_answer_that_is_of_no_use_is_mended_once(perform, stage, role, task, wrong):
    performed = await perform(role, task, wrong, REPLY)
    assert performed.output == REPLY["output"]
    assert len(stage.asked) == 2


async def test_an_answer_that_is_of_no_use_twice_is_malformed(perform, role, task):
    with pytest.raises(MalformedReply, match="output: says nothing"):
        await perform(role, task, {"output": " "}, {"output": "  "})


async def test_each_role_is_told_in_its_own_words_what_good_work_is(perform, stage, role, task):
    await perform(role, task, REPLY)
    system = stage.asked[0].messages[0].text
    assert role.name.replace("_", " ") in system.split("\n\n")[0].lower()
    assert "\n## Constraints\n" in system


async def test_a_model_of_rules_does_the_task_as_well(perform, stage, role, task):
    await perform(role, task, REPLY)
    said = await BuiltinModel("builtin:careless=1").complete(stage.asked[0])
    reply = PerformReply.model_validate_json(said.text)
    assert reply.faults() == []
    assert "«Weigh it.»" in reply.output


def test_no_two_roles_say_the_same(perform, stage, task):
    async def systems():
        for role in roles():
            if role.name in THINKING:
                await perform(role, task, REPLY)
        return {request.messages[0].text for request in stage.asked}

    assert len(asyncio.run(systems())) == len(THINKING)
