"""What is told once for each process: how it was started, and what was there before its program began."""

from __future__ import annotations

import sys
from posix import environ, getppid, listdir
from posix import stat as stat_of
from time import time

from eightysix_sensor import commands, places
from eightysix_sensor.attribution import tidy
from eightysix_sensor.core import NOBODY
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.record import read_small
from eightysix_sensor.told import looks_secret, text, told_name, told_path

if TYPE_CHECKING:
    from typing import Any, Dict, List

    from eightysix_sensor.core import Core
    from eightysix_sensor.dists import Dist
    from eightysix_sensor.events import Events

_MAX_NAMES = 64
_MAX_FILES = 32
_MAX_PTH = 65536


def start_record(core: Core, mode: str) -> None:
    """The start of this interpreter: its command line, and names (never values) of variables that matter."""
    given = getattr(sys, "orig_argv", None)
    argv = list(given) if type(given) is list else _argv()
    fields = {
        "argv": commands.told_argv(argv),
        "path": told_path(text(sys.executable)) or None,
        "env": sensitive_names(),
        "ppid": getppid(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "api": mode,
    }
    core.send("start", NOBODY, "", fields)


def child_record(core: Core) -> None:
    """A forked child: it has no command line of its own."""
    core.send("forked", NOBODY, "", {"ppid": getppid()})


def snapshot_record(core: Core, events: Events) -> None:
    """What ran before the program: `.pth` files with code that are newer than the container, and modules that are loaded."""
    since = _container_since()
    now = time()
    files: List[Dict[str, Any]] = []
    for entry in list(sys.path):
        if type(entry) is str and entry.endswith("-packages"):
            core.attribution.site(entry)
            files += [_told_pth(path, changed, now) for path, changed in _hooks(entry) if changed > since]
    standard = events.standard()
    loaded = sorted(
        {name.partition(".")[0] for name in list(sys.modules) if type(name) is str}
        - set(standard) - set(sys.builtin_module_names) - {"__main__", "eightysix_sensor", "sitecustomize", "usercustomize"}
    )  # fmt: skip
    core.send(
        "snapshot",
        NOBODY,
        "",
        {"pth": files[:_MAX_FILES], "modules": [told_name(name) for name in loaded[:_MAX_NAMES]]},
    )


def new_dists(core: Core, events: Events, dists: List[Dist]) -> None:
    """Distributions appeared while the process ran. `installing` tells whether it did or asked for that itself."""
    for dist in dists[:_MAX_FILES]:
        fields = {
            "path": told_path(dist.folder),
            "mode": "x",
            "name": tidy(dist.name),
            "installing": events.installs_seen,
        }
        core.send("dist", NOBODY, "", fields)


def sensitive_names() -> List[str]:
    """Names of variables that hold credentials or steer, in order."""
    names = []
    for name in list(environ):
        shown = text(name, 200)
        if places.is_sensitive(shown) and not looks_secret(shown):
            names.append(shown)
    return sorted(names)[:_MAX_NAMES]


def _argv() -> List[str]:
    """The command line where Python does not keep it (before 3.10)."""
    return [text(word, 4096) for word in read_small("/proc/self/cmdline").split(b"\0")[:-1]]


def _container_since() -> float:
    """When the first process of this container began (proc(5)): what changed later landed while it runs."""
    try:
        return stat_of("/proc/1").st_ctime
    except OSError:
        return 0.0


def _hooks(folder: str) -> Any:
    """Paths of `.pth` files with lines that run, and when they last changed."""
    try:
        names = [name for name in listdir(folder) if name.endswith(".pth")]
    except OSError:
        return
    for name in sorted(names)[: _MAX_FILES * 4]:
        path = folder + "/" + name
        content = b"\n" + read_small(path, _MAX_PTH)
        if b"\nimport " in content or b"\nimport\t" in content:
            try:
                yield path, stat_of(path).st_ctime
            except OSError:
                continue


def _told_pth(path: str, changed: float, now: float) -> Dict[str, Any]:
    return {"path": tidy(path), "age_s": round(max(0.0, now - changed), 1)}
