"""The page on adding a role, done as it says: its files, its request, its program without Flotilla."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib import import_module

import pytest
import pytest_asyncio

import workers.roles
from contracts.codec import decode, encode
from contracts.subjects import address_of, subject_of
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import PerformTask, TaskPerformed
from workers import fleet
from workers.llm.catalogue import Catalogue
from workers.llm.gateway import NOBODY
from workers.llm.model import Completion
from workers.orchestrator.worker import orchestrator
from workers.prompting.templates import Prompts
from workers.runtime import roster, topology
from workers.runtime.app import WorkerApp
from workers.runtime.models import gateway_on
from workers.runtime.role_service import RoleService

PAGE = "docs/adding-a-role.md"
ROLE = "workers.roles.technical_writer"
PATIENCE_S = 60


class Writer:
    """Writes down which blocks it was shown, and answers with a guide for each instruction, in place of a gateway."""

    def __init__(self):
        self.shown = []

    async def close(self):
        pass

    async def complete(self, call, request, heard=None):
        lines = request.messages[-1].text.splitlines()
        blocks = {line.split('"')[1]: json.loads(lines[n + 1]) for n, line in enumerate(lines) if line[:6] == "<data "}
        self.shown.append(blocks)
        said = f"Done: {blocks['instruction']}"
        guide = {"path": f"docs/part-{len(self.shown)}.md", "content": f"# {said}\n"}
        return Completion(json.dumps({"summary": said, "guide": guide}), 1, 1, target="scripted")


@pytest.fixture
def files(page):
    return page(PAGE).files


@pytest.fixture
def laid_out(page, files, tmp_path):
    """A folder in which somebody has followed the page."""
    subprocess.run(["sh", "-ec", page(PAGE).blocks("sh")[0]], cwd=tmp_path, check=True)
    for path, text in files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def installed(laid_out, monkeypatch):
    """That folder's role as a part of this installation, for one test."""
    monkeypatch.setattr(workers.roles, "__path__", [*workers.roles.__path__, str(laid_out / "workers/roles")])
    roster.roles.cache_clear()
    yield
    for name in [name for name in sys.modules if name.startswith(ROLE)]:
        del sys.modules[name]
    vars(workers.roles).pop("technical_writer", None)
    roster.roles.cache_clear()


@asynccontextmanager
async def running(settings, *services):
    """Provision as `flotilla provision` does, and run these services."""
    await fleet.provision(settings)
    apps = [WorkerApp(service, settings) for service in services]
    try:
        for app in apps:
            await app.app.start()
        yield
    finally:
        await asyncio.gather(*(app.app.stop() for app in apps))


@asynccontextmanager
async def program(path, settings):
    """Run a Python file as a process of its own, which hears of Flotilla nothing but where the broker is."""
    environment = {"PATH": os.environ["PATH"], "FLOTILLA_NATS_URL": settings.nats_url}
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", str(path), env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def facts_of(bus, run, payload):
    """Submit a payload as any client would; the run's facts by name, once it is closed."""
    await bus.nc.publish(f"flotilla.default.{run}.run.requested", payload.encode())
    facts = {}
    async with asyncio.timeout(PATIENCE_S):
        async for stored in bus.log.follow("default", run):
            fact = decode(stored.subject, stored.data)
            facts[address_of(fact).name] = fact
            if "run.closed" in facts:
                return facts


def writer_service(settings, callers):
    role = import_module(f"{ROLE}.worker").role
    return RoleService(role, Prompts.load(settings.prompts_dir), callers)


async def test_the_pages_plan_completes_with_what_the_pages_role_wrote(installed, laid_out, settings, bus, files):
    settings = settings.model_copy(update={"prompts_dir": laid_out / "prompts"})
    model = Writer()
    writer = writer_service(settings, lambda env: model)
    async with running(settings, orchestrator(settings), writer):
        facts = await facts_of(bus, "guide", files["request.json"])
    closed, outline, guide = facts["run.closed"], facts["result.outline"], facts["result.guide"]
    assert (closed.status, closed.spent.calls, closed.capsule) == ("completed", 2, None)
    assert guide.output == "Done: Write the guide along the outline."
    assert await bus.artifacts.get(guide.files[0].sha256) == b"# Done: Write the guide along the outline.\n"
    written = {"path": "docs/part-1.md", "content": f"# {outline.output}\n"}
    assert [shown["earlier"] for shown in model.shown] == [
        [],
        [{"task": "outline", "output": outline.output, "files": [written]}],
    ]
    assert model.shown[0]["idea"] == json.loads(files["request.json"])["idea"]


