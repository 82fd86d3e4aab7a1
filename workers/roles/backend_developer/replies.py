"""What a model must answer to the backend developer's questions."""

from workers.roles.reply import Reply, WrittenFile


class ModuleReply(Reply):
    """The files of one module."""

    files: tuple[WrittenFile, ...]
    notes: str = ""


class RepairReply(Reply):
    """The files that change, whole, and what was wrong."""

    diagnosis: str
    files: tuple[WrittenFile, ...]
