"""The two processes behind the engine, as it sees them: the one that forks, and the child that reads streams.

Whatever a child says is hostile: it is bounded, waited for only so long, and taken apart without trust.
"""

from __future__ import annotations

import fcntl
import os
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import eightysix
from eightysix.scan.interface import SecondOpinion

__all__ = ["BOOT", "Child", "GoneError", "Server", "no_interpreter"]

BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from eightysix.scan.second.server import main; "
    "sys.path.pop(); main(*map(int, sys.argv[2:]))"
)
"""What the fresh interpreter runs. Our own code is found last, so that nothing beside it can stand in for the library."""

ANSWER = 32 << 20
"""Bytes of an answer that are accepted: more than a child that is itself ever sends."""

AT_ONCE = 1 << 16
"""Bytes that are sent or received by one call."""

STOP_S = 5.0
"""Seconds that the forking process has to end once its connection is closed; it takes 0.001."""

SPENT = {"": "", "names": "asks for too many names", "memory": "needed more than {} MB of memory"}


class GoneError(Exception):
    """The other side of a connection is gone, talks nonsense, or is `late`."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__("late" if late else "gone")
        self.late = late


class _Connection:
    """Messages with a deadline, over one end of a pair of sockets."""

    def __init__(self, end: socket.socket, clock: Callable[[], float]) -> None:
        self._end = end
        self._clock = clock
        self._got = bytearray()

    def send(self, *parts: bytes | memoryview, until: float) -> None:
        # A pipe would do, were it not for SIGPIPE, which a program may have set back to what kills it.
        try:
            for part in parts:
                left = memoryview(part)
                while left:
                    self._end.settimeout(self._left(until))
                    left = left[self._end.send(left, socket.MSG_NOSIGNAL) :]
        except OSError as error:
            raise GoneError(late=isinstance(error, TimeoutError)) from None

    def receive(self, length: int, *, until: float) -> bytes:
        while len(self._got) < length:
            try:
                self._end.settimeout(self._left(until))
                part = self._end.recv(AT_ONCE)
            except OSError as error:
                raise GoneError(late=isinstance(error, TimeoutError)) from None
            if not part:
                raise GoneError
            self._got += part
        got = bytes(self._got[:length])
        del self._got[:length]
        return got

    def message(self, *, until: float) -> bytes:
        length = int.from_bytes(self.receive(4, until=until), "big")
        if length > ANSWER:
            raise GoneError
        return self.receive(length, until=until)

    def close(self) -> None:
        self._end.close()

    def _left(self, until: float) -> float:
        left = until - self._clock()
        if left <= 0:
            raise GoneError(late=True)
        return left


class Child:
    """One process without rights. `streams` and `bytes` count what it was given."""

    def __init__(self, end: socket.socket, memory: int, clock: Callable[[], float]) -> None:
        self._connection = _Connection(end, clock)
        self._memory = memory
        self.streams = 0
        self.bytes = 0

    def greeting(self, until: float) -> str:
        """Wait until it has given up its rights; what the machine lacks for that, empty if nothing."""
        said = self._connection.message(until=until).decode("utf-8", "replace")
        return "" if said == "ready" else said[:100]

    def ask(self, stream: memoryview, until: float) -> SecondOpinion:
        """What it makes of `stream`."""
        self.streams += 1
        self.bytes += len(stream)
        head = struct.pack(">Q", len(stream))
        parts = (head + stream,) if len(stream) < AT_ONCE else (head, stream)
        self._connection.send(*parts, until=until)
        texts = list(_texts(self._connection.message(until=until)))
        if len(texts) < 4 or len(texts) % 2 or texts[0] not in SPENT:
            raise GoneError
        spent, error, differs, end = texts[:4]
        if end and not (end.isascii() and end.isdecimal() and len(end) < 20 and int(end) <= len(stream)):
            raise GoneError
        names = frozenset(zip(texts[4::2], texts[5::2], strict=True))
        return SecondOpinion(
            names=names,
            end=int(end) if end else None,
            error=error[:100],
            not_run=SPENT[spent].format(self._memory >> 20),
            differs=differs[:100],
        )

    def close(self) -> None:
        """Let go of it; the process that forked it ends it."""
        self._connection.close()


class Server:
    """The process that forks the children: a fresh interpreter that has loaded next to nothing."""

    def __init__(self, boot: str, memory: int, cpu_s: int, clock: Callable[[], float]) -> None:
        self._memory = memory
        self._clock = clock
        self._end, theirs = _pair()
        root = str(Path(eightysix.__file__).parent.parent.absolute())
        arguments = (root, *(str(number) for number in (theirs.fileno(), memory, cpu_s)))
        # A shared libpython may be found through this one name; nothing else of the environment goes along.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-W", "ignore", "-c", boot, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=kept,
                cwd="/",
                start_new_session=True,  # Ctrl-C in a terminal is for the scan: it ends this one by its connection
            )
        except BaseException:
            self._end.close()
            raise
        finally:
            theirs.close()
        self._connection = _Connection(self._end, clock)

    def child(self) -> Child:
        """A new child; the one before it is ended."""
        ours, theirs = _pair()
        try:
            socket.send_fds(self._end, [b"F"], [theirs.fileno()], socket.MSG_NOSIGNAL)
        except OSError:
            ours.close()
            raise GoneError from None
        finally:
            theirs.close()
        return Child(ours, self._memory, self._clock)

    def end_child(self) -> int:
        """End the child; the number of the signal that ended it, 0 if none did."""
        until = self._clock() + STOP_S
        self._connection.send(b"E", until=until)
        return int.from_bytes(self._connection.receive(4, until=until), "big")

    def close(self) -> None:
        """End it, and with it the child."""
        self._connection.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        self._connection.close()
        self._process.returncode = 0  # it is no child of ours: nobody may wait for it, or complain


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets, with numbers that are no standard stream's, even where those are closed."""
    ends: list[socket.socket] = []
    for end in socket.socketpair():
        with end:
            ends.append(socket.socket(fileno=fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3)))
    return ends[0], ends[1]


def no_interpreter() -> str:
    """Why no fresh interpreter can be started here; empty where one can."""
    if platform.system() != "Linux":
        return "no sandbox on this system"
    program = sys.executable
    if not program:
        return "no interpreter to start (sys.executable is empty)"
    # A program that embeds Python may name itself here, and would be started in its place.
    if not Path(program).name.startswith("python"):
        return "no interpreter to start (sys.executable is no Python)"
    return ""


def _texts(body: bytes) -> Iterator[str]:
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        part = body[at + 4 : at + 4 + length]
        if len(part) != length:
            raise GoneError
        try:
            text = part.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise GoneError from None
        yield text
        at += 4 + length
