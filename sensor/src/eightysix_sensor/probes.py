"""Probes for what no audit event tells: put into a library right after it was imported, at no cost before.

A finder (`hulls.Finder`) is put on `sys.meta_path` when a library of the table begins to be imported, and leaves when its
module was found.
A probe wraps one function, tells what is loaded, and calls the function with what it was given; what goes wrong in a
probe is counted and does not reach the caller.
"""

from __future__ import annotations

import _io
import posix
import sys
from _thread import get_ident
from posix import fstat, getcwd
from posix import stat as stat_of

from eightysix_sensor import commands, hulls, threads
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.told import WITHHELD, text, told_name, told_path

if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    from eightysix_sensor.core import Core
    from eightysix_sensor.events import Events

_frame = sys._getframe
_MAX_ID = 16
_MAX_LOADED = 4096


def install(core: Core, events: Events) -> None:
    """Be ready for the libraries of the table, and take those that are loaded."""
    loads = Loads(core, events)
    probes: Dict[str, Callable[[Any], None]] = {
        "concurrent.futures.thread": lambda module: threads.wrap_submit(core, module),
        "langchain_core.load.load": loads.langchain,
        "torch.serialization": lambda module: loads.wrap(module, "load", "torch.load", "f"),
        "joblib.numpy_pickle": lambda module: loads.wrap(module, "load", "joblib.load", "filename"),
        "transformers.dynamic_module_utils": loads.transformers,
    }
    by_top: Dict[str, List[str]] = {}
    for name, probe in probes.items():
        loaded = sys.modules.get(name)
        if loaded is not None:
            _quietly(core, probe, loaded)
        else:
            # NOTE: `importlib.import_module` raises no event for what it imports, so of other people's packages the first
            # import of anything counts; this one of the standard library is imported by a statement, if at all.
            by_top.setdefault(name if name.startswith("concurrent.") else name.partition(".")[0], []).append(
                name
            )
    waiting: Set[str] = set()

    def wanted(name: str) -> bool:
        if type(name) is not str or name not in waiting:
            return False
        waiting.discard(name)
        return True

    finder = hulls.Finder(
        core.seal(wanted, "wanted", "eightysix"),
        core.seal(lambda: not waiting, "last", "eightysix"),
        core.seal(lambda name, module: _quietly(core, probes[name], module), "executed", "eightysix"),
        core.seal(lambda: core.failed(AttributeError()), "failed", "eightysix"),
    )

    def on_import(top: str, name: str) -> None:
        names = by_top.pop(top, None) or by_top.pop(name, None)
        if names:
            waiting.update([name for name in names if name not in sys.modules])
            if waiting and type(sys.meta_path) is list and not any([it is finder for it in sys.meta_path]):
                sys.meta_path.insert(0, finder)

    events.on_import = on_import
    events.watched = frozenset(by_top)


def _quietly(core: Core, probe: Callable[[Any], None], module: Any) -> None:
    core.guarded(lambda: probe(module))


