"""The worker of a role: lease, command, toolkit, result. The same for every role."""

import asyncio
import json
import os
import socket
from typing import Any

from contracts import subjects
from contracts.codec import decode
from contracts.subjects import Address
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.tasks import Task
from workers.prompting.templates import Prompts
from workers.runtime.errors import Impossible, Verdict
from workers.runtime.lease import Delivery
from workers.runtime.models import Models
from workers.runtime.role import Role
from workers.runtime.service import ACK, Service
from workers.runtime.toolkit import Toolkit
from workers.runtime.topology import live_subject

ANNOUNCE_AFTER_S = 0.2


POISON_LIMIT_FACTOR = 3
"""A task that was handed over this many times the delivery limit may kill its worker before any verdict.

Roles alone give up on that: their task gets another attempt. A fact that the orchestrator gave up ends its run.
"""


class RoleService(Service):
    """Takes one role's tasks, one lease each, and says what came of them."""

    watches_runs = True

    def __init__(self, role: Role, prompts: Prompts, models: Models) -> None:
        super().__init__(role.name)
        self._role, self._prompts, self._models = role, prompts, models
        self._spent: dict[int, tuple[Call, ...]] = {}
        self._saying: set[asyncio.Future[None]] = set()
        self._id = f"{role.name}@{socket.gethostname()}:{os.getpid()}"

    async def work(self, delivery: Delivery) -> Verdict:
        """Do the task, unless its run is over or its result is there already."""
        settings = self.env.settings
        task = decode(delivery.subject, delivery.data, settings.prefix)
        if not isinstance(task, Task):
            raise Impossible(f"{delivery.subject} holds a {type(task).__name__}, which is no task")
        again = delivery.number > 1
        may_be_over = again or self.env.endings.may_concern(task.tenant, task.run, delivery.sequence)
        if may_be_over and await self._is_settled(task, again):
            return ACK
        if delivery.number > settings.delivery_limit * POISON_LIMIT_FACTOR:
            raise RuntimeError(f"handed over {delivery.number} times without an end; it may kill its worker")
        tools = self._tools(task, again)
        announcing = asyncio.get_running_loop().call_later(ANNOUNCE_AFTER_S, self._announce, task)
        try:
            outcome = await self._role.job_for(task).handle(task, tools)
        except Exception:
            self._spent[delivery.sequence] = tools.calls
            raise
        finally:
            announcing.cancel()
        news = (await self.env.bus.log.say(outcome)).news
        self.log.info("task_done", **_named(task), role=self.name, calls=len(outcome.calls), news=news)
        if news:
            self.env.metrics.tasks.labels(self.name, "done").inc()
            self.env.metrics.count_calls(outcome.calls)
        return ACK

    def _tools(self, task: Task, again: bool) -> Toolkit:
        bus, settings = self.env.bus, self.env.settings
        return Toolkit(task, bus.log, bus.artifacts, self._prompts, self._models, settings=settings, redelivered=again)

    async def _is_settled(self, task: Task, again: bool) -> bool:
        if await self.is_closed(task.tenant, task.run):
            return True
        if not again:
            return False
        result = Address(task.tenant, task.run, "result", (task.task,))
        failure = Address(task.tenant, task.run, "failure", (task.task, str(task.attempt)))
        ends = [self.env.bus.log.find(end.subject(self.env.settings.prefix)) for end in (result, failure)]
        return any(await asyncio.gather(*ends))

    def _announce(self, task: Task) -> None:
        """Say on core NATS who works on a task that takes a while; nobody has to listen."""
        subject = live_subject(self.env.settings, task.tenant, task.run, task.task)
        notice = {"state": "working", "worker": self._id, "attempt": task.attempt}
        saying = asyncio.ensure_future(self.env.bus.nc.publish(subject, json.dumps(notice).encode()))
        self._saying.add(saying)
        saying.add_done_callback(self._said)

    def _said(self, saying: "asyncio.Future[None]") -> None:
        self._saying.discard(saying)
        if not saying.cancelled() and (error := saying.exception()) is not None:
            self.log.debug("live_notice_lost", error=repr(error))

    async def failed(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        """Record the failure of an attempt that is over."""
        spent = self._spent.pop(delivery.sequence, ())
        failure = _failure(delivery, verdict, error, spent, self.env.settings.prefix)
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
    delivery: Delivery, verdict: Verdict, error: Exception, spent: tuple[Call, ...], prefix: str
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
            reason=str(error)[:20_000] or type(error).__name__,
            calls=spent,
        )
    except ValueError:
        return None
