"""The system calls that Python has no name for. Only ctypes and numbers; x86_64 and aarch64."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


def _checked(name: str, result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Call by number. Arguments are ints, bytes, None or ctypes values."""
    wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return _checked(name, int(libc.syscall(ctypes.c_long(number), *wide)))


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library that answers -1 and errno on failure."""
    wide = [ctypes.c_ulong(item) if isinstance(item, int) else item for item in arguments]
    return _checked(name, int(getattr(ctypes.CDLL(None, use_errno=True), name)(*wide)))


def prctl(option: int, value: int, pointer: object = 0) -> int:
    return call("prctl", option, value, pointer, 0, 0)
