"""Whose code acts: the stack as a chain of distributions, from who calls to the root.

A chain is worked out once for each sequence of files on the stack. Frames of the standard library and of the sensor are
left out; code of no file is told as `dyn`, and as `<unknown>` where nothing else is on the stack.
"""

from __future__ import annotations

import sys
from posix import getcwd
from time import time

from eightysix_sensor.dists import Site, Verifier, split_site
from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.record import encoded, quoted
from eightysix_sensor.told import WITHHELD, looks_secret, text

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from eightysix_sensor.dists import Dist

    Steps = Tuple[str, ...]

MAX_CHAIN = 32
MAX_ENTRY = 200
MAX_FRAMES = 4096
_DEPTHS = range(MAX_FRAMES)
_MAX_KEPT = 4096
_MAX_STACKS = 1024
_MAX_ORIGINS = 8
_MODULE = "\0"
_PTH = "\1"
_UNKNOWN = "<unknown>"
_VERIFIED = 3
"""Files of one distribution on one stack that are compared with RECORD."""

INSTRUMENTERS = frozenset(
    "pytest typeguard beartype jaxtyping coverage streamlit ipython ipykernel marimo".split()
)
"""Distributions whose business is to compile other people's files under their names."""


class Origin:
    """Where a thread or a task was started: the files of its creator's stack, and the creator's own origin."""

    __slots__ = ("depth", "key", "parent", "steps")

    def __init__(self, steps: Steps, parent: Optional[Origin]) -> None:
        while parent is not None and parent.depth >= _MAX_ORIGINS:
            parent = parent.parent  # the outermost stay: the root is there
        self.steps = steps
        self.parent: Optional[Origin] = parent
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.key: Tuple[Any, ...] = (steps, parent.key if parent is not None else None)


class Stack:
    """What a stack came to. `told` is its JSON but for ages."""

    __slots__ = ("at_import", "chain", "dists", "dynamic", "root", "told")

    def __init__(
        self, chain: List[str], root: str, at_import: str, dists: List[Tuple[Dist, str]], dynamic: bool
    ) -> None:
        self.chain = chain
        self.root = root
        self.at_import = at_import
        self.dists = dists
        self.dynamic = dynamic
        shown = chain if len(chain) <= MAX_CHAIN else [*chain[: MAX_CHAIN - 1], chain[-1]]
        self.told = '"chain":%s,"root":%s,"at_import":%s' % (encoded(shown), quoted(root), quoted(at_import))

    def dists_told(self) -> str:
        """The distributions with their ages of now."""
        now = time()
        told = [
            '{"name":%s,"version":%s,"age_s":%s%s}'
            % (quoted(dist.name), quoted(dist.version), round(max(0.0, now - dist.since), 1), verified)
            for dist, verified in self.dists[:MAX_CHAIN]
        ]
        return ",".join(told)


