"""The process that forks the children, and what a child does: it is all that runs in an interpreter of its own.

Nothing of a stream ever reaches the server: it gets one end of a connection, hands it to a new child, and ends that child
when it is told to.
"""

from __future__ import annotations

import _socket  # the rest of socket costs this process 8 ms and is never used
import gc
import io
import os
import resource
import struct
import sys

from eightysix.scan.second.inert import Answer, examine
from eightysix.scan.second.sandbox import NoSandboxError, close_all_but, lock, mapped_bytes

__all__ = ["main"]

FORK, END = b"F", b"E"
READ_AT_ONCE = 1 << 20


def main(control: int, memory: int, cpu_s: int) -> None:
    """Serve until the other side of `control` goes away."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = _socket.socket(fileno=control)
    gc.disable()  # a child collects between two streams
    gc.collect()
    gc.freeze()
    limit = mapped_bytes() + memory
    child = 0
    while True:
        order, descriptors = _order(connection)
        if order == FORK and descriptors:
            _ended(child)
            child = os.fork()
            if not child:
                _child(descriptors[0], limit, cpu_s)
            os.close(descriptors[0])
        elif order == END:
            connection.sendall(struct.pack(">i", _ended(child)))
            child = 0
        else:
            _ended(child)
            os._exit(0)


def _order(connection: _socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """What the other side wants; nothing where it is gone."""
    room = struct.calcsize("i")
    order, notes, _, _ = connection.recvmsg(1, _socket.CMSG_SPACE(room))
    for level, kind, body in notes:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS) and len(body) >= room:
            return order, struct.unpack("i", body[:room])
    return order, ()


def _ended(child: int) -> int:
    """End the child and tell how it ended: a signal's number, or 0. It keeps its own end where it already had one."""
    if not child:
        return 0
    os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _child(descriptor: int, memory: int, cpu_s: int) -> None:
    try:
        close_all_but(descriptor)
        try:
            lock(memory, cpu_s)
        except NoSandboxError as missing:
            _send(descriptor, str(missing).encode())
            os._exit(1)
        sys.meta_path.clear()  # imports that C code makes end here, not at a file that cannot be opened
        _send(descriptor, b"ready")
        while _serve(descriptor):
            gc.collect()
    finally:
        os._exit(0)


def _serve(descriptor: int) -> bool:
    """One stream; False where no other comes."""
    head = _receive(descriptor, 8)
    if len(head.getbuffer()) < 8:
        return False
    size = struct.unpack(">Q", head.getvalue())[0]
    try:
        data = _receive(descriptor, size)
    except MemoryError:
        return False
    _send(descriptor, _packed(examine(data, size)))
    return True


def _receive(descriptor: int, size: int) -> io.BytesIO:
    data = io.BytesIO()
    left = size
    while left:
        got = os.read(descriptor, min(left, READ_AT_ONCE))
        if not got:
            break
        data.write(got)
        left -= len(got)
    return data


def _packed(answer: Answer) -> bytes:
    """Texts, each behind its length: the other side need not trust any of them."""
    end = "" if answer.end is None else str(answer.end)
    texts = [answer.spent, answer.error, answer.differs, end]
    for module, name in answer.names:
        texts += (module, name)
    parts: list[bytes] = []
    for text in texts:
        part = text.encode("utf-8", "surrogatepass")
        parts += (struct.pack(">I", len(part)), part)
    return b"".join(parts)


def _send(descriptor: int, body: bytes) -> None:
    left = memoryview(struct.pack(">I", len(body)) + body)
    while left:
        left = left[os.write(descriptor, left) :]
