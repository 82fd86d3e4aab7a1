"""The orchestrator's shell: facts come in, what they call for goes out. All deciding is in `decider.py`.

A single replica need not read the log at all (`runtime/known_runs.py`); several read a run at each of its
facts, and all of them may decide: what is said twice is kept once.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from faststream import FastStream

from contracts import subjects
from contracts.codec import ContractError, Malformed, NewerVersion, NotJson, decode_at
from contracts.message import Command, Message
from contracts.v1.ballots import BallotOpened
from contracts.v1.runs import FieldError, RunClosed
from workers.consensus.learned import Learned
from workers.orchestrator.configured import policy_of
from workers.orchestrator.decider import SetTimer, decide
from workers.orchestrator.early_cancels import EarlyCancels
from workers.orchestrator.endings import in_place_of
from workers.orchestrator.known_runs import FoldedRun
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run, fold, fold_spoiled
from workers.runtime import topology
from workers.runtime.bootstrap import service_app
from workers.runtime.errors import TooLarge, Verdict
from workers.runtime.known_runs import KnownRuns
from workers.runtime.lease import Delivery
from workers.runtime.service import ACK, Environment, Service
from workers.runtime.settings import Settings
from workers.runtime.tracing import Origin

T = TypeVar("T")


class Orchestrator(Service):
    """Folds what it is handed into runs and says what they call for."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(topology.ORCHESTRATOR)
        self._policy = policy

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected."""
        await super().start(env)
        self._runs = KnownRuns(env.bus.log, env.settings.prefix, FoldedRun)
        self._early_cancels = EarlyCancels(env.bus.log, env.settings.prefix)
        self._learned = Learned(env.bus.log, env.settings.prefix)

    async def work(self, delivery: Delivery) -> Verdict:
        """Take a fact in and carry out what its run now calls for."""
        self._runs.take_turn(delivery.turn)
        address = await self.address_of(delivery)
        if address is None:
            return Verdict("term")
        known, epoch = self._runs.named(address.tenant, address.run), self._runs.epoch
        begins = known.upto == 0 and address.noun == "run.requested" and delivery.number == 1
        async with known.lock:
            if begins:
                known.epoch = epoch
            await self._runs.catch_up(known, delivery, epoch)
            if address.noun == "run.requested":
                known.origin = Origin(*known.key, delivery.traceparent, delivery.stored_at)
            with self.env.bus.tracing.run(known.origin):
                verdict = await self._take_in(known, address, delivery)
                await self._carry_out(known, again=delivery.number > 1)
        if address.noun == "run.requested":
            await self._heed_early_cancel(known)
        return verdict

    async def _heed_early_cancel(self, known: FoldedRun) -> None:
        """A request that nobody was handed before has nothing before it in the log, unless it is a cancel.

        It is looked for again when the request comes again: whoever had it may not have got as far as this.
        """
        data = await self._early_cancels.look(*known.key)
        if data is not None:
            async with known.lock:
                known.fold_stored(subjects.Address(*known.key, "run.cancel"), data)
                with self.env.bus.tracing.run(known.origin):
                    await self._carry_out(known)

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """End a run of which a fact had to be given up, so that nobody waits for it in vain."""
        if verdict.settle != "term":
            return
        address = subjects.parse(delivery.subject, self.env.settings.prefix)
        reason = f"the orchestrator could not handle {address.name}: {type(error).__name__}: {error}"[:20_000]
        end = RunClosed(
            tenant=address.tenant, run=address.run, status="failed", reason=reason, evidence_at=address.name
        )
        known = self._runs.named(address.tenant, address.run)
        with self.env.bus.tracing.run(known.origin):
            news = (await self.env.bus.log.say(end)).news
        self._runs.forget(known)  # what is known of it lacks its end
        if news:
            await self._count_closed(end)

    async def _take_in(self, known: FoldedRun, address: subjects.Address, delivery: Delivery) -> Verdict:
        """Fold the delivered fact. One that does not validate is spoiled: it is buried and its name is burnt."""
        known.upto = max(known.upto, delivery.sequence)
        if address.name in known.run.facts:
            return ACK
        try:
            fact = decode_at(address, delivery.data)
        except NewerVersion:
            raise
        except ContractError as error:
            return await self._spoiled(known, address, delivery, error)
        known.run = fold(known.run, [fact])
        return ACK

    async def _spoiled(
        self, known: FoldedRun, address: subjects.Address, delivery: Delivery, error: ContractError
    ) -> Verdict:
        self.log.error("spoiled_fact", subject=delivery.subject, error=str(error))
        known.run = fold_spoiled(known.run, address.name)
        if address.noun != "run.requested" or isinstance(error, NotJson):
            await self.bury(delivery, str(error))
        if address.noun == "run.requested":
            await self._say(known, _refusal(address, error))
        return Verdict("term") if address.noun != "run.requested" else ACK

    async def _carry_out(self, known: FoldedRun, again: bool = False) -> None:
        """Say what is wanted; when another replica was first with other words, take those in and decide again."""
        as_meant = False
        while not as_meant:
            run, decision = known.run, decide(known.run, self._policy, again)
            timers = [self._set_timer(run, timer, again) for timer in decision.timers]
            said = await _each([*timers, *(self._say(known, message) for message in decision.messages)])
            as_meant = all(said)
        if known.run.is_closed:
            self._runs.forget(known)

    async def _set_timer(self, run: Run, timer: SetTimer, again: bool) -> bool:
        at = datetime.now(UTC) + timedelta(seconds=timer.delay_s)
        await self.env.bus.set_timer(run.tenant, run.run, timer.name, at, unless_set=again)
        return True

    async def _say(self, known: FoldedRun, message: Message) -> bool:
        """Say one message and take it in; returns whether what the log now holds is what was meant here."""
        if isinstance(message, BallotOpened) and message.rule == "weighted":
            voters = await self._learned.by_now(message.tenant)
            message = message.model_copy(update={"weights": voters.weights(message.electorate)})
        try:
            said = await self.env.bus.log.say(message)
        except TooLarge as error:
            message = in_place_of(known.run, message, error.size)
            said = await self.env.bus.log.say(message)
        if not said.news and not isinstance(message, Command):
            await self._take_in_theirs(known, message)
            return False
        known.run = fold(known.run, [message])
        if said.news and isinstance(message, RunClosed):
            await self._count_closed(message)
        return True

    async def _count_closed(self, end: RunClosed) -> None:
        """Count an end; where it may have left tasks behind, tell the workers to let go of them."""
        if end.status != "completed":
            await self.env.bus.tell_over(end.tenant, end.run)
        self.env.metrics.runs.labels(end.status).inc()
        self.log.info("run_closed", tenant=end.tenant, run=end.run, status=end.status, reason=end.reason[:500])

    async def _take_in_theirs(self, known: FoldedRun, message: Message) -> None:
        stored = await self.env.bus.log.taken_by(message)
        known.fold_stored(subjects.address_of(message), stored.data)


async def _each(publishes: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Publish in order, all in flight at once."""
    return [await publishes[0]] if len(publishes) == 1 else await asyncio.gather(*publishes)


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
    """The orchestrator with the limits, roles and blueprint of the settings. Raises `BadModels` and `BadBlueprint`."""
    return Orchestrator(policy_of(settings))


def app() -> FastStream:
    """The worker's application."""
    return service_app(orchestrator)
