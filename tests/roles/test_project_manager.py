"""The project manager plans an idea, or says what can't be planned."""

import pytest

from contracts.v1.tasks import PlanProject, RoleBrief
from workers.roles.project_manager.worker import role
from workers.runtime.errors import Impossible, MalformedReply

TASKS = [{"task": "design", "role": "architect"}, {"task": "build", "role": "backend_developer", "needs": ["design"]}]


@pytest.fixture
def task(identity):
    brief = RoleBrief(name="architect", purpose="Designs.")
    return PlanProject(**identity, idea="Books & <loans>", roles=(brief,), objections=("two architects",))


async def test_an_idea_becomes_requirements_and_a_plan(perform, stage, task, requirements):
    reply = {
        "understood": True,
        "requirements": requirements.model_dump(mode="json"),
        "tasks": TASKS,
        "team": [{"role": "architect", "why": "one design"}],
    }
    planned = await perform(role, task, reply)

    assert planned.requirements == requirements
    assert [planned_task.task for planned_task in planned.plan.tasks] == ["design", "build"]
    assert [member.role for member in planned.plan.team] == ["architect"]
    assert [call.entry for call in planned.calls] == ["llm.t1.1.1"]


async def test_the_model_sees_the_idea_the_roles_and_the_objections(perform, stage, task, requirements):
    reply = {"understood": True, "requirements": requirements.model_dump(mode="json"), "tasks": TASKS}
    await perform(role, task, reply)
    assert stage.blocks() == {
        "idea": "Books & <loans>",
        "roles": [{"name": "architect", "purpose": "Designs."}],
        "objections": ["two architects"],
    }
    assert stage.asked[0].reply_schema["title"] == "PlanReply"


@pytest.mark.parametrize(
    ("problem", "suggestion", "reason"),
    [
        ("'Fly me' is no software.", "Try a flight log.", "'Fly me' is no software; Try a flight log."),
        ("I can't tell what is wanted", "", "I can't tell what is wanted"),
    ],
)
async def test_an_idea_that_is_not_understood_ends_with_the_models_reason(perform, task, problem, suggestion, reason):
    with pytest.raises(Impossible) as caught:
        await perform(role, task, {"understood": False, "problem": problem, "suggestion": suggestion})
    assert (str(caught.value), caught.value.retry) == (reason, False)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ({"understood": True, "tasks": TASKS}, "'requirements' and at least one of 'tasks'"),
        ({"understood": False, "problem": " "}, "'problem' must say"),
        ({"understood": False, "problem": "x", "mood": "bad"}, "mood: Extra inputs"),
    ],
)
async def test_a_reply_that_is_neither_plan_nor_reason_is_malformed(perform, task, reply, fault):
    with pytest.raises(MalformedReply, match=fault):
        await perform(role, task, reply, reply)
