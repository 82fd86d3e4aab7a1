"""Test engineer: writes tests from the acceptance criteria; never sees the code."""

from faststream import FastStream

from contracts.v1.tasks import PerformTask, TestsWritten, WriteTests
from workers.roles.performing import PerformReply, performing
from workers.roles.test_engineer.replies import TestsReply
from workers.runtime.bootstrap import role_app
from workers.runtime.role import Job, Role
from workers.runtime.sandbox_facts import sandbox_facts
from workers.runtime.toolkit import Toolkit


async def write_tests(task: WriteTests, tools: Toolkit) -> TestsWritten:
    """Ask for tests of the requirements, through the API that the design states."""
    reply = await tools.ask(
        "test_engineer/tests",
        reply=TestsReply,
        check=TestsReply.faults,
        requirements=task.requirements,
        design=task.design,
        sandbox=sandbox_facts(),
    )
    return tools.report(TestsWritten, files=await tools.save(reply.files), notes=reply.notes)


role = Role(
    name="test_engineer",
    purpose="Writes tests from the acceptance criteria and the design, without seeing the code.",
    jobs=(Job(WriteTests, write_tests), Job(PerformTask, performing("test_engineer/perform"))),
    replies=(TestsReply, PerformReply),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
