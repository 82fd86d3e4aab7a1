"""What `flotilla prompts experiment` does: decide from the template's history, say the fact, show how it stands."""

import json as jsonlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.v1.prompts import ArmCount, Metric, PromptFact
from workers.cli.ballottext import page_of
from workers.cli.complaints import Misused
from workers.cli.evidencefile import drawn_to
from workers.cli.experimenttext import Standing, as_json, listed, percent, shown
from workers.cli.experimentwatch import watched
from workers.cli.outside import Outside, note, say
from workers.cli.progress import progress
from workers.cli.promptstores import agreed, checked_name, prompts_of, with_file
from workers.cli.sessions import Session
from workers.prompt_lab.evidence import EvidenceReader
from workers.prompt_lab.weighing import thinned
from workers.prompting.moves import ramp, resolve, start, stop
from workers.prompting.template_history import ExperimentRecord, TemplateHistory
from workers.prompting.templates import Prompt
from workers.runtime.prompt_store import PromptStore

LAST = 2**63 - 1
"""A sequence that no log gets to."""


@dataclass(frozen=True)
class Terms:
    """What an experiment is to go by, as in the fact."""

    share: int
    metric: Metric
    within_s: int
    dearer: int | None
    slower: int | None
    most: int
    reason: str


async def start_one(outside: Outside, name: str, candidate: str, terms: Terms, json: bool, nats: str) -> None:
    """Start an experiment, and say so."""
    async with prompts_of(outside, nats) as (opened, store):
        file, by = store.shipped(checked_name(store.names(), name)), outside.user()

        def decide(history: TemplateHistory) -> list[PromptFact]:
            return to_start(history, file, candidate, terms, by)

        await agreed(store, name, decide, lambda history: (history.live, len(history.experiments)))
        standing = await standing_of(reader_of(opened, store), store, store.of(name).experiments[-1])
        options = opened.options
    if json:
        say(jsonlib.dumps(as_json(standing)))
        return
    started = standing.started
    some = f"{percent(started.share)} of tasks get {started.candidate}, the others {started.live}"
    say(f"{name} experiment {started.k}: {some}")
    note(f"see it with `flotilla prompts experiment show {name}{options}`")


def to_start(history: TemplateHistory, file: Prompt | None, candidate: str, terms: Terms, by: str) -> list[PromptFact]:
    """What starts an experiment: the file's version, where it takes part and the fleet has not got it, comes first.

    Raises `PromptConflict`.
    """
    shipped = file.version if file is not None else ""
    live, version = history.live or shipped, resolve(history, candidate, shipped)
    pushed: list[PromptFact] = []
    if shipped in (live, version):
        history, pushed = with_file(history, file, by)
    started = start(
        history, version, live, terms.share, terms.metric, terms.within_s, terms.dearer, terms.slower, terms.most, by,
        terms.reason,
    )  # fmt: skip
    return [*pushed, started]


async def share_one(outside: Outside, name: str, share: int, json: bool, nats: str) -> None:
    """Change the candidate's part of the tasks."""
    async with prompts_of(outside, nats) as (_, store):
        checked_name(store.names(), name)
        entry = (await agreed(store, name, lambda history: [ramp(history, share, outside.user())]))[-1]
    say(entry.kept.fact.model_dump_json() if json else f"{name}: {entry.did} from now on")


async def stop_one(outside: Outside, name: str, reason: str, json: bool, nats: str) -> None:
    """End the experiment that runs, with the evidence up to here."""
    async with prompts_of(outside, nats) as (opened, store):
        running = store.of(checked_name(store.names(), name)).running
        so_far = await standing_of(reader_of(opened, store), store, running) if running is not None else None

        def decide(history: TemplateHistory) -> list[PromptFact]:
            ended = stop(history, outside.user(), reason)
            if so_far is None or so_far.started.k != ended.k:
                return [ended]
            found = {"live": so_far.live, "candidate": so_far.candidate, "curve": so_far.curve}
            return [ended.model_copy(update=found)]

        entry = (await agreed(store, name, decide))[-1]
    say(entry.kept.fact.model_dump_json() if json else f"{name}: {entry.did}; tasks get what is live")


