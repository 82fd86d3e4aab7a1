"""The fleet of `benchmarks/library.py`: it makes recordings, evaluates templates on them, and reads its journals."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks import library_recordings as recordings
from benchmarks.library_recordings import REVISE, REVISER, TENANT
from benchmarks.library_turns import Fits, Spoken, Told, told
from contracts.codec import decode
from contracts.subjects import Address
from contracts.v1.ballots import BallotOpened
from contracts.v1.journal import ModelCalled
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.prompts import Metric
from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from contracts.v1.tasks import TaskPerformed
from workers import fleet
from workers.prompt_lab.bounds import lower_bound
from workers.prompt_lab.cases import found
from workers.prompt_lab.report import CaseDone, Report, VersionReport
from workers.runtime.app import WorkerApp
from workers.runtime.bootstrap import role_service
from workers.runtime.bus import Bus, connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.replies import DoesNotFit, fitting
from workers.runtime.settings import Settings
from workers.runtime.telemetry import configure_logging

FAULTS = "malformed=0.1,refusal=0.05,cut_off=0.1,wrong_code=0.2,error=0.05,careless=0.5"
RECORDED_BY = "builtin"
REPAIRED_BY = "builtin:wrong_code=0.6"
REPAIRED, BUILT = 25, 10
"""Percent of the projects that are made with wrong code, and without; the others end before their tests."""

AT_ONCE = 8
PATIENCE_S = 300.0


class Row(NamedTuple):
    """A template's figures. Of `tries` on `recorded` tasks so many went well; `note` says why there is none."""

    template: str
    metric: Metric
    recorded: int = 0
    tries: int = 0
    successes: int = 0
    at_last: int | None = 0
    note: str = ""

    def plus(self, more: VersionReport, at_last: int) -> "Row":
        """With what another evaluation has found; `at_last` of its answers were whole in the end."""
        return self._replace(
            recorded=max(self.recorded, more.cases),
            tries=self.tries + more.cases,
            successes=self.successes + more.successes,
            at_last=(self.at_last or 0) + at_last,
        )

    def figures(self) -> dict[str, Any]:
        """As JSON has it."""
        bound = lower_bound(self.successes, self.tries)
        return {**self._asdict(), "rate": self.successes / self.tries if self.tries else None, "bound": bound}


def target_of(seed: int) -> str:
    """Who is asked in evaluations."""
    return f"builtin:{FAULTS},seed={seed}"


