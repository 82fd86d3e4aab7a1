"""What a run of generated code may use. One value, checked in one place (`watch.py`) and set once (`confine.py`)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Per run, over all its processes together, except where a field says otherwise.

    `memory_mb` bounds each process's address space and the sum of their resident memory. `disk_mb` bounds each file
    and the project's directory with deleted files that are still open. `open_files` is per process. `entries` counts
    the project's files and folders, because empty ones fill a disk too.
    """

    cpu_s: int = 60
    wall_s: int = 120
    memory_mb: int = 1024
    processes: int = 64
    output_kb: int = 256
    disk_mb: int = 64
    open_files: int = 256
    entries: int = 10_000
