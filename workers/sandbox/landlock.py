"""Landlock: from `restrict` on, this process and its children can open only what was named.

It governs opening, making, moving and removing files, not their attributes: stat, chmod, chown and utime go past it.
Those are dealt with elsewhere (own uid, read-only mounts, or seccomp). Numbers are those of linux/landlock.h.
"""

import os
import struct
from collections.abc import Iterable

from workers.sandbox.kernel import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << n for n in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

READ = READ_FILE | READ_DIR
CHANGE = (
    READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
) | REFER | TRUNCATE  # fmt: skip
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

NET_ABI, SCOPE_ABI = 4, 6
_ALL_NET = 0b11
_ALL_SCOPES = 0b11  # abstract unix sockets, signals


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none (kernel < 5.13, or not switched on)."""
    try:
        return syscall("landlock_create_ruleset", CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def handled(version: int) -> int:
    """All rights that this version can take away."""
    newest = [bit for bit, since in ((REFER, 2), (TRUNCATE, 3), (IOCTL_DEV, 5)) if version >= since]
    return (1 << 13) - 1 | sum(newest)


def ruleset(rules: Iterable[tuple[str, int]], *, version: int, tcp: bool) -> int:
    """Make a rule set that allows `rules` (path, rights) and return its descriptor. Paths that are not there are left
    out. Without `tcp`, every bind and connect of TCP is refused where the kernel can (version ≥ 4)."""
    rights = handled(version)
    attributes = struct.pack("<Q", rights)
    if version >= NET_ABI:
        attributes += struct.pack("<Q", 0 if tcp else _ALL_NET)
    if version >= SCOPE_ABI:
        attributes += struct.pack("<Q", _ALL_SCOPES)
    rules_fd = syscall("landlock_create_ruleset", CREATE_RULESET, attributes, len(attributes), 0)
    for path, wanted in rules:
        _allow(rules_fd, path, wanted & rights)
    return rules_fd


def _allow(rules_fd: int, path: str, wanted: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):  # what the fleet itself may not reach, nobody is shown
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112  (pathlib would double the launcher's start-up time)
            wanted &= ON_FILES
        syscall("landlock_add_rule", ADD_RULE, rules_fd, 1, struct.pack("<Qi", wanted, target), 0)
    finally:
        os.close(target)


def restrict(rules_fd: int) -> None:
    """Needs no_new_privs. There is no way back."""
    syscall("landlock_restrict_self", RESTRICT_SELF, rules_fd, 0)
    os.close(rules_fd)
