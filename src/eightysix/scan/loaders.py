"""The loaders that a guard knows, and how it gets between them and their callers.

A loader is replaced where its callers look it up: as an attribute of its module. Modules that are imported while a guard
stands are treated alike. Who kept a loader itself before (`from torch import load`) is not seen.
"""

from __future__ import annotations

import functools
import io
import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from mmap import mmap
from types import ModuleType
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from eightysix.model.errors import ScanRefusedError
from eightysix.model.finding import FileVerdict
from eightysix.scan.held import Held

__all__ = ["NAMES", "Data", "Judge", "handed", "stand", "step_back"]

Data = bytes | mmap
T = TypeVar("T")


class Judge(Protocol):
    """A guard, as it is seen from here."""

    names: frozenset[str]

    def judge(self, data: Data, name: str) -> None:
        """Raise `ScanRefusedError` where `data` must not be loaded."""


class _Loader(Struct, frozen=True):
    """One loader: where it is looked up, and what its first argument is called if it is given by name.

    `takes_data` is for one that takes bytes and no file. `harmless` says of the other arguments that nothing is unpickled
    with them. `adapt` sets named arguments that the loader would have taken from the name of the file.
    """

    places: tuple[tuple[str, str], ...]
    first: str
    takes_data: bool = False
    harmless: Callable[[Sequence[Any], dict[str, Any]], bool] = lambda _others, _named: False
    adapt: Callable[[str, Sequence[Any], dict[str, Any]], None] = lambda _path, _others, _named: None


def _no_pickles(others: Sequence[Any], named: dict[str, Any]) -> bool:
    """numpy.load(file, mmap_mode=None, allow_pickle=False, ...)."""
    return not (others[1] if len(others) > 1 else named.get("allow_pickle", False))


_COMPRESSIONS = {
    ".tar": "tar", ".tar.gz": "tar", ".tar.bz2": "tar", ".tar.xz": "tar",
    ".gz": "gzip", ".bz2": "bz2", ".zip": "zip", ".xz": "xz", ".zst": "zstd",
}  # fmt: skip
"""What pandas takes from the name of a file: its documentation of `read_pickle`, under `compression`."""


def _compression(path: str, others: Sequence[Any], named: dict[str, Any]) -> None:
    """pandas.read_pickle(path, compression="infer", ...)."""
    if not others and named.get("compression", "infer") == "infer":
        ends = (kind for end, kind in _COMPRESSIONS.items() if path.lower().endswith(end))
        named["compression"] = next(ends, None)


_LOADERS = {
    "pickle.load": _Loader((("pickle", "load"),), "file"),
    "pickle.loads": _Loader((("pickle", "loads"),), "data", takes_data=True),
    "torch.load": _Loader((("torch", "load"), ("torch.serialization", "load")), "f"),
    "joblib.load": _Loader((("joblib", "load"), ("joblib.numpy_pickle", "load")), "filename"),
    "numpy.load": _Loader((("numpy", "load"),), "file", harmless=_no_pickles),
    "pandas.read_pickle": _Loader(
        (("pandas", "read_pickle"), ("pandas.io.api", "read_pickle"), ("pandas.io.pickle", "read_pickle")),
        "filepath_or_buffer",
        adapt=_compression,
    ),
}

NAMES = tuple(_LOADERS)
"""What a guard can stand before."""

_lock = threading.RLock()
_standing: list[Judge] = []
_replaced: list[tuple[ModuleType, str, object, object]] = []
"""Module, attribute, what was there, and what is there now."""

_ours: weakref.WeakKeyDictionary[Any, Callable[..., Any]] = weakref.WeakKeyDictionary()
"""What each function that was put in place stands for."""

_inside = threading.local()


def stand(judge: Judge) -> None:
    """Have `judge` asked before its loaders load."""
    with _lock:
        _standing.append(judge)
        if len(_standing) == 1:
            sys.meta_path.insert(0, _LATER)
        for module in {module for name in NAMES for module, _ in _LOADERS[name].places}:
            if module in sys.modules:
                _replace_in(module)


def step_back(judge: Judge) -> None:
    """Ask `judge` no more; the last one to go puts everything back as it was."""
    with _lock:
        _standing.remove(judge)
        if _standing:
            return
        sys.meta_path.remove(_LATER)
        for module, attribute, before, now in _replaced:
            # Another may have put its own above ours: that stays, and finds ours asking nobody.
            if getattr(module, attribute, None) is now:
                setattr(module, attribute, before)
        _replaced.clear()


def _replace_in(name: str) -> None:
    module = sys.modules[name]
    for loader_name, loader in _LOADERS.items():
        for place, attribute in loader.places:
            before = getattr(module, attribute, None) if place == name else None
            if before is None or (module, attribute, before) in [
                (one[0], one[1], one[3]) for one in _replaced
            ]:
                continue
            ours = _ours.get(before)
            if ours is not None:  # imported from a module where it was replaced already
                _replaced.append((module, attribute, ours, before))
                continue
            now = _asking(before, loader_name, loader)
            setattr(module, attribute, now)
            _replaced.append((module, attribute, before, now))


def _asking(function: Callable[..., Any], name: str, loader: _Loader) -> Callable[..., Any]:
    """`function`, but the guards that stand before `name` are asked first."""

    @functools.wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        judges = tuple(judge for judge in list(_standing) if name in judge.names)
        given = list(arguments)
        if not given and loader.first in named:
            given.append(named.pop(loader.first))
        if not judges or not given or loader.harmless(given[1:], named):
            return function(*given, **named)
        return handed(function, judges, given[0], given[1:], named, loader)

    _ours[guarded] = function
    return guarded


def handed(
    function: Callable[..., T],
    judges: Sequence[Judge],
    source: Any,
    others: Sequence[Any],
    named: dict[str, Any],
    loader: _Loader | None = None,
) -> T:
    """What `function` makes of the bytes of `source`, once all `judges` have let them pass.

    Without `loader`, a text is a path and bytes are what to load; most loaders take bytes for a path too.
    """
    is_path = isinstance(source, (str, os.PathLike)) or (isinstance(source, bytes) and loader is not None)
    if is_path and not (loader is not None and loader.takes_data):
        path = os.fsdecode(source)
        named = dict(named)
        if loader is not None:
            loader.adapt(path, others, named)
        with Held(path) as held:
            return _passed(function, judges, held.data, path, held.name or held.file(), others, named)
    # What a loader reads while it loads what was scanned is a part of that: torch reads its file by five pickles.
    if getattr(_inside, "depth", 0):
        return function(source, *others, **named)
    if hasattr(source, "read"):
        return _from_file(function, judges, source, others, named)
    data = bytes(memoryview(source))  # a copy: who gave it may write to it meanwhile
    return _passed(function, judges, data, "bytes in memory", data, others, named)


def _from_file(
    function: Callable[..., T],
    judges: Sequence[Judge],
    source: Any,
    others: Sequence[Any],
    named: dict[str, Any],
) -> T:
    """From where the file stands; afterwards it stands where the loader would have left it."""
    name = str(getattr(source, "name", "") or "a file in memory")
    try:
        start = source.tell()
        source.seek(start)
    except (AttributeError, OSError, ValueError):
        raise ScanRefusedError(
            f"{name} was not loaded: it cannot be read a second time",
            "read all of it, and load that",
            verdict=FileVerdict.UNSCANNABLE,
        ) from None
    stream = io.BytesIO(source.read())
    try:
        return _passed(function, judges, stream.getvalue(), name, stream, others, named)
    finally:
        source.seek(start if stream.closed else start + stream.tell())


def _passed(
    function: Callable[..., T],
    judges: Sequence[Judge],
    data: Data,
    name: str,
    instead: object,
    others: Sequence[Any],
    named: dict[str, Any],
) -> T:
    for judge in judges:
        judge.judge(data, name)
    _inside.depth = getattr(_inside, "depth", 0) + 1
    try:
        return function(instead, *others, **named)
    finally:
        _inside.depth -= 1


class _Later(MetaPathFinder):
    """Notices the import of a module with a loader, and has it treated as those that were there before."""

    def __init__(self) -> None:
        self._homes = {module for loader in _LOADERS.values() for module, _ in loader.places}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders behind this one find, made to tell when it is loaded."""
        if name not in self._homes:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _tell_when_loaded(spec)
                return spec
        return None


def _tell_when_loaded(spec: ModuleSpec) -> None:
    run = getattr(spec.loader, "exec_module", None)
    if run is None:
        return

    def exec_module(module: ModuleType) -> None:
        run(module)
        with _lock:
            if _standing:
                for home in _LATER._homes & sys.modules.keys():  # noqa: SLF001 - of this module
                    _replace_in(home)

    spec.loader.exec_module = exec_module  # type: ignore[union-attr,method-assign]


_LATER = _Later()
