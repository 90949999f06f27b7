"""What is done with each audit event: a quick question (whether it is left out), and a handler that tells a record.

Names and arguments of events: docs.python.org/3/library/audit_events. Arguments are the host's own objects: only their
type is asked, and no method of theirs is called.
"""

from __future__ import annotations

import sys
from posix import environ, getcwd, listdir

from eightysix_sensor import commands, places
from eightysix_sensor.attribution import is_namespace, stdlib_folders
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.requests import Requests
from eightysix_sensor.told import (
    PLATFORM,
    WITHHELD,
    is_platform,
    looks_secret,
    text,
    told_host,
    told_name,
    told_path,
)

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, Dict, FrozenSet, Optional, Set, Tuple

    from eightysix_sensor.core import Core

    Args = Tuple[Any, ...]
    Skips = Callable[[Args], Any]
    Handler = Callable[[Args, Optional[FrameType]], Any]

MAX_SEEN = 20_000
_DYNAMIC_PACKAGE = "transformers_modules"
_RUNS_CODE = frozenset(
    """os posix nt subprocess pty runpy importlib imp code codeop socket webbrowser ctypes commands popen2 platform pdb bdb
    timeit cProfile trace asyncio multiprocessing distutils shutil requests urllib httpx aiohttp builtins __builtin__
    operator types sys functools pickle _pickle marshal""".split()
)
"""Modules whose globals a pickle is told to look up each time, not once (`eightysix.detect.loads`)."""


never = ().__contains__
"""The answer for rare events: none is left out."""


