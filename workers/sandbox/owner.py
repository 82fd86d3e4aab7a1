"""Throw-away directories: whose they are while generated code runs, and how they go away.

A fleet that is root gives each run its own uid, from a range that systemd documents as used by nobody. RLIMIT_NPROC
counts per uid, and chmod works on what one owns, so no two runs of a process share one.
"""

import itertools
import os
import stat
from functools import cache
from pathlib import Path

FIRST_UID, UIDS = 60706, 478


def spare_uid(level: str) -> int | None:
    """The uid that a run at this level changes to. None: it keeps the fleet's, which is not root's."""
    if os.geteuid() != 0 or level == "none":
        return None
    return FIRST_UID + (os.getpid() + next(_turns())) % UIDS


@cache
def _turns() -> "itertools.count[int]":
    return itertools.count()


def hand_over(project: Path, uid: int | None) -> None:
    """Give the directory and all in it to the uid; links themselves, not what they point to."""
    if uid is None:
        return
    os.chown(project, uid, uid, follow_symlinks=False)
    for folder, folders, files in os.walk(project):
        for name in (*folders, *files):
            os.chown(Path(folder, name), uid, uid, follow_symlinks=False)


def discard(place: Path) -> None:
    """Remove a directory that generated code has been in: of any depth, with any modes, never through a link.

    Recursion would end at the depth of Python's stack, so every folder's content is moved up to the top instead.
    """
    place.chmod(0o700)
    top = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    fresh = itertools.count()
    try:
        while names := os.listdir(top):  # noqa: PTH208  (pathlib takes no descriptor)
            for name in names:
                _dissolve(top, name, fresh)
    finally:
        os.close(top)
    place.rmdir()


def _dissolve(top: int, name: str, fresh: "itertools.count[int]") -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    os.chmod(name, 0o700, dir_fd=top)  # a folder, as seen above, and nobody else is left to change that
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for child in os.listdir(inner):  # noqa: PTH208
            if stat.S_ISDIR(os.stat(child, dir_fd=inner, follow_symlinks=False).st_mode):
                os.chmod(child, 0o700, dir_fd=inner)  # moving a folder writes its ".."
            os.rename(child, f".discarded-{next(fresh)}-{os.urandom(4).hex()}", src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
