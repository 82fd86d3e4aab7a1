"""The scorer: what the prompt lab does when a run ends or a deadline passes, while experiments run.

    read assignments and outcomes ─▶ score the units that are over ─▶ say the verdict that they prove ─▶ set a timer

Any number of replicas may do so: outcomes and verdicts are kept once, by their names, and all find the same. Evidence
is taken in the order of assignment, so only the oldest unit without an outcome holds anything up: it alone has a timer.

A run's end may have been handed to a replica that had not heard of the experiment yet. So each looks up now and then
which of the runs it waits for are over.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import structlog

from contracts.prompt_facts import encode_prompt, subject_of_prompt
from contracts.subjects import Address
from contracts.v1.prompts import OutcomeScored
from workers.prompt_lab.cases import present, slices
from workers.prompt_lab.evidence import EvidenceReader
from workers.prompt_lab.news import News, Rounds, Run
from workers.prompt_lab.outcomes import readable
from workers.prompt_lab.scoring import due_at, is_overdue, scored, timer_of
from workers.prompt_lab.weighing import Pending, Weighing
from workers.prompting.template_history import ExperimentRecord
from workers.runtime.bus import Bus
from workers.runtime.errors import BusUnavailable
from workers.runtime.prompt_store import PromptStore
from workers.runtime.telemetry import Metrics
from workers.runtime.topology import LOG

BY = "prompt_lab"
NOUNS = ("run.closed", "decision", "timer")
"""What the scorer is to be told of."""

SWEEP_S = 30.0
SWEPT = 50
"""Runs that a sweep looks at: those of the oldest units, which alone hold anything up."""

LOOKS, LOOK_AGAIN_S = 5, 0.2
"""A decision may be in the log a moment before the results of those who voted."""

RUNS_AT_ONCE = 8

_logger = structlog.get_logger(__name__)


class Scorer:
    """Scores and decides the experiments that run. `sweep_s` is how often it looks for runs whose end it missed."""

    def __init__(self, bus: Bus, store: PromptStore, sweep_s: float = SWEEP_S, metrics: Metrics | None = None) -> None:
        self._bus, self._store, self._prefix = bus, store, bus.settings.prefix
        self._metrics = metrics or Metrics()
        self._reader = EvidenceReader(bus.log, store, self._oldest, self._prefix, self._before)
        self._sweep_s = sweep_s
        self._rounds = Rounds(self._take)
        self._seen: dict[str, set[str]] = {}
        self._timed: dict[str, str] = {}
        self._swept_at = time.monotonic()

    @property
    def weighed(self) -> frozenset[str]:
        """The experiments, as `role/name/k`, that it has read facts of and that have not ended for all it knows."""
        return frozenset(self._seen)

    async def heard(self, address: Address, at: float) -> None:
        """Take in that a fact of the log, the end of a run or a deadline, was stored at this time (seconds since 1970).

        Raises `BusUnavailable`.
        """
        if address.noun not in NOUNS:
            return
        running = self._running(await self._store.fresh())
        self._forget_all_but(running)
        if not running:
            return
        await self._rounds.hear((address, at))

    async def _take(self, news: News) -> None:
        sweep = time.monotonic() >= self._swept_at + self._sweep_s
        self._swept_at = time.monotonic() if sweep else self._swept_at
        for record in self._running(self._store):
            await self._weigh(record, news, sweep)

    def _forget_all_but(self, running: Iterable[ExperimentRecord]) -> None:
        """Keep nothing of experiments that somebody else has ended."""
        for over in set(self._seen) - {record.id for record in running}:
            self._forget(over)

    def _forget(self, experiment: str) -> None:
        self._reader.forget(experiment)
        self._seen.pop(experiment, None)
        self._timed.pop(experiment, None)

    def _running(self, store: PromptStore) -> list[ExperimentRecord]:
        histories = map(store.of, store.names())
        return [record for history in histories if (record := history.running) is not None]

    async def _weigh(self, record: ExperimentRecord, news: News, sweep: bool) -> None:
        weighing = await self._reader.read(record)
        over = await self._over(weighing, news, sweep)
        await self._score_all(weighing, over, news)
        await self._look_again(weighing, news, news.decided & over.keys())
        if over:
            weighing = await self._reader.read(record)  # others may have been first with some of them
        ended = weighing.ended(BY)
        if ended is not None and weighing.is_ahead:
            await self._store.refresh()  # or else the share was changed, and this replica has not heard of it
            known = self._store.of(record.started.template).experiment(record.k)
            ended = (await self._reader.read(known or record)).ended(BY)
        if ended is None:
            await self._set_timer(weighing)
            return
        if await self._store.say(ended):
            self._metrics.count_verdict(ended)
            _logger.info("experiment_ended", experiment=record.id, verdict=ended.verdict, why=ended.why)
        self._forget(record.id)

    async def _look_again(self, weighing: Weighing, news: News, decided: Iterable[Run]) -> None:
        """Wait for the results of those who decided ballots. Of a run that is requested there will be an end to hear
        of; one that is nothing but a ballot has none."""
        alone = set(decided) - set(await self._that_have("run.requested", decided))
        for _ in range(LOOKS):
            alone &= {_run_of(pending) for pending in weighing.pending}
            if not alone:
                return
            await asyncio.sleep(LOOK_AGAIN_S)
            await self._score_all(weighing, alone, news)

    async def _over(self, weighing: Weighing, news: News, sweep: bool) -> dict[Run, None]:
        """The runs of units that may be over: those of the news, overdue ones, those that have an end, in a sweep the
        oldest."""
        record, seen = weighing.record, self._seen.setdefault(weighing.record.id, set())
        found: dict[Run, None] = {}
        unsure: dict[Run, None] = {}
        for pending in weighing.pending:
            run = _run_of(pending)
            if run in news.runs or is_overdue(record, pending, news.at) or (sweep and len(found) < SWEPT):
                found[run] = None
            elif sweep or pending.unit not in seen:
                unsure[run] = None
            seen.add(pending.unit)
        return found | dict.fromkeys(await self._that_have("run.closed", unsure))

    async def _that_have(self, noun: str, runs: Iterable[Run]) -> list[Run]:
        """Those of these runs that have such a fact."""
        subjects = {Address(*run, noun).subject(self._prefix): run for run in runs}
        return [subjects[stored.subject] for stored in await present(self._bus.log, list(subjects))]

    async def _score_all(self, weighing: Weighing, runs: Iterable[Run], news: News) -> None:
        units: dict[Run, list[Pending]] = {run: [] for run in runs}
        for pending in weighing.pending if units else ():
            if (run := _run_of(pending)) in units:
                units[run].append(pending)
        for some in slices(list(units), RUNS_AT_ONCE):
            await asyncio.gather(*(self._score(weighing, run, units[run], news) for run in some))

    async def _score(self, weighing: Weighing, run: Run, units: Sequence[Pending], news: News) -> None:
        """Say how the units of a run went, as far as they are over."""
        history = await self._bus.log.history(*run)
        end = Address(*run, "run.closed").subject(self._prefix)
        if run in news.closed and all(stored.subject != end for stored in history):
            raise BusUnavailable(f"{end} is in the log, but can't be read yet")
        facts = readable(history, self._prefix)
        outcomes = [scored(weighing.record, pending, facts, news.at, BY) for pending in units]
        await self._say(weighing, [outcome for outcome in outcomes if outcome is not None])

    async def _say(self, weighing: Weighing, outcomes: Sequence[OutcomeScored]) -> None:
        """Say outcomes without telling the store, which does not keep them."""
        for outcome in outcomes:
            subject = subject_of_prompt(outcome, self._prefix)
            said = await self._bus.publisher.publish(subject, encode_prompt(outcome))
            if said.news:
                self._metrics.count_outcome(outcome)
                weighing.scored(said.sequence, outcome)

    async def _set_timer(self, weighing: Weighing) -> None:
        """Have the oldest unit without an outcome looked at when its time is over, should nothing happen until then."""
        oldest = next(iter(weighing.pending), None)
        if oldest is None or self._timed.get(weighing.record.id) == oldest.unit:
            return
        due = datetime.fromtimestamp(due_at(weighing.record, oldest), UTC)
        name = timer_of(weighing.record, oldest)
        await self._bus.set_timer(oldest.chosen.tenant, oldest.chosen.run, name, due, unless_set=True)
        self._timed[weighing.record.id] = oldest.unit

    async def _before(self, subjects: str, at: datetime) -> int | None:
        return await self._bus.log.before(subjects, at)

    async def _oldest(self) -> int:
        """The sequence of the first fact that the log still has."""
        return (await self._bus.js.stream_info(LOG)).state.first_seq


def _run_of(pending: Pending) -> Run:
    return pending.chosen.tenant, pending.chosen.run
