"""What the tests of the command stand on: a log in memory, a story of a run, a fleet and signals made by hand."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts.codec import encode
from contracts.message import Message
from contracts.prompt_facts import encode_prompt, subject_of_prompt
from contracts.subjects import parse, subject_of
from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, VoteCast, deadline_timers
from contracts.v1.capsules import CapsulePacked
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import (
    Criterion,
    Design,
    Evidence,
    FieldSpec,
    FileRef,
    Module,
    RecordKind,
    Requirements,
)
from contracts.v1.prompts import PromptFact
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    MadeFile,
    ModuleBuilt,
    PackProject,
    PlanProject,
    ProjectPacked,
    ProjectPlanned,
    ProjectVerified,
    TestsWritten,
    VerifyProject,
    WriteTests,
)
from contracts.v1.timers import DeadlinePassed
from workers.cli.app import made
from workers.cli.ballotview import ballot_seen
from workers.cli.complaints import Unreachable
from workers.cli.entries import Entry, read
from workers.cli.outside import Outside, WorkerLine
from workers.consensus.decisions import as_decision
from workers.llm.records import MemoryRecords
from workers.packager.capsule import pack
from workers.packager.manifest import manifest_of
from workers.prompting.templates import Prompts
from workers.runtime.ports import ArtifactMissing, Artifacts, Log, Said, Stored
from workers.runtime.prompt_store import PromptStore
from workers.runtime.settings import Settings
from workers.runtime.signing import Signer, new_seed

EPOCH = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DIGEST = "a" * 64


class MemoryLog(Log):
    """Facts in a list, each name once; `follow` waits for more. `say` can be answered by a fleet made by hand."""

    def __init__(self) -> None:
        self.facts: list[Stored] = []
        self.answer: Callable[[MemoryLog, Message], None] = lambda log, message: None
        self._more: asyncio.Event | None = None

    def put(self, subject: str, data: bytes, after_s: float = 0.1) -> Stored:
        at = self.facts[-1].at + timedelta(seconds=after_s) if self.facts else EPOCH
        stored = Stored(len(self.facts) + 11, at, subject, data)
        self.facts.append(stored)
        if self._more is not None:
            self._more.set()
        return stored

    async def say(self, message: Message) -> Said:
        if any(fact.subject == subject_of(message) for fact in self.facts):
            return Said(0, False)
        stored = self.put(subject_of(message), encode(message))
        self.answer(self, message)
        return Said(stored.sequence, True)

    async def find(self, subject: str) -> Stored | None:
        return next((fact for fact in self.facts if fact.subject == subject), None)

    async def history(self, tenant: str, run: str, after: int = 0) -> list[Stored]:
        return [fact for fact in self.facts if self._is_of(fact, tenant, run) and fact.sequence > after]

    async def follow(self, tenant: str, run: str, after: int = 0) -> AsyncIterator[Stored]:
        while True:
            for fact in await self.history(tenant, run, after):
                after = fact.sequence
                yield fact
            self._more = asyncio.Event()
            await self._more.wait()

    async def find_all(self, subjects: list[str]) -> list[Stored]:
        return [fact for fact in self.facts if fact.subject in subjects]

    async def runs(self, tenant: str) -> list[tuple[str, Stored, Stored | None]]:
        of_tenant = [fact for fact in self.facts if parse(fact.subject).tenant == tenant]
        ends = {parse(fact.subject).run: fact for fact in of_tenant if fact.subject.endswith(".run.closed")}
        requests = [(parse(f.subject).run, f) for f in of_tenant if f.subject.endswith(".run.requested")]
        return [(run, fact, ends.get(run)) for run, fact in requests]

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        pattern = subjects.replace(".", "[.]").replace("*", "[^.]+").replace(">", ".+")
        return [fact for fact in self.facts if re.fullmatch(pattern, fact.subject) and fact.sequence > after]

    @staticmethod
    def _is_of(fact: Stored, tenant: str, run: str) -> bool:
        return fact.subject.split(".")[1:3] == [tenant, run]


class MemoryArtifacts(Artifacts):
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    async def get(self, sha256: str) -> bytes:
        if sha256 not in self.kept:
            raise ArtifactMissing(f"no artifact {sha256} is stored")
        return self.kept[sha256]


class Story:
    """A run that goes well, told step by step; `files` are what it delivers."""

    def __init__(self, run: str = "r1", tenant: str = "default", idea: str = "Keep track of books") -> None:
        self.run, self.tenant, self.idea = run, tenant, idea
        self.ids: dict[str, str] = {"tenant": tenant, "run": run}
        self.files = {"README.md": b"# Books\n", "books/app.py": b"print('books')\n"}
        self.signer = Signer(new_seed())
        self.requirements = Requirements(
            title="Books", package="books", summary="Books.",
            records=(RecordKind(name="book", plural="books", fields=(FieldSpec(name="title", type="text"),)),),
            criteria=(Criterion(id="AC-1", statement="A book can be made."),),
        )  # fmt: skip
        modules = tuple(Module(name=name, purpose=name, files=(f"books/{name}.py",)) for name in ("store", "http"))
        self.design = Design(summary="Small.", package="books", modules=modules, start=("python", "-m", "books"))
        self.plan = Plan(
            tasks=(
                PlannedTask(task="design", role="architect"),
                PlannedTask(task="build", role="backend_developer", needs=("design",), each="module"),
                PlannedTask(task="tests", role="test_engineer", needs=("design",)),
            )
        )

    def evidence(self, **changes: Any) -> Evidence:
        seen = Evidence(passed=True, tests=12, coverage=94.0, level="landlock", duration_s=1.5, files_digest=DIGEST)
        return seen.model_copy(update=changes)

    def request(self) -> RunRequested:
        return RunRequested(**self.ids, idea=self.idea)

    def call(self, task: str, n: int = 1, attempt: int = 1, cost: float | None = 0.0) -> ModelCalled:
        return ModelCalled(
            **self.ids, task=task, attempt=attempt, n=n, role="architect", target="builtin", prompt="a/b",
            prompt_version="v1", request_sha256=DIGEST, input_tokens=100, output_tokens=20, cost_usd=cost,
        )  # fmt: skip

    def planning(self) -> list[Message]:
        task: dict[str, Any] = {**self.ids, "task": "plan"}
        return [
            PlanProject(**task, role="project_manager", idea=self.idea, roles=()),
            self.call("plan"),
            ProjectPlanned(**task, requirements=self.requirements, plan=self.plan),
        ]

    def designing(self) -> list[Message]:
        task: dict[str, Any] = {**self.ids, "task": "design"}
        return [
            DesignSystem(**task, role="architect", requirements=self.requirements),
            self.call("design"),
            DesignProposed(**task, design=self.design),
        ]

    def building(self) -> list[Message]:
        said: list[Message] = []
        for module in self.design.modules:
            task: dict[str, Any] = {**self.ids, "task": f"build-{module.name}"}
            given = {"requirements": self.requirements, "design": self.design, "module": module}
            said += [BuildModule(**task, role="backend_developer", **given), self.call(f"build-{module.name}")]
            said.append(ModuleBuilt(**task, files=(FileRef(path=module.files[0], sha256=DIGEST, size=3),)))
        task = {**self.ids, "task": "tests"}
        said.append(WriteTests(**task, role="test_engineer", requirements=self.requirements, design=self.design))
        return [*said, self.call("tests"), TestsWritten(**task)]

    def verifying(self, **changes: Any) -> list[Message]:
        task: dict[str, Any] = {**self.ids, "task": "verify"}
        return [
            VerifyProject(**task, role="sandbox", files=()),
            ProjectVerified(**task, evidence=self.evidence(**changes)),
        ]

    def archive(self) -> bytes:
        made = tuple(
            MadeFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content), task="build", attempt=1)
            for path, content in self.files.items()
        )
        return pack(self.files, manifest_of(self._packing(made)))

    def _packing(self, files: tuple[MadeFile, ...]) -> PackProject:
        return PackProject(
            **self.ids, role="packager", task="package", idea=self.idea, requirements=self.requirements,
            design=self.design, files=files, evidence=self.evidence(),
        )  # fmt: skip

    def packing(self) -> list[Message]:
        archive = self.archive()
        digest = hashlib.sha256(archive).hexdigest()
        capsule = CapsulePacked(
            **self.ids, task="package", attempt=1, sha256=digest, size=len(archive), files=len(self.files),
            signature=self.signer.sign(digest), public_key=self.signer.public_key,
        )  # fmt: skip
        done = ProjectPacked(**self.ids, task="package", capsule=digest, size=len(archive))
        return [self._packing(()), capsule, done]

    def closing(self, **changes: Any) -> list[Message]:
        if changes:
            return [RunClosed(**self.ids, **changes)]
        digest = hashlib.sha256(self.archive()).hexdigest()
        return [RunClosed(**self.ids, status="completed", evidence=self.evidence(), capsule=digest)]

    def whole(self) -> list[Message]:
        return [
            self.request(), *self.planning(), *self.designing(), *self.building(), *self.verifying(), *self.packing(),
            *self.closing(),
        ]  # fmt: skip


class HeldBallot:
    """A ballot told step by step; `decision` counts what was told before it."""

    def __init__(self, ballot: str = "b1", options: Sequence[str] = ("a", "b"), **terms: Any) -> None:
        electorate = terms.pop("electorate", ("ada", "bob", "eve"))
        self.terms = BallotOpened.model_validate({
            "tenant": "default", "run": terms.pop("run", ballot), "ballot": ballot, "question": "Which?",
            "options": [{"option": option} for option in options], "electorate": electorate, "quorum": 2,
            "deadline_s": 60, **terms,
        })  # fmt: skip
        self.ids = {"tenant": self.terms.tenant, "run": self.terms.run, "ballot": ballot}

    def vote(self, voter: str, choice: str | None = None, **more: Any) -> VoteCast:
        return VoteCast(**self.ids, voter=voter, choice=choice, **more)

    def passed(self) -> DeadlinePassed:
        ids = {name: self.ids[name] for name in ("tenant", "run")}
        return DeadlinePassed(**ids, name=deadline_timers(self.terms.ballot)[0])

    def gate(self, **more: Any) -> GateOpened:
        ids = {name: self.ids[name] for name in ("tenant", "run")}
        return GateOpened(**ids, gate=self.terms.ballot, question="Which, then?", **{"options": ("a", "b"), **more})

    def decision(self, facts: Sequence[Stored]) -> DecisionMade:
        """What the fleet says of these facts."""
        seen = ballot_seen([read(fact) for fact in facts], self.terms.ballot)
        assert seen is not None
        assert seen.tally is not None
        return as_decision(self.terms, seen.tally)


class HandSignals:
    """Interrupts and answers that the test lines up. One interrupt more follows each answer but the last."""

    def __init__(self, interrupts: int = 0, answers: Sequence[str] = (), can_ask: bool = True) -> None:
        self.left, self.answers, self.can_ask = interrupts, list(answers), can_ask
        self.asked: list[str] = []
        self.arrived = asyncio.Event()

    async def next(self) -> bool:
        while self.left <= 0:
            self.arrived.clear()
            await self.arrived.wait()
        self.left -= 1
        return self.can_ask

    def interrupt(self) -> None:
        self.left += 1
        self.arrived.set()

    async def ask(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            await asyncio.Event().wait()
        if len(self.answers) > 1:
            asyncio.get_running_loop().call_later(0.02, self.interrupt)
        return self.answers.pop(0)


class HandFleet:
    """A fleet that only says that it is ready; what it would do is up to `MemoryLog.answer`."""

    names = ("orchestrator", "architect", "sandbox")

    def __init__(self) -> None:
        self.ran: list[tuple[str, tuple[str, ...], bool]] = []
        self.provisioned: list[str] = []
        self.servers: list[Path | None] = []
        self.breaks: str = ""
        self.when_up: Callable[[], None] = lambda: None

    def roles(self) -> Sequence[WorkerLine]:
        takes = {"architect": ("DesignSystem",)}
        return [WorkerLine(name, f"does what the {name} does", takes.get(name, ())) for name in self.names]

    @asynccontextmanager
    async def server(self, data: Path | None) -> AsyncIterator[Any]:
        self.servers.append(data)
        yield SimpleNamespace(url="nats://127.0.0.1:5555")

    async def provision(self, settings: Settings) -> Sequence[str]:
        self.provisioned.append(settings.nats_url)
        return ("stream LOG: made", "object store artifacts: made")

    async def run(self, settings: Settings, names: Sequence[str], processes: bool, ready: Any, stop: Any) -> None:
        self.ran.append((settings.nats_url, tuple(names), processes))
        if self.breaks:
            raise RuntimeError(self.breaks)
        ready.set()
        self.when_up()
        await stop.wait()


class HandPrompts(PromptStore):
    """The store of prompts on facts in memory. `before` is said by somebody else just ahead of the next fact, `later`
    one by one as the store is looked at again."""

    def __init__(self, facts: list[Stored], files: Prompts, first: Callable[[], datetime]) -> None:
        nobody: Any = None
        super().__init__(nobody, nobody, files, "flotilla")
        self.facts, self._now = facts, first
        self.before: list[PromptFact] = []
        self.later: list[PromptFact] = []
        for stored in facts:
            self._take(stored)

    async def start(self) -> None:
        await self.refresh()

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        pattern = subjects.replace(".", "[.]").replace("*", "[^.]+").replace(">", ".+")
        return [fact for fact in self.facts if re.fullmatch(pattern, fact.subject) and fact.sequence > after]

    async def say(self, fact: PromptFact) -> bool:
        while self.before:
            self.put(self.before.pop(0))
        news = self.put(fact)
        await self.refresh()
        return news

    async def fresh(self) -> PromptStore:
        if self.later:
            self.put(self.later.pop(0))
        await self.refresh()
        return self

    def put(self, fact: PromptFact) -> bool:
        subject = subject_of_prompt(fact)
        if any(stored.subject == subject for stored in self.facts):
            return False
        self.facts.append(Stored(len(self.facts) + 1, self._now(), subject, encode_prompt(fact)))
        return True


class HandBus:
    """What the desk has, as a connection."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self.log, self.artifacts, self.records = desk.log, desk.artifacts, desk.buckets.__getitem__

    @property
    def is_connected(self) -> bool:
        return next(self._desk.is_connected, True)

    @asynccontextmanager
    async def prompt_store(self, files: Prompts) -> AsyncIterator[PromptStore]:
        store = self._desk.prompts(files)
        await store.start()
        yield store


