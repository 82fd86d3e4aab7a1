"""Runs the built-in model like the roles do: prompts with data blocks, replies checked by the real reply classes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contracts.v1.projects import Design, Requirements
from workers.llm.builtin import BuiltinModel
from workers.llm.model import Completion, ModelRequest, PromptMessage
from workers.roles.architect.replies import DesignReply
from workers.roles.backend_developer.replies import ModuleReply, RepairReply
from workers.roles.project_manager.replies import PlanReply
from workers.roles.reply import Reply
from workers.roles.reviewer.replies import ApprovalReply, ChoiceReply, RankingReply, ReviewReply, ScoresReply
from workers.roles.test_engineer.replies import TestsReply

ROLES = [
    {"name": name, "purpose": f"Does the work of a {name}."}
    for name in ("architect", "backend_developer", "test_engineer", "reviewer")
]
SANDBOX = {"python": "3.11", "libraries": ["pytest", "pytest-cov"]}
REPLIES: dict[str, type[Reply]] = {
    reply.__name__: reply
    for reply in (
        PlanReply, DesignReply, ModuleReply, RepairReply, TestsReply, ReviewReply,
        ChoiceReply, ApprovalReply, RankingReply, ScoresReply,
    )
}  # fmt: skip


def prompt(reply: str, **data: Any) -> ModelRequest:
    """A request as a role sends it: instructions, then one block for each value."""
    shown = []
    for name, value in data.items():
        content = json.dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        shown.append(f'<data name="{name}">\n{content}\n</data>')
    messages = (
        PromptMessage(role="system", text="Answer with JSON."),
        PromptMessage(role="user", text="Do your job.\n\n" + "\n\n".join(shown)),
    )
    return ModelRequest(messages=messages, reply_schema=REPLIES[reply].model_json_schema())


def answer(model: BuiltinModel, reply: str, **data: Any) -> Completion:
    return asyncio.run(model.complete(prompt(reply, **data)))


def ask(model: BuiltinModel, reply: str, **data: Any) -> Any:
    """The validated reply of the model."""
    return REPLIES[reply].model_validate_json(answer(model, reply, **data).text)


@dataclass
class Project:
    """All that the chain of roles made of an idea."""

    model: BuiltinModel
    requirements: Requirements
    design: Design
    files: dict[str, str] = field(default_factory=dict)

    @property
    def package(self) -> str:
        return self.requirements.package

    @property
    def written(self) -> list[dict[str, str]]:
        return [{"path": path, "content": content} for path, content in self.files.items()]

    @property
    def plans(self) -> dict[str, Any]:
        """The blocks that every job after the design gets."""
        return {
            "requirements": self.requirements.model_dump(mode="json"),
            "design": self.design.model_dump(mode="json"),
        }

    def repair(self, model: BuiltinModel, evidence: Any = None) -> RepairReply:
        reply = ask(model, "RepairReply", **self.plans, files=self.written, evidence=evidence, findings=[])
        assert isinstance(reply, RepairReply)
        return reply

    def save(self, folder: Path) -> Path:
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, encoding="utf-8")
        return folder


def chain(idea: str, target: str = "builtin") -> Project:
    """Plan, design, all modules and the tests of an idea."""
    model = BuiltinModel(target)
    plan: PlanReply = ask(model, "PlanReply", idea=idea, roles=ROLES, objections=[])
    assert plan.understood and plan.requirements, plan.problem
    requirements = plan.requirements.model_dump(mode="json")
    made: DesignReply = ask(model, "DesignReply", requirements=requirements, sandbox=SANDBOX)
    design = Design(package=plan.requirements.package, **made.model_dump())
    project = Project(model, plan.requirements, design)
    for module in design.modules:
        reply = ask(model, "ModuleReply", **project.plans, module=module.model_dump(mode="json"), sandbox=SANDBOX)
        assert tuple(file.path for file in reply.files) == module.files
        project.files.update({file.path: file.content for file in reply.files})
    tests = ask(model, "TestsReply", **project.plans, sandbox=SANDBOX)
    project.files.update({file.path: file.content for file in tests.files})
    return project


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in the project and return what it said."""
    command = [sys.executable, "-m", *arguments]
    # The settings of this repository's own test run must not reach the project's.
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def suite_of(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", *more)


@pytest.fixture(scope="session")
def build() -> Callable[..., Project]:
    return chain


@pytest.fixture(scope="session")
def tested() -> Callable[..., subprocess.CompletedProcess[str]]:
    return suite_of


@pytest.fixture(scope="session")
def ran() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run


@pytest.fixture(scope="session")
def asked() -> Callable[..., Any]:
    return ask


@pytest.fixture(scope="session")
def answered() -> Callable[..., Completion]:
    return answer


@pytest.fixture(scope="session")
def requested() -> Callable[..., ModelRequest]:
    return prompt


@pytest.fixture(scope="session")
def offered_roles() -> list[dict[str, str]]:
    return ROLES
