"""Prompt lab: weighs experiments, replays recorded cases, and has templates revised that improve themselves.

It is a role, whose tasks are orders (`contracts.v1.prompts.lab_order`), and it is told of the ends of runs and of
deadlines, which is when outcomes are known.
"""

from faststream import FastStream
from pydantic import ValidationError

from contracts.codec import described
from contracts.v1.orders import EvaluatePrompt, lab_order
from contracts.v1.tasks import PerformTask, TaskPerformed
from workers.prompt_lab.evaluating import evaluate
from workers.prompt_lab.improving import Improver
from workers.prompt_lab.replies import RevisionReply
from workers.prompt_lab.revising import revise
from workers.prompt_lab.scorer import Scorer
from workers.runtime.bootstrap import role_service, service_app
from workers.runtime.errors import Impossible, Verdict
from workers.runtime.lease import Delivery
from workers.runtime.role import Job, Role
from workers.runtime.role_service import RoleService
from workers.runtime.service import ACK, Environment
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit


async def perform(task: PerformTask, tools: Toolkit) -> TaskPerformed:
    """Carry out the order that the task's instruction is."""
    try:
        order = lab_order(task.instruction)
    except ValidationError as error:
        faults = "; ".join(f"{place or 'it'}: {why}" for place, why in described(error))
        raise Impossible(f"the instruction is no order to the prompt lab: {faults}; use `flotilla prompts`") from None
    if isinstance(order, EvaluatePrompt):
        return await evaluate(order, task, tools)
    return await revise(order, task, tools)


role = Role(
    name="prompt_lab",
    purpose="Replays recorded cases with versions of a prompt, and revises prompts; for the fleet's own use.",
    jobs=(Job(PerformTask, perform),),
    replies=(RevisionReply,),
)


class PromptLab(RoleService):
    """Does the lab's tasks, and takes in the ends of runs and deadlines."""

    async def start(self, env: Environment) -> None:
        """Called once the broker is connected."""
        await super().start(env)
        assert self._store is not None
        self._scorer = Scorer(env.bus, self._store, metrics=env.metrics)
        self._improver = Improver(env.bus.log, self._store, env.settings.tenant, env.settings.prefix, self.log)

    async def work(self, delivery: Delivery) -> Verdict:
        """Do a task, or score and decide what is known by now."""
        address = await self.address_of(delivery)
        if address is None:
            return Verdict("term")
        if address.noun == "task":
            return await super().work(delivery)
        await self._scorer.heard(address, delivery.stored_at)
        if address.noun in ("run.closed", "decision"):
            await self._improver.closed(address.tenant, address.run)
        return ACK


def prompt_lab(settings: Settings) -> RoleService:
    """The prompt lab with the models and prompts of the settings. Raises `BadModels`."""
    return role_service(role, settings, PromptLab)


def app() -> FastStream:
    """The worker's application."""
    return service_app(prompt_lab)
