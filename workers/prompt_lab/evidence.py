"""Reading the evidence of experiments: assignments from the log, outcomes from `PROMPTS`, each time as far as they go.

A decision is said by those alone who have read all assignments before each outcome that they take:

    outcomes are read first, then the log         so that the log goes at least as far
    the log is read from the experiment's start   and from an hour before that, as brokers' clocks differ
    an outcome ahead of the log waits             a copy of the log may lag behind; what the log keeps no more is past
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import structlog

from contracts.codec import ContractError, NewerVersion, decode
from contracts.prompt_facts import decode_prompt, prompts_subject, template_token
from contracts.subjects import Address
from contracts.v1.prompts import OutcomeScored, PromptChosen
from workers.prompt_lab.weighing import Weighing
from workers.prompting.template_history import ExperimentRecord
from workers.runtime.ports import Stored

CLOCKS_S = 3_600.0
"""More than the clocks of two brokers ever differ by."""

_logger = structlog.get_logger(__name__)


class Scans(Protocol):
    """A stream that can be read by wildcard."""

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages under a wildcard with a sequence above `after`, in order."""
        ...


class EvidenceReader:
    """Reads experiments from the log and from `PROMPTS`, each time as far as they go. `oldest` tells the sequence of
    the first fact that the log still has, `before` that below the first one under a wildcard since a time, if any."""

    def __init__(
        self,
        log: Scans,
        prompts: Scans,
        oldest: Callable[[], Awaitable[int]],
        prefix: str,
        before: Callable[[str, datetime], Awaitable[int | None]] | None = None,
    ) -> None:
        self._log, self._prompts, self._oldest, self._prefix = log, prompts, oldest, prefix
        self._before = before
        self._read: dict[str, _Reading] = {}

    async def read(self, record: ExperimentRecord) -> Weighing:
        """All that is known of an experiment by now, the same object each time. Raises `BusUnavailable`."""
        reading = self._read.setdefault(record.id, _Reading(record))
        reading.weighing.renew(record)
        started = record.started
        outcomes = prompts_subject(self._prefix, started.role, started.name, "outcome", str(record.k), ">")
        for stored in await self._prompts.scan(outcomes, reading.scored_upto):
            reading.scored_upto = stored.sequence
            self._hear(reading, stored)
        chosen = Address("*", "*", "prompt", ("*", template_token(started.template))).subject(self._prefix)
        for stored in await self._assignments(chosen, reading):
            reading.assigned_upto = stored.sequence
            if (assigned := self._chosen(stored)) is not None:
                reading.weighing.assigned(stored.sequence, stored.at.timestamp(), assigned)
        await self._take_early(reading)
        return reading.weighing

    def forget(self, experiment: str) -> None:
        """Keep nothing of the experiment `role/name/k`, which is over."""
        self._read.pop(experiment, None)

    async def _assignments(self, chosen: str, reading: "_Reading") -> list[Stored]:
        """What the log has beyond what was read."""
        if not reading.assigned_upto and self._before is not None:
            began = datetime.fromtimestamp(reading.weighing.record.at - CLOCKS_S, UTC)
            if (upto := await self._before(chosen, began)) is None:
                return []
            reading.assigned_upto = upto
        return await self._log.scan(chosen, reading.assigned_upto)

    async def _take_early(self, reading: "_Reading") -> None:
        """Take the outcomes as far as the log is read, and those whose assignment it has no more."""
        upto = reading.assigned_upto
        if any(outcome.place > upto for outcome in reading.early.values()):
            upto = max(upto, await self._oldest() - 1)
        for sequence, outcome in tuple(reading.early.items()):
            if outcome.place <= upto or reading.weighing.awaits(outcome):
                reading.weighing.scored(sequence, outcome)
                del reading.early[sequence]

    def _hear(self, reading: "_Reading", stored: Stored) -> None:
        try:
            fact = decode_prompt(stored.subject, stored.data, self._prefix)
        except NewerVersion:
            return
        except ContractError as error:
            _logger.error("spoiled_prompt", subject=stored.subject, sequence=stored.sequence, reason=str(error))
            reading.weighing.spoiled(stored.sequence, "/".join(stored.subject.split(".")[5:]))
            return
        if isinstance(fact, OutcomeScored):
            reading.early[stored.sequence] = fact

    def _chosen(self, stored: Stored) -> PromptChosen | None:
        try:
            fact = decode(stored.subject, stored.data, self._prefix)
        except ContractError:
            return None
        return fact if isinstance(fact, PromptChosen) else None


class _Reading:
    """How far an experiment is read. `early` are outcomes that wait for the log, by sequence."""

    def __init__(self, record: ExperimentRecord) -> None:
        self.weighing = Weighing(record)
        self.scored_upto = self.assigned_upto = 0
        self.early: dict[int, OutcomeScored] = {}