class Attribution:
    """Reads stacks. One for each process; what it keeps is bounded."""

    def __init__(self, own_folder: str, native: Any = None) -> None:
        self._own = own_folder + "/"
        self._stdlib = stdlib_folders()
        self._cwd = _cwd()
        self._labels: Dict[str, Tuple[str, Optional[Dist], Optional[Site]]] = {}
        self._sites: Dict[str, Site] = {}
        self._stacks: Dict[Any, Stack] = {}
        # Of the native part's keys. The codes stay with the steps, so that no other code comes to lie where one of them lay.
        self._walks: Dict[bytes, Tuple[List[Any], Steps]] = {}
        self._key: Callable[[Any], Optional[bytes]] = getattr(native, "stack_key", None) or _no_key
        self._forget: Callable[[], Any] = getattr(native, "forget_repeats", None) or _nothing
        self._spoofed: Dict[str, str] = {}
        self._verifier = Verifier()
        self._site_code = frozenset(["<frozen site>", *[folder + "site.py" for folder in self._stdlib]])
        self.on_new: Optional[Callable[[List[Dist]], None]] = None

    # --- the stack ---

    def walk(self, frame: Optional[FrameType]) -> Steps:
        """The files on the stack from `frame` outwards, each run of frames of one file once, with marks for what is being
        imported and for lines of `.pth` files."""
        return self.walk_kept(frame)[0]

    def walk_kept(self, frame: Optional[FrameType]) -> Tuple[Steps, bool]:
        """The same, and whether the codes on this stack decide on it and are kept."""
        key = self._key(frame)
        if key is not None:
            known = self._walks.get(key)
            if known is not None:
                return known[1], True
        codes: List[Any] = []
        walked, lasting = self._walk(frame, codes)
        kept = key is not None and lasting
        if kept:
            if len(self._walks) >= _MAX_STACKS:
                self._walks.clear()
                self._forget()
            self._walks[key] = (codes, walked)  # type: ignore[index]
        return walked, kept

    def _walk(self, frame: Optional[FrameType], codes: List[Any]) -> Tuple[Steps, bool]:
        """The same, frame by frame, and whether the codes alone decide on it."""
        steps: List[str] = []
        lasting = True
        last: Any = None
        marked = site = False
        for _ in _DEPTHS:
            if frame is None:
                break
            code = frame.f_code
            codes.append(code)
            name = code.co_filename
            if name is not last:
                last = name
                marked = False
                site = name in self._site_code
                steps.append(name if type(name) is str else _UNKNOWN)
            if code.co_name == "<module>":
                if not marked:
                    marked = True
                    steps.append(_MODULE)
            elif site and code.co_name == "addpackage":
                lasting = False
                path = frame.f_locals.get("fullname")
                if type(path) is str:
                    steps.append(_PTH + path)
            frame = frame.f_back
        return tuple(steps), lasting

    def stack(self, steps: Steps, origin: Optional[Origin]) -> Stack:
        """What a stack comes to, worked out once."""
        key = steps if origin is None else (steps, origin.key)
        known = self._stacks.get(key)
        if known is None:
            known = self._work_out(steps, origin)
            if len(self._stacks) >= _MAX_STACKS:
                self._stacks.clear()
            self._stacks[key] = known
        return known

    def _work_out(self, steps: Steps, origin: Optional[Origin]) -> Stack:
        chain: List[str] = []
        files: Dict[str, Tuple[Dist, List[Tuple[Site, str]]]] = {}
        at_import, dynamic, _ = self._read(steps, chain, files)
        root = chain[-1] if chain else ""
        mine = [entry for entry in chain if entry.startswith("app:")]
        if origin is not None and mine:
            root = mine[-1]  # a library's thread that runs the application is not the one who asks
        above = origin
        while above is not None:
            theirs, more, starter = self._read(above.steps, chain, files)
            at_import = at_import or theirs
            dynamic = dynamic or more
            if above is origin and not mine:
                root = starter or root
            above = above.parent
        if not chain and dynamic:
            chain, root = [_UNKNOWN], _UNKNOWN
        dists = [(dist, self._verified(dist, places)) for dist, places in files.values()]
        return Stack(chain, root or (chain[-1] if chain else ""), at_import, dists, dynamic)

    def _read(
        self, steps: Steps, chain: List[str], files: Dict[str, Tuple[Dist, List[Tuple[Site, str]]]]
    ) -> Tuple[str, bool, str]:
        """Add the entries of `steps` to `chain`; what is being imported, whether code of no file is there, and who calls."""
        importing, dynamic, label, caller = "", False, "", ""
        for step in steps:
            if step == _MODULE:
                if not importing and label and not label.startswith("app:"):
                    importing = label
                continue
            if step.startswith(_PTH):
                path = step[1:]
                importing = "pth:" + tidy(path)
                label, dist, site = self.label(path)
                if dist is None:
                    label = importing
            else:
                label, dist, site = self.label(step)
                path = step
            if label == "<":
                dynamic = True
                label = ""
            elif label:
                caller = caller or label
                if not chain or chain[-1] != label:
                    chain.append(label)
            if dist is not None and site is not None and not label.startswith("SPOOF("):
                known = files.setdefault(dist.folder, (dist, []))
                if len(known[1]) < _VERIFIED:
                    known[1].append((site, path))
        return importing, dynamic, caller

    def _verified(self, dist: Dist, places: List[Tuple[Site, str]]) -> str:
        """The member `record_ok`: false when a file differs, true when all are as installed, absent when it is not known."""
        told = [self._verifier.matches(site, dist, file) for site, file in places]
        if False in told:
            return ',"record_ok":false'
        return ',"record_ok":true' if told and None not in told else ""

    # --- files ---

    def label(self, file: str) -> Tuple[str, Optional[Dist], Optional[Site]]:
        """How a file is named in a chain: empty for the standard library, `<` for code of no file."""
        known = self._labels.get(file)
        if known is None:
            known = self._name(file)
            if file in self._spoofed:
                known = ("SPOOF(%s)by:%s" % (known[0] or "python", self._spoofed[file]), None, None)
            if len(self._labels) >= _MAX_KEPT:
                self._labels.clear()
            self._labels[file] = known
        return known

    def _name(self, file: str) -> Tuple[str, Optional[Dist], Optional[Site]]:
        if not file or file[0] == "<":
            return ("" if file.startswith("<frozen ") else "<", None, None)
        if file.startswith(self._own):
            return ("", None, None)
        if file[0] != "/":
            file = self._cwd + "/" + file
        folder, rest = split_site(file, self._other_sites())
        if folder:
            site = self.site(folder)
            dist = site.owner(rest)
            if dist is not None:
                return (tidy(dist.entry), dist, site)
            if folder.endswith("-packages"):
                return ("unowned:" + tidy(rest.partition("/")[0]), None, site)
        if file.startswith(self._stdlib):
            return ("", None, None)
        return ("app:" + tidy(file), None, None)

    def site(self, folder: str) -> Site:
        """A folder of packages, listed anew where it changed."""
        site = self._sites.get(folder)
        if site is None:
            if len(self._sites) >= 64:
                self._sites.clear()
            site = self._sites[folder] = Site(folder)
        new = site.refresh()
        if new:
            self._forget_strangers()
            if self.on_new is not None:
                self.on_new(new)
        return site

    def look_again(self) -> None:
        """List the folders that are known again, where they changed."""
        for folder in list(self._sites):
            self.site(folder)

    def _forget_strangers(self) -> None:
        """What belonged to nobody may belong to somebody now."""
        for file, known in list(self._labels.items()):
            if known[0].startswith("unowned:"):
                self._labels.pop(file, None)
        self._stacks.clear()

    def _other_sites(self) -> Tuple[str, ...]:
        """Folders on the path that hold distributions under another name (`pip install --target`). An `.egg-info` there is
        that of a source tree: its code is the application's."""
        found = []
        for entry in list(sys.path):
            if type(entry) is str and entry.startswith("/") and not entry.endswith("-packages"):
                if entry + "/" not in self._stdlib and self.site(entry).has_installed():
                    found.append(entry)
        return tuple(found)

    # --- code under another's name ---

    def pretends(self, file: str, frame: Optional[FrameType]) -> str:
        """Who makes code under the name of somebody else's file, empty where that is nobody or it is their business."""
        actor = self._actor(frame)
        name = actor.partition("==")[0]
        if not actor or actor.startswith("app:") or name in INSTRUMENTERS:
            return ""
        theirs = self._name(file)[0]
        if theirs in ("<", actor):
            return ""
        if theirs.startswith("app:") and not _is_module(file):
            return ""
        if len(self._spoofed) >= _MAX_KEPT:
            return actor
        if file not in self._spoofed:
            self._spoofed[file] = actor
            self._labels.pop(file, None)
            self._stacks.clear()
        return actor

    def is_site(self, file: str) -> bool:
        """Whether `file` is the `site` module, which runs the lines of `.pth` files."""
        return file in self._site_code

    def _actor(self, frame: Optional[FrameType]) -> str:
        """The label of the frame that calls, empty where it is of the standard library or of no file."""
        if frame is None:
            return ""
        file = frame.f_code.co_filename
        label = self.label(file)[0] if type(file) is str else ""
        return "" if label == "<" else label


