"""What generated code can't reach. Each program tries, and prints `got` if it got there."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

import workers.sandbox.jail
from workers.sandbox.seccomp import number_of
from workers.sandbox.shelf import shelf

TRY = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def system(number, *arguments):
    result = libc.syscall(number, *map(ctypes.c_long, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
try:
    {}
    print("got")
except OSError as error:
    print("held", errno.errorcode[error.errno])
"""

FILES = [
    "/etc/shadow",
    "/etc/passwd",
    "/etc/hostname",
    "/proc/1/environ",
    "/proc/self/environ",
    "/proc/self/maps",
    "/proc/sys/kernel/core_pattern",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/var/log/dpkg.log",
    workers.sandbox.jail.__file__,
    sys.executable,
    str(Path(pytest.__file__).with_name("__init__.py")),
]
FOLDERS = ["/", "/root", "/home", "/tmp", "/var", "/run", "/proc", "/etc", str(Path.home()), str(Path.cwd())]


async def held(attempt, kind, code, *arguments, **limits):
    outcome = await attempt(kind, TRY.format(code), *arguments, **limits)
    return outcome.stdout_tail.startswith("held"), outcome.stdout_tail


async def test_no_file_of_the_machine_can_be_read(attempt, strong):
    code = (
        "import sys\nfor name in sys.argv[1:]:\n"
        " try: print('read', name, open(name, 'rb').read(9))\n except OSError: pass"
    )
    assert (await attempt(strong, code, *FILES)).stdout_tail == ""


async def test_no_folder_of_the_machine_can_be_listed(attempt, strong):
    code = (
        "import os, sys\nfor name in sys.argv[1:]:\n"
        " try: print('listed', name, os.listdir(name)[:3])\n except OSError: pass"
    )
    assert (await attempt(strong, code, *FOLDERS)).stdout_tail == ""


async def test_a_file_that_anybody_may_read_cannot_be_read(attempt, strong, outside):
    assert (await held(attempt, strong, "open(sys.argv[1]).read()", str(outside / "secret")))[0]


async def test_a_file_outside_cannot_be_read_through_a_link(attempt, strong, outside, project):
    (project / "link").symlink_to(outside / "secret")
    assert (await held(attempt, strong, "open('link').read()"))[0]


async def test_a_file_outside_cannot_be_linked_into_the_project(attempt, strong, outside):
    assert (await held(attempt, strong, "os.link(sys.argv[1], 'mine')", str(outside / "secret")))[0]


async def test_nothing_outside_the_project_can_be_changed(attempt, strong, outside):
    attempts = [
        "open(place + '/secret', 'a').write('x')",
        "open(place + '/new', 'w').write('x')",
        "os.mkdir(place + '/folder')",
        "os.unlink(place + '/secret')",
        "os.rename(place + '/secret', 'taken')",
        "os.truncate(place + '/secret', 0)",
        "os.symlink('/etc', place + '/link')",
        "os.mkfifo(place + '/pipe')",
    ]
    code = (
        "import os, sys\nplace, *attempts = sys.argv[1:]\nfor attempt in attempts:\n"
        " try: eval(attempt); print('got', attempt)\n except OSError: pass"
    )
    assert (await attempt(strong, code, str(outside), *attempts)).stdout_tail == ""
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "the secret"


async def test_the_mode_and_times_of_a_file_outside_stay_as_they_are(attempt, strong, outside):
    before = (outside / "secret").stat()
    await attempt(strong, TRY.format("os.chmod(sys.argv[1], 0o777)"), str(outside / "secret"))
    await attempt(strong, TRY.format("os.utime(sys.argv[1], (1, 1))"), str(outside / "secret"))
    after = (outside / "secret").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@pytest.mark.parametrize("path", ["python/lib", "libraries/pytest", "etc", "launcher/workers/sandbox"])