class Desk:
    """The command with everything around it made by hand. `reachable` are the brokers that answer."""

    def __init__(self, state_dir: Path) -> None:
        self.log, self.artifacts, self.fleet, self.signals = MemoryLog(), MemoryArtifacts(), HandFleet(), HandSignals()
        self.buckets = {"budgets": MemoryRecords()}
        self.reachable = {"nats://127.0.0.1:4222", "nats://127.0.0.1:5555", "nats://there:4222"}
        self.connected: list[Settings] = []
        self.is_connected: Iterator[bool] = iter(())
        """Whether the connection stands, look by look; when that is used up it does."""
        self.said_of_prompts: list[Stored] = []
        self.said_before: list[PromptFact] = []
        self.said_later: list[PromptFact] = []
        """What somebody else says of prompts just before the command's first fact on them, and while it looks."""
        self.settings = Settings()
        self.alive: set[int] = set()
        self.outside = Outside(
            settings=lambda: self.settings, reach=self._reach, connect=self._connect, fleet=self.fleet,
            signals=self._signals, console=lambda: Console(width=100, force_terminal=False),
            now=lambda: self.log.facts[-1].at if self.log.facts else EPOCH, new_id=lambda: "made-up",
            state_dir=state_dir, pid=os.getpid(), alive=lambda pid: pid in self.alive, tick_s=0.01, cancel_wait_s=0.3,
        )  # fmt: skip

    def with_outside(self, **changes: Any) -> None:
        self.outside = replace(self.outside, **changes)

    async def _reach(self, url: str) -> None:
        if url not in self.reachable:
            raise Unreachable(f"no NATS broker can be reached at {url}: connection refused")

    @asynccontextmanager
    async def _connect(self, settings: Settings) -> AsyncIterator[Any]:
        self.connected.append(settings)
        yield HandBus(self)

    @contextmanager
    def _signals(self) -> Any:
        yield self.signals

    def prompts(self, files: Prompts | None = None) -> HandPrompts:
        """The fleet's prompts, beside these files or those that ship."""
        store = HandPrompts(self.said_of_prompts, files or Prompts.load(), self.outside.now)
        store.before, store.later = self.said_before, self.said_later
        return store

    def tell(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.log.put(subject_of(message), encode(message))

    def decide(self, held: HeldBallot) -> None:
        """Say what the fleet says of a ballot as it stands."""
        self.tell([held.decision(self.log.facts)])

    def keep(self, content: bytes) -> None:
        self.artifacts.kept[hashlib.sha256(content).hexdigest()] = content

    def answers_with(self, story: Story) -> None:
        """From now on a request is answered by the rest of this story, at once."""

        def answer(log: MemoryLog, message: Message) -> None:
            if isinstance(message, RunRequested):
                self.keep(story.archive())
                for said in story.whole()[1:]:
                    log.put(subject_of(said), encode(said))

        self.log.answer = answer

    def __call__(self, *arguments: str) -> Any:
        return CliRunner().invoke(made(), list(arguments), obj=self.outside)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in [name for name in os.environ if name.startswith("FLOTILLA_")]:
        monkeypatch.delenv(name)
    return Desk(tmp_path / "state")


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def held() -> HeldBallot:
    return HeldBallot()


@pytest.fixture
def new_held() -> type[HeldBallot]:
    return HeldBallot


@pytest.fixture
def new_story() -> type[Story]:
    return Story


@pytest.fixture
def stored() -> Callable[[Sequence[Message]], list[Stored]]:
    """Messages as a log would hold them, a tenth of a second apart."""

    def as_stored(messages: Sequence[Message]) -> list[Stored]:
        log = MemoryLog()
        return [log.put(subject_of(message), encode(message)) for message in messages]

    return as_stored


@pytest.fixture(scope="session")
def whole_entries() -> list[Entry]:
    """A whole story with a retry, a spoiled vote and a red verification, decoded."""
    story, log = Story(), MemoryLog()
    failure = TaskFailed(
        **story.ids, role="architect", task="design", attempt=1, error="transient", retry=True, reason="away"
    )
    design = story.designing()
    again = design[0].model_copy(update={"attempt": 2})
    middle = [design[0], failure, again, *design[1:], *story.building(), *story.verifying(passed=False, failed=1)]
    for message in [story.request(), *story.planning(), *middle, *story.packing(), *story.closing(status="failed")]:
        log.put(subject_of(message), encode(message))
    log.put("flotilla.default.r1.vote.release.eve", b"not json")
    return [read(fact) for fact in log.facts]


@pytest.fixture(scope="session")
def ballot_entries() -> list[Entry]:
    """A ballot with a stranger's vote, an abstention, a spoiled vote, its decision and one that came too late."""
    held, log = HeldBallot(electorate=("ada", "bob", "eve", "ivy")), MemoryLog()
    for said in (held.terms, held.vote("mallory", "a"), held.vote("ada", "a"), held.vote("bob")):
        log.put(subject_of(said), encode(said))
    log.put("flotilla.default.b1.vote.b1.eve", b"not json")
    log.put(subject_of(held.passed()), encode(held.passed()))
    decision = held.decision(log.facts)
    for said in (decision, held.vote("ivy", "b")):
        log.put(subject_of(said), encode(said))
    return [read(fact) for fact in log.facts]
