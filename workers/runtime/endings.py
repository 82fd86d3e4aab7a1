"""Which runs may be over: what a worker has heard, and what it can't have heard.

Tasks of a run that may be over are looked up in the log before they are worked on; all others are not,
which saves a read per task.
"""

import sys

MOST_REMEMBERED = 20_000


class Endings:
    """The ends of runs that were heard, and up to which sequence of the log ends may have gone unheard."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], None] = {}
        self._unheard_to = sys.maxsize

    def hear(self, tenant: str, run: str) -> None:
        """A run was closed or is to be."""
        self._heard[tenant, run] = None
        if len(self._heard) > MOST_REMEMBERED:
            del self._heard[next(iter(self._heard))]

    def deaf(self) -> None:
        """Ends may go unheard from now on."""
        self._unheard_to = sys.maxsize

    @property
    def is_deaf(self) -> bool:
        """Whether ends may go unheard now."""
        return self._unheard_to == sys.maxsize

    def listen(self, last_sequence: int) -> None:
        """Every end above this sequence of the log will be heard."""
        self._unheard_to = last_sequence

    def may_concern(self, tenant: str, run: str, sequence: int) -> bool:
        """Whether the run of a task that is stored at `sequence` may be over."""
        return sequence <= self._unheard_to or (tenant, run) in self._heard