class Events:
    """Handlers of one process and what they have seen."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._emit = core.emit
        self._modules: Set[str] = set()
        self._quiet: Set[str] = set()
        self._told: Set[str] = set()
        self.watched: FrozenSet[str] = frozenset()
        self._stdlib: Optional[Any] = None
        self._find: Set[Args] = set()
        self._requests = Requests(core)
        self._api_server = environ.get(b"KUBERNETES_SERVICE_HOST", b"").decode("ascii", "replace").lower()
        self.installs_seen = False
        self.on_import: Callable[[str, str], None] = _ignore
        self.on_main: Callable[[], None] = _nothing

    def table(self) -> Dict[str, Tuple[Skips, Handler]]:
        """By the event's name."""
        modules, find = self._modules, self._find
        requests = self._requests
        table: Dict[str, Tuple[Skips, Handler]] = {
            "import": (lambda args: type(args[0]) is str and args[0] in modules, self._import),
            "open": (places.skips_open, self._open),
            "exec": (_is_of_a_file, self._exec),
            "compile": (_is_nameless, self._compile),
            "code.__new__": (never, self._code),
            "pickle.find_class": (
                lambda args: type(args[0]) is type(args[1]) is str and args in find,
                self._find_class,
            ),
            "socket.connect": (never, self._connect),
            "socket.sendto": (never, self._connect),
            "socket.sendmsg": (_has_no_address, self._connect),
            "socket.getaddrinfo": (never, self._resolve),
            "socket.gethostbyname": (never, self._resolve),
            "urllib.Request": (never, requests.urllib),
            "http.client.send": (_is_body, requests.client),
            "subprocess.Popen": (never, self._popen),
            "os.system": (never, self._system),
            "os.exec": (never, self._program("os.exec")),
            "os.posix_spawn": (never, self._program("os.posix_spawn")),
            "pty.spawn": (never, self._pty),
            "os.fork": (never, self._plain("fork")),
            "os.forkpty": (never, self._plain("fork")),
            "os.putenv": (never, self._variable("set")),
            "os.unsetenv": (never, self._variable("unset")),
            "os.rename": (_skips_both, self._renamed),
            "os.link": (_skips_both, self._renamed),
            "os.symlink": (_skips_both, self._renamed),
            "ctypes.dlopen": (never, self._library),
            "ctypes.dlsym": (never, self._symbol),
            # a thread that watches the others' frames finds the sensor's while it runs
            "sys._current_frames": (never, self._plain("gc")),
            "sys._current_exceptions": (never, self._plain("gc")),
            "gc.get_objects": (never, self._plain("gc")),
            "gc.get_referrers": (never, self._plain("gc")),
            "gc.get_referents": (never, self._plain("gc")),
            "sys.addaudithook": (never, self._plain("addaudithook")),
            "sys.setprofile": (never, self._plain("setprofile")),
            "sys.settrace": (never, self._plain("settrace")),
            "sqlite3.load_extension": (never, self._plain("sqlite_extension")),
            "sys.remote_exec": (never, self._plain("remote_exec")),
            "cpython.remote_debugger_script": (never, self._plain("remote_exec")),
        }
        for name in ("command", "file", "module", "stdin", "interactivehook"):
            table["cpython.run_" + name] = (never, self._main)
        return table

    def forget(self) -> None:
        """Lookups of pickles are told again: another file is loaded, or time went by."""
        self._find.clear()
        clear = getattr(self._core.native, "forget_seen", None)
        if callable(clear):
            clear()

    # --- code ---

    def _import(self, args: Args, frame: Optional[FrameType]) -> None:
        given = args[0]
        if len(self._modules) >= MAX_SEEN:
            self._modules.clear()
            self._quiet.clear()
            self._told.clear()
        if type(given) is str:
            self._modules.add(given)
            if given.partition(".")[0] in self._quiet and given not in self.watched:
                return
        name = text(given, 256)
        top, dot, rest = name.partition(".")
        self.on_import(top, name)
        if top in self.standard() or top == "eightysix_sensor" or not top:
            self._quiet.add(top)
            return
        if top == _DYNAMIC_PACKAGE:
            self._emit("import", {"module": name}, frame)
            return
        if dot and is_namespace(top):
            name = top + "." + rest.partition(".")[0]
        else:
            name = top
            if dot and top in sys.modules:  # loaded, so it is known whether its parts belong together
                self._quiet.add(top)
        if name not in self._told:
            self._told.add(name)
            self._emit("import", {"module": told_name(name)}, frame)

    def standard(self) -> Any:
        """Names of the standard library's modules."""
        if self._stdlib is None:
            known = getattr(sys, "stdlib_module_names", None)
            self._stdlib = known if known is not None else _listed_stdlib()
        return self._stdlib

    def _exec(self, args: Args, frame: Optional[FrameType]) -> None:
        """Code of no file is run: by a `.pth` file, or by a package (the standard library runs much that it made itself)."""
        if frame is None:
            return
        code, file = frame.f_code, args[0].co_filename
        attribution = self._core.attribution
        if code.co_name == "addpackage" and attribution.is_site(code.co_filename):
            path = text(frame.f_locals.get("fullname"))
            self._emit("exec", {"path": told_path(path), "api": "pth"}, frame, True, key=path)
        elif attribution.label(text(code.co_filename))[0] not in ("", "<"):
            self._emit(
                "exec", {"path": told_path(text(file, 200))}, frame, key=frame.f_lineno, seconds=3600.0
            )

    def _compile(self, args: Args, frame: Optional[FrameType]) -> None:
        file = text(args[1])
        who = self._core.attribution.pretends(file, frame)
        if who:
            self._emit("compile", {"path": told_path(file)}, frame, True, key=file, seconds=3600.0)

    def _code(self, args: Args, frame: Optional[FrameType]) -> None:
        file = text(args[1]) if len(args) > 1 else ""
        if file and self._core.attribution.pretends(file, frame):
            self._emit("code", {"path": told_path(file)}, frame, True, key=file, seconds=3600.0)

    def _find_class(self, args: Args, frame: Optional[FrameType]) -> None:
        module, name = text(args[0], 200), text(args[1], 200)
        dangerous = module.partition(".")[0] in _RUNS_CODE
        if not dangerous and type(args[0]) is str and type(args[1]) is str:
            if len(self._find) >= MAX_SEEN:
                self._find.clear()
            self._find.add(args)
            seen = getattr(self._core.native, "mark_seen", None)
            if callable(seen):
                seen(args[0], args[1])
        fields = {"module": told_name(module), "name": told_name(name), "file": self._core.loading_file()}
        self._emit("pickle", fields, frame, dangerous, key=(module, name) if dangerous else None, seconds=1.0)

    # --- files ---

    def _open(self, args: Args, frame: Optional[FrameType]) -> None:
        self._file(args[0], args[1] if len(args) > 1 else None, args[2] if len(args) > 2 else 0, frame, None)

    def _file(
        self, given: Any, mode: Any, flags: Any, frame: Optional[FrameType], api: Optional[str]
    ) -> None:
        path = text(given, 4096) or commands.path_of(given)
        if not path:
            return
        if path[0] != "/":
            path = getcwd() + "/" + path
        write = places.writes(mode, flags)
        if not places.is_credential(path):
            if not write or not places.is_install(path):
                return
            self.installs_seen = True
        fields = {
            "path": told_path(places.cleaned(path)),
            "mode": text(mode, 8) or None,
            "flags": flags if type(flags) is int and 0 <= flags < 1 << 32 else None,
            "api": api,
        }
        self._emit("open", fields, frame, True, key=(path, write), seconds=1.0)

    def _renamed(self, args: Args, frame: Optional[FrameType]) -> None:
        """A credential is moved or linked to another name, or what runs at every start gets its name."""
        self._file(args[0], "r", 0, frame, "rename")
        self._file(args[1], "w", 0, frame, "rename")

    # --- processes ---

    def _popen(self, args: Args, frame: Optional[FrameType]) -> None:
        env = args[3] if len(args) > 3 else None
        self._spawn("subprocess.Popen", args[0], args[1], env, frame)

    def _program(self, api: str) -> Handler:
        def handler(args: Args, frame: Optional[FrameType]) -> None:
            if api == "os.posix_spawn" and frame is not None and frame.f_code.co_name == "_posix_spawn":
                return  # subprocess.Popen has told it
            self._spawn(api, args[0], args[1], args[2] if len(args) > 2 else None, frame)

        return handler

    def _pty(self, args: Args, frame: Optional[FrameType]) -> None:
        self._spawn("pty.spawn", None, args[0], None, frame)

    def _system(self, args: Args, frame: Optional[FrameType]) -> None:
        words = commands.told_shell(args[0])
        self._installs(words)
        self._emit("spawn", {"api": "os.system", "argv": words}, frame, True)

    def _spawn(self, api: str, exe: Any, argv: Any, env: Any, frame: Optional[FrameType]) -> None:
        words = commands.told_argv(argv)
        self._installs(words)
        binary = text(exe) or commands.path_of(exe)
        fields = {
            "api": api,
            "exe": told_path(binary) if binary else None,
            "argv": words,
            "unwatched": commands.unwatched(env),
        }
        self._emit("spawn", fields, frame, True)

    def _installs(self, words: Any) -> None:
        if commands.is_installer(words):
            self.installs_seen = True

    # --- the network ---

    def _connect(self, args: Args, frame: Optional[FrameType]) -> None:
        address = args[1]
        kind = type(address)
        if kind is tuple and len(address) > 1:
            given, port = address[0], address[1]
            if type(port) is not int or (type(given) is not str and type(given) is not bytes):
                return
            platform = given in PLATFORM or given == self._api_server
            steps = self._core.news("connect", None if platform else (given, port), frame)
            host = told_host(given) if steps is not None else ""
            if steps is not None and host:
                fields: Dict[str, Any] = {"dst": host, "port": port}
                self._core.tell("connect", fields, steps, is_platform(host, self._api_server))
        elif kind is str or kind is bytes:
            path = text(address, 256)
            self._emit("unix", {"path": told_path(path.replace("\0", "@"))}, frame, key=path, seconds=600.0)

    def _resolve(self, args: Args, frame: Optional[FrameType]) -> None:
        given = args[0]
        if (type(given) is not str and type(given) is not bytes) or _is_address(given):
            return
        steps = self._core.news("resolve", given, frame)
        host = told_host(given) if steps is not None else ""
        if steps is not None and host:
            port = args[1] if len(args) > 1 and type(args[1]) is int else None
            self._core.tell("resolve", {"host": host, "port": port}, steps, False)

    # --- the rest ---

    def _variable(self, what: str) -> Handler:
        def handler(args: Args, frame: Optional[FrameType]) -> None:
            name = text(args[0], 200).partition("=")[0]
            if places.is_sensitive(name) and not looks_secret(name):
                self._emit("env", {"name": name, "api": what}, frame, key=(what, name), seconds=60.0)

        return handler

    def _library(self, args: Args, frame: Optional[FrameType]) -> None:
        path = text(args[0]) or commands.path_of(args[0])
        self._emit("dlopen", {"path": told_path(path) or None}, frame, key=path, seconds=600.0)

    def _symbol(self, args: Args, frame: Optional[FrameType]) -> None:
        name = told_name(text(args[1], 200))
        self._emit("dlsym", {"name": name or WITHHELD}, frame, key=name, seconds=600.0)

    def _plain(self, event: str) -> Handler:
        """Something is told without arguments: once a minute for each place that does it."""

        def handler(args: Args, frame: Optional[FrameType]) -> None:
            line = frame.f_lineno if frame is not None else 0
            self._emit(event, {}, frame, event != "gc", key=line, seconds=60.0)

        return handler

    def _main(self, args: Args, frame: Optional[FrameType]) -> None:
        self.on_main()


