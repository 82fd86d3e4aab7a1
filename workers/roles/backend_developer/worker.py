"""Backend developer: writes one module of a design, and mends what tests and reviews show."""

from typing import Any

from faststream import FastStream

from contracts.v1.tasks import BuildModule, ModuleBuilt, PerformTask, ProjectRepaired, RepairProject
from workers.roles.backend_developer.replies import ModuleReply, RepairReply
from workers.roles.evidence import shown
from workers.roles.performing import PerformReply, performing
from workers.runtime.bootstrap import role_app
from workers.runtime.role import Job, Role
from workers.runtime.sandbox_facts import sandbox_facts
from workers.runtime.toolkit import Toolkit


async def build(task: BuildModule, tools: Toolkit) -> ModuleBuilt:
    """Write exactly the files of the module."""
    project: Any = {"requirements": task.requirements, "design": task.design, "sandbox": sandbox_facts()}
    check = ModuleReply.check_for(task.module)
    reply = await tools.ask("backend_developer/module", reply=ModuleReply, check=check, **project, module=task.module)
    return tools.report(ModuleBuilt, files=await tools.save(reply.files), notes=reply.notes)


async def repair(task: RepairProject, tools: Toolkit) -> ProjectRepaired:
    """Change what has to change, anywhere but in the tests."""
    project: Any = {"requirements": task.requirements, "design": task.design, "files": await tools.load(task.files)}
    seen: Any = {"evidence": shown(task.evidence) if task.evidence else None, "findings": task.findings}
    reply = await tools.ask("backend_developer/repair", reply=RepairReply, check=RepairReply.faults, **project, **seen)
    return tools.report(ProjectRepaired, files=await tools.save(reply.files), diagnosis=reply.diagnosis)


jobs = (Job(BuildModule, build), Job(RepairProject, repair), Job(PerformTask, performing("backend_developer/perform")))
replies = (ModuleReply, RepairReply, PerformReply)
role = Role("backend_developer", "Writes the modules of a design, and repairs a project.", jobs, replies)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
