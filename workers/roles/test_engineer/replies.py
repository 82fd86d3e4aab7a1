"""What a model must answer to the test engineer's questions."""

from workers.roles.reply import Reply, WrittenFile


class TestsReply(Reply):
    """Test files, written from the acceptance criteria."""

    __test__ = False

    files: tuple[WrittenFile, ...]
    notes: str = ""
