"""What the command can't do, in a sentence for the person at the terminal, and the exit code that goes with it.

0  a completed run, or the command did what was asked     2  the command was put wrongly
1  the run failed, was cancelled or refused, or there is  3  no broker could be reached
   nothing to deliver                                     4  the ballot stayed undecided
                                                        130  interrupted
"""


class Complaint(Exception):
    """What went wrong, to what, and what to do. Shown without a traceback."""

    exit_code = 1


class Misused(Complaint):
    """The command was put wrongly; nothing was started."""

    exit_code = 2


class Unreachable(Complaint):
    """No broker answers where one was expected."""

    exit_code = 3

    @classmethod
    def because(cls, error: Exception) -> "Unreachable":
        """A broker that does not do what was asked, with what to do unless the error says so already."""
        said = str(error)
        known = "flotilla provision" in said
        return cls(said if known else f"{said}. Was the broker prepared (`flotilla provision`), and is it up?")


UNDECIDED = 4
INTERRUPTED = 130
