"""Improving: what the lab does about templates that improve themselves, whenever a run is over.

a run of somebody            it may hold the failure that makes it time for a revision: ask for the run that tries one
the run of an attempt        say what came of it, and start the experiment if it has passed the gate

All of it is decided from facts and said under names that are used once (`trigger.py`), so any number of replicas may be
told the same, and one that dies on the way leaves nothing half-done: whoever is told next goes on from there.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum
from typing import Any

from pydantic import ValidationError

from contracts.subjects import Address
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import RevisionTried
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import TaskPerformed
from workers.prompt_lab.gate import judged
from workers.prompt_lab.outcomes import Facts, of_kind, readable
from workers.prompt_lab.trials import Trials
from workers.prompt_lab.trigger import (
    LAB,
    Trial,
    obstacle,
    order_for,
    run_of,
    untried,
    wanted_experiment,
    wants_revision,
)
from workers.prompting.errors import PromptConflict
from workers.prompting.template_history import TemplateHistory
from workers.runtime.bus import JetStreamLog
from workers.runtime.prompt_store import PromptStore


class Improver:
    """Asks for revisions and carries on what came of them. `tenant` is whose runs the attempts are."""

    def __init__(self, log: JetStreamLog, store: PromptStore, tenant: str, prefix: str, logger: Any) -> None:
        self._log, self._store, self._tenant, self._prefix, self._logger = log, store, tenant, prefix, logger
        self._trials = Trials(log, prefix)

    async def closed(self, tenant: str, run: str) -> None:
        """Take in that a run is over. Raises `BusUnavailable`."""
        store = await self._store.fresh()
        for template in store.names():
            history = store.of(template)
            if history.improvement is None:
                continue
            if tenant == self._tenant and (n := _number(template, run)):
                await self._settle(template, n)
            elif history.improvement.on:
                await self._consider(history, tenant, run)

    async def _consider(self, history: TemplateHistory, tenant: str, run: str) -> None:
        """Ask for a revision if this run has brought the failure that was lacking."""
        template, prompt = history.template, self._store.live(history.template)
        if prompt is None or history.improvement is None:
            return
        if untried(history, prompt.version):
            await self._start(template)
        if obstacle(history, prompt.version):
            return
        metric = history.improvement.metric
        here = await self._trials.in_run(tenant, run, template, prompt.version, metric)
        if all(trial.won is not False for trial in here):
            return
        if await self._place(template, history.next_revision, "run.requested"):
            if await self._place(template, history.next_revision, "run.closed"):
                await self._settle(template, history.next_revision)  # whoever was told of its end did not come so far
            return
        await self._ask(template, await self._trials.of(template, prompt.version, metric))

    async def _ask(self, template: str, trials: Sequence[Trial]) -> None:
        await self._store.refresh()
        history, prompt = self._store.of(template), self._store.live(template)
        since = await self._place(template, history.next_revision - 1, "run.requested")
        wanted = prompt and wants_revision(history, prompt.version, trials, since, self._tenant)
        if wanted and (await self._log.say(wanted)).news:
            self._logger.info("revision_asked_for", prompt=template, tenant=wanted.tenant, run=wanted.run)

    async def _settle(self, template: str, n: int) -> None:
        """Say what came of an attempt whose run is over, and go on with it."""
        await self._store.refresh()
        history, prompt = self._store.of(template), self._store.live(template)
        if n == history.next_revision and prompt is not None:  # anybody may name a run as one that is not due yet
            facts = readable(await self._log.history(self._tenant, run_of(template, n)), self._prefix)
            tried = tried_in(facts, history, n, self._tenant, prompt.version)
            if tried is not None and await self._store.say(tried):
                self._logger.info(
                    "revision_tried", prompt=template, n=n, candidate=tried.candidate, cost=tried.cost_usd
                )
        await self._start(template)

    async def _start(self, template: str) -> None:
        """Start the experiment that the last revision calls for."""
        history, prompt = self._store.of(template), self._store.live(template)
        try:
            wanted = prompt and wanted_experiment(history, prompt.version)
        except PromptConflict as conflict:
            self._logger.warning("revision_not_compared", prompt=template, reason=str(conflict))
            return
        if wanted and await self._store.say(wanted):
            self._logger.info("experiment_started", prompt=template, k=wanted.k, candidate=wanted.candidate)

    async def _place(self, template: str, n: int, noun: str) -> int:
        """Where in the log that fact of the attempt's run is; 0 if it is not there."""
        if n < 1:
            return 0
        stored = await self._log.find(Address(self._tenant, run_of(template, n), noun).subject(self._prefix))
        return stored.sequence if stored else 0


def _number(template: str, run: str) -> int:
    """Which attempt at the template the run is; 0 for none."""
    number = run.rpartition("-")[2]
    n = int(number) if number.isdecimal() and len(number) <= 6 else 0
    return n if n and run_of(template, n) == run else 0


def tried_in(facts: Facts, history: TemplateHistory, n: int, tenant: str, live: str) -> RevisionTried | None:
    """What came of an attempt, by the facts of its run; None as long as that is not over. Pure.

    The cost is by the journal: what a task spent that never came to an end is in no result.
    """
    closed = next(of_kind(facts, RunClosed), None)
    if closed is None:
        return None
    template, run = history.template, run_of(history.template, n)
    plain = RevisionTried(
        role=history.role,
        name=history.name,
        by=LAB,
        n=n,
        tenant=tenant,
        run=run,
        of=live,
        cost_usd=_cost(facts, closed),
    )
    if not _is_ours(facts, template, n):
        return plain.model_copy(update={"reason": "another run had taken the name of its run", "cost_usd": 0.0})
    told = _reported(facts)
    if told is None or (told.template, told.n, told.run) != (template, n, run):
        why = f"the run was {closed.status}: {closed.reason}" if closed.reason else f"the run was {closed.status}"
        return plain.model_copy(update={"reason": why[:20_000]})
    gate = told.gate and judged(told.gate.cases, told.gate.live, told.gate.candidate)
    candidate = told.candidate if told.candidate in history.versions else None
    tried = plain.model_copy(update={"of": told.of, "candidate": candidate, "reason": told.reason, "gate": gate})
    return tried.model_copy(update={"experiment": _experiment_of(history, tried, live)})


def _experiment_of(history: TemplateHistory, tried: RevisionTried, live: str) -> int | None:
    """The number of the experiment that follows at once."""
    try:
        wanted = wanted_experiment(replace(history, revisions=(*history.revisions, tried)), live)
    except PromptConflict:
        return None
    return wanted.k if wanted else None


def _is_ours(facts: Facts, template: str, n: int) -> bool:
    """Whether the run is the one that the lab asks for; anybody may use a name."""
    request = next(of_kind(facts, RunRequested), None)
    tasks = request.plan.tasks if request and request.plan else ()
    return [(task.role, task.instruction) for task in tasks] == [(LAB, order_for(template, n))]


def _reported(facts: Facts) -> RevisionTried | None:
    for result in of_kind(facts, TaskPerformed):
        try:
            return RevisionTried.model_validate_json(result.output)
        except ValidationError:
            continue
    return None


def _cost(facts: Facts, closed: RunClosed) -> float | None:
    costs = [call.cost_usd for call in of_kind(facts, ModelCalled)]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or closed.spent.cost_usd is None:
        return None
    return max(round(fsum(known), 9), closed.spent.cost_usd)
