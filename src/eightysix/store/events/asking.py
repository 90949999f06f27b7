"""The owner answers questions of other processes, over a socket in the store's folder.

A message is four bytes of length (big end first) and JSON, in both directions, each bounded. Only who runs as the owner's
user, or as root, is heard: the kernel says who that is. What answers is given by whoever starts this: it gets a
cursor that can write nothing, and the question.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from eightysix.model.errors import EightysixError, QueryError, StateError
from eightysix.model.table import Column
from eightysix.store.events.hot import Hot
from eightysix.store.events.layout import Layout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAX_ANSWER", "MAX_QUESTION", "Answer", "Question", "Server", "ask"]

MAX_QUESTION = 1 << 20
MAX_ANSWER = 256 << 20
"""Bytes. A query that gives more is told to ask for less."""

AT_ONCE = 4
"""Questions that are worked on at the same time; more are told that it is busy."""

SPEAK_S = 10.0
"""Seconds within which a question must have come, and an answer must be taken."""

_LENGTH = struct.Struct(">I")
_PEER = struct.Struct("3i")


class Question(Struct, kw_only=True, omit_defaults=True):
    """A query: `language` is `kql` or `sql`; `now_ns` is what it takes for the present."""

    text: str
    now_ns: int
    language: str = "kql"
    limit: int = 10_000
    timeout_s: float = 60.0
    parameters: Mapping[str, str] = {}


class Answer(Struct, kw_only=True, omit_defaults=True):
    """What it gave, or in `error` why it gave nothing."""

    columns: tuple[Column, ...] = ()
    rows: list[list[Any]] = []
    truncated: bool = False
    error: str = ""
    advice: str = ""
    construct: str = ""


Answerer = Callable[["DuckDBPyConnection", Question], Answer]


class Server:
    """Listens until `close`. `answer` raises `EightysixError` for what it refuses."""

    def __init__(self, hot: Hot, answer: Answerer) -> None:
        self._hot = hot
        self._answer = answer
        self._room = threading.Semaphore(AT_ONCE)
        self._busy: set[threading.Thread] = set()
        self._ended = threading.Event()
        path = hot.layout.socket
        with suppress(FileNotFoundError):
            path.unlink()  # of an owner that was killed: the store is ours
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with _short(hot.layout) as name:
                self._socket.bind(name)
            path.chmod(0o600)
            self._socket.listen(16)
        except OSError as error:
            self._socket.close()
            raise StateError(f"{path} cannot be listened on: {error.strerror}", "check the folder") from error
        self._thread = threading.Thread(target=self._listen, name="store-questions", daemon=True)
        self._thread.start()

    def __enter__(self) -> Server:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Hear nobody any more; what is being answered is answered."""
        self._ended.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(SPEAK_S)
        for thread in list(self._busy):
            thread.join(SPEAK_S)
        with suppress(OSError):
            self._hot.layout.socket.unlink()

    def _listen(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                if self._ended.is_set():
                    return
                continue
            if not _may_ask(peer) or not self._room.acquire(blocking=False):
                with suppress(OSError, ValueError), peer:
                    peer.settimeout(1.0)
                    _send(peer, msgspec.json.encode(Answer(error="the owner is busy", advice="ask again")))
                continue
            thread = threading.Thread(target=self._serve, args=(peer,), name="store-answer", daemon=True)
            self._busy.add(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, suppress(OSError, ValueError):
                peer.settimeout(SPEAK_S)
                _send(peer, self._answered(_receive(peer, MAX_QUESTION)))
        finally:
            self._room.release()
            self._busy.discard(threading.current_thread())

    def _answered(self, data: bytes) -> bytes:
        try:
            question = msgspec.json.decode(data, type=Question)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return msgspec.json.encode(Answer(error=f"the question cannot be read: {error}"))
        try:
            with self._hot.reading() as cursor:
                answer = self._answer(cursor, question)
        except EightysixError as error:
            construct = error.construct if isinstance(error, QueryError) else ""
            answer = Answer(error=error.what, advice=error.advice, construct=construct)
        except Exception as error:  # noqa: BLE001 - whatever fails here must not end the owner
            answer = Answer(error=f"the owner failed over this question ({type(error).__name__})")
        try:
            text = msgspec.json.encode(answer)
        except (UnicodeEncodeError, TypeError, RecursionError):
            text = msgspec.json.encode(Answer(error="the answer has what no JSON can hold"))
        if len(text) > MAX_ANSWER:
            text = msgspec.json.encode(
                Answer(error=f"the answer is larger than {MAX_ANSWER >> 20} MiB", advice="ask for fewer rows or columns")
            )  # fmt: skip
        return text


def ask(folder: str | os.PathLike[str], question: Question) -> Answer:
    """Ask the owner of the store in `folder`. Raises `QueryError` where it refuses, `StateError` where nobody answers."""
    layout = Layout(folder)
    data = msgspec.json.encode(question)
    if len(data) > MAX_QUESTION:
        raise QueryError(f"the query is larger than {MAX_QUESTION >> 20} MiB")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
            peer.settimeout(SPEAK_S)
            with _short(layout) as name:
                peer.connect(name)
            _send(peer, data)
            peer.settimeout(question.timeout_s + SPEAK_S)
            answer = msgspec.json.decode(_receive(peer, MAX_ANSWER), type=Answer)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise StateError(
            f"the owner of {layout.folder} does not answer: {error}",
            "rows that are sealed can be read without it",
        ) from error
    if answer.error:
        raise QueryError(answer.error, answer.advice, construct=answer.construct)
    return answer


def _may_ask(peer: socket.socket) -> bool:
    _, user, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return user in (0, os.geteuid())


def _send(peer: socket.socket, data: bytes) -> None:
    peer.sendall(_LENGTH.pack(len(data)) + data)


def _receive(peer: socket.socket, longest: int) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size))
    if length > longest:
        raise ValueError(f"a message of {length} bytes is too long")
    return _exactly(peer, length)


def _exactly(peer: socket.socket, length: int) -> bytes:
    # NOTE: what was announced is not set aside at once; a liar costs what it sends.
    data = bytearray()
    while len(data) < length:
        part = peer.recv(min(length - len(data), 1 << 20))
        if not part:
            raise ValueError("the other side ended in the middle of a message")
        data += part
    return bytes(data)


@contextmanager
def _short(layout: Layout) -> Iterator[str]:
    """A name of the socket that fits: the kernel takes 107 bytes, and folders may lie deep."""
    folder = os.open(layout.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{layout.socket.name}"
    finally:
        os.close(folder)
