"""Trials: tasks that were given a version of a template, and how they went, read from the log.

A trial counts once its run is over. What a run says then stays so, and is read once.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.prompt_facts import template_token
from contracts.subjects import Address, run_filter
from contracts.v1.prompts import Metric, PromptChosen
from contracts.v1.tasks import Outcome
from workers.prompt_lab.cases import Record, present
from workers.prompt_lab.outcomes import Facts, of_kind, outcome_of, readable
from workers.prompt_lab.trigger import Trial
from workers.runtime.ports import Stored

LOOKED_AT = 500
"""Tasks of a version that are looked at, the newest ones."""

MOST_KEPT = 20_000


class _Key(NamedTuple):
    tenant: str
    run: str
    task: str
    template: str
    version: str
    metric: Metric


@dataclass
class _Newest:
    """The last tasks that were given a version, by what the log had up to a sequence."""

    version: str
    upto: int = 0
    chosen: deque[PromptChosen] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))


class Trials:
    """The trials of all templates; those that were read before are not read again."""

    def __init__(self, log: Record, prefix: str) -> None:
        self._log, self._prefix = log, prefix
        self._known: dict[_Key, Trial] = {}
        self._newest: dict[str, _Newest] = {}

    async def in_run(self, tenant: str, run: str, template: str, version: str, metric: Metric) -> list[Trial]:
        """Those of one run, if it is over. Raises `BusUnavailable`."""
        chosen = await self._chosen(Address(tenant, run, "prompt", ("*", template_token(template))), template, version)
        return await self._of_runs(chosen, metric)

    async def of(self, template: str, version: str, metric: Metric, before: float = math.inf) -> list[Trial]:
        """The newest ones of all runs that are over, in the order of the log. Raises `BusUnavailable`.

        With `before` only what the log had below that sequence counts: then it is the same whenever it is asked.
        """
        if before == math.inf:
            chosen = await self._newest_of(template, version)
        else:
            chosen = (await self._chosen(_everywhere(template), template, version, before))[-LOOKED_AT:]
        return [trial for trial in await self._of_runs(chosen, metric) if trial.known < before]

    async def _newest_of(self, template: str, version: str) -> list[PromptChosen]:
        """The last tasks that were given the version; only what came since the last time is read."""
        newest = self._newest.get(template)
        if newest is None or newest.version != version:
            newest = self._newest[template] = _Newest(version)
        stored = await self._log.scan(_everywhere(template).subject(self._prefix), newest.upto)
        newest.chosen.extend(self._of_version(stored, template, version))
        newest.upto = stored[-1].sequence if stored else newest.upto
        return list(newest.chosen)

    async def _chosen(
        self, where: Address, template: str, version: str, before: float = math.inf
    ) -> list[PromptChosen]:
        stored = [one for one in await self._log.scan(where.subject(self._prefix)) if one.sequence < before]
        return self._of_version(stored, template, version)

    def _of_version(self, stored: Iterable[Stored], template: str, version: str) -> list[PromptChosen]:
        chosen = of_kind(readable(stored, self._prefix), PromptChosen)
        return [fact for fact in chosen if fact.prompt == template and fact.prompt_version == version]

    async def _of_runs(self, chosen: list[PromptChosen], metric: Metric) -> list[Trial]:
        keys = {_key(fact, metric): fact for fact in chosen}
        if len(self._known) > MOST_KEPT:
            self._known.clear()
        unknown = [fact for key, fact in keys.items() if key not in self._known]
        ends = await self._ends({(fact.tenant, fact.run) for fact in unknown})
        for (tenant, run), end in ends.items():
            facts = readable(await self._log.scan(run_filter(tenant, run, self._prefix)), self._prefix)
            for fact in unknown:
                if (fact.tenant, fact.run) == (tenant, run):
                    self._known[_key(fact, metric)] = _trial(facts, fact, metric, end)
        return [self._known[key] for key in keys if key in self._known]

    async def _ends(self, runs: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Where in the log those runs have ended that are over. A run that is only a ballot ends as that is decided."""
        found = await self._named("run.closed", runs)
        left = runs - set(found)
        for run in left - set(await self._named("run.requested", left)):
            if decided := await self._log.scan(Address(*run, "decision", ("*",)).subject(self._prefix)):
                found[run] = decided[-1].sequence
        return found

    async def _named(self, noun: str, runs: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Those of the runs that have such a fact, and where it is."""
        subjects = [Address(*run, noun).subject(self._prefix) for run in sorted(runs)]
        found: dict[tuple[str, str], int] = {}
        for stored in await present(self._log, subjects):
            tenant, run = stored.subject.split(".")[1:3]
            found[tenant, run] = stored.sequence
        return found


def _everywhere(template: str) -> Address:
    return Address("*", "*", "prompt", ("*", template_token(template)))


def _key(fact: PromptChosen, metric: Metric) -> _Key:
    return _Key(fact.tenant, fact.run, fact.task, fact.prompt, fact.prompt_version, metric)


def _trial(facts: Facts, chosen: PromptChosen, metric: Metric, known: int) -> Trial:
    answered = any(isinstance(fact, Outcome) and fact.task == chosen.task for _, fact in facts)
    return Trial(
        chosen.tenant, chosen.run, chosen.task, known, outcome_of(facts, chosen, metric).won, answered=answered
    )