class Loads:
    """Probes of loaders: which file is loaded, and that it is, for the thread that loads it."""

    def __init__(self, core: Core, events: Events) -> None:
        self._core = core
        self._events = events
        self._loaded: Set[Tuple[int, ...]] = set()

    def wrap(self, module: Any, name: str, api: str, parameter: str) -> None:
        """Wrap a function that takes a path or an open file first."""
        original = getattr(module, name)
        core = self._core

        def before(args: Any, kwargs: Any) -> None:
            source = args[0] if args else kwargs.get(parameter)
            frame = _frame(2)
            core.guarded(lambda: self._tell(source, api, frame))

        def after() -> None:
            core.loading.pop(get_ident(), None)

        load = hulls.around(
            original, core.seal(before, "before", "eightysix"), core.seal(after, "after", "eightysix")
        )
        setattr(module, name, _dressed(load, original))

    def _tell(self, source: Any, api: str, frame: Any) -> None:
        path, about = _identity(source)
        file = None
        if about is not None:
            file = {
                "dev": about.st_dev,
                "ino": about.st_ino,
                "size": about.st_size,
                "mtime_ns": about.st_mtime_ns,
            }
            self._core.loading[get_ident()] = file
            key = tuple(file.values())
            if key not in self._loaded:
                if len(self._loaded) >= _MAX_LOADED:
                    self._loaded.clear()
                self._loaded.add(key)
                self._events.forget()
        if path and path[0] != "/":
            path = getcwd() + "/" + path
        fields = {"path": told_path(path) if path else None, "mode": "r", "file": file, "api": api}
        self._core.emit("open" if path else "load", fields, frame, True, key=(api, path, str(file)))

    def langchain(self, module: Any) -> None:
        """`Reviver.__call__` of langchain_core.load.load gets each object that was serialised."""
        reviver = module.Reviver
        original = reviver.__call__
        core = self._core

        def before(args: Any, kwargs: Any) -> None:
            value = args[1] if len(args) > 1 else kwargs.get("value")
            if type(value) is dict and value.get("lc") == 1:
                frame = _frame(2)
                core.guarded(lambda: self._revived(value, frame))

        reviver.__call__ = _dressed(hulls.ahead(original, core.seal(before, "before", "eightysix")), original)

    def _revived(self, value: Dict[Any, Any], frame: Any) -> None:
        kind, given = text(value.get("type"), 32), value.get("id")
        if kind not in ("constructor", "secret", "not_implemented"):
            kind = WITHHELD
        listed: Any = given if type(given) is list or type(given) is tuple else ()
        parts = [told_name(text(part, 200)) for part in listed[:_MAX_ID]]
        self._core.emit("revive", {"type": kind, "id": parts}, frame, True)

    def transformers(self, module: Any) -> None:
        """Code that came with a model is about to be imported."""
        for name in ("get_class_in_module", "get_class_from_dynamic_module"):
            original = getattr(module, name, None)
            if original is not None:
                setattr(module, name, self._dynamic(original, name))

    def _dynamic(self, original: Any, name: str) -> Any:
        core = self._core

        def before(args: Any, kwargs: Any) -> None:
            given = args[1] if len(args) > 1 else None
            frame = _frame(2)
            core.guarded(lambda: self._imported(given, name, frame))

        return _dressed(hulls.ahead(original, core.seal(before, "before", "eightysix")), original)

    def _imported(self, given: Any, name: str, frame: Any) -> None:
        path = text(given, 4096) or commands.path_of(given)
        file = _told_file(_stat(path)) if path.endswith(".py") else None
        fields = {
            "module": "transformers_modules",
            "path": told_path(path) or None,
            "file": file,
            "api": name,
        }
        self._core.emit("import", fields, frame, True, key=(name, path))


def _dressed(wrapper: Any, original: Any) -> Any:
    """What `functools.wraps` does."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        try:
            setattr(wrapper, name, getattr(original, name))
        except (AttributeError, TypeError):
            continue
    try:
        wrapper.__dict__.update(original.__dict__)
    except (AttributeError, TypeError):
        pass
    wrapper.__wrapped__ = original
    return wrapper


def _identity(source: Any) -> Tuple[str, Optional[posix.stat_result]]:
    """Path and status of what a loader is given, as far as it is a path or a file that Python itself opened."""
    path = text(source, 4096) or commands.path_of(source)
    if path:
        return path, _stat(path)
    kind = type(source)
    # By identity alone: a class may have a metaclass, and a buffer may lie over an object of the program's.
    raw = source.raw if kind is _io.BufferedReader or kind is _io.BufferedRandom else source
    if type(raw) is _io.FileIO:
        try:
            return text(raw.name, 4096), fstat(raw.fileno())
        except (OSError, ValueError, AttributeError):
            pass
    return "", None


def _stat(path: str) -> Optional[posix.stat_result]:
    try:
        return stat_of(path)
    except (OSError, ValueError):
        return None


def _told_file(about: Optional[posix.stat_result]) -> Optional[Dict[str, int]]:
    if about is None:
        return None
    return {"dev": about.st_dev, "ino": about.st_ino, "size": about.st_size, "mtime_ns": about.st_mtime_ns}
