"""seccomp: a filter that refuses the system calls a test run has no use for.

The filter is a list of refusals and not of permissions: a Python, its extension modules and a libc use some two hundred
calls that differ by version, and files, signals and processes are confined by other means. What is refused are the ways
round those: new namespaces and mounts, other processes' memory, sockets beyond the loopback, memory that belongs to no
process, kernel interfaces with a history of holes. Unknown architectures and the x32 calls are refused as a whole.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping

from workers.sandbox.kernel import PR_SET_SECCOMP, prctl

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# name: (x86_64, aarch64); None where the architecture has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "personality": (135, 92),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "syslog": (103, 116),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "uselib": (134, None), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "vmsplice": (278, 75),
}  # fmt: skip
_UNKNOWN = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_SIGNALS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
_ATTRIBUTES: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466),
}  # fmt: skip
_NEIGHBOURS: dict[str, tuple[int | None, int | None]] = {
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122), "sched_setattr": (314, 274),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
}  # fmt: skip
_TRUNCATE = {"truncate": (76, 45)}
_SOME_ARGUMENTS = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
}
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW* of mount, cgroup, uts, ipc, user, pid, net
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_TYPE = 1, 5, 0xF

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCH = 0, 4


def _instruction(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, k)


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, 0x00050000 | number)


def _argument(index: int) -> bytes:
    """Load the low half of an argument: families, flags and requests fit in it."""
    return _instruction(_LOAD, 16 + 8 * index)


def _when(number: int, body: bytes) -> bytes:
    """Run `body` for this call. It ends in a return."""
    return _instruction(_EQUAL, number, 0, len(body) // 8) + body


def _only(families: tuple[int, ...]) -> bytes:
    tests = [_instruction(_EQUAL, family, len(families) - at, 0) for at, family in enumerate(families)]
    return _argument(0) + b"".join(tests) + _refuse(errno.EAFNOSUPPORT) + _instruction(_RETURN, _ALLOW)


def _pairs() -> bytes:
    """Connected pairs only. A datagram socket of a pair can be sent anywhere: to /dev/log, to systemd."""
    family = _argument(0) + _instruction(_EQUAL, _AF_UNIX, 1, 0) + _refuse(errno.EAFNOSUPPORT)
    kind = _argument(1) + _instruction(_AND, _SOCK_TYPE)
    kind += _instruction(_EQUAL, _SOCK_STREAM, 2, 0) + _instruction(_EQUAL, _SOCK_SEQPACKET, 1, 0)
    return family + kind + _refuse(errno.EPROTOTYPE) + _instruction(_RETURN, _ALLOW)


def number_of(name: str, machine: str = "") -> int:
    """The number of a call that the filter knows, on this machine or another. KeyError where there is no such call."""
    known = _REFUSED | _UNKNOWN | _SIGNALS | _ATTRIBUTES | _NEIGHBOURS | _TRUNCATE | _SOME_ARGUMENTS
    number = known[name][_ARCHITECTURES[machine or platform.machine()][1]]
    if number is None:
        raise KeyError(name)
    return number


def program(machine: str, *, loopback: bool, signals: bool, alone: bool, truncate: bool) -> bytes:
    """The filter as BPF for this machine.

    `loopback`: internet sockets may be made, for a process in its own network namespace. `signals`: they may be sent,
    where something else keeps them inside. `alone`: nothing outside belongs to the same uid, or it can't be seen. Where
    it can, chmod and its like do nothing and report success, so that `shutil.copy` goes on working, and the limits and
    priorities of other processes can't be set. `truncate`: truncate by path is safe.
    """
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no seccomp filter for {machine}: only {', '.join(_ARCHITECTURES)}")
    arch, column = _ARCHITECTURES[machine]
    code = _instruction(_LOAD, _ARCH) + _instruction(_EQUAL, arch, 1, 0) + _instruction(_RETURN, _KILL)
    code += _instruction(_LOAD, _NUMBER)
    if machine == "x86_64":
        code += _instruction(_AT_LEAST, 0x40000000, 0, 1) + _refuse(errno.ENOSYS)
    refusals: list[tuple[Mapping[str, tuple[int | None, int | None]], int]]
    refusals = [(_REFUSED, errno.EPERM), (_UNKNOWN, errno.ENOSYS)]
    refusals += [] if signals else [(_SIGNALS, errno.EPERM)]
    refusals += [] if alone else [(_ATTRIBUTES, 0), (_NEIGHBOURS, errno.EPERM)]
    refusals += [] if truncate else [(_TRUNCATE, errno.EPERM)]
    for calls, answer in refusals:
        code += b"".join(_when(at[column] or 0, _refuse(answer)) for at in calls.values() if at[column] is not None)
    if not alone:
        itself = _instruction(_EQUAL, 0, 1, 0) + _refuse(errno.EPERM) + _instruction(_RETURN, _ALLOW)
        code += _when(number_of("prlimit64", machine), _argument(0) + itself)
    code += _when(number_of("socket", machine), _only((_AF_INET, _AF_INET6) if loopback else ()))
    code += _when(number_of("socketpair", machine), _pairs())
    namespaces = _instruction(_ANY_BIT, _NEW_NAMESPACES, 0, 1) + _refuse(errno.EPERM)
    code += _when(number_of("clone", machine), _argument(0) + namespaces + _instruction(_RETURN, _ALLOW))
    typing = b"".join(_instruction(_EQUAL, request, 0, 1) + _refuse(errno.EPERM) for request in _TERMINAL_INPUT)
    code += _when(number_of("ioctl", machine), _argument(1) + typing + _instruction(_RETURN, _ALLOW))
    return code + _instruction(_RETURN, _ALLOW)


def install(*, loopback: bool, signals: bool, alone: bool, truncate: bool) -> None:
    """Needs no_new_privs. There is no way back."""
    code = program(
        platform.machine(), loopback=loopback, signals=signals, alone=alone, truncate=truncate
    )  # fmt: skip
    text = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(text))
    prctl(PR_SET_SECCOMP, 2, header)
