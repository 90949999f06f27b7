"""What a child does with one stream: CPython's unpicklers read it, and all that they import is one inert thing."""

from __future__ import annotations

import codecs
import copyreg
import io
import pickle  # noqa: TID251 - the unpickler itself is what is watched here, and its find_class imports nothing
from collections.abc import Callable
from itertools import repeat

__all__ = ["Answer", "Inert", "examine"]

NAMES = 65_536
"""Globals that one stream may ask for; the largest benign one here asks for 164."""

TEXT = 4 << 20
"""Characters in all these names."""

PYTHON_CALLS = 20_000
"""Reads that the unpickler written in Python may make: some 20 ms. What it asked for until then is compared. Each read
takes a byte at least, so that a stream of fewer bytes needs no counting."""

EXTENSIONS = 65_536
"""Codes of EXT1 and EXT2; once a stream uses one, all are registered."""

MORE_CODES = 4
"""Codes of EXT4 that one stream may use; each costs a run."""

EXTENSION = ("copyreg extension", "any")
"""What a stream asks for by a code of the extension registry."""


for _name in ("ascii", "latin1", "raw-unicode-escape", "utf-8"):
    codecs.lookup(
        _name
    )  # all that opcodes name: in the sandbox a first look-up would be an import, which fails


class _InertType(type):
    """The type of the stand-in: calling it, or storing in it, does nothing."""

    def __call__(cls, *_arguments: object, **_named: object) -> object:
        return cls

    def __setitem__(cls, _key: object, _value: object) -> None:
        pass

    def __setattr__(cls, _name: str, _value: object) -> None:
        pass

    def __delattr__(cls, _name: str) -> None:
        pass


def _nothing(*_arguments: object, **_named: object) -> None:
    pass


class Inert(metaclass=_InertType):
    """Stands for everything that a stream imports, and for everything that comes of it.

    It is a class, for opcodes that make instances want one, and it is its own and only instance: no state can be set on
    it, so a hostile stream finds and leaves nothing. Each method that an opcode calls takes anything and does nothing.
    """

    __slots__ = ()

    def __new__(cls, *_arguments: object, **_named: object) -> type[Inert]:  # type: ignore[misc]
        """Itself."""
        return cls

    __setstate__ = staticmethod(_nothing)
    append = staticmethod(_nothing)
    extend = staticmethod(_nothing)
    add = staticmethod(_nothing)


class _TooManyError(Exception):
    """A bound of ours on one run was reached."""


class _Names:
    """The globals that were asked for in one run."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str]] = set()
        self._text = 0

    def find_class(self, module: str, name: str) -> object:
        """Note the name and give the stand-in; nothing is imported."""
        if (module, name) not in self.asked:
            self._text += len(module) + len(name)
            if len(self.asked) >= NAMES or self._text > TEXT:
                raise _TooManyError("names")
            self.asked.add((module, name))
        return Inert

    def persistent_load(self, _identity: object) -> object:
        """What a loader would look up by this identity: the stand-in."""
        return Inert


class _Compiled(_Names, pickle.Unpickler):
    """CPython's unpickler as loaders use it, written in C."""

    def __init__(self, stream: _Opened | io.BytesIO) -> None:
        _Names.__init__(self)
        # latin1 fails on no byte: an older stream's strings must not end it before its last name. Buffers that a
        # loader would have to bring are empty.
        pickle.Unpickler.__init__(self, stream, encoding="latin1", buffers=repeat(b""))


class _Written(_Names, pickle._Unpickler):  # noqa: SLF001 - it has no other name
    """The same written in Python: what joblib's loader is made of."""

    def __init__(self, stream: _Counted | io.BytesIO) -> None:
        _Names.__init__(self)
        pickle._Unpickler.__init__(self, stream, encoding="latin1", buffers=repeat(b""))  # noqa: SLF001 - as above


class _Opened(io.BufferedReader):
    """A file as `open` gives it, but for room: it makes none for more than there is to read."""

    def __init__(self, data: io.BytesIO, size: int, ahead: int) -> None:
        super().__init__(data, ahead)
        self._size = size

    def read(self, length: int | None = -1) -> bytes:
        """As a file."""
        return super().read(self._size if length is None or length < 0 else min(length, self._size))


class _Counted:
    """A file that counts, and notices where it gave less than was asked for.

    The unpickler written in Python takes a short read for a whole one. Where it comes to a STOP all the same (a frame
    that is shorter than it says), a loader does too; where it does not, what it read after that is no part of the stream.
    """

    def __init__(self, data: io.BytesIO, asked: Callable[[], set[tuple[str, str]]]) -> None:
        self._data = data
        self._asked = asked
        self._left = PYTHON_CALLS
        self.before_end: set[tuple[str, str]] | None = None

    def _whole(self, whole: bool) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError("calls")
        if not whole and self.before_end is None:
            self.before_end = set(self._asked())

    def read(self, length: int) -> bytes:
        """As a file."""
        got = self._data.read(length)
        self._whole(len(got) == length)
        return got

    def readline(self) -> bytes:
        """As a file."""
        got = self._data.readline()
        self._whole(got.endswith(b"\n"))
        return got


