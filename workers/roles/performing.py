"""Tasks that are an instruction and nothing more: what any role makes of one, by a template of its own.

Whoever needs the task is handed its output and its files, and sees nothing else of it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import Field

from contracts.v1.tasks import Input, PerformTask, TaskPerformed
from workers.roles.reply import Reply, WrittenFile
from workers.runtime.toolkit import Toolkit


class PerformReply(Reply):
    """What came of an instruction: in words, and in files where it asked for some."""

    output: Annotated[str, Field(min_length=1, max_length=20_000)]
    files: tuple[WrittenFile, ...] = ()

    def faults(self) -> list[str]:
        """What keeps this from being of use to those who need it."""
        twice = [path for path, count in Counter(file.path for file in self.files).items() if count > 1]
        faults = [f"files: {path} is there more than once" for path in twice]
        return faults if self.output.strip() else ["output: says nothing", *faults]


def performing(template: str) -> Callable[[PerformTask, Toolkit], Awaitable[TaskPerformed]]:
    """What does such a task by this template, which takes `idea`, `instruction` and `inputs`."""

    async def perform(task: PerformTask, tools: Toolkit) -> TaskPerformed:
        """Ask for what the instruction wants of what there is."""
        given: dict[str, Any] = {"idea": task.idea, "instruction": task.instruction}
        inputs = [await _read(one, tools) for one in task.inputs]
        reply = await tools.ask(template, reply=PerformReply, check=PerformReply.faults, **given, inputs=inputs)
        return tools.report(TaskPerformed, files=await tools.save(reply.files), output=reply.output)

    return perform


async def _read(given: Input, tools: Toolkit) -> dict[str, Any]:
    """What an earlier task said, and the files that it wrote."""
    return {"task": given.task, "output": given.output, "files": await tools.load(given.files)}