def _no_key(frame: Any) -> None:
    """Without the native part each stack is walked."""


def _nothing() -> None:
    """Nothing of a stack is kept elsewhere."""


def tidy(path: str) -> str:
    """An entry without parts that look secret, bounded."""
    path = text(path, 4096)
    if looks_secret(path):
        path = "/".join([WITHHELD if looks_secret(part) else part for part in path.split("/")])
    return path if len(path) <= MAX_ENTRY else WITHHELD + path[1 - MAX_ENTRY :]


def _is_module(file: str) -> bool:
    """Whether a module that was imported comes from `file`."""
    for module in list(sys.modules.values()):
        if type(module) is type(sys) and module.__dict__.get("__file__") == file:
            return True
    return False


def is_namespace(top: str) -> bool:
    """Whether a package that is loaded has no code of its own, so that its parts belong to several distributions."""
    module = sys.modules.get(top)
    return (
        type(module) is type(sys)
        and module.__dict__.get("__file__") is None
        and "__path__" in module.__dict__
    )


def stdlib_folders() -> Tuple[str, ...]:
    """Where the standard library lies; `encodings` is loaded before anything else and is never frozen."""
    import encodings

    file = getattr(encodings, "__file__", None) or ""
    folder = file.rpartition("/encodings/")[0]
    return (folder + "/",) if folder else ("\0",)


def _cwd() -> str:
    try:
        return getcwd()
    except OSError:
        return ""