async def test_the_built_in_model_refuses_the_role_in_the_pages_words(installed, laid_out, settings, bus, files, page):
    settings = settings.model_copy(update={"prompts_dir": laid_out / "prompts"})
    writer = writer_service(settings, lambda env: gateway_on(env.bus, env.settings, Catalogue(), NOBODY))
    async with running(settings, orchestrator(settings), writer):
        facts = await facts_of(bus, "refused", files["request.json"])
    said = re.search(r'"(The built-in model does not know [^"]+)"', page(PAGE).prose)[1]
    assert (facts["run.closed"].status, facts["run.closed"].failed_task) == ("failed", "outline")
    assert said in facts["run.closed"].reason


def test_the_suite_and_the_command_take_the_role_as_one_of_their_own(laid_out, root):
    for folder in ("workers", "contracts", "prompts", "tests/roles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / folder, laid_out / folder, dirs_exist_ok=True, ignore=ignored)
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(root / file, laid_out / file)
    assert "technical_writer" in called(laid_out, "workers.cli", "roles")
    tests = ("tests/roles/test_technical_writer.py", "tests/roles/test_all_roles.py")
    assert " passed" in called(laid_out, "pytest", "-p", "no:cacheprovider", *tests)
    assert called(laid_out, "ruff", "check", "--no-cache", *example(laid_out)) == "All checks passed!\n"
    called(laid_out, "ruff", "format", "--no-cache", "--check", *example(laid_out))


def example(folder):
    return [str(path) for path in folder.rglob("*.py") if "technical_writer" in str(path.relative_to(folder))]


def called(folder, *command):
    """What `python -m …` says in that folder; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_pages_program_has_nothing_of_flotilla(files):
    imported = set(re.findall(r"^(?:import|from) (\w+)", files["word_counter.py"], re.MULTILINE))
    assert imported == {"asyncio", "json", "nats", "os", "typing"}


async def test_a_plan_may_use_a_role_that_a_program_without_flotilla_serves(laid_out, counting, bus, files):
    async with running(counting, orchestrator(counting)), program(laid_out / "word_counter.py", counting):
        facts = await facts_of(bus, "counted", files["count.json"])
    assert facts["run.closed"].status == "completed"
    assert facts["result.count"] == TaskPerformed(
        tenant="default", run="counted", task="count", attempt=1, output="3 words"
    )


async def test_a_task_that_the_program_can_not_read_fails_with_the_reason(laid_out, counting, bus):
    said = await bus.publisher.publish("flotilla.default.odd.task.word_counter.count.2", b"no JSON")
    async with program(laid_out / "word_counter.py", counting):
        await until_acknowledged(bus, said.sequence)
    stored = await bus.log.find("flotilla.default.odd.failure.count.2")
    failed = decode(stored.subject, stored.data)
    assert (failed.role, failed.attempt, failed.error, failed.retry) == ("word_counter", 2, "impossible", False)
    assert "JSONDecodeError" in failed.reason


async def test_a_result_that_was_said_before_stands_and_the_program_acknowledges_the_task(laid_out, counting, bus):
    first = TaskPerformed(tenant="default", run="again", task="count", output="said before the crash")
    await bus.log.say(first)
    said = await bus.log.say(task_of("again"))
    async with program(laid_out / "word_counter.py", counting):
        await until_acknowledged(bus, said.sequence)
    stored = await bus.log.find(subject_of(first))
    assert stored.data == encode(first)


async def test_a_task_of_a_run_that_is_over_is_acknowledged_and_not_worked_on(laid_out, counting, bus):
    said = await bus.log.say(task_of("over"))
    await bus.log.say(RunClosed(tenant="default", run="over", status="cancelled"))
    [died] = await (await bus.js.pull_subscribe_bind(consumer="word_counter", stream=topology.LOG)).fetch(1)
    await died.nak()
    async with program(laid_out / "word_counter.py", counting):
        await until_acknowledged(bus, said.sequence)
    assert [stored.subject.split(".", 3)[3] for stored in await bus.log.history("default", "over")] == [
        "task.word_counter.count.1",
        "run.closed",
    ]


@pytest_asyncio.fixture
async def counting(settings):
    """Settings of a fleet whose role `word_counter` is served by a program, on a broker that is provisioned for it."""
    configured = settings.model_copy(update={"extra_roles": ("word_counter",)})
    await fleet.provision(configured)
    return configured


def task_of(run):
    return PerformTask(tenant="default", run=run, role="word_counter", task="count", idea="one two")


async def until_acknowledged(bus, sequence):
    """Wait until the consumer `word_counter` has acknowledged everything up to there."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if (await bus.js.consumer_info(topology.LOG, "word_counter")).ack_floor.stream_seq >= sequence:
                return
            await asyncio.sleep(0.02)
