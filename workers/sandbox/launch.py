"""The launcher: the process between the fleet and generated code.

Theory. A jail can't be built in `preexec_fn`: that runs between fork and exec of a process with threads, where taking
any lock may hang, and unshare and user namespaces want a process with a single thread. So the fleet starts this file
with `python -I -S`, which is small, has one thread and an empty environment, and it does the rest:

    fleet ─ control pipe, output pipe, report pipe ─▶ warden (this process; a subreaper; stays outside the jail)
                                                        │ fork, or bubblewrap
                                                        ▼
                                                      [first process of the run's own process table: reaps]
                                                        │ fork
                                                        ▼
                                                      confine.become: limits, uid, Landlock, seccomp, exec

The warden watches the limits and the control pipe. When the pipe closes, because the fleet cancels or because the fleet
is dead, it kills the tree. When the command ends, it kills what the command left behind. Then it writes one JSON line:
`ended` (an exit code; 128 + n for signal n), `killed` (which limit), `error` (set-up failed, nothing was run),
`contained` (own namespaces). Only the standard library, because that is all there is inside the jail.
"""

import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

from workers.sandbox import confine, namespaces, watch
from workers.sandbox.kernel import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl

LOOK_EVERY_S = 0.1
SETUP_FAILED = 125


def warden(spec: dict[str, Any]) -> None:
    """Run the command of `spec` to its end, or to the end of its limits."""
    control, report = _take_over_pipes()
    wake = _wake_on_child()
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    contained = spec["level"] == "bubblewrap"
    if spec["level"] == "landlock" and spec["namespaces"]:
        contained = namespaces.enter(spec["project"], spec["hosts"])
    setup_read, setup_write = os.pipe()
    pid = _start(spec, setup_write, contained=contained)
    os.close(setup_write)
    outcome = _supervise(pid, spec, control, wake)
    watch.kill_all_below(os.getpid())
    error = _read_all(setup_read)
    os.write(report, json.dumps({**outcome, "error": error, "contained": contained}).encode() + b"\n")


def _take_over_pipes() -> tuple[int, int]:
    """Standard input is the control pipe and standard error the report pipe; the command gets neither."""
    control, report = os.dup(0), os.dup(2)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(1, 2)
    os.close(nothing)
    return control, report


def _wake_on_child() -> int:
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _start(spec: dict[str, Any], setup: int, *, contained: bool) -> int:
    pid = os.fork()
    if pid == 0:
        _go(spec, setup, contained=contained)
    return pid


def _go(spec: dict[str, Any], setup: int, *, contained: bool) -> NoReturn:
    try:
        os.setsid()
        if sys.platform == "linux":
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if spec["level"] == "bubblewrap":
            os.set_inheritable(setup, True)
            inside = json.dumps({**spec, "setup": setup})
            os.execve(spec["bubblewrap"][0], [*spec["bubblewrap"], *spec["inside"], inside], spec["env"])
        if contained:
            _be_first_process()
        confine.become(spec, contained=contained)
    except BaseException as error:
        _give_up(setup, error)


def inside(spec: dict[str, Any]) -> None:
    """The second half, run by bubblewrap in the jail that it made."""
    os.set_inheritable(spec["setup"], False)
    try:
        confine.become(spec, contained=True)
    except BaseException as error:
        _give_up(spec["setup"], error)


def _give_up(setup: int, error: BaseException) -> NoReturn:
    os.write(setup, f"{type(error).__name__}: {error}".encode()[:2000])
    os._exit(SETUP_FAILED)


def _be_first_process() -> None:
    """Return in a child; reap for it and for its orphans until it ends. With this process the whole tree ends."""
    command = os.fork()
    if command == 0:
        return
    os.closerange(0, 64)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == command:
            os._exit(_exit_code(status))


def _supervise(pid: int, spec: dict[str, Any], control: int, wake: int) -> dict[str, Any]:
    deadline = time.monotonic() + spec["limits"]["wall_s"]
    while True:
        status = watch.reap().get(pid)
        if status is not None:
            return {"ended": _exit_code(status), "killed": ""}
        ready, _, _ = select.select([control, wake], [], [], LOOK_EVERY_S)
        if wake in ready:
            os.read(wake, 512)
            continue
        if control in ready:
            return {"ended": None, "killed": "cancelled"}
        passed = "time" if time.monotonic() > deadline else ""
        if not passed and spec["level"] != "none":
            passed = watch.exceeded(os.getpid(), spec["project"], spec["limits"])
        if passed:
            return {"ended": None, "killed": passed}


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _read_all(fd: int) -> str:
    """What the child said before the command took its place; the pipe closes with exec."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 4096).decode(errors="replace")
    except BlockingIOError:
        return ""


def main() -> None:
    """`python -I -S -c … warden|inside SPEC`."""
    spec = json.loads(sys.argv[2])
    {"warden": warden, "inside": inside}[sys.argv[1]](spec)
