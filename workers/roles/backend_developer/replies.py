"""What a model must answer to the backend developer's questions."""

from collections.abc import Callable

from contracts.v1.projects import Module
from workers.roles.reply import Reply, WrittenFile, is_a_test


class ModuleReply(Reply):
    """The files of one module."""

    files: tuple[WrittenFile, ...]
    notes: str = ""

    @staticmethod
    def check_for(module: Module) -> Callable[["ModuleReply"], list[str]]:
        """A check that a reply holds exactly the files of this module."""
        return lambda reply: reply.faults(module)

    def faults(self, module: Module) -> list[str]:
        """What keeps these from being exactly the module's files."""
        written = [file.path for file in self.files]
        missing, extra = sorted(set(module.files) - set(written)), sorted(set(written) - set(module.files))
        faults = [f"missing from module {module.name}: {', '.join(missing)}"] if missing else []
        faults += [f"no part of module {module.name}: {', '.join(extra)}"] if extra else []
        return faults


class RepairReply(Reply):
    """The files that change, whole, and what was wrong."""

    diagnosis: str
    files: tuple[WrittenFile, ...]

    def faults(self) -> list[str]:
        """What a repair may not do: tests are never changed to make them pass."""
        tests = [file.path for file in self.files if is_a_test(file.path)]
        return [f"a repair never changes tests: {', '.join(tests)}"] if tests else []
