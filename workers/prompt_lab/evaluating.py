"""Evaluations: recorded cases done again with versions of a template, a few at once, and a report of how that went.

Cases are those of the log as it was when the run of the evaluation was asked for, or those of a file. So a redelivery
does the same cases, and finds the answers in the journal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contracts.subjects import Address
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.tasks import Outcome, Task, TaskPerformed
from workers.prompt_lab.cases import Case, Found, found, record_of
from workers.prompt_lab.outputs import difference, output_of
from workers.prompt_lab.pins import BadCases, Pinned, unpinned
from workers.prompt_lab.replay import Passing, Replayed, Replayer, judged_by, role_of
from workers.prompt_lab.report import REPORT, CaseDone, Done, Report, summed, told
from workers.prompt_lab.side_by_side import side_by_side
from workers.prompting.errors import PromptConflict
from workers.prompting.moves import resolve
from workers.prompting.templates import Prompt
from workers.runtime.errors import Impossible
from workers.runtime.ports import ArtifactMissing
from workers.runtime.toolkit import Toolkit

MOST_REPLAYS = 1_000
"""Of one evaluation: its result cites the calls of all of them, and must stay a message that the broker carries."""

MOST_LEFT_OUT = 100


class Version(NamedTuple):
    """A version to try, and what it was called in the order."""

    prompt: Prompt
    asked: str


@dataclass(frozen=True)
class _TextFile:
    path: str
    content: str


async def evaluate(order: EvaluatePrompt, task: Task, tools: Toolkit) -> TaskPerformed:
    """Replay the cases with each version and report; the report itself is the file `report.json`.

    Raises `Impossible` when the order can't be done: no such template, version, target or cases.
    """
    role_of(order.template)
    versions = await _versions(order, tools)
    cases, left_out, given = await _cases(order, task, tools)
    if len(cases) * len(versions) > MOST_REPLAYS:
        asked = f"{len(cases)} cases with {len(versions)} versions"
        raise Impossible(f"{asked} are more than the {MOST_REPLAYS:,} replays of one evaluation; ask for fewer cases")
    replayer = Replayer(task, tools, target=order.target, metric=order.metric, given=given)
    work = _Rows(replayer, versions, Passing(tools.artifacts, given))
    rows = await side_by_side(cases, work.row)
    if all(done.success is None for row in rows for done in row.done):
        why = rows[0].done[0].why
        raise Impossible(f"none of {len(cases)} cases says anything of {order.template}; the first one: {why}")
    report = _report(order, versions, rows, left_out)
    files = await tools.save([_TextFile(REPORT, report.model_dump_json(indent=1))])
    return tools.report(TaskPerformed, output=told(report), files=files)


async def _versions(order: EvaluatePrompt, tools: Toolkit) -> tuple[Version, ...]:
    """The versions that the order names, each once; the live one if it names none."""
    if tools.store is None:
        raise Impossible("versions are known only where the fleet's prompts are read; this worker does not read them")
    store = await tools.store.fresh()
    if order.template not in store.names():
        raise Impossible(f"there is no template {order.template!r}; there are {', '.join(store.names())}")
    history, shipped = store.of(order.template), store.shipped(order.template)
    found: dict[str, Version] = {}
    for asked in order.versions or ("live",):
        try:
            digest = resolve(history, asked, shipped.version if shipped else "")
        except PromptConflict as conflict:
            raise Impossible(str(conflict)) from conflict
        prompt = store.prompt(order.template, digest)
        if prompt is None:
            raise Impossible(f"{order.template} has no version {asked} that this worker can read")
        found.setdefault(digest, Version(prompt, asked))
    return tuple(found.values())


async def _cases(
    order: EvaluatePrompt, task: Task, tools: Toolkit
) -> tuple[tuple[Case, ...], tuple[str, ...], Mapping[str, bytes]]:
    """The cases that the order names, what was left out, and the artifacts that came with them."""
    if not order.cases.startswith("last-"):
        pinned = await _pinned(order.cases, tools)
        if pinned.template != order.template:
            raise Impossible(f"the cases are of {pinned.template}, not of {order.template}")
        return pinned.cases, (), pinned.artifacts
    seen = await _recorded(order.template, int(order.cases.removeprefix("last-")), task, tools)
    if not seen.cases:
        more = f" ({len(seen.left_out)} are left out; {seen.left_out[0]})" if seen.left_out else ""
        raise Impossible(f"no recorded task that can be replayed used {order.template}{more}")
    return seen.cases, seen.left_out, {}


async def _recorded(template: str, last: int, task: Task, tools: Toolkit) -> Found:
    request = Address(task.tenant, task.run, "run.requested").subject(tools.prefix)
    asked = await tools.log.find(request)
    before = asked.sequence if asked else None
    return await found(record_of(tools.log), tools.artifacts, template, last, prefix=tools.prefix, before=before)


async def _pinned(digest: str, tools: Toolkit) -> Pinned:
    try:
        return await asyncio.to_thread(unpinned, await tools.artifacts.get(digest))
    except (ArtifactMissing, BadCases) as error:
        raise Impossible(f"the file of cases can't be read: {error}") from error


@dataclass(frozen=True)
class _Rows:
    """Does a case with all versions, one after the other, so that few outputs are held at once."""

    replayer: Replayer
    versions: Sequence[Version]
    artifacts: Passing

    async def row(self, case: Case) -> CaseDone:
        """How each version did the case."""
        replayed = [await self.replayer.replay(case, version.prompt) for version in self.versions]
        if len(replayed) == 1:
            before, named = await self._recorded(case), "recorded"
        else:
            before, named = replayed[0].output, replayed[0].done.version
        done = [await _compared(before, named, one) if before else one.done for one in replayed]
        return CaseDone(case=case.id, recorded=case.target, done=tuple(done))

    async def _recorded(self, case: Case) -> str:
        """What came of the case when it was recorded; nothing of a vote, which is a fact of its own."""
        if case.task.committed_by or not isinstance(case.end, Outcome):
            return ""
        return await output_of(case.end, (), self.artifacts)


async def _compared(before: str, named: str, replayed: Replayed) -> Done:
    names = (named, replayed.done.version)
    diff = await asyncio.to_thread(difference, before, replayed.output, names)
    return replayed.done.model_copy(update={"diff": diff})


def _report(
    order: EvaluatePrompt, versions: Sequence[Version], rows: Sequence[CaseDone], left_out: Sequence[str]
) -> Report:
    metric = judged_by(order.metric, order.template)
    notes = []
    if metric != order.metric:
        wanted, by = order.metric.replace("_", " "), metric.replace("_", " ")
        notes.append(f"a replay of {order.template} can't be judged by {wanted}; it was by {by}")
    if left_out:
        notes.append(f"{len(left_out)} recorded tasks were left out: {left_out[0]}")
    columns = zip(*(row.done for row in rows), strict=True)
    return Report(
        template=order.template,
        metric=metric,
        wanted=order.metric,
        source=order.cases,
        target=order.target,
        versions=tuple(
            summed(version.prompt.version, version.asked, column)
            for version, column in zip(versions, columns, strict=True)
        ),
        cases=tuple(rows),
        left_out=tuple(left_out[:MOST_LEFT_OUT]),
        notes=tuple(notes),
    )
