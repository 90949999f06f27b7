"""Where the sensor starts: `start(native)`, called before any `.pth` file runs (native) or as early as Python lets us.

Nothing happens unless `EIGHTYSIX_SENSOR` names an endpoint. `EIGHTYSIX_SENSOR_DISABLE=1` or the file
`/run/eightysix/disable` keeps it off. After the start the sensor's modules are not in `sys.modules`: what a program finds
there is another copy, whose changing changes nothing. What the program holds of the sensor is in `hulls`.
"""

from __future__ import annotations

import sys
from posix import environ, register_at_fork
from posix import stat as stat_of

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, List

    from eightysix_sensor.core import Core
    from eightysix_sensor.events import Events

_STARTED = "_eightysix_sensor"
_PACKAGE = "eightysix_sensor"


def start(native: Any = None) -> bool:
    """Start the sensor in this interpreter, once; whether it runs now. Never raises.

    `native` is what the preloaded library gives: `set_hook(callable, events, open_prefixes)`; without it the hook is
    `sys.addaudithook`'s.
    """
    try:
        return _start(native)
    except Exception:  # noqa: BLE001 - the host goes on without us
        return False
    finally:
        _leave_modules()


def endpoint() -> str:
    """What the environment names, empty where the sensor is to stay off."""
    given = environ.get(b"EIGHTYSIX_SENSOR", b"").decode("utf-8", "surrogateescape")
    if given in ("", "off") or environ.get(b"EIGHTYSIX_SENSOR_DISABLE", b"") not in (b"", b"0"):
        return ""
    return given


def _start(native: Any) -> bool:
    where = endpoint()
    if not where or hasattr(sys, _STARTED):
        return False
    from eightysix_sensor.core import KILL_FILE, Core

    try:
        stat_of(KILL_FILE)
        return False
    except OSError:
        pass
    from eightysix_sensor import places, probes, snapshot, threads
    from eightysix_sensor.attribution import Attribution
    from eightysix_sensor.events import Events
    from eightysix_sensor.hook import make_hook
    from eightysix_sensor.transport import Transport

    own = __file__.rpartition("/")[0]
    core = Core(Transport(where), Attribution(own, native), native)
    events = Events(core)
    table = events.table()
    hook = make_hook(core, table, own)
    setattr(sys, _STARTED, True)
    core.guarded(lambda: snapshot.start_record(core, "native" if native is not None else "python"))
    probes.install(core, events)
    threads.install(core)
    if native is not None:
        native.set_hook(hook, tuple(table), places.path_patterns())
    else:
        sys.addaudithook(hook)
    _arrange(core, events)
    return True


def _arrange(core: Core, events: Events) -> None:
    """What happens later: the program begins, a child is forked, time goes by, the interpreter ends."""
    import atexit

    from eightysix_sensor import snapshot

    begun: List[bool] = []

    def main() -> None:
        if not begun:
            begun.append(True)
            snapshot.snapshot_record(core, events)

    def child() -> None:
        core.forked()
        core.guarded(lambda: snapshot.child_record(core))

    def keep(now: float) -> None:
        events.forget()
        core.attribution.look_again()

    def end() -> None:
        core.guarded(lambda: core.heartbeat(last=True))

    events.on_main = main
    core.housekeeping = keep
    core.attribution.on_new = lambda new: snapshot.new_dists(core, events, new)
    register_at_fork(after_in_child=child)
    atexit.register(core.seal(end, "end", "eightysix"))


def _leave_modules() -> None:
    """Take our modules out of `sys.modules`; who imports them again gets copies that hold nothing."""
    for name in list(sys.modules):
        if type(name) is str and (name == _PACKAGE or name.startswith(_PACKAGE + ".")):
            sys.modules.pop(name, None)
