"""What holds for every role."""

from importlib import import_module
from pathlib import Path

import pytest

import workers.roles
from workers.prompting.templates import SHIPPED, Prompts

FOLDERS = sorted(file.parent for file in Path(workers.roles.__path__[0]).glob("*/worker.py"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


def test_a_role_is_called_like_its_folder_and_has_a_purpose(folder):
    module = import_module(f"workers.roles.{folder.name}.worker")
    assert module.role.name == folder.name
    assert module.role.purpose.endswith(".")
    assert callable(module.app)


def test_a_worker_fits_one_screen(folder):
    assert len((folder / "worker.py").read_text().splitlines()) <= 40


def test_a_role_has_prompts_and_every_prompt_is_asked(folder):
    code = "".join(file.read_text() for file in folder.glob("*.py"))
    prompts = Prompts.load()
    mine = [prompt.name for prompt in prompts if prompt.name.startswith(f"{folder.name}/")]
    assert mine
    asked = (":{" if prompts.personas(folder.name) else '"', '"')
    assert [name for name in mine if not any(f'"{name}{end}' in code for end in asked)] == []


def test_neither_roles_nor_prompts_know_the_built_in_model(folder):
    texts = [file.read_text() for file in (*folder.glob("*.py"), *(SHIPPED / folder.name).rglob("*.md"))]
    assert [text for text in texts if "builtin" in text.lower() or "built-in" in text.lower()] == []
