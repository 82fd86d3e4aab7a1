"""Acceptance tests: real processes on a real broker, looked at from outside."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _module(name: str) -> ModuleType:
    key = f"acceptance_tests_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[key]


fleets, project, ideas, history = (_module(name) for name in ("fleet", "project", "ideas", "history"))

WORKERS_OF_RUNS = (
    "orchestrator", "consensus", "project_manager", "architect", "backend_developer", "test_engineer", "reviewer",
    "sandbox", "packager",
)  # fmt: skip


@pytest.fixture(scope="session")
def outside() -> ModuleType:
    """Ways to look at processes from outside: `until`, `plain_environment`, `Fleet`."""
    return fleets


@pytest.fixture(scope="session")
def tool() -> Callable[..., Any]:
    """Runs a Python tool in a project's folder."""
    return project.tool  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def check() -> Callable[..., None]:
    """Complains about a history that breaks a rule."""
    return history.check  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One process of each worker; all modules share it."""
    with fleets.Fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two processes of each worker that has to do with runs, with a lease so short that a crash is noticed soon."""
    twice = dict.fromkeys(WORKERS_OF_RUNS, 2)
    with fleets.Fleet(tmp_path_factory.mktemp("pairs"), twice, lease_s="2") as running:
        yield running


@pytest.fixture(scope="session")
def deliver(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs an idea on a fleet with `flotilla run --out --json` and sees that it completes."""

    def delivered(on: Any, idea: str, *options: str) -> Any:
        folder = tmp_path_factory.mktemp("out") / "project"
        said = on.flotilla("run", idea, "--out", str(folder), "--json", *options)
        *facts, summary = [json.loads(line) for line in said.stdout.splitlines()] or [{}]
        assert said.returncode == 0, f"{summary.get('reason')}\n{said.stderr}"
        said_facts = {fact["name"]: fact["message"] for fact in facts}
        return project.Delivered(folder, summary, said_facts, project.files_in(folder))

    return delivered


@pytest.fixture(scope="session")
def built(fleet: Any, deliver: Callable[..., Any]) -> Callable[[str], Any]:
    """What the shared fleet made of an idea by its name; each is built once."""
    known: dict[str, Any] = {}

    def of(name: str) -> Any:
        if name not in known:
            known[name] = deliver(fleet, ideas.IDEAS[name], "--run-id", name)
        return known[name]

    return of


@pytest.fixture
def serve(built: Callable[[str], Any], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Starts the server of an idea's project on an empty database."""
    running = []

    def started(name: str) -> Any:
        made = built(name)
        service = project.Service(made.folder, made.manifest["start"], tmp_path / f"{name}.sqlite3").__enter__()
        running.append(service)
        return service

    yield started
    for service in running:
        service.__exit__(None, None, None)


@pytest.fixture(scope="session", params=list(ideas.IDEAS))
def idea(request: pytest.FixtureRequest) -> str:
    """The name of each idea in turn."""
    return str(request.param)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A test that fails shows what the workers said."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, fleets.Fleet):
                report.sections.append((f"workers of {name}", value.logs()))
    return report
