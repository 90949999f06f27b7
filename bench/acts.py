"""Ways to reach another host and ways to read a file, one function each, harmless: loopback and a file of its own.

Each is what an attacker may choose to be seen less. `bench.visibility` runs each in a process of its own and records which
hooks of the kernel it reaches. Nothing here is a technique of ours: all are documented system calls of Linux.
"""

from __future__ import annotations

import array
import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["FILES", "NETWORK", "Place", "check", "libc"]

libc = ctypes.CDLL(None, use_errno=True)

# Numbers of system calls that are the same on every architecture (added after they were unified).
IO_URING_SETUP, IO_URING_ENTER, OPENAT2 = 425, 426, 437
IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAKEUP, IORING_SETUP_SQPOLL = 1, 2, 2
IORING_OP_CONNECT, IORING_OP_OPENAT, IORING_OP_READ = 16, 18, 22
TCP_FASTOPEN_CONNECT, MSG_FASTOPEN, IPPROTO_MPTCP = 30, 0x20000000, 262
AT_FDCWD = -100
GREETING = b"eightysix visibility\n"


@dataclass(frozen=True)
class Place:
    """Where an act goes: the loopback server's ports, the file, and a connected socket or open file that was handed on."""

    tcp4: int
    tcp6: int
    udp: int
    file: str
    handed: int = -1
    channel: socket.socket | None = None


def check(result: int, what: str) -> int:
    """`result` of a C function; raises `OSError` where it is negative."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


# --- io_uring, by hand: no library of it is part of Python -----------------------------------------------------------


class Ring:
    """An io_uring of eight entries, enough to make one request after another."""

    def __init__(self, *, poll: bool = False) -> None:
        self.poll = poll
        params = bytearray(120)
        struct.pack_into("=III", params, 8, IORING_SETUP_SQPOLL if poll else 0, 0, 1000)
        buffer = (ctypes.c_char * 120).from_buffer(params)
        self.fd = check(libc.syscall(IO_URING_SETUP, 8, buffer), "io_uring_setup")
        sq = struct.unpack_from("=10I", params, 40)
        cq = struct.unpack_from("=10I", params, 80)
        self.sq_head, self.sq_tail, self.sq_mask, _, _, _, self.sq_array = sq[:7]
        self.cq_head, self.cq_tail, self.cq_mask, _, _, self.cqes = cq[:6]
        entries = struct.unpack_from("=II", params, 0)
        shared = mmap.MAP_SHARED | mmap.MAP_POPULATE
        size = max(self.sq_array + 4 * entries[0], self.cqes + 16 * entries[1])
        self.ring = mmap.mmap(self.fd, size, shared, offset=0)
        self.sqes = mmap.mmap(self.fd, 64 * entries[0], shared, offset=0x10000000)

    def request(self, opcode: int, fd: int, address: int, length: int, offset: int) -> int:
        """Make one request and wait for its result."""
        tail = self._u32(self.sq_tail)
        slot = tail & self._u32(self.sq_mask)
        entry = struct.pack("=BBHiQQI", opcode, 0, 0, fd, offset, address, length)
        self.sqes[64 * slot : 64 * slot + 64] = entry.ljust(64, b"\0")
        struct.pack_into("=I", self.ring, self.sq_array + 4 * slot, slot)
        struct.pack_into("=I", self.ring, self.sq_tail, tail + 1)
        flags = IORING_ENTER_GETEVENTS | (IORING_ENTER_SQ_WAKEUP if self.poll else 0)
        check(libc.syscall(IO_URING_ENTER, self.fd, 1, 1, flags, None, 0), "io_uring_enter")
        head = self._u32(self.cq_head)
        place = self.cqes + 16 * (head & self._u32(self.cq_mask))
        _, result, _ = struct.unpack_from("=QiI", self.ring, place)
        struct.pack_into("=I", self.ring, self.cq_head, head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return int(result)

    def _u32(self, place: int) -> int:
        return int(struct.unpack_from("=I", self.ring, place)[0])


def _loopback(port: int) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(
        struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), b"\x7f\0\0\1")
    )


# --- reaching another host -------------------------------------------------------------------------------------------


def connect(place: Place) -> None:
    """connect(2), then send."""
    with socket.create_connection(("127.0.0.1", place.tcp4)) as made:
        made.send(GREETING)


def connect_ipv6(place: Place) -> None:
    """The same over IPv6."""
    with socket.create_connection(("::1", place.tcp6)) as made:
        made.send(GREETING)


def connect_mptcp(place: Place) -> None:
    """The same over multipath TCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as made:
        made.connect(("127.0.0.1", place.tcp4))
        made.send(GREETING)


