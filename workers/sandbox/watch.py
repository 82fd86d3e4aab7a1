"""What the processes of a run use together, and their end.

rlimits count each process alone; sixty-four of them are another matter, and a cgroup is not to be had everywhere. So
the sums are looked at ten times a second, from outside. All of it reads /proc; where there is none, there are no sums.
"""

import os
import signal
import stat
import time
from collections.abc import Iterator, Mapping

MEGABYTE = 1 << 20
DEEPEST = 48
_TICKS = os.sysconf("SC_CLK_TCK")


def descendants(root: int) -> list[int]:
    """All processes below `root`, parents first."""
    found: list[int] = []
    open_ends = [root]
    while open_ends:
        children = list(_children(open_ends.pop()))
        found += children
        open_ends += children
    return found


def _children(pid: int) -> Iterator[int]:
    for task in _names(f"/proc/{pid}/task"):
        yield from (int(child) for child in _text(f"/proc/{pid}/task/{task}/children").split())


def kill_all_below(root: int) -> None:
    """Stop first, so that nothing multiplies while it is counted; kill what no longer changes. `root` must be a
    subreaper, or who is orphaned in between is lost to it."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        before = descendants(root)
        if not before:
            return
        _send(before, signal.SIGSTOP)
        after = descendants(root)
        if set(after) <= set(before):
            _send(after, signal.SIGKILL)
        reap()
        time.sleep(0.002)  # dying takes the kernel a moment; the loop must not eat it


def reap() -> dict[int, int]:
    """Wait for every child that has ended: pid → wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def exceeded(root: int, project: str, limits: Mapping[str, int]) -> str:
    """The limit that the processes below `root` have passed together: "time", "memory", "disk" or ""."""
    pids = descendants(root)
    if sum(map(_cpu_s, pids)) > limits["cpu_s"]:
        return "time"
    if sum(map(_memory, pids)) > limits["memory_mb"] * MEGABYTE:
        return "memory"
    disk = limits["disk_mb"] * MEGABYTE
    if disk_used(project, disk, limits["entries"]) + _unlinked(pids) > disk:
        return "disk"
    return ""


def _cpu_s(pid: int) -> float:
    """Its own time and that of the children it has waited for."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _memory(pid: int) -> int:
    """Proportional set size; where it is not shown, the resident one, which counts shared pages again."""
    for line in _text(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    pages = _text(f"/proc/{pid}/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def disk_used(project: str, most: int, most_entries: int) -> int:
    """Bytes on disk under `project`, links not followed. Too many entries or too deep a tree count as `most` + 1."""
    total, entries = 0, 0
    todo = [(project, 0)]
    while todo:
        folder, depth = todo.pop()
        for entry in _entries(folder, most_entries):
            entries += 1
            if entries > most_entries or depth > DEEPEST:
                return most + 1
            try:
                size, is_folder = entry.stat(follow_symlinks=False).st_blocks * 512, entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            total += size
            todo += [(entry.path, depth + 1)] if is_folder else []
    return total


def _unlinked(pids: list[int]) -> int:
    """Bytes in files that are deleted and still open: no walk finds them."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        for fd in _names(f"/proc/{pid}/fd"):
            try:
                status = os.stat(f"/proc/{pid}/fd/{fd}")  # noqa: PTH116
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def _entries(folder: str, most: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry, _ in zip(entries, range(most + 1), strict=False)]
    except OSError:
        return []


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue
