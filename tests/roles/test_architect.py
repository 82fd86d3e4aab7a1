"""The architect proposes a design that can be built in parallel."""

import pytest

from contracts.v1.tasks import DesignSystem
from workers.roles.architect.worker import role
from workers.runtime.errors import MalformedReply


@pytest.fixture
def task(identity, requirements):
    return DesignSystem(**identity, requirements=requirements)


def design_of(*modules):
    return {"summary": "All of it.", "modules": [{"purpose": "x", "depends_on": [], **module} for module in modules]}


async def test_requirements_become_a_design_of_their_package(perform, stage, task, requirements):
    reply = design_of({"name": "api", "files": ["src/books/api.py"]}) | {"start": ["python", "-m", "books"]}
    proposed = await perform(role, task, reply)

    assert (proposed.design.package, proposed.design.start) == ("books", ("python", "-m", "books"))
    assert [module.name for module in proposed.design.modules] == ["api"]
    assert len(proposed.calls) == 1
    assert stage.asked[0].reply_schema["title"] == "DesignReply"


async def test_the_model_sees_the_requirements_and_the_sandbox(perform, stage, task, requirements):
    await perform(role, task, design_of({"name": "api", "files": ["src/books/api.py"]}))
    blocks = stage.blocks()
    assert sorted(blocks) == ["requirements", "sandbox"]
    assert blocks["requirements"] == requirements.model_dump(mode="json")
    assert sorted(blocks["sandbox"]) == ["libraries", "python"]
    assert [library.split()[0] for library in blocks["sandbox"]["libraries"]] == ["pytest", "pytest-cov"]


async def test_objections_and_the_number_of_the_alternative_are_shown(perform, stage, task):
    asked = task.model_copy(update={"objections": ("No paging.",), "alternative": 2, "alternatives": 3})
    await perform(role, asked, design_of({"name": "api", "files": ["src/books/api.py"]}))
    blocks = stage.blocks()
    assert blocks["objections"] == ["No paging."]
    assert blocks["alternative"] == {"number": 2, "of": 3}


@pytest.mark.parametrize(
    ("modules", "fault"),
    [
        ([], "1 to 40 modules, not 0"),
        ([{"name": "a", "files": ["a.py"]}, {"name": "a", "files": ["b.py"]}], "module 'a' is there more than once"),
        ([{"name": "a", "files": ["x.py"]}, {"name": "b", "files": ["x.py"]}], "'x.py' belongs to more than one"),
        ([{"name": "a", "files": ["a.py"], "depends_on": ["z"]}], "depends on 'z', which is no module"),
        ([{"name": "a", "files": ["tests/test_a.py"]}], "'tests/test_a.py' is the test engineer's"),
        ([{"name": "a", "files": ["src/conftest.py"]}], "'src/conftest.py' is the test engineer's"),
        ([{"name": "a", "files": ["../a.py"]}], "modules.0.files.0"),
    ],
)
async def test_a_design_that_can_not_be_built_in_parallel_is_malformed(perform, stage, task, modules, fault):
    with pytest.raises(MalformedReply, match=fault):
        await perform(role, task, design_of(*modules), design_of(*modules))
    assert len(stage.asked) == 2


async def test_a_text_too_long_for_the_contract_is_malformed(perform, task):
    reply = design_of({"name": "api", "files": ["src/books/api.py"]}) | {"summary": "x" * 20_001}
    with pytest.raises(MalformedReply, match=r"design\.summary"):
        await perform(role, task, reply)
