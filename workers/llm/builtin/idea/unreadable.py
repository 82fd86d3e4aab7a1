"""The refusal of an idea: which part can't be read, and what could be done instead."""

EXAMPLE = (
    "Describe what to keep records of, for example: «Build a library service that tracks books (title, author, "
    "ISBN unique, price as money) and members with a required e-mail; each book belongs to a member»."
)

RECORDS_HINT = (
    "I can only build services that keep records: kinds of things, their fields and the relations between them. "
    "Leave this part out, or say it as a kind, a field or a relation."
)


class Unreadable(Exception):
    """`problem` names the part of the idea; `suggestion` says what could be built instead."""

    def __init__(self, problem: str, suggestion: str = EXAMPLE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.suggestion = suggestion
