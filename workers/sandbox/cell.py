"""What a jail is made of, as plain values: what can be seen, the environment, the command lines. Decides, does nothing.

The run sees its project (read-write), the shelf, the system's shared libraries and time zones, and four devices. There
is no /proc, so neither anybody's environment nor /proc/sys; no /dev/shm, which nothing would bound; no /etc but four
harmless files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.sandbox.limits import Limits
from workers.sandbox.shelf import Shelf

HOME, TEMPORARY = ".home", ".tmp"

SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
HARMLESS = ("/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache", "/etc/mime.types", "/etc/hosts")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from workers.sandbox.launch import main; main()"


def launcher(shelf: Shelf, half: str) -> list[str]:
    """The command line of one half of the launcher, to which the specification is added as JSON."""
    return [str(shelf.python), "-I", "-S", "-c", _BOOT, str(shelf.launcher), half]


def bare_environment(shelf: Shelf) -> dict[str, str]:
    """All that the launcher itself gets: what a process was started with stays readable in its /proc/…/environ."""
    return {"PATH": str(shelf.python.parent), "LANG": "C.UTF-8", "LD_LIBRARY_PATH": str(shelf.shared)}


def environment(shelf: Shelf, project: Path) -> dict[str, str]:
    """The whole environment of generated code."""
    return {
        **bare_environment(shelf),
        "HOME": str(project / HOME),
        "TMPDIR": str(project / TEMPORARY),
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "PYTHONPATH": ":".join(map(str, (shelf.libraries, project / "src", project))),
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENSSL_CONF": "/dev/null",
        "MALLOC_ARENA_MAX": "2",  # each arena reserves 64 MB of the address space that RLIMIT_AS bounds
    }


def specification(
    command: Sequence[str],
    project: Path,
    limits: Limits,
    level: str,
    *,
    shelf: Shelf,
    uid: int | None,
    bwrap: str,
    namespaces: bool = True,
) -> dict[str, Any]:
    """What the launcher is told. `uid` is the one to change to, or None to keep the fleet's (which is not root's)."""
    first, *rest = command
    return {
        "level": level,
        "namespaces": namespaces,
        "command": [str(shelf.python) if first == "python" else first, *rest],
        "project": str(project),
        "limits": asdict(limits),
        "uid": uid,
        "env": environment(shelf, project),
        "hosts": str(shelf.hosts),
        "readable": [*HARMLESS, *shelf.linked_library, str(shelf.root)],
        "runnable": [*SYSTEM_LIBRARIES, str(shelf.root / "python")],
        "devices": list(DEVICES),
        "bubblewrap": bubblewrap(bwrap, project, shelf, privileged=uid is not None) if level == "bubblewrap" else [],
        "inside": launcher(shelf, "inside"),
    }


def bubblewrap(bwrap: str, project: Path, shelf: Shelf, *, privileged: bool) -> list[str]:
    """The command line of bubblewrap up to `--`. As root it makes no user namespace, so that the run really gets
    another uid: in a user namespace it would stay root outside, and RLIMIT_NPROC does not bind root."""
    spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    keep = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    shown: Mapping[str, Sequence[str]] = {
        "--ro-bind-try": (
            *SYSTEM_LIBRARIES,
            *(path for path in HARMLESS if path != "/etc/hosts"),
            *shelf.linked_library,
        ),
        "--dev-bind-try": DEVICES,
        "--ro-bind": (str(shelf.root),),
        "--bind": (str(project),),
    }
    above = sorted({str(parent) for paths in shown.values() for path in paths for parent in Path(path).parents} - {"/"})
    return [
        bwrap,
        *spaces,
        *(keep if privileged else ["--unshare-user"]),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *(word for folder in above for word in ("--dir", folder)),  # else it makes them with mode 0700
        *(word for how, paths in shown.items() for path in paths for word in (how, path, path)),
        *("--ro-bind", str(shelf.hosts), "/etc/hosts"),
        *("--remount-ro", "/", "--chdir", "/", "--"),
    ]