def fastopen_sendto(place: Place) -> None:
    """sendto(2) with MSG_FASTOPEN: the first data travel with the request for the connection; connect(2) is not called."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.sendto(GREETING, MSG_FASTOPEN, ("127.0.0.1", place.tcp4))


def fastopen_connect(place: Place) -> None:
    """TCP_FASTOPEN_CONNECT: connect(2) does nothing yet, and the first send connects."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        made.connect(("127.0.0.1", place.tcp4))
        made.send(GREETING)


def io_uring_connect(place: Place, *, poll: bool = False) -> None:
    """IORING_OP_CONNECT: no system call of the process names the destination."""
    ring = Ring(poll=poll)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        address = _loopback(place.tcp4)
        ring.request(IORING_OP_CONNECT, made.fileno(), ctypes.addressof(address), 0, 16)
        made.send(GREETING)


def io_uring_sqpoll_connect(place: Place) -> None:
    """The same, made by a thread of the kernel that looks into the queue."""
    io_uring_connect(place, poll=True)


def inherited_by_exec(place: Place) -> None:
    """A socket that was connected before the program was started: a new program sends over it."""
    os.dup2(place.handed, 3)
    os.execv("/bin/sh", ["sh", "-c", "echo inherited >&3"])  # noqa: S606 - a builtin of the shell


def passed_by_scm_rights(place: Place) -> None:
    """A connected socket that another process hands over a UNIX socket."""
    with socket.socket(fileno=_receive(place)) as made:
        made.send(GREETING)


def udp_sendto(place: Place) -> None:
    """sendto(2) on a UDP socket, as QUIC and DNS do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(GREETING, ("127.0.0.1", place.udp))


def udp_connect(place: Place) -> None:
    """connect(2) on a UDP socket, then send."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("127.0.0.1", place.udp))
        made.send(GREETING)


def _receive(place: Place) -> int:
    assert place.channel is not None
    numbers = array.array("i")
    _, ancillary, _, _ = place.channel.recvmsg(1, socket.CMSG_SPACE(numbers.itemsize))
    numbers.frombytes(ancillary[0][2][: numbers.itemsize])
    return numbers[0]


# --- reading a file --------------------------------------------------------------------------------------------------


def open_read(place: Place) -> None:
    """openat(2) and read(2), as the C library does."""
    descriptor = os.open(place.file, os.O_RDONLY)
    os.read(descriptor, 64)
    os.close(descriptor)


def openat2_read(place: Place) -> None:
    """openat2(2) and read(2)."""
    how = ctypes.create_string_buffer(struct.pack("=QQQ", os.O_RDONLY, 0, 0))
    descriptor = check(
        libc.syscall(OPENAT2, AT_FDCWD, ctypes.c_char_p(os.fsencode(place.file)), how, 24), "openat2"
    )
    os.read(descriptor, 64)
    os.close(descriptor)


def io_uring_open_read(place: Place) -> None:
    """IORING_OP_OPENAT and IORING_OP_READ: no system call of the process names the file or reads it."""
    ring = Ring()
    path = ctypes.create_string_buffer(os.fsencode(place.file))
    descriptor = ring.request(IORING_OP_OPENAT, AT_FDCWD, ctypes.addressof(path), 0, 0)
    into = ctypes.create_string_buffer(64)
    ring.request(IORING_OP_READ, descriptor, ctypes.addressof(into), 64, 0)
    os.close(descriptor)


def open_mmap(place: Place) -> None:
    """openat(2), then the file is mapped and never read by a system call."""
    descriptor = os.open(place.file, os.O_RDONLY)
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
        bytes(mapped[:1])
    os.close(descriptor)


def open_sendfile(place: Place) -> None:
    """openat(2), then the kernel copies the file into a pipe."""
    descriptor = os.open(place.file, os.O_RDONLY)
    reads, writes = os.pipe()
    os.sendfile(writes, descriptor, 0, 64)
    os.close(descriptor)
    os.close(reads)
    os.close(writes)


def inherited_file(place: Place) -> None:
    """A file that was opened before the program was started: a new program reads it."""
    os.dup2(place.handed, 3)
    os.execv("/bin/sh", ["sh", "-c", "read line <&3"])  # noqa: S606 - a builtin of the shell


def file_by_scm_rights(place: Place) -> None:
    """An open file that another process hands over a UNIX socket."""
    descriptor = _receive(place)
    os.read(descriptor, 64)
    os.close(descriptor)


Act = Callable[[Place], None]

NETWORK: dict[str, Act] = {
    act.__name__: act
    for act in (
        connect,
        connect_ipv6,
        connect_mptcp,
        fastopen_sendto,
        fastopen_connect,
        io_uring_connect,
        io_uring_sqpoll_connect,
        inherited_by_exec,
        passed_by_scm_rights,
        udp_sendto,
        udp_connect,
    )
}
FILES: dict[str, Act] = {
    act.__name__: act
    for act in (
        open_read,
        openat2_read,
        io_uring_open_read,
        open_mmap,
        open_sendfile,
        inherited_file,
        file_by_scm_rights,
    )
}