class _Run:
    """One unpickler's way through the stream."""

    def __init__(self, names: set[tuple[str, str]], end: int | None, error: BaseException | None) -> None:
        self.names = names
        self.end = end
        self.error = type(error).__name__ if error is not None else ""
        self.code = _extension_of(error)
        self.cut = isinstance(error, _TooManyError)


class Answer:
    """What is told to the parent; `eightysix.scan.interface.SecondOpinion` says what it means.

    `spent` is what there was too little of: `names`, `memory`, or empty.
    """

    def __init__(self, names: set[tuple[str, str]]) -> None:
        self.names = names
        self.end: int | None = None
        self.error = ""
        self.differs = ""
        self.spent = ""


def examine(data: io.BytesIO, size: int) -> Answer:
    """Read the stream in `data`, of `size` bytes, in the ways that loaders use, and compare what they ask for."""
    try:
        return _examine(data, size)
    finally:
        _registry.clear()


def _examine(data: io.BytesIO, size: int) -> Answer:
    first = _opened(data, size)
    for _ in range(MORE_CODES):
        if first.code is None:
            break
        _registry.update(dict.fromkeys(range(1, EXTENSIONS), EXTENSION))
        _registry[first.code] = EXTENSION
        first = _opened(data, size)
    answer = Answer(set(first.names))
    if first.cut or first.error == "MemoryError":
        answer.spent = "names" if first.cut else "memory"
        return answer
    answer.end, answer.error = first.end, first.error
    for words, way in EVERY_WAY if size <= SMALL else EVERY_WAY[:1]:
        if way is _whole and size <= io.DEFAULT_BUFFER_SIZE:
            continue  # the first way had it all at hand, too
        run = way(data, size)
        if run.error != "MemoryError" and not answer.differs:
            answer.differs = _difference(first, run, words)
        answer.names |= run.names
    return answer


def _difference(first: _Run, other: _Run, words: str) -> str:
    """What `other` made of the same bytes that `first` did not; empty where nothing matters."""
    if other.cut:
        return f"{words} asks for other names" if other.names - first.names else ""
    if first.names != other.names:
        return f"{words} asks for other names"
    if first.end != other.end:
        return f"{words} ends elsewhere"
    return ""


def _opened(data: io.BytesIO, size: int) -> _Run:
    """As from `open`, read ahead of in pieces: what a loader does that is given a path."""
    return _buffered(data, size, io.DEFAULT_BUFFER_SIZE)


def _in_memory(data: io.BytesIO, _size: int) -> _Run:
    """As a member of an archive is read, piece by piece and nothing ahead: what torch does."""
    data.seek(0)
    return _run(_Compiled(data), data.tell)


def _whole(data: io.BytesIO, size: int) -> _Run:
    """All at hand from the start: what `loads` does."""
    return _buffered(data, size, SMALL)


def _in_python(data: io.BytesIO, size: int) -> _Run:
    """By the unpickler written in Python: what joblib does."""
    if size <= PYTHON_CALLS:
        data.seek(0)
        run = _run(_Written(data), data.tell)
        if run.end is not None:
            return run
    data.seek(0)
    stream = _Counted(data, lambda: unpickler.asked)
    unpickler = _Written(stream)
    run = _run(unpickler, data.tell)
    if run.end is None and stream.before_end is not None:
        run.names = stream.before_end
    return run


SMALL = 1 << 20
"""Streams up to this size in bytes are read in every way, longer ones only in the two that most loaders use."""

EVERY_WAY: tuple[tuple[str, Callable[[io.BytesIO, int], _Run]], ...] = (
    ("reading it from memory", _in_memory),
    ("reading it at once", _whole),
    ("the unpickler written in Python", _in_python),
)
"""The ways beside the first, and what they are called in a finding."""


def _buffered(data: io.BytesIO, size: int, ahead: int) -> _Run:
    data.seek(0)
    reader = _Opened(data, size, ahead)
    try:
        return _run(_Compiled(reader), reader.tell)
    finally:
        reader.detach()  # else it closes what lies below with itself


def _run(unpickler: _Compiled | _Written, tell: Callable[[], int]) -> _Run:
    copyreg._extension_cache.clear()  # type: ignore[attr-defined]  # noqa: SLF001 - what one run looked up would be no name of the next
    try:
        unpickler.load()
    except BaseException as error:  # noqa: BLE001 - hostile bytes raise what they like, and it is all told
        if isinstance(error, MemoryError):
            _spare.clear()
        return _Run(unpickler.asked, None, error)
    return _Run(unpickler.asked, tell(), None)


_registry: dict[int, tuple[str, str]] = copyreg._inverted_registry  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other name
"""The extension registry: the unpickler written in C holds this very object."""

_spare = [bytes(4 << 20)]
"""Memory that is let go of where there is no other, so that it can be said; nothing touches it, so it costs none."""


def _extension_of(error: BaseException | None) -> int | None:
    """The code that the extension registry did not have, where that ended the run."""
    head, _, code = str(error).rpartition(" ") if isinstance(error, ValueError) else ("", "", "")
    return int(code) if head == "unregistered extension code" and code.isdecimal() else None