async def list_all(outside: Outside, json: bool, nats: str) -> None:
    """Print every experiment, templates by name, the newest last."""
    async with prompts_of(outside, nats) as (opened, store):
        records = [record for name in store.names() for record in store.of(name).experiments]
        reader = reader_of(opened, store)
        with progress(outside, "reading outcomes"):
            rows = [await standing_of(reader, store, record) for record in records]
    if json:
        for row in rows:
            say(jsonlib.dumps(as_json(row)))
        return
    if not rows:
        note("there was no experiment yet; `flotilla prompts experiment start NAME --candidate VERSION` starts one")
        return
    for line in listed(rows, page_of(outside.console()).width):
        say(line)


async def show_one(
    outside: Outside, name: str, k: int | None, watch: bool, json: bool, nats: str, svg: Path | None = None
) -> int:
    """Print an experiment, and draw it to a file, or keep it up to date until it ends; returns the exit code."""
    async with prompts_of(outside, nats) as (opened, store):
        record = recorded(store.of(checked_name(store.names(), name)), k)
        reader = reader_of(opened, store)
        if watch and record.ended is None:

            async def look() -> Standing:
                now = (await store.fresh()).of(name).experiment(record.k)
                return await standing_of(reader, store, now or record)

            return await watched(outside, look, json)
        with progress(outside, "reading outcomes"):
            standing = await standing_of(reader, store, record)
    if svg is not None:
        drawn_to(svg, standing)
    if json:
        say(jsonlib.dumps(as_json(standing)))
        return 0
    for line in shown(standing, page_of(outside.console()), outside.now()):
        say(line)
    return 0


def recorded(history: TemplateHistory, k: int | None) -> ExperimentRecord:
    """The experiment of that number, or the last one; complains when there is none."""
    if not history.experiments:
        start_it = f"`flotilla prompts experiment start {history.template} --candidate VERSION`"
        raise Misused(f"{history.template} had no experiment yet; {start_it} starts one")
    if k is None:
        return history.experiments[-1]
    if (found := history.experiment(k)) is None:
        there = ", ".join(str(record.k) for record in history.experiments)
        raise Misused(f"{history.template} has no experiment {k}; it had {there}")
    return found


def reader_of(opened: Session, store: PromptStore) -> EvidenceReader:
    """Reads what outcomes say. An outcome is shown at once, also if a copy of the log lags behind."""

    async def nothing_is_awaited() -> int:
        return LAST

    return EvidenceReader(opened.bus.log, store, nothing_is_awaited, opened.settings.prefix)


async def standing_of(reader: EvidenceReader, store: PromptStore, record: ExperimentRecord) -> Standing:
    """How an experiment stands by all facts up to now, or how it ended; and what is live now."""
    template = record.started.template
    file, standing = store.shipped(template), await _standing(reader, record)
    return standing._replace(live_now=store.of(template).live or (file.version if file else ""))


async def _standing(reader: EvidenceReader, record: ExperimentRecord) -> Standing:
    began, ended = datetime.fromtimestamp(record.at, UTC), record.ended
    if ended is not None and (ended.curve or ended.why != "by_hand"):
        return Standing.over(record.started, record.shares, ended, began)
    weighing = await reader.read(record)
    found = weighing.decision()
    live, candidate = ArmCount(**found.live._asdict()), ArmCount(**found.candidate._asdict())
    if ended is not None:
        so_far = {"live": live, "candidate": candidate, "curve": thinned(found)}
        return Standing.over(record.started, record.shares, ended.model_copy(update=so_far), began)
    enough, waiting = found.verdict != "running", len(weighing.pending)
    return Standing(
        record.started, record.shares, live, candidate, thinned(found), began=began, waiting=waiting, is_enough=enough
    )