@dataclass
class Library:
    """A fleet, what it has recorded, and what its journals tell."""

    bus: Bus
    settings: Settings
    stack: AsyncExitStack
    seed: int
    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[CaseDone]] = field(default_factory=lambda: defaultdict(list))

    async def start(self, *names: str) -> None:
        """Start workers by name."""
        for name in names:
            service = (
                role_service(recordings.reviser, self.settings)
                if name == REVISER
                else fleet.services()[name](self.settings)
            )
            app = WorkerApp(service, self.settings)
            await app.app.start()
            self.stack.push_async_callback(app.app.stop)

    async def record(self, cases: int) -> None:
        """Make recordings, in this order: evaluations begin with the newest, and those of tests need green projects."""
        repaired, built = -(-cases * REPAIRED // 100), -(-cases * BUILT // 100)
        unbuilt = max(0, cases - repaired - built)
        ideas = [recordings.IDEAS[n % len(recordings.IDEAS)] for n in range(unbuilt + repaired + built)]
        await together(self._unbuilt(f"early-{n}", idea) for n, idea in enumerate(ideas[:unbuilt]))
        plans = [recordings.team_plan(n) for n in range(cases)]
        await together(self._run(f"team-{n}", recordings.SYSTEM, RECORDED_BY, plan) for n, plan in enumerate(plans))
        await self.start("sandbox")
        runs = [f"repaired-{n}" for n in range(repaired)] + [f"built-{n}" for n in range(built)]
        models = [REPAIRED_BY] * repaired + [RECORDED_BY] * built
        await together(map(self._run, runs, ideas[unbuilt:], models))
        await together(self._voted(recordings.ballot(n)) for n in range(-(-cases // len(recordings.PERSONAS))))

    async def _run(self, run: str, idea: str, model: str, plan: Plan | None = None) -> RunClosed:
        await self.bus.log.say(RunRequested(tenant=TENANT, run=run, idea=idea, model=model, plan=plan))
        closed = await self._fact(run, "run.closed")
        assert isinstance(closed, RunClosed)
        return closed

    async def _unbuilt(self, run: str, idea: str) -> None:
        """A project up to where it would be tested."""
        await self.bus.log.say(RunRequested(tenant=TENANT, run=run, idea=idea, model=RECORDED_BY))
        await self._fact(run, "task", "sandbox", ">")
        await self.bus.log.say(CancelRequested(tenant=TENANT, run=run))
        await self._fact(run, "run.closed")

    async def _voted(self, ballot: BallotOpened) -> None:
        await self.bus.log.say(ballot)
        await self._fact(ballot.run, "decision", ballot.ballot)

    async def _fact(self, run: str, noun: str, *names: str) -> Any:
        """The first fact of that name, once it is there."""
        subjects, deadline = Address(TENANT, run, noun, names).subject(), time.monotonic() + PATIENCE_S
        while not (stored := await self.bus.log.scan(subjects)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{noun} of {run} did not come within {PATIENCE_S:.0f} s")
            await asyncio.sleep(0.05)
        return decode(stored[0].subject, stored[0].data)

    async def evaluated(self, template: str, metric: Metric, cases: int, tries: int) -> Row:
        """So many tries on so many tasks at most, with the next seed each time that all tasks were gone through."""
        row = Row(template, metric)
        for draw in range(tries):
            if row.tries >= tries:
                break
            run = f"eval-{template}-{metric}-{draw}".replace("/", "-").replace("_", "-")
            report = await self._report(run, template, metric, draw, min(cases, tries - row.tries))
            if isinstance(report, str):
                return row._replace(note=report)
            whole = 0
            if metric == "valid":
                self.rows[template] += report.cases
                whole = await self._listen(run, template)
            row = row.plus(report.versions[0], whole)
        return row if metric == "valid" else row._replace(at_last=None)

    async def _report(self, run: str, template: str, metric: Metric, draw: int, last: int) -> Report | str:
        """What the prompt lab says, or why it says nothing."""
        order = EvaluatePrompt(
            template=template, cases=f"last-{last}", metric=metric, target=target_of(self.seed + draw)
        )
        task = PlannedTask(task="eval", role="prompt_lab", instruction=order.model_dump_json())
        closed = await self._run(run, f"How good is {template}?", "", Plan(tasks=(task,)))
        if closed.status != "completed":
            return closed.reason
        result = await self._fact(run, "result", "eval")
        assert isinstance(result, TaskPerformed)
        return Report.model_validate_json(await self.bus.artifacts.get(result.files[0].sha256))

    async def _listen(self, run: str, template: str) -> int:
        """Take in what the run's journal tells; returns how many answers were whole in the end."""
        questions = defaultdict[str, dict[int, Spoken]](dict)
        for stored in await self.bus.log.scan(Address(TENANT, run, "llm", (">",)).subject()):
            entry = decode(stored.subject, stored.data)
            if isinstance(entry, ModelCalled) and not entry.lost and entry.attempt == 1:
                content = entry.completion_artifact and await self.bus.artifacts.get(entry.completion_artifact)
                questions[entry.task][entry.n] = Spoken(entry.stop, content.decode() if content else entry.completion)
        fits = fits_of(template)
        now = [told([spoken[n] for n in sorted(spoken)], fits) for spoken in questions.values()]
        self.told[template] += now
        return sum(one.at_last for one in now)

    async def revised(self, cases: int, tries: int) -> Row:
        """Ask for revisions of all templates that were evaluated, from how that went."""
        names = sorted(self.rows)
        known = {name: (await found(self.bus.log, self.bus.artifacts, name, cases)).cases for name in names}
        feedback = [
            recordings.feedback_on(name, known[name], self.rows[name], n // len(names))
            for n, name in ((n, names[n % len(names)]) for n in range(tries))
        ]
        tasks = [PlannedTask(task="revise", role=REVISER, instruction=recordings.order_of(one)) for one in feedback]
        runs = [f"revise-{n}" for n in range(tries)]
        plans, target = [Plan(tasks=(task,)) for task in tasks], target_of(self.seed)
        await together(self._run(run, recordings.SYSTEM, target, plan) for run, plan in zip(runs, plans, strict=True))
        at_last = sum([await self._listen(run, REVISE) for run in runs])
        told_of = self.told[REVISE]
        return Row(REVISE, "valid", tries, len(told_of), sum(one.at_once for one in told_of), at_last)

    def turned(self, template: str) -> Row:
        """How often an answer was whole after this turn, whatever was asked."""
        told_of = [one for many in self.told.values() for one in many]
        whole = [turn.whole for one in told_of for turn in one.turns if turn.template == template]
        return Row(template, "valid", len(whole), len(whole), sum(whole), None)


def fits_of(template: str) -> Fits:
    """Whether one of some texts has the shape of what the template asks for."""
    replies = recordings.replies_of(template).values()

    def fits(texts: Sequence[str]) -> bool:
        for reply in replies:
            try:
                fitting(texts, reply, None)
            except DoesNotFit:
                continue
            return True
        return False

    return fits


async def together(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """A few at once, begun in their order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(awaited: Awaitable[Any]) -> Any:
        async with room:
            return await awaited

    return await asyncio.gather(*map(one, work))


@asynccontextmanager
async def library(seed: int) -> AsyncIterator[Library]:
    """A broker with the fleet on it, all but the sandbox."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedNats())
        settings = Settings(nats_url=server.url, tenant=TENANT, extra_roles=(REVISER,), log_level="error")
        configure_logging(settings)
        await fleet.provision(settings)
        bus = await stack.enter_async_context(connect(settings, "benchmark"))
        made = Library(bus, settings, stack, seed)
        await made.start(REVISER, *(name for name in fleet.worker_names() if name != "sandbox"))
        yield made
