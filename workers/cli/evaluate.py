"""`flotilla prompts eval`: a run with a plan of its own, whose one task has the prompt lab do recorded cases again."""

import json as jsonlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from contracts.v1.budgets import Budget
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.prompts import Metric
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import TaskPerformed
from workers.cli.ballottext import page_of
from workers.cli.brokers import given_broker
from workers.cli.complaints import INTERRUPTED, Complaint, Misused
from workers.cli.delivering import leave_behind
from workers.cli.ending import Hints, ending, silence, spending, waiting, what_helps
from workers.cli.entries import Entry
from workers.cli.evaluationtext import as_json, shown
from workers.cli.figures import count, seconds, short
from workers.cli.following import Fleet, Following
from workers.cli.outside import Outside, note, say
from workers.cli.own_fleet import fleet_for
from workers.cli.progress import progress
from workers.cli.promptstores import checked_name, files_of
from workers.cli.sessions import Session, checked_tenant
from workers.cli.upfile import read_up
from workers.cli.view import RunView
from workers.prompt_lab.cases import recorded
from workers.prompt_lab.evaluating import MOST_REPLAYS
from workers.prompt_lab.pins import BadCases, Pinned, pinned, unpinned
from workers.prompt_lab.report import REPORT, Report
from workers.prompting.errors import PromptConflict
from workers.prompting.moves import resolve
from workers.runtime.ports import ArtifactMissing
from workers.runtime.prompt_store import PromptStore

TASK, ROLE = "evaluate", "prompt_lab"
DEADLINE_S = 6 * 3_600
"""Of the run and of its task: cases of a slow model take their time."""

MOST_VERSIONS = 5
LAST = "last-"


@dataclass(frozen=True)
class Wanted:
    """What is to be evaluated, as it was typed. `cases` is `last-<n>` or a file."""

    template: str
    cases: str
    versions: tuple[str, ...]
    target: str
    metric: Metric
    pin: Path | None
    budget: Budget | None


class Given(NamedTuple):
    """The cases as they were named: so many of the newest, or those of a file with its content."""

    last: int = 0
    file: Pinned | None = None
    content: bytes = b""


async def evaluate_it(outside: Outside, wanted: Wanted, tenant: str, json: bool, nats: str) -> int:
    """Evaluate and print the report; returns the exit code."""
    given = cases_typed(wanted)
    whose = checked_tenant(tenant or outside.settings().tenant)
    async with _fleet_for(outside, given, nats, whose) as (opened, own_fleet):
        async with opened.bus.prompt_store(files_of(outside)) as store:
            versions = _versions(store, checked_name(store.names(), wanted.template), wanted.versions)
        request = await _request(opened, wanted, given, tuple(versions))
        await opened.bus.log.say(request)
        report = await _followed(opened, request.run, wanted.template, own_fleet)
        if isinstance(report, int):
            return report
        spent = report.view.spent
    named = with_names(report.report, versions)
    if json:
        say(jsonlib.dumps(as_json(named, request.run, spent)))
        return 0
    for line in shown(named, page_of(outside.console()), "" if own_fleet else "--json has all of it"):
        say(line)
    return 0


def cases_typed(wanted: Wanted) -> Given:
    """What `--cases` names; a file is read and must be of the template."""
    if len(wanted.versions) > MOST_VERSIONS:
        raise Misused(f"--version: at most {MOST_VERSIONS} versions are compared, and these are {len(wanted.versions)}")
    number, versions = wanted.cases.removeprefix(LAST), max(1, len(wanted.versions))
    if wanted.cases.startswith(LAST) and number.isascii() and number.isdigit():
        if not 1 <= int(number) <= MOST_REPLAYS // versions:
            most = f"1 to {MOST_REPLAYS // versions:,} with {count(versions, 'version')}"
            raise Misused(f"--cases {short(wanted.cases)}: give a number of cases from {most}")
        return Given(int(number))
    if wanted.pin is not None:
        raise Misused("--pin writes recorded cases to a file, and --cases names a file already; leave one of them out")
    try:
        content = Path(wanted.cases).read_bytes()
        file = unpinned(content)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Misused(
            f"--cases {short(wanted.cases)}: the file can't be read: {why}; or give last-50 for recorded tasks"
        ) from None
    except BadCases as error:
        raise Misused(f"--cases {short(wanted.cases)}: {error}") from None
    if file.template != wanted.template:
        raise Misused(
            f"the cases in {short(wanted.cases)} are of {short(file.template)}, not of {short(wanted.template)}"
        )
    return Given(file=file, content=content)


def _fleet_for(
    outside: Outside, given: Given, nats: str, tenant: str
) -> AbstractAsyncContextManager[tuple[Session, Fleet]]:
    """Recorded tasks are where they were recorded; cases of a file can be done by a fleet of the command's own."""
    if given.last and given_broker(nats, outside.settings(), read_up(outside.state_dir, outside.alive)) is None:
        raise Misused(
            "no fleet is up, and one of the command's own has no recorded tasks; "
            "name a broker with --nats, or give --cases FILE"
        )
    return fleet_for(outside, nats, tenant, "evaluation")