async def test_the_python_of_the_sandbox_cannot_be_changed(attempt, strong, path):
    target = str(shelf().root / path / "planted.py")
    assert (await held(attempt, strong, "open(sys.argv[1], 'w').write('x')", target))[0]


@pytest.mark.parametrize(
    "path", ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/dev/shm/filler", "/etc/cron.d/x"]
)
async def test_the_kernels_own_files_cannot_be_written(attempt, strong, path):
    assert (await held(attempt, strong, "open(sys.argv[1], 'w')", path))[0]


async def test_the_fleets_environment_is_nowhere_to_be_found(attempt, strong, monkeypatch):
    monkeypatch.setenv("FLOTILLA_TEST_KEY", "sk-very-secret")
    code = (
        "import os, sys\nprint(sorted(os.environ))\n"
        "for pid in ['self', '1', str(os.getppid()), *sys.argv[1:]]:\n"
        " try: print(open(f'/proc/{pid}/environ').read())\n except OSError: pass"
    )
    said = (await attempt(strong, code, str(os.getpid()))).stdout_tail
    assert "FLOTILLA" not in said
    assert "secret" not in said
    assert "HOME" in said


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_server_on_the_hosts_loopback_cannot_be_reached(attempt, strong, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        code = "socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"
        assert (await held(attempt, strong, code, address, str(server.getsockname()[1])))[0]
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("abstract", [False, True])
async def test_a_unix_socket_of_the_machine_cannot_be_reached(attempt, strong, outside, abstract):
    name = str(outside / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name if abstract else name)
        server.listen()
        if not abstract:
            os.chmod(name, 0o777)  # noqa: PTH101
        code = f"socket.socket(socket.AF_UNIX).connect({'chr(0) + ' if abstract else ''}sys.argv[1])"
        assert (await held(attempt, strong, code, name))[0]


async def test_a_datagram_socket_of_the_machine_cannot_be_written_to(attempt, strong, weak, outside):
    """As /dev/log is one: a pair of datagram sockets needs no call of socket(2), and can be sent anywhere."""
    name = str(outside / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name)
        os.chmod(name, 0o777)  # noqa: PTH101
        code = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', sys.argv[1])"
        assert (await held(attempt, strong, code, name))[0]
        assert (await attempt(weak, TRY.format(code), name)).stdout_tail == "got\n"


async def test_the_limits_of_a_process_outside_cannot_be_changed(attempt, strong):
    code = "import resource; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_CORE, (0, 0))"
    assert (await held(attempt, strong, code, str(os.getpid())))[0]


@pytest.mark.parametrize("family", ["AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"])
async def test_sockets_into_the_kernel_are_refused(attempt, strong, family):
    assert (await held(attempt, strong, f"socket.socket(socket.{family}, socket.SOCK_RAW)"))[0]


async def test_the_network_cannot_be_reached(attempt, strong):
    code = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))"
    assert (await held(attempt, strong, code))[0]


async def test_a_socket_pair_works_because_asyncio_needs_one(attempt, strong):
    code = "import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'slept')))"
    assert (await attempt(strong, code)).stdout_tail == "slept\n"


async def test_no_process_outside_can_be_sent_a_signal(attempt, strong):
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    code = (
        "import os, sys\nfor number in (9, 15, 19):\n for pid in (int(sys.argv[1]), os.getppid()):\n"
        "  try: os.kill(pid, number)\n  except OSError: pass"
    )
    await attempt(strong, code, str(victim.pid))
    async with asyncio.timeout(5):
        await victim.communicate(b"\n")
    assert victim.returncode == 0


@pytest.mark.parametrize(
    "code",
    [
        "system({ptrace}, 16, pid, 0, 0)",
        "system({process_vm_readv}, pid, 0, 0, 0, 0, 0)",
        "system({pidfd_getfd}, os.pidfd_open(pid), 0, 0)",
    ],
)
async def test_another_processs_memory_and_files_cannot_be_had(attempt, strong, code):
    numbers = {name: number_of(name) for name in ("ptrace", "process_vm_readv", "pidfd_getfd")}
    code = "pid = int(sys.argv[1]); " + code.format(**numbers)
    assert (await held(attempt, strong, code, str(os.getpid())))[0]


