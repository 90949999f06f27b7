"""The second engine, as a scan sees it: bytes go in, what CPython makes of them comes out, and nothing else."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import cache
from types import TracebackType

from msgspec import Struct
from msgspec.structs import replace

from eightysix.scan.interface import SecondOpinion
from eightysix.scan.second.process import BOOT, Child, GoneError, Server, no_interpreter

__all__ = ["Engine", "EngineLimits", "open_engine", "shared_engine"]

START_S = 20.0
"""Seconds that the fresh interpreter has to make its first child; it takes 0.04."""

KEPT_STREAMS = 512
"""Streams that one child reads before it makes way for a new one."""

KEPT_BYTES = 4 << 20
"""Bytes of streams after which a child makes way; a longer stream always gets a new one."""

FIRST = 1 << 20
"""Bytes of a longer stream that are tried first: what follows a pickle in a file may be gigabytes of weights."""

SIGXCPU = 24


class EngineLimits(Struct, frozen=True, kw_only=True):
    """What one stream may cost.

    `stream` and `memory` in bytes: the second holds the first, and all that the stream builds. With what the scan itself
    needs they stay below 200 MB. `cpu_s` is processor time in seconds, `wall_s` what the clock may show.
    """

    stream: int = 32 << 20
    memory: int = 96 << 20
    cpu_s: int = 4
    wall_s: float = 30.0


_DEFAULT = EngineLimits()
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


class Engine:
    """Runs streams in a child that has no rights. Any number of threads may share it; each waits for its turn.

    Nothing is started before the first stream. After a fork the new process starts what it needs for itself. A child
    reads many streams, as long as nothing happens: each finds it as it was, because the stand-in has no state and the
    unpickler is made anew. Whatever ends otherwise than at its STOP ends the child with it.
    """

    def __init__(
        self,
        limits: EngineLimits = _DEFAULT,
        *,
        boot: str = BOOT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._boot = boot
        self._clock = clock
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._child: Child | None = None
        self._starts = 0
        self._never = ""
        _engines.add(self)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop()

    def close(self) -> None:
        """End what was started. A stream that comes later is `not run`."""
        with self._lock:
            self._stop()
            self._never = "the engine is closed"

    def load(self, stream: memoryview) -> SecondOpinion:
        """See `interface.SecondEngine`."""
        most = self.limits.stream
        with self._lock:
            try:
                if len(stream) > FIRST:
                    # Where every way comes to the STOP, no way has looked at what is left out.
                    opinion = self._load(stream[: min(FIRST, most)])
                    if _plain(opinion) or opinion.not_run:
                        return opinion
                    if len(stream) > most:
                        return replace(opinion, error="", differs="", not_run=f"larger than {most >> 20} MB")
                return self._load(stream)
            except BaseException:
                # An interrupt: what the child was about to say must not be taken for the next answer.
                self._stop()
                raise

    def _load(self, stream: memoryview) -> SecondOpinion:
        while not self._never:
            try:
                return self._ask(stream)
            except GoneError:
                self._stop()
                if self._starts > 1:
                    self._never = "the process that runs it ended twice"
            except OSError as error:
                self._stop()
                self._never = f"it cannot be started ({type(error).__name__})"
        return SecondOpinion(not_run=self._never)

    def _ask(self, stream: memoryview) -> SecondOpinion:
        """The answer of a child, a new one if need be. Raises `GoneError` where the server is what is gone."""
        while True:
            child = self._ready(len(stream))
            if child is None:
                return SecondOpinion(not_run=self._never)
            new = child.streams == 0
            try:
                opinion = child.ask(stream, self._clock() + self.limits.wall_s)
            except GoneError as gone:
                opinion = SecondOpinion(not_run=self._why(gone))
            if not _plain(opinion):
                self._drop_child()
            if opinion.not_run and not new:
                continue  # perhaps what it had read before was too much for it: the stream gets a child of its own
            return opinion

    def _ready(self, size: int) -> Child | None:
        """A child that may read `size` bytes; None where there can be none, and `_never` says why."""
        child = self._child
        if child is not None and child.streams < KEPT_STREAMS and child.bytes + size <= KEPT_BYTES:
            return child
        self._drop_child()
        if self._server is None:
            self._never = no_interpreter()
            if self._never:
                return None
            self._starts += 1
            self._server = Server(self._boot, self.limits.memory, self.limits.cpu_s, self._clock)
        child = self._child = self._server.child()
        missing = child.greeting(self._clock() + START_S)
        if missing:
            self._never = f"no sandbox here ({missing})"
            self._stop()
            return None
        return child

    def _why(self, gone: GoneError) -> str:
        """How the child ended that gave no answer."""
        signal = self._server.end_child() if self._server is not None else 0
        if signal == SIGXCPU:
            return f"needed more than {self.limits.cpu_s} s of processor time"
        if gone.late:
            return f"took longer than {self.limits.wall_s:g} s"
        return f"CPython's unpickler ended without an answer (signal {signal})"

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def _stop(self) -> None:
        self._drop_child()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _forked(self) -> None:
        """This process is a copy: what was started belongs to the other one."""
        self._lock = threading.Lock()
        self._drop_child()
        if self._server is not None:
            self._server.forget()
            self._server = None
        self._starts = 0


def _plain(opinion: SecondOpinion) -> bool:
    """Whether the stream was read to its STOP, in every way alike."""
    return opinion.end is not None and not opinion.differs and not opinion.error and not opinion.not_run


def _after_fork() -> None:
    for engine in list(_engines):
        engine._forked()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def open_engine(limits: EngineLimits = _DEFAULT) -> Engine:
    """An engine of one's own: a context manager, to be closed by who opened it."""
    return Engine(limits)


@cache
def shared_engine() -> Engine:
    """The engine of this process, opened once and closed as it ends; in a forked worker it starts anew by itself."""
    engine = Engine()
    atexit.register(engine.close)
    return engine
