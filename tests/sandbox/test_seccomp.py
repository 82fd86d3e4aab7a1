"""The filter, run by a small interpreter of its own, so that both machines' filters are checked on either."""

import errno
import struct

import pytest

from workers.sandbox.seccomp import number_of, program

ALLOWED, KILLED = "allowed", "killed"
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FREE = {"loopback": True, "signals": True, "alone": True, "truncate": True}


def answer(code: bytes, arch: int, number: int, *arguments: int) -> str | int:
    """Run the classic BPF of a filter on one call: "allowed", "killed" or the error number."""
    call = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at, loaded = 0, 0
    while True:
        operation, yes, no, k = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            (loaded,) = struct.unpack_from("<I", call, k)
        elif operation == 0x54:
            loaded &= k
        elif operation == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(k, k & 0xFFFF)
        else:
            truth = {0x15: loaded == k, 0x35: loaded >= k, 0x45: bool(loaded & k)}[operation]
            at += yes if truth else no


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize("name", ["ptrace", "mount", "setns", "bpf", "memfd_create", "keyctl", "open_by_handle_at"])
def test_what_tests_have_no_use_for_is_refused(machine, name):
    assert answer(program(machine, **FREE), AUDIT[machine], number_of(name, machine)) == errno.EPERM


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize(
    ("family", "style", "pair"),
    [
        (1, 1, ALLOWED),
        (1, 5, ALLOWED),
        (1, 1 | 0o2004000, ALLOWED),
        (1, 2, errno.EPROTOTYPE),
        (1, 2 | 0o2000000, errno.EPROTOTYPE),
        (2, 1, errno.EAFNOSUPPORT),
        (16, 3, errno.EAFNOSUPPORT),
    ],
)
def test_connected_unix_sockets_are_the_only_pairs(machine, family, style, pair):
    assert answer(program(machine, **FREE), AUDIT[machine], number_of("socketpair", machine), family, style) == pair


@pytest.mark.parametrize("machine", AUDIT)
def test_the_limits_of_another_process_stay_its_own(machine):
    code = program(machine, **{**FREE, "alone": False})
    prlimit = number_of("prlimit64", machine)
    assert answer(code, AUDIT[machine], prlimit, 0, 7) == ALLOWED
    assert answer(code, AUDIT[machine], prlimit, 4711, 7) == errno.EPERM
    assert answer(code, AUDIT[machine], number_of("setpriority", machine), 0, 4711) == errno.EPERM


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize("family", range(46))
def test_internet_sockets_are_made_only_where_the_network_is_the_runs_own(machine, family):
    socket = number_of("socket", machine)
    shut = program(machine, **{**FREE, "loopback": False})
    assert answer(shut, AUDIT[machine], socket, family) == errno.EAFNOSUPPORT
    own = answer(program(machine, **FREE), AUDIT[machine], socket, family)
    assert own == (ALLOWED if family in (2, 10) else errno.EAFNOSUPPORT)


@pytest.mark.parametrize("machine", AUDIT)
def test_threads_and_children_are_made_but_no_namespaces(machine):
    clone = number_of("clone", machine)
    code = program(machine, **FREE)
    assert answer(code, AUDIT[machine], clone, 0x3D0F00) == ALLOWED, "the flags of a thread"
    assert answer(code, AUDIT[machine], clone, 17) == ALLOWED, "fork"
    for bit in (17, 25, 26, 27, 28, 29, 30):
        assert answer(code, AUDIT[machine], clone, 1 << bit | 17) == errno.EPERM
    assert answer(code, AUDIT[machine], number_of("clone3", machine)) == errno.ENOSYS, "the C library then uses clone"


@pytest.mark.parametrize("machine", AUDIT)
def test_signals_and_attributes_are_held_where_nothing_else_holds_them(machine):
    code = program(machine, loopback=False, signals=False, alone=False, truncate=False)
    assert answer(code, AUDIT[machine], number_of("kill", machine)) == errno.EPERM
    assert answer(code, AUDIT[machine], number_of("fchmod", machine)) == 0, "not done, and said to be done"
    assert answer(code, AUDIT[machine], number_of("truncate", machine)) == errno.EPERM
    for name in ("kill", "fchmod", "truncate"):
        assert answer(program(machine, **FREE), AUDIT[machine], number_of(name, machine)) == ALLOWED


@pytest.mark.parametrize("machine", AUDIT)
def test_calls_of_another_architecture_end_the_process(machine):
    assert answer(program(machine, **FREE), 0x40000003, 11) == KILLED, "i386 execve"


@pytest.mark.parametrize("machine", AUDIT)
def test_typing_into_a_terminal_is_refused_and_other_requests_are_not(machine):
    code, ioctl = program(machine, **FREE), number_of("ioctl", machine)
    assert answer(code, AUDIT[machine], ioctl, 0, 0x5412) == errno.EPERM
    assert answer(code, AUDIT[machine], ioctl, 0, 0x5401) == ALLOWED


def test_x32_calls_do_not_exist():
    assert answer(program("x86_64", **FREE), AUDIT["x86_64"], 0x40000000 | 101) == errno.ENOSYS


def test_another_machine_has_no_filter_and_is_told_so():
    with pytest.raises(OSError, match="riscv64"):
        program("riscv64", **FREE)