REFUSED = [
    ("unshare", 0x10000000), ("unshare", 0x40000000), ("clone", 0x10000011, 0, 0, 0, 0, 0), ("clone3", 0, 0),
    ("mount", 0, 0, 0, 0, 0), ("umount2", 0, 0), ("pivot_root", 0, 0), ("chroot", 0), ("setns", 0, 0),
    ("io_uring_setup", 8, 0), ("memfd_create", 0, 0), ("shmget", 0, 4096, 896), ("bpf", 0, 0, 0),
    ("perf_event_open", 0, 0, -1, -1, 0), ("userfaultfd", 0), ("keyctl", 0, 0), ("open_by_handle_at", 0, 0, 0),
]  # fmt: skip


async def test_system_calls_that_tests_have_no_use_for_are_refused(attempt, strong):
    """By the filter (EPERM, ENOSYS), and not for their arguments (EFAULT, EINVAL)."""
    calls = {name: [number_of(name), *arguments] for name, *arguments in REFUSED}
    code = (
        f"calls = {calls}\nfor name, arguments in calls.items():\n"
        " try: system(*arguments); print(name, 'got')\n"
        " except OSError as error: print(name, errno.errorcode[error.errno])"
    )
    said = (await attempt(strong, TRY.partition("try:")[0] + code)).stdout_tail
    assert {line.split()[1] for line in said.splitlines()} <= {"EPERM", "ENOSYS"}, said
    assert len(said.splitlines()) == len(calls)


async def test_a_shell_cannot_be_started(attempt, strong):
    assert (await held(attempt, strong, "os.execv('/bin/sh', ['sh', '-c', 'echo got'])"))[0]


async def test_root_is_left_behind_for_good(attempt, kind):
    code = "import os\nprint(0 in os.getresuid() + os.getresgid() + tuple(os.getgroups()))"
    assert (await attempt(kind, code)).stdout_tail == "False\n"
    assert (await held(attempt, kind, "os.setuid(0)"))[0]


async def test_the_fleets_open_files_are_not_inherited(attempt, kind, outside):
    with (outside / "secret").open() as secret:
        os.set_inheritable(secret.fileno(), True)
        code = "import os\nfor fd in range(3, 200):\n try: os.fstat(fd); print(fd)\n except OSError: pass"
        assert (await attempt(kind, code)).stdout_tail == ""


async def test_the_terminal_is_out_of_reach(attempt, kind):
    assert (await held(attempt, kind, "open('/dev/tty')"))[0]


async def test_a_server_of_its_own_works_where_the_network_is_its_own(attempt, strong):
    code = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.create_connection(s.getsockname())\ns.accept()[0].sendall(b'served')\nprint(c.recv(9).decode())"
    )
    outcome = await attempt(strong, code)
    assert ("served" in outcome.stdout_tail) is outcome.loopback
    assert strong.namespaces or not outcome.loopback


async def test_the_attempts_above_succeed_where_nothing_stops_them(attempt, outside, weak):
    with socket.create_server(("127.0.0.1", 0)) as server:
        for code, argument in (
            ("open(sys.argv[1]).read()", str(outside / "secret")),
            ("open(sys.argv[1], 'w')", str(outside / "secret")),
            ("socket.create_connection(('127.0.0.1', int(sys.argv[1])))", str(server.getsockname()[1])),
            ("os.listdir('/'); open('/proc/self/environ'); libc.memfd_create(b'x', 0)", ""),
            ("os.execv('/bin/echo', ['echo', 'got'])", ""),
        ):
            assert (await attempt(weak, TRY.format(code), argument)).stdout_tail == "got\n", code
