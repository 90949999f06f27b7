"""Threads and tasks of executors keep the chain of who started them.

`_thread.start_new_thread` (and 3.13's `start_joinable_thread`) are replaced: no audit event tells of a thread before 3.12,
and none tells which thread a task of an executor comes from. What is kept of a creator is the names of the files on its
stack, nothing that lives.
"""

from __future__ import annotations

import _thread
import sys
from _thread import get_ident

from eightysix_sensor import hulls
from eightysix_sensor.attribution import Origin
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from eightysix_sensor.core import Core

_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")
_frame = sys._getframe


class Started:
    """A function that runs with the origin of who handed it over. Looks like the function where people print it. The native
    part has its own (`within`), whose frame nobody sees."""

    __slots__ = ("_core", "_function", "_origin")

    def __init__(self, core: Core, function: Any, origin: Origin) -> None:
        self._core = core
        self._function = function
        self._origin = origin

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; the thread's own origin comes back afterwards."""
        origins = self._core.origins
        here = get_ident()
        before = origins.get(here)
        origins[here] = self._origin
        try:
            return self._function(*args, **kwargs)
        finally:
            if before is None:
                origins.pop(here, None)
            else:
                origins[here] = before

    def __repr__(self) -> str:
        return repr(self._function)


def capture(core: Core, depth: int) -> Optional[Origin]:
    """Where we are, as the origin of what is started here; None where that fails."""
    try:
        return Origin(core.attribution.walk(_frame(depth)), core.origins.get(get_ident()))
    except Exception as error:  # noqa: BLE001 - a thread starts whatever happens to us
        core.failed(error)
        return None


def _started(core: Core, function: Any, origin: Origin) -> Any:
    """`function`, to be run with this origin."""
    within = getattr(core.native, "within", None)
    if within is None:
        return Started(core, function, origin)

    def enter() -> Any:
        here = get_ident()
        before = core.origins.get(here)
        core.origins[here] = origin
        return (before,)

    def leave(before: Any) -> None:
        if before[0] is None:
            core.origins.pop(get_ident(), None)
        else:
            core.origins[get_ident()] = before[0]

    return within(function, enter, leave, hash(origin.key))


def install(core: Core) -> None:
    """Replace what starts threads, here and where `threading` has it already."""
    threading = sys.modules.get("threading")
    for name in _STARTERS:
        original = getattr(_thread, name, None)
        if original is None or type(original) is not type(len):
            continue
        starter = core.seal(_starter(core, original), name, "_thread")
        setattr(_thread, name, starter)
        if threading is not None and getattr(threading, "_" + name, None) is original:
            setattr(threading, "_" + name, starter)


def _starter(core: Core, original: Callable[..., Any]) -> Callable[..., Any]:
    def start(*args: Any, **kwargs: Any) -> Any:
        if args and not core.off and callable(args[0]):
            origin = capture(core, 2)
            if origin is not None:
                return original(_started(core, args[0], origin), *args[1:], **kwargs)
        return original(*args, **kwargs)

    start.__name__ = start.__qualname__ = original.__name__
    start.__module__ = "_thread"
    start.__doc__ = original.__doc__
    return start


def wrap_submit(core: Core, module: Any) -> None:
    """`concurrent.futures.thread` was imported: tasks keep who submitted them."""
    executor = module.ThreadPoolExecutor
    original = executor.submit

    def started(function: Any) -> Any:
        if core.off or not callable(function):
            return function
        origin = capture(core, 3)
        return function if origin is None else _started(core, function, origin)

    submit = hulls.handing(original, core.seal(started, "started", "eightysix"))
    submit.__name__, submit.__qualname__ = original.__name__, original.__qualname__
    submit.__module__, submit.__doc__ = original.__module__, original.__doc__
    submit.__wrapped__ = original
    executor.submit = submit
