"""The last steps of a child before it becomes generated code, in the only order that works.

Rule set of Landlock (needs to reach the paths) → limits → another uid (root only) → no_new_privs → Landlock → seccomp
→ exec. Each step fails closed: an error ends the child before the command runs.
"""

import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from workers.sandbox import landlock, seccomp
from workers.sandbox.kernel import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl

MEGABYTE = 1 << 20
TRUNCATE_ABI, SIGNALS_ABI = 3, 6


def become(spec: Mapping[str, Any], *, contained: bool) -> NoReturn:
    """Turn this process into `spec["command"]`. `contained`: it is in own network, process and mount namespaces."""
    locked = spec["level"] in ("landlock", "bubblewrap")
    rules = _rule_set(spec, contained=contained) if locked else -1
    if spec["level"] != "none":
        _limit(spec["limits"], own_uid=spec["uid"] is not None or contained)
    if spec["uid"] is not None:
        _drop(spec["uid"])
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of uid, which clears it
    os.chdir(spec["project"])
    os.umask(0o022)
    if locked:
        _lock(rules, contained=contained, own_uid=spec["uid"] is not None)
    os.execve(spec["command"][0], spec["command"], spec["env"])


def _rule_set(spec: Mapping[str, Any], *, contained: bool) -> int:
    version = landlock.abi()
    rules = [(path, landlock.READ) for path in spec["readable"]]
    rules += [(path, landlock.READ | landlock.EXECUTE) for path in spec["runnable"]]
    rules += [(path, landlock.READ | landlock.WRITE_FILE) for path in spec["devices"]]
    rules += [(spec["project"], landlock.CHANGE)]
    return landlock.ruleset(rules, version=version, tcp=contained)


def _lock(rules: int, *, contained: bool, own_uid: bool) -> None:
    version = landlock.abi()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(rules)
    seccomp.install(
        loopback=contained,
        signals=contained or own_uid or version >= SIGNALS_ABI,
        alone=contained or own_uid,
        truncate=contained or own_uid or version >= TRUNCATE_ABI,
    )


def _limit(limits: Mapping[str, int], *, own_uid: bool) -> None:
    """RLIMIT_NPROC counts every thread of the uid (in a user namespace: in it), so what is there already is added."""
    others = 0 if own_uid else _threads_of(os.getuid())
    memory = limits["memory_mb"] * MEGABYTE
    disk = limits["disk_mb"] * MEGABYTE
    for what, soft, hard in (
        (resource.RLIMIT_CPU, limits["cpu_s"], limits["cpu_s"] + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, disk, disk),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_NPROC, others + limits["processes"], others + limits["processes"]),
        # 1 and not 0: a core_pattern that pipes to a program ignores 0 and heeds 1 (fs/coredump.c)
        (resource.RLIMIT_CORE, 1, 1),
    ):
        _lower(what, soft, hard)


def _lower(what: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(what)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(what, (soft, hard))


def _threads_of(uid: int) -> int:
    total = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                total += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
        except OSError:
            continue
    return total


def _drop(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise RuntimeError(f"still able to become root after changing to uid {uid}")