async def _request(opened: Session, wanted: Wanted, given: Given, versions: tuple[str, ...]) -> RunRequested:
    """The run to ask for; everything that can be wrong with it is found out before."""
    try:
        order = EvaluatePrompt(template=wanted.template, versions=versions, target=wanted.target, metric=wanted.metric)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise Misused(f"{'.'.join(str(part) for part in wrong['loc'])}: {short(wrong['msg'], 200)}") from None
    with progress(opened.outside, "looking for cases"):
        order = order.model_copy(update={"cases": await _cases(opened, wanted, given)})
    task = PlannedTask(task=TASK, role=ROLE, instruction=order.model_dump_json(), deadline_s=DEADLINE_S)
    cases = count(len(given.file.cases), "pinned case") if given.file else f"the last {count(given.last, 'case')}"
    return RunRequested(
        tenant=opened.tenant, run=opened.outside.new_id(), idea=f"Evaluate {wanted.template} on {cases}",
        plan=Plan(tasks=(task,)), deadline_s=DEADLINE_S, budget=wanted.budget, requested_by="flotilla",
    )  # fmt: skip


def _versions(store: PromptStore, template: str, named: tuple[str, ...]) -> dict[str, str]:
    """The versions that were named, each with what it was called."""
    file, history = store.shipped(template), store.of(template)
    try:
        return {resolve(history, one, file.version if file is not None else ""): one for one in named}
    except PromptConflict as error:
        raise Misused(str(error)) from None


def with_names(report: Report, versions: Mapping[str, str]) -> Report:
    """The report with versions called as they were on the command line."""
    named = tuple(one.model_copy(update={"asked": versions.get(one.version, one.asked)}) for one in report.versions)
    return report.model_copy(update={"versions": named})


async def _cases(opened: Session, wanted: Wanted, given: Given) -> str:
    """The cases as the order names them: an artifact if they are in a file, or are to be in one."""
    if given.file is not None:
        return await opened.bus.artifacts.put(given.content)
    many = given.last if wanted.pin is not None else 1
    log, artifacts = opened.bus.log, opened.bus.artifacts
    found = await recorded(log, artifacts, wanted.template, many, prefix=opened.settings.prefix)
    if not found:
        raise Misused(
            f"no recorded task used {wanted.template}, so there is nothing to evaluate it on; run something first, "
            "or give --cases FILE"
        )
    if wanted.pin is None:
        return wanted.cases
    try:
        content = await pinned(found, artifacts)
        wanted.pin.write_bytes(content)
    except BadCases as error:
        raise Complaint(str(error)) from None
    except OSError as error:
        raise Misused(f"--pin {wanted.pin} can't be written: {(error.strerror or str(error)).lower()}") from None
    note(f"{count(len(found), 'case')} pinned in {wanted.pin}")
    return await artifacts.put(content)


class Reported(NamedTuple):
    """A report, and the run that made it."""

    report: Report
    view: RunView


async def _followed(opened: Session, run: str, template: str, own_fleet: Fleet) -> Reported | int:
    """Wait for the report; the exit code if there will be none."""
    outside, hints = opened.outside, Hints.kept(run, opened.options)
    note(f"run {run} evaluates {template}" + ("" if own_fleet else f"; see it with `{hints.facts}`"))
    working = Working(outside.console(), template, hints)
    following = Following(outside, opened.bus, opened.tenant, run, opened.settings.prefix, working, own_fleet)
    ended, view = await following.follow(), following.view
    if ended != "over":
        return INTERRUPTED
    if view.state == "completed":
        return Reported(await _report(opened, following.entries, run), view)
    if own_fleet is not None:
        left_behind = outside.state_dir / "runs" / f"{opened.tenant}.{run}.jsonl"
        leave_behind(left_behind, following.entries)
        hints = hints._replace(facts=f"facts in {left_behind}")
    for line in ending(run, view, hints):
        note(line)
    return 1


async def _report(opened: Session, entries: tuple[Entry, ...], run: str) -> Report:
    done = next((e.message for e in reversed(entries) if isinstance(e.message, TaskPerformed)), None)
    ref = next((file for file in done.files if file.path == REPORT), None) if done is not None else None
    if ref is None:
        raise Complaint(f"run {run} completed without a report; see `flotilla show {run}{opened.options}`")
    try:
        return Report.model_validate_json(await opened.bus.artifacts.get(ref.sha256))
    except ArtifactMissing as error:
        raise Complaint(f"the report of run {run} is gone: {error}") from None
    except ValidationError:
        raise Complaint(f"the report of run {run} can't be read here; was it made by a newer flotilla?") from None


class Working:
    """What is going on while cases are done: a line that changes on a terminal, only what is wrong into a pipe."""

    def __init__(self, console: Console, template: str, hints: Hints) -> None:
        self._console, self._template, self._hints = console, template, hints
        self._status: Status | None = None
        self._said: set[str] = set()

    def see(self, entry: Entry, view: Callable[[], RunView]) -> None:
        """A fact came in; the next tick shows it."""

    def tick(self, view: RunView, now: datetime) -> None:
        """How much was done by now, and what keeps it."""
        wrong = [silence(view, now), *waiting(view, now, 1)[:1], what_helps(view, self._hints)]
        if self._console.is_terminal:
            text = " · ".join(part for part in (self._done(view, now), *wrong) if part)
            if self._status is None:
                self._status = self._console.status(escape(text))
                self._status.start()
            self._status.update(escape(text))
            return
        for text in (wrong[0], wrong[2]):
            if text and text not in self._said:
                self._said.add(text)
                note(text)

    def _done(self, view: RunView, now: datetime) -> str:
        return f"evaluating {self._template}: {spending(view)}, {seconds(view.elapsed(now))}"

    def pause(self) -> None:
        """Something else is about to be written."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def end(self, view: RunView) -> None:
        """Nothing more will come."""
        self.pause()
