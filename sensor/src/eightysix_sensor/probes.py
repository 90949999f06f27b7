"""Probes for what no audit event tells: put into a library right after it was imported, at no cost before.

A finder is put on `sys.meta_path` when a library of the table begins to be imported, and leaves when its module was found.
A probe wraps one function, tells what is loaded, and calls the function with what it was given; what goes wrong in a
probe is counted and does not reach the caller.
"""

from __future__ import annotations

import posix
import sys
from _thread import get_ident
from posix import fstat, getcwd
from posix import stat as stat_of

from eightysix_sensor import commands, threads
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
_STREAMS = ("BufferedReader", "FileIO", "BufferedRandom")


class Finder:
    """Finds modules of `waiting` by asking the finders behind it, and has a probe put in once they were executed."""

    def __init__(self, core: Core, probes: Dict[str, Callable[[Any], None]]) -> None:
        self._core = core
        self._probes = probes
        self.waiting: Set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """PEP 451; None for all that is not waited for."""
        if name not in self.waiting:
            return None
        self.waiting.discard(name)
        if not self.waiting:
            self.leave()
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, path, target)
                if spec is not None:
                    self._prepare(spec, self._probes[name])
                    return spec
        return None

    def leave(self) -> None:
        """Nothing is waited for."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _prepare(self, spec: Any, probe: Callable[[Any], None]) -> None:
        """Have `probe` called after the module's code ran. The loader is left as it was found."""
        core = self._core
        loader = spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: Any) -> None:
            try:
                del loader.exec_module
            except AttributeError:
                pass
            execute(module)
            core.guarded(lambda: probe(module))

        try:
            loader.exec_module = exec_module
        except AttributeError as error:
            core.failed(error)


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
    finder = Finder(core, probes)

    def on_import(top: str, name: str) -> None:
        names = by_top.pop(top, None) or by_top.pop(name, None)
        if names:
            finder.waiting.update([name for name in names if name not in sys.modules])
            if finder.waiting and finder not in sys.meta_path:
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

        def load(*args: Any, **kwargs: Any) -> Any:
            source = args[0] if args else kwargs.get(parameter)
            frame = _frame(1)
            core.guarded(lambda: self._tell(source, api, frame))
            here = get_ident()
            try:
                return original(*args, **kwargs)
            finally:
                core.loading.pop(here, None)

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

        def call(*args: Any, **kwargs: Any) -> Any:
            value = args[1] if len(args) > 1 else kwargs.get("value")
            if type(value) is dict and value.get("lc") == 1:
                frame = _frame(1)
                core.guarded(lambda: self._revived(value, frame))
            return original(*args, **kwargs)

        reviver.__call__ = _dressed(call, original)

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

        def load(*args: Any, **kwargs: Any) -> Any:
            given = args[1] if len(args) > 1 else None
            frame = _frame(1)
            core.guarded(lambda: self._imported(given, name, frame))
            return original(*args, **kwargs)

        return _dressed(load, original)

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
    if kind.__module__ == "_io" and kind.__name__ in _STREAMS:
        try:
            name = source.name
            return text(name, 4096), fstat(source.fileno())
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
