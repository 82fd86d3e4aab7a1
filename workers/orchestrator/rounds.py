"""Rounds of a project: verified once as it was written, then once after each repair."""

from collections.abc import Sequence

from contracts.v1.tasks import Outcome
from workers.orchestrator.run import Run

Files = frozenset[tuple[str, str]]
"""The project's files as (path, SHA-256)."""


def round_before(run: Run, writers: Sequence[str], n: int) -> int | None:
    """The first round in which the files were just as they are in round `n`, or None.

    `writers` are the tasks that wrote the files of round `n`, in order; the last `n - 1` of them are repairs.
    """
    written = len(writers) - (n - 1)
    files = _files(run, writers)
    return next((m for m in range(1, n) if _files(run, writers[: written + m - 1]) == files), None)


def _files(run: Run, tasks: Sequence[str]) -> Files:
    outcomes = (run.result(task, Outcome) for task in tasks)
    return frozenset({file.path: file.sha256 for outcome in outcomes if outcome for file in outcome.files}.items())
