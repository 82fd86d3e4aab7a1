"""The faults that a prompt can help against, and answers that come in two parts."""

import json

import pytest
from pydantic import ValidationError

from workers.llm.builtin import BuiltinModel, Faults
from workers.llm.model import PromptMessage
from workers.prompting import thinking
from workers.roles.project_manager.replies import PlanReply

IDEA = "Track books (title, ISBN unique, price) and shelves with a unique name; each book belongs to a shelf."
CONSTRAINED = PromptMessage(role="system", text="Answer with JSON.\n\n## Constraints\n\n- Leave nothing out.")


@pytest.fixture(scope="module")
def project(build):
    return build(IDEA)


@pytest.fixture
def planning(requested, offered_roles):
    return requested("PlanReply", idea=IDEA, roles=offered_roles, objections=[])


@pytest.fixture
def building(requested, project):
    [module] = [module for module in project.design.modules if module.name == "storage"]
    return requested("ModuleReply", **project.plans, module=module.model_dump(mode="json"), sandbox={})


def constrained(request):
    """The request with a system message that has constraints."""
    return request.model_copy(update={"messages": (CONSTRAINED, *request.messages[1:])})


def with_reasoning(request):
    """The request with a schema that wants the reasoning before all else."""
    return request.model_copy(update={"reply_schema": thinking.with_reasoning(request.reply_schema, "brief")})


def going_on(request, said):
    """The request that asks for the rest of an answer, as the toolkit puts it."""
    more = (PromptMessage(role="assistant", text=said), PromptMessage(role="user", text="Go on where it stopped."))
    return request.model_copy(update={"messages": (*request.messages, *more), "reply_schema": None})


async def said(target, request):
    return (await BuiltinModel(target).complete(request)).text


def is_plan(text):
    try:
        PlanReply.model_validate_json(text)
    except ValidationError:
        return False
    return True


async def test_a_careless_model_answers_what_does_not_fit(planning):
    assert not is_plan(await said("builtin:careless=1", planning))


async def test_a_careless_model_builds_code_with_a_mistake_in_it(building):
    right, wrong = json.loads(await said("builtin", building)), json.loads(await said("builtin:careless=1", building))
    assert [file["path"] for file in wrong["files"]] == [file["path"] for file in right["files"]]
    assert wrong["files"] != right["files"]
    assert wrong == json.loads(await said("builtin:wrong_code=1", building))


async def test_constraints_make_a_careless_model_careful(planning, building):
    for request in (planning, building):
        assert await said("builtin:careless=1", constrained(request)) == await said("builtin", constrained(request))


@pytest.mark.parametrize("text", ["Mind the ## Constraints", "### Constraints", "- none"])
async def test_only_the_heading_itself_counts_as_constraints(planning, text):
    system = PromptMessage(role="system", text=text)
    request = planning.model_copy(update={"messages": (system, *planning.messages[1:])})
    assert not is_plan(await said("builtin:careless=1", request))


async def test_constraints_in_a_users_message_help_nobody(planning):
    more = PromptMessage(role="user", text="## Constraints\n\n- Leave nothing out.")
    request = planning.model_copy(update={"messages": (*planning.messages, more)})
    assert not is_plan(await said("builtin:careless=1", request))


async def test_carelessness_strikes_its_share_of_requests_and_the_same_ones_each_time(planning):
    async def struck():
        seeds = [planning.model_copy(update={"seed": seed}) for seed in range(1, 61)]
        return [not is_plan(await said("builtin:careless=0.3,seed=2", request)) for request in seeds]

    first = await struck()
    assert 8 <= sum(first) <= 28
    assert await struck() == first


async def test_the_rate_of_carelessness_comes_out_about_right():
    faults = Faults(careless=0.4)
    assert 700 < sum(faults.strikes("careless", f"request {number}") for number in range(2_000)) < 900


async def test_an_answer_that_is_cut_off_says_so_and_a_continuation_gets_the_rest(planning, building):
    for request in (planning, building):
        begun = await BuiltinModel("builtin:cut_off=1").complete(request)
        assert begun.stop == "length"
        rest = await BuiltinModel("builtin:cut_off=1").complete(going_on(request, begun.text))
        assert rest.stop == "end"
        assert begun.text + rest.text == await said("builtin", request)


async def test_a_careless_answer_that_is_cut_off_is_continued_with_its_mistake(building):
    target = "builtin:careless=1,cut_off=1"
    begun = await said(target, building)
    assert begun + await said(target, going_on(building, begun)) == await said("builtin:careless=1", building)


async def test_reasoning_comes_first_where_the_schema_has_it(planning):
    plain = json.loads(await said("builtin", planning))
    thought = json.loads(await said("builtin", with_reasoning(planning)))
    assert next(iter(thought)) == "reasoning"
    assert thought.pop("reasoning").startswith("1. Read the data blocks idea, roles, objections.")
    assert thought == plain


async def test_an_answer_with_reasoning_is_continued_as_it_began(planning):
    request = with_reasoning(planning)
    begun = await said("builtin:cut_off=1", request)
    whole = begun + await said("builtin:cut_off=1", going_on(request, begun))
    assert whole == await said("builtin", request)


async def test_an_answer_in_another_models_words_is_not_continued(planning):
    refused = await BuiltinModel().complete(going_on(planning, '{"understood": true, "requirements": {"title": "Mine'))
    assert refused.stop == "refusal"
    assert "did not begin" in refused.text
