"""The orchestrator's shell: facts come in, what they call for goes out. All deciding is in `decider.py`.

A run is cached and caught up by sequence. The consumer numbers its hand-overs over all replicas: as
long as this replica sees each number, nobody else was handed anything, and the cached runs are
complete; after a gap each is read again from the log before it is decided upon. A single replica
need not read at all; several read at each fact, and all of them may decide.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from faststream import FastStream

from contracts import subjects
from contracts.codec import ContractError, Malformed, NewerVersion, NotJson, decode_at
from contracts.message import Command, Message
from contracts.v1.runs import FieldError, RunClosed
from workers.orchestrator.decider import SetTimer, decide
from workers.orchestrator.early_cancels import EarlyCancels
from workers.orchestrator.endings import in_place_of
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run, fold, fold_spoiled
from workers.runtime import topology
from workers.runtime.bootstrap import service_app
from workers.runtime.errors import BusUnavailable, TooLarge, Verdict
from workers.runtime.lease import Delivery
from workers.runtime.ports import Stored
from workers.runtime.roster import briefs
from workers.runtime.service import ACK, Environment, Service
from workers.runtime.settings import Settings

T = TypeVar("T")

CACHED_RUNS = 20_000
UNFOLDED = ("llm", "vote", "ballot")
"""Nouns that no decision of the orchestrator rests on."""

CATCH_UP_TRIES = 40
CATCH_UP_DELAY_S = 0.05


class _Cached:
    """A run as this replica knows it. `upto` is the sequence up to which it is complete, as of `epoch`."""

    def __init__(self, tenant: str, run: str) -> None:
        self.run = Run(tenant, run)
        self.upto, self.epoch = 0, -1
        self.lock = asyncio.Lock()


class Orchestrator(Service):
    """Folds what it is handed into runs and says what they call for."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(topology.ORCHESTRATOR)
        self._policy = policy
        self._runs: OrderedDict[tuple[str, str], _Cached] = OrderedDict()
        self._last_turn, self._epoch = 0, 0

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected."""
        await super().start(env)
        self._early_cancels = EarlyCancels(env.bus.log, env.settings.prefix)

    async def work(self, delivery: Delivery) -> Verdict:
        """Take a fact in and carry out what its run now calls for."""
        if delivery.turn != self._last_turn + 1:
            self._epoch += 1
        self._last_turn = max(self._last_turn, delivery.turn)
        try:
            address = subjects.parse(delivery.subject, self.env.settings.prefix)
        except subjects.NotASubject as error:
            await self.bury(delivery, str(error))
            return Verdict("term")
        cached, epoch = self._cached(address), self._epoch
        begins = cached.upto == 0 and address.noun == "run.requested" and delivery.number == 1
        async with cached.lock:
            if begins:
                cached.epoch = epoch
            elif cached.epoch != self._epoch:
                await self._catch_up(cached, delivery)
            verdict = await self._take_in(cached, address, delivery)
            await self._carry_out(cached)
        if begins:
            await self._heed_early_cancel(cached)
        return verdict

    async def _heed_early_cancel(self, cached: _Cached) -> None:
        """A request that nobody was handed before has nothing before it in the log, unless it is a cancel."""
        tenant, run = cached.run.tenant, cached.run.run
        data = await self._early_cancels.look(tenant, run)
        if data is not None:
            async with cached.lock:
                cached.run = _folded(cached.run, subjects.Address(tenant, run, "run.cancel"), data)
                await self._carry_out(cached)

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """End a run of which a fact had to be given up, so that nobody waits for it in vain."""
        if verdict.settle != "term":
            return
        address = subjects.parse(delivery.subject, self.env.settings.prefix)
        reason = f"the orchestrator could not handle {address.name}: {type(error).__name__}: {error}"[:20_000]
        end = RunClosed(
            tenant=address.tenant, run=address.run, status="failed", reason=reason, evidence_at=address.name
        )
        if (await self.env.bus.log.say(end)).news:
            await self._count_closed(end)

    def _cached(self, address: subjects.Address) -> _Cached:
        key = (address.tenant, address.run)
        found = self._runs.get(key)
        if found is None:
            found = self._runs[key] = _Cached(*key)
            if len(self._runs) > CACHED_RUNS:
                self._forget_oldest()
        return found

    def _forget_oldest(self) -> None:
        for key, cached in self._runs.items():
            if not cached.lock.locked():
                del self._runs[key]
                return

    async def _catch_up(self, cached: _Cached, delivery: Delivery) -> None:
        """Read what the log has of the run beyond what is known here, up to this delivery at least."""
        epoch = self._epoch
        for _ in range(CATCH_UP_TRIES):
            facts = await self.env.bus.log.history(cached.run.tenant, cached.run.run, cached.upto)
            self._fold_stored(cached, facts)
            if cached.upto >= delivery.sequence:
                cached.epoch = epoch
                return
            await asyncio.sleep(CATCH_UP_DELAY_S)
        raise BusUnavailable(f"the log does not show sequence {delivery.sequence} yet; a replica lags behind")

    def _fold_stored(self, cached: _Cached, facts: Sequence[Stored]) -> None:
        for stored in facts:
            # Any client can publish under a run; what is outside of the grammar is nobody's fact.
            with contextlib.suppress(subjects.NotASubject):
                address = subjects.parse(stored.subject, self.env.settings.prefix)
                if address.noun not in UNFOLDED:
                    cached.run = _folded(cached.run, address, stored.data)
            cached.upto = stored.sequence

    async def _take_in(self, cached: _Cached, address: subjects.Address, delivery: Delivery) -> Verdict:
        """Fold the delivered fact. One that does not validate is spoiled: it is buried and its name is burnt."""
        cached.upto = max(cached.upto, delivery.sequence)
        if address.name in cached.run.facts:
            return ACK
        try:
            fact = decode_at(address, delivery.data)
        except NewerVersion:
            raise
        except ContractError as error:
            return await self._spoiled(cached, address, delivery, error)
        cached.run = fold(cached.run, [fact])
        return ACK

    async def _spoiled(
        self, cached: _Cached, address: subjects.Address, delivery: Delivery, error: ContractError
    ) -> Verdict:
        self.log.error("spoiled_fact", subject=delivery.subject, error=str(error))
        cached.run = fold_spoiled(cached.run, address.name)
        if address.noun != "run.requested" or isinstance(error, NotJson):
            await self.bury(delivery, str(error))
        if address.noun == "run.requested":
            await self._say(cached, _refusal(address, error))
        return Verdict("term") if address.noun != "run.requested" else ACK

    async def _carry_out(self, cached: _Cached) -> None:
        """Say what is wanted; when another replica was first with other words, take those in and decide again."""
        as_meant = False
        while not as_meant:
            decision = decide(cached.run, self._policy)
            if not decision.messages:
                return
            run = cached.run
            if decision.timers:
                await self._set_timers(run, decision.timers)
            as_meant = all(await _each(self._say(cached, message) for message in decision.messages))
            if cached.run.is_closed:
                self._runs.pop((run.tenant, run.run), None)

    async def _set_timers(self, run: Run, timers: Iterable[SetTimer]) -> None:
        now = datetime.now(UTC)
        set_timer = self.env.bus.set_timer
        await _each(
            set_timer(run.tenant, run.run, timer.name, now + timedelta(seconds=timer.delay_s)) for timer in timers
        )

    async def _say(self, cached: _Cached, message: Message) -> bool:
        """Say one message and take it in; returns whether what the log now holds is what was meant here."""
        try:
            said = await self.env.bus.log.say(message)
        except TooLarge as error:
            message = in_place_of(cached.run, message, error.size)
            said = await self.env.bus.log.say(message)
        if not said.news and not isinstance(message, Command):
            await self._take_in_theirs(cached, message)
            return False
        cached.run = fold(cached.run, [message])
        if said.news and isinstance(message, RunClosed):
            await self._count_closed(message)
        return True

    async def _count_closed(self, end: RunClosed) -> None:
        """Count an end; where it may have left tasks behind, tell the workers to let go of them."""
        if end.status != "completed":
            await self.env.bus.tell_over(end.tenant, end.run)
        self.env.metrics.runs.labels(end.status).inc()
        self.log.info("run_closed", tenant=end.tenant, run=end.run, status=end.status, reason=end.reason[:500])

    async def _take_in_theirs(self, cached: _Cached, message: Message) -> None:
        subject = subjects.subject_of(message, self.env.settings.prefix)
        stored = await self.env.bus.log.find(subject)
        if stored is None:
            raise BusUnavailable(f"{subject} is taken, but can't be read yet")
        cached.run = _folded(cached.run, subjects.address_of(message), stored.data)


async def _each(publishes: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Publish in order, all in flight at once."""
    waiting = list(publishes)
    return [await waiting[0]] if len(waiting) == 1 else await asyncio.gather(*waiting)


def _folded(run: Run, address: subjects.Address, data: bytes) -> Run:
    try:
        return fold(run, [decode_at(address, data)])
    except NewerVersion:
        raise
    except ContractError:
        return fold_spoiled(run, address.name)


def _refusal(address: subjects.Address, error: ContractError) -> RunClosed:
    errors: Iterable[tuple[str, str]] = error.errors if isinstance(error, Malformed) else ()
    return RunClosed(
        tenant=address.tenant,
        run=address.run,
        status="refused",
        reason=f"the request does not validate: {error}"[:20_000],
        errors=tuple(FieldError(field=field, message=message) for field, message in errors),
    )


def orchestrator(settings: Settings) -> Orchestrator:
    """The orchestrator with the limits and roles of the settings."""
    return Orchestrator(
        Policy(
            roles=briefs(settings),
            run_deadline_s=settings.run_deadline_s,
            task_deadline_s=settings.task_deadline_s,
            max_attempts=settings.max_attempts,
            max_repairs=settings.max_repairs,
            max_tasks=settings.max_tasks,
        )
    )


def app() -> FastStream:
    """The worker's application."""
    return service_app(orchestrator)