def _is_of_a_file(args: Args) -> bool:
    """Whether an `exec` is of code that has a file. NOTE: any object may come through `sys.audit`."""
    code = args[0]
    if type(code) is not _CODE:
        return True
    name = code.co_filename
    return type(name) is not str or name[:1] != "<" or name[:8] == "<frozen "


_CODE = type(_is_of_a_file.__code__)


def _is_nameless(args: Args) -> bool:
    """Whether a `compile` names no file. An import compiles, too, and is told apart by its caller."""
    name = args[1]
    if type(name) is str:
        return name[:1] == "<" and name[:8] != "<frozen "
    return type(name) is not bytes


def _is_address(given: Any) -> bool:
    """Whether a host is an address already, which is not looked up: its last letter is a digit, or it has a colon."""
    if type(given) is str:
        return given[-1:].isdigit() or ":" in given
    return given[-1:].isdigit() or b":" in given


def _has_no_address(args: Args) -> bool:
    return args[1] is None


def _is_body(args: Args) -> bool:
    """Whether `http.client` sends a part of a body, not the head of a request."""
    data = args[1]
    return type(data) is not bytes or data[:4] not in _METHODS


_METHODS = frozenset([b"GET ", b"POST", b"PUT ", b"HEAD", b"PATC", b"DELE", b"OPTI", b"CONN"])


def _skips_both(args: Args) -> bool:
    return places.skips_open(args) and places.skips_open(args[1:])


def _listed_stdlib() -> Any:
    """The standard library's modules, where Python does not list them itself (before 3.10)."""
    names = {*sys.builtin_module_names, "msvcrt", "nt", "winreg", "_winapi", "_winreg"}
    for folder in stdlib_folders():
        for place in (folder, folder + "lib-dynload"):
            try:
                names.update([name.partition(".")[0] for name in listdir(place)])
            except OSError:
                continue
    return frozenset(names)


def _ignore(top: str, name: str) -> None:
    """No probe waits for a module."""


def _nothing() -> None:
    """Nothing waits for the program to begin."""
