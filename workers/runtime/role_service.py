"""The worker of a role: lease, command, toolkit, result. The same for every role."""

import asyncio
import math
import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.contextvars import bound_contextvars

from contracts import subjects
from contracts.codec import decode
from contracts.message import Message
from contracts.subjects import Address
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.tasks import Outcome, Task
from contracts.v1.waits import TaskWaits
from workers.llm.calls import Caller, Parked
from workers.llm.failures import writable
from workers.prompting.templates import Prompts
from workers.runtime.errors import Impossible, TaskEnded, Verdict
from workers.runtime.lease import Delivery
from workers.runtime.live import LiveTask
from workers.runtime.prompt_store import PromptStore
from workers.runtime.role import Role
from workers.runtime.service import ACK, Environment, Service
from workers.runtime.toolkit import Toolkit
from workers.runtime.topology import live_subject

ANNOUNCE_AFTER_S = 0.2

POISON_LIMIT_FACTOR = 3
"""A task that was handed over this many times the delivery limit may kill its worker before any verdict, unless it
was put back to wait.

Roles alone give up on that: their task gets another attempt. A fact that the orchestrator gave up ends its run.
"""

Callers = Callable[[Environment], Caller]
"""Makes what a worker reaches models by, once its bus is there."""


class RoleService(Service):
    """Takes one role's tasks, one lease each, and says what came of them."""

    watches_runs = True
    told_elsewhere = (Parked, TaskEnded)

    def __init__(self, role: Role, prompts: Prompts, callers: Callers) -> None:
        super().__init__(role.name)
        self._caller: Caller | None = None
        self._store: PromptStore | None = None
        self._role, self._prompts, self._callers = role, prompts, callers
        self._reporting: set[asyncio.Task[bool]] = set()
        self._spent: dict[int, tuple[Call, ...]] = {}
        self._id = f"{role.name}@{socket.gethostname()}:{os.getpid()}"

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected."""
        await super().start(env)
        bus = env.bus
        self._store = PromptStore(bus.nc, bus.publisher, self._prompts, env.settings.prefix)
        await self._store.start()
        self._caller = self._callers(env)

    async def stop(self) -> None:
        """Called when no delivery is held any more."""
        if self._store is not None:
            await self._store.stop()
        if self._caller is not None:
            await self._caller.close()

    async def handle(self, delivery: Delivery) -> Verdict:
        """Work on a delivery; what is said meanwhile stands below the attempt's span."""
        with self.env.bus.tracing.task(delivery):
            return await super().handle(delivery)

    async def work(self, delivery: Delivery) -> Verdict:
        """Do the task, unless its run is over or its result is there already."""
        settings = self.env.settings
        task = decode(delivery.subject, delivery.data, settings.prefix)
        if not isinstance(task, Task):
            raise Impossible(f"{delivery.subject} holds a {type(task).__name__}, which is no task")
        again = delivery.number > 1
        may_be_over = again or self.env.endings.may_concern(task.tenant, task.run, delivery.sequence)
        if task.wanted_until and await self._is_unwanted(task):
            return ACK
        if may_be_over and await self._is_settled(task, again):
            return ACK
        waited = again and await self._has_waited(task)
        if delivery.number > settings.delivery_limit * POISON_LIMIT_FACTOR and not waited:
            raise RuntimeError(f"handed over {delivery.number} times without an end; it may kill its worker")
        live = self._live(task)
        deadline = math.inf if waited or not task.deadline_s else delivery.stored_at + task.deadline_s
        tools = self._tools(task, again, deadline, live)
        live.announce_after(ANNOUNCE_AFTER_S)
        try:
            with bound_contextvars(**_named(task)):  # for lines of the log that know only of a call
                outcome = await self._role.job_for(task).handle(task, tools)
            news = await self._report(tools.first, outcome)
        except Parked as parked:
            await self._say_wait(task, parked)
            raise
        except Exception:
            self._spent[delivery.sequence] = tools.calls
            raise
        finally:
            live.end()
        self.log.info("task_done", **_named(task), role=self.name, calls=len(outcome.calls), news=news)
        if news:
            self.env.metrics.tasks.labels(self.name, "done").inc()
            self.env.metrics.count_calls(outcome.calls)
        return ACK

    async def _report(self, first: Sequence[Message], outcome: Outcome) -> bool:
        """Say the result, after the facts that belong before it; returns whether it was news.

        What they set off may end the work on this very task, as a vote does that decides: that comes too late here.
        """
        if not first:
            return (await self.env.bus.log.say(outcome)).news
        reporting = asyncio.create_task(self._say_all(first, outcome))
        self._reporting.add(reporting)
        reporting.add_done_callback(self._reporting.discard)
        return await asyncio.shield(reporting)

    async def _say_all(self, first: Sequence[Message], outcome: Outcome) -> bool:
        # All in flight at once, in this order: nothing that a fact sets off, such as the packing of a released project,
        # may come into the log before the result, which tells what the work has cost.
        *_, said = await asyncio.gather(*(self.env.bus.log.say(message) for message in (*first, outcome)))
        return said.news

    def _tools(self, task: Task, again: bool, deadline: float, live: LiveTask) -> Toolkit:
        bus, settings = self.env.bus, self.env.settings
        assert self._caller is not None
        return Toolkit(
            task,
            bus.log,
            bus.artifacts,
            self._prompts,
            self._caller,
            settings=settings,
            redelivered=again,
            deadline=deadline,
            heard=live.heard,
            store=self._store,
        )

    async def _is_settled(self, task: Task, again: bool) -> bool:
        if await self.is_closed(task.tenant, task.run):
            if again and self.env.bus.tracing.on and not await self._is_reported(task):
                self.env.bus.tracing.dropped()
            return True
        return again and await self._is_reported(task) and not await self._owes_a_fact(task)

    async def _owes_a_fact(self, task: Task) -> bool:
        """Whether the fact is missing that belongs before the result; the broker may have refused only that."""
        if not task.committed_by:
            return False
        noun, *names = task.committed_by
        fact = Address(task.tenant, task.run, noun, tuple(names))
        return await self.env.bus.log.find(fact.subject(self.env.settings.prefix)) is None

    async def _is_unwanted(self, task: Task) -> bool:
        """Whether nobody wants the result any more, and nothing of it was said: a decision fell without this voter."""
        facts = [
            Address(task.tenant, task.run, noun, tuple(names)).subject(self.env.settings.prefix)
            for noun, *names in (task.wanted_until, task.committed_by)
        ]
        there = [stored.subject for stored in await self.env.bus.log.find_all(facts)]
        return there == facts[:1]

    async def _is_reported(self, task: Task) -> bool:
        result = Address(task.tenant, task.run, "result", (task.task,))
        failure = Address(task.tenant, task.run, "failure", (task.task, str(task.attempt)))
        ends = [self.env.bus.log.find(end.subject(self.env.settings.prefix)) for end in (result, failure)]
        return any(await asyncio.gather(*ends))

    async def _has_waited(self, task: Task) -> bool:
        """Whether this attempt was put back to wait: then its deadline is not counted, nor how often it came."""
        waits = Address(task.tenant, task.run, "wait", (task.task, str(task.attempt), "*", "*"))
        return bool(await self.env.bus.log.scan(waits.subject(self.env.settings.prefix)))

    async def _say_wait(self, task: Task, parked: Parked) -> None:
        """Record for what a task waits; the log keeps the first of each call."""
        until = datetime.now(UTC) + timedelta(seconds=parked.delay_s)
        wait = TaskWaits(
            tenant=task.tenant,
            run=task.run,
            role=self.name,
            task=task.task,
            attempt=task.attempt,
            n=int(parked.call.rpartition(".")[2]),
            what=parked.what,
            reason=self.env.clean(parked.reason),
            until=until,
        )
        if (await self.env.bus.log.say(wait)).news:
            self.log.warning("task_waits", **_named(task), role=self.name, what=parked.what, reason=parked.reason)
            self.env.metrics.waits.labels(self.name, parked.what).inc()

    def _live(self, task: Task) -> LiveTask:
        subject = live_subject(self.env.settings, task.tenant, task.run, task.task)
        return LiveTask(self.env.bus.nc.publish, subject, {"worker": self._id, "attempt": task.attempt})

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """Record the failure of an attempt that is over."""
        spent = self._spent.pop(delivery.sequence, ())
        reason = writable(self.env.clean(str(error))) or type(error).__name__
        failure = _failure(delivery, verdict, reason, spent, self.env.settings.prefix)
        if failure is None:
            return
        self.log.warning(
            "task_failed",
            tenant=failure.tenant,
            run=failure.run,
            task=failure.task,
            attempt=failure.attempt,
            role=self.name,
            error=failure.error,
            retry=failure.retry,
            reason=failure.reason[:500],
        )
        if (await self.env.bus.log.say(failure)).news:
            self.env.metrics.tasks.labels(self.name, failure.error).inc()
            self.env.metrics.count_calls(spent)


def _named(task: Task) -> dict[str, Any]:
    return {"tenant": task.tenant, "run": task.run, "task": task.task, "attempt": task.attempt}


def _failure(
    delivery: Delivery, verdict: Verdict, reason: str, spent: tuple[Call, ...], prefix: str
) -> TaskFailed | None:
    """The failure of the attempt that the subject names; None when nothing is over, or the subject names no attempt."""
    if verdict.failure is None:
        return None
    try:
        address = subjects.parse(delivery.subject, prefix)
        role, task, attempt = address.names
        return TaskFailed(
            tenant=address.tenant,
            run=address.run,
            role=role,
            task=task,
            attempt=int(attempt),
            error=verdict.failure,
            retry=verdict.retry,
            reason=reason[:20_000],
            calls=spent,
        )
    except ValueError:
        return None
