"""What must hold for every input, however broken: the properties that `make fuzz` tries to refute."""

from __future__ import annotations

import _compat_pickle
import io
import pickle
import resource
import signal
import time
from contextlib import suppress
from types import FrameType

from msgspec import Struct

from eightysix.model.finding import FileVerdict
from eightysix.scan.index import RoleKind, role
from eightysix.scan.interface import SecondOpinion
from eightysix.scan.scanner import Options, Result, scan_bytes
from eightysix.scan.second.engine import Engine
from eightysix.scan.second.inert import EXTENSION
from eightysix.scan.verdict import verdict_of

__all__ = ["IN_TEXT", "MEMORY", "SECOND_ALONE", "Judge", "Judgement"]

CPU_S = 20.0
"""Processor time for one input: a bomb of 64 KB may unpack to ten million opcodes, and each of them is read."""

CPU_PER_MB = 4.0
HANG_S = 90
MEMORY = 200 << 20
"""Bytes of this process at its peak, as promised for a scan."""

DIFFERENCE = "parser-differential"

SAW, DIFFERS = "only the second engine saw it", "only the second engine reads it otherwise"
IN_TEXT = "a text that is also an import"
"""Plain text whose first lines are `c`, a name, a name and a full stop, with more text behind, is told as text: so begins
many a .gitignore. docs/scan.md says so under what a scan cannot see."""

SECOND_ALONE = (SAW, DIFFERS)
"""No promise is broken by these, as the file is malicious; but one engine was all that stood between."""


class Judgement(Struct, frozen=True):
    """What one input came to. `failures` are (what kind, which one of that kind)."""

    verdict: FileVerdict
    form: str
    cpu_s: float
    failures: tuple[tuple[str, str], ...]

    @property
    def kinds(self) -> set[str]:
        """What kinds of failure these are."""
        return {kind for kind, _ in self.failures}


class _Listening:
    """The second engine, and what it said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.heard: list[SecondOpinion] = []

    def load(self, stream: memoryview) -> SecondOpinion:
        opinion = self._engine.load(stream)
        self.heard.append(opinion)
        return opinion


class _HangError(BaseException):
    """Passes every boundary that catches errors."""


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise _HangError


class Judge:
    """Scans inputs and says which property each refutes."""

    def __init__(self, engine: Engine, memory: int | None = None) -> None:
        """`memory` is what this process may take at its peak; None in one that did other things before."""
        self._engine = engine
        self._memory = memory
        signal.signal(signal.SIGALRM, _hang)

    def __call__(self, data: bytes, inner: bytes | None = None) -> Judgement:
        """`inner` is the pickle that a whole container `data` holds, if it does."""
        second = _Listening(self._engine)
        options = Options(second=second)
        signal.alarm(HANG_S)
        started = time.process_time()
        try:
            result = scan_bytes(data, "-", options)
        except _HangError:
            return Judgement(FileVerdict.UNSCANNABLE, "", HANG_S, (("hang", ""),))
        except Exception as error:  # noqa: BLE001 - that it raises is what is looked for
            return Judgement(FileVerdict.UNSCANNABLE, "", 0.0, (("raises", type(error).__name__),))
        finally:
            signal.alarm(0)
        spent = time.process_time() - started
        failures = [
            ("crash", one.why) for one in result.findings if one.rule in ("reader-failed", "reader-died")
        ]
        if spent > CPU_S + CPU_PER_MB * len(data) / (1 << 20):
            failures.append(("slow", result.file.format))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if self._memory is not None and peak > self._memory:
            failures.append(("memory", result.file.format))
        failures += self._imports(result, second.heard, inner if inner is not None else data)
        return Judgement(result.file.verdict, result.file.format, spent, tuple(failures))

    def _imports(self, result: Result, heard: list[SecondOpinion], stream: bytes) -> list[tuple[str, str]]:
        """Whether CPython would import what no index vouches for, and the file passed as clean, or nearly so."""
        if result.file.verdict is FileVerdict.CLEAN:
            opinion = self._engine.load(memoryview(stream))
            missed = _outside([*heard, opinion])
            # Many a text begins with `c` and two lines, which is an import: it is a pickle if it says so, if it is whole,
            # or if it gets to call something.
            shown = stream[:1] == b"\x80" or opinion.end is not None or bool(_called(stream))
            if missed and stream.isascii() and opinion.end is not None and not _called(stream):
                return [(IN_TEXT, missed)] if stream[opinion.end :].strip() else [("clean", missed)]
            return [("clean", missed)] if missed and shown else []
        own = verdict_of(one for one in result.findings if one.rule != DIFFERENCE)
        if own is FileVerdict.CLEAN:
            missed = _outside(heard)
            return [(SAW, missed)] if missed else [(DIFFERS, _why(result))]
        return []


class _Calling(type):
    def __call__(cls, *_arguments: object) -> object:
        global _calls  # noqa: PLW0603 - it is reached through a class, and asked right after
        _calls += 1
        return cls


class _Called(metaclass=_Calling):
    def __setstate__(self, _state: object) -> None:
        pass


class _Caller(pickle.Unpickler):
    def find_class(self, _module: str, _name: str) -> object:
        return _Called

    def persistent_load(self, _identity: object) -> object:
        return _Called


_calls = 0


def _called(data: bytes) -> int:
    """How often the pickle calls something before it ends or breaks."""
    global _calls  # noqa: PLW0603 - as above
    _calls = 0
    with suppress(Exception):
        _Caller(io.BytesIO(data)).load()
    return _calls


def _why(result: Result) -> str:
    """The kind of the difference, without the names and numbers in it."""
    why = next(one.why for one in result.findings if one.rule == DIFFERENCE)
    return "".join(one for one in why.partition(":")[0] if not one.isdigit())[:30]


def _outside(opinions: list[SecondOpinion]) -> str:
    """The first name that would be imported and that the index does not have; empty where there is none."""
    names = sorted(set[tuple[str, str]]().union(*(one.names for one in opinions)))
    for module, name in names:
        if not _importable(module, name) or (module, name) == EXTENSION:
            continue  # a code that nobody registered is an error, and the fuzzer registers none
        kinds = {role(*written).kind for written in ((module, name), _renamed(module, name))}
        if kinds <= {RoleKind.UNKNOWN, RoleKind.DENIED}:
            return f"{module}.{name}"
    return ""


def _importable(module: str, name: str) -> bool:
    """Whether an import of it could do anything but fail: its module is one that a package can have (identifiers, none
    longer than a file's name may be), and its name a text. Another module would first have to be planted."""
    return name.isprintable() and all(part.isidentifier() and len(part) < 250 for part in module.split("."))


def _renamed(module: str, name: str) -> tuple[str, str]:
    """What the name is called in Python 3: an unpickler looks there where the stream is of an old protocol."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[module, name]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name
