"""What the program gets to hold in the place of its own functions. Anybody may read their cells, their globals and, while they
run, their frames: so nothing is in them but what the program had before and builtins of the native part
(`sensor/native/closed.c`), and nothing of the sensor is imported here, its builtins neither.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


def ahead(original: Any, before: Callable[[Any, Any], Any]) -> Any:
    """`original`, with its arguments told first."""

    def call(*args: Any, **kwargs: Any) -> Any:
        before(args, kwargs)
        return original(*args, **kwargs)

    return call


def around(original: Any, before: Callable[[Any, Any], Any], after: Callable[[], Any]) -> Any:
    """`original` between two."""

    def call(*args: Any, **kwargs: Any) -> Any:
        before(args, kwargs)
        try:
            return original(*args, **kwargs)
        finally:
            after()

    return call


def handing(original: Any, started: Callable[[Any], Any]) -> Any:
    """A method whose first argument is a function, which is replaced by what `started` makes of it."""

    def submit(*args: Any, **kwargs: Any) -> Any:
        if len(args) > 1:
            args = (args[0], started(args[1]), *args[2:])
        return original(*args, **kwargs)

    return submit


class Finder:
    """On `sys.meta_path`: finds what is waited for by asking the others, and has it looked at once it was executed."""

    __slots__ = ("_executed", "_failed", "_last", "_wanted")

    def __init__(
        self,
        wanted: Callable[[str], bool],
        last: Callable[[], bool],
        executed: Callable[[str, Any], Any],
        failed: Callable[[], Any],
    ) -> None:
        self._wanted = wanted
        self._last = last
        self._executed = executed
        self._failed = failed

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """PEP 451; None for all that is not waited for."""
        if not self._wanted(name):
            return None
        if self._last():
            self.leave()
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, path, target)
                if spec is not None:
                    self._prepare(spec, name)
                    return spec
        return None

    def leave(self) -> None:
        """Nothing is waited for."""
        for place in range(len(sys.meta_path) - 1, -1, -1):
            if sys.meta_path[place] is self:
                del sys.meta_path[place]

    def _prepare(self, spec: Any, name: str) -> None:
        """Have the module told of after its code ran. The loader is left as it was found."""
        loader = spec.loader
        execute = getattr(loader, "exec_module", None)
        executed = self._executed
        if execute is None:
            return

        def exec_module(module: Any) -> None:
            try:
                del loader.exec_module
            except AttributeError:
                pass
            execute(module)
            executed(name, module)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            self._failed()
