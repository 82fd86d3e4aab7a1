"""The roles with the built-in model, whose answers come in two parts."""

from dataclasses import replace

import pytest

from contracts.v1.projects import Requirements
from contracts.v1.tasks import BuildModule, DesignSystem, PerformTask
from workers.llm.builtin import BuiltinModel
from workers.roles.architect.worker import role as architect
from workers.roles.backend_developer.worker import role as developer

RECORDS = [{"name": "book", "plural": "books", "fields": [{"name": "title", "type": "text", "required": True}]}]


@pytest.fixture
def wanted(requirements) -> Requirements:
    return Requirements.model_validate({**requirements.model_dump(mode="json"), "records": RECORDS})


@pytest.fixture
def answering(stage):
    """Has the built-in model with these options answer in place of the script."""

    def answer(options: str) -> None:
        model = BuiltinModel(f"builtin:{options}")

        async def complete(call, request, heard=None):
            stage.asked.append(request)
            return replace(await model.complete(request), target=model.target)

        stage.complete = complete

    return answer


async def test_a_design_that_is_cut_off_is_continued_and_is_the_same_design(
    perform, stage, answering, identity, wanted
):
    task = DesignSystem(**identity, requirements=wanted)
    answering("seed=1")
    whole = await perform(architect, task)
    stage.messages.clear()
    answering("cut_off=1")
    continued = await perform(architect, task)
    assert continued.design == whole.design
    assert (len(whole.calls), len(continued.calls)) == (1, 2)


async def test_a_module_that_is_cut_off_is_continued_file_by_file(perform, stage, answering, identity, wanted):
    answering("cut_off=1")
    design = (await perform(architect, DesignSystem(**identity, requirements=wanted))).design
    for number, module in enumerate(design.modules):
        task = {**identity, "task": f"build-{number}"}
        built = await perform(developer, BuildModule(**task, requirements=wanted, design=design, module=module))
        assert [file.path for file in built.files] == list(module.files)


async def test_an_instruction_that_is_cut_off_is_answered_in_two_parts(perform, stage, answering, identity):
    answering("cut_off=1")
    performed = await perform(architect, PerformTask(**identity, idea="a library", instruction="Weigh it."))
    assert "«Weigh it.»" in performed.output
    assert len(stage.asked) == 2
