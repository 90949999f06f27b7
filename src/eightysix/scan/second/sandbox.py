"""Takes every right from the process that runs hostile bytes: it may compute, read and write what is open, and end."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct

__all__ = ["NoSandboxError", "close_all_but", "lock", "mapped_bytes"]

PR_SET_PDEATHSIG = 1  # all PR_ from linux/prctl.h
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2  # linux/seccomp.h, as the two below
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
PROT_EXEC = 4
MAP_ANONYMOUS = 0x20
SIGKILL = 9

# linux/bpf_common.h and linux/filter.h
LOAD_WORD = 0x20
JUMP_EQUAL = 0x15
JUMP_ANY_BIT = 0x45
RETURN = 0x06

NUMBER, ARCHITECTURE, PROTECTION, FLAGS = 0, 4, 32, 40
"""Offsets in struct seccomp_data: the call, the architecture, and the lower halves of the third and fourth argument."""

CALLS = {
    "x86_64": {
        "arch": 0xC000003E,  # AUDIT_ARCH_X86_64; the x32 calls have another number and are refused with the rest
        "mmap": 9,
        "mprotect": 10,
        "plain": {
            "read": 0,
            "write": 1,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "exit": 60,
            "gettimeofday": 96,
            "sigaltstack": 131,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "getrandom": 318,
        },
    },
    "aarch64": {
        "arch": 0xC00000B7,  # AUDIT_ARCH_AARCH64
        "mmap": 222,
        "mprotect": 226,
        "plain": {
            "read": 63,
            "write": 64,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "gettimeofday": 169,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "madvise": 233,
            "getrandom": 278,
        },
    },
}
"""The calls that are left, by machine: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.

What an interpreter needs to allocate, to answer and to end. Nothing opens, connects, starts, signals or traces.
"""


class NoSandboxError(Exception):
    """This machine cannot take the rights away. The text says what is missing."""


def mapped_bytes() -> int:
    """How much address space this process has now: limits of memory count from there."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def close_all_but(kept: int) -> None:
    """Close every descriptor of this process but `kept`, the standard ones too."""
    os.closerange(0, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1] & 0x7FFFFFFF)


def lock(memory: int, cpu_s: int) -> None:
    """Give up all rights for good. `memory` is the address space in bytes, `cpu_s` the processor time.

    Raises `NoSandboxError` where the kernel does not take the filter, or takes it and does not act on it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((PR_SET_PDEATHSIG, SIGKILL), (PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1)):
        _prctl(libc, option, value)
    _limit(memory, cpu_s)
    program = _program()
    filters = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(filters))
    _prctl(libc, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header, len(header)))
    _prove()


def _limit(memory: int, cpu_s: int) -> None:
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, memory),
    ):
        hard = resource.getrlimit(what)[1]
        free = hard == resource.RLIM_INFINITY
        most = most if free else min(most, hard)
        # One second between the two limits of CPU: the lower kills by SIGXCPU, which says why.
        room = what == resource.RLIMIT_CPU and (free or hard > most)
        resource.setrlimit(what, (most, most + 1 if room else most))


def _prctl(libc: ctypes.CDLL, option: int, *arguments: object) -> None:
    filled = [*arguments, 0, 0, 0, 0][:4]
    if libc.prctl(option, *(ctypes.c_ulong(one) if isinstance(one, int) else one for one in filled)):
        code = ctypes.get_errno()
        raise NoSandboxError(f"prctl {option}: {errno.errorcode.get(code, code)}")


def _prove() -> None:
    # The filter is believed when it refuses: a kernel that is emulated may take it and do nothing.
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return
    except OSError:
        pass
    raise NoSandboxError("the seccomp filter is not obeyed")


def _program() -> bytes:
    """The filter, in the kernel's form."""
    calls = CALLS.get(platform.machine())
    if calls is None:
        raise NoSandboxError(f"no seccomp filter for {platform.machine() or 'this machine'}")
    architecture, mapping, protecting, plain = calls["arch"], calls["mmap"], calls["mprotect"], calls["plain"]
    assert isinstance(plain, dict)  # noqa: S101 - of the table above
    numbers = sorted(plain.values())
    refuse, allow = (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM), (RETURN, 0, 0, SECCOMP_RET_ALLOW)
    # Jumps count the instructions that are left out: (code, if true, if false, operand).
    checks = [
        (LOAD_WORD, 0, 0, FLAGS),  # mmap: anonymous memory only, then as mprotect
        (JUMP_ANY_BIT, 0, 2, MAP_ANONYMOUS),
        (LOAD_WORD, 0, 0, PROTECTION),  # mprotect: nothing that runs
        (JUMP_ANY_BIT, 0, 1, PROT_EXEC),
        refuse,
        allow,
    ]
    count = len(numbers)
    lines = [
        (LOAD_WORD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        refuse,
        (LOAD_WORD, 0, 0, NUMBER),
        (JUMP_EQUAL, count + 2, 0, mapping),
        (JUMP_EQUAL, count + 3, 0, protecting),
        *((JUMP_EQUAL, count - at + len(checks), 0, number) for at, number in enumerate(numbers)),
        refuse,
        *checks,
        allow,
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
