"""Namespaces without bubblewrap: an own network, process table and read-only view of the file system.

They are an extra of the `landlock` level, taken where the kernel gives them: to root with CAP_SYS_ADMIN, or to anybody
where unprivileged user namespaces are on. A restricted container gives neither, and the level holds without them. What
they add: servers on 127.0.0.1 work, because the network is the run's own and nothing else is on it; the end of the
first process is the end of all; chmod and utime can't reach outside the project.
"""

import fcntl
import os
import socket
import struct
from pathlib import Path

from workers.sandbox.kernel import PR_SET_DUMPABLE, call, prctl, syscall

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _RDONLY = 442, -100, 0x8000, 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def enter(project: str, hosts: str) -> bool:
    """Move this process (its children, as to the process table) into new namespaces.

    False where they are not to be had; then the process may be in some of them, but without any use of it. It must
    have one thread only. `hosts` is shown as /etc/hosts.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        call("unshare", _NEWNS | _NEWIPC | _NEWPID | _NEWNET | (_NEWUSER if uid else 0))
        if uid:
            _map(uid, gid)
        _raise_loopback()
        _show_read_only(project, hosts)
    except (OSError, AttributeError):
        return False
    return True


def _map(uid: int, gid: int) -> None:
    prctl(PR_SET_DUMPABLE, 1)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        (flags,) = struct.unpack_from("H", asked, 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _show_read_only(project: str, hosts: str) -> None:
    call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    call("mount", project.encode(), project.encode(), None, _MS_BIND, None)
    if os.path.exists("/etc/hosts"):  # noqa: PTH110
        call("mount", hosts.encode(), b"/etc/hosts", None, _MS_BIND, None)
    _set_mount(b"/", _AT_RECURSIVE, struct.pack("<QQQQ", _RDONLY, 0, 0, 0))
    _set_mount(project.encode(), 0, struct.pack("<QQQQ", 0, _RDONLY, 0, 0))


def _set_mount(path: bytes, flags: int, attributes: bytes) -> None:
    syscall("mount_setattr", _MOUNT_SETATTR, _AT_FDCWD, path, flags, attributes, len(attributes))
