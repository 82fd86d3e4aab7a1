"""What a model must answer to the test engineer's questions."""

from workers.roles.reply import Reply, WrittenFile, in_tests_folder


class TestsReply(Reply):
    """Test files, written from the acceptance criteria."""

    __test__ = False

    files: tuple[WrittenFile, ...]
    notes: str = ""

    def faults(self) -> list[str]:
        """What keeps these from being tests and nothing else."""
        outside = [file.path for file in self.files if not in_tests_folder(file.path)]
        faults = [f"only files under tests/ are wanted: {', '.join(outside)}"] if outside else []
        return faults if self.files else ["there are no test files"]
