"""Which distribution a file of code belongs to, how old it is, and whether the file is the one that was installed.

Nothing is read before a record needs it. Then a folder of packages is listed once, and a distribution's RECORD is searched
for the file: by the likeliest names first, so most files cost one small read. Results are kept for each file.
"""

from __future__ import annotations

from posix import listdir
from posix import stat as stat_of
from time import monotonic

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.record import read_small

if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Tuple

MAX_RECORD = 8 << 20
MAX_SEARCHED = 48 << 20
"""Bytes of RECORD files that one search reads at most; an environment with torch and its friends has 6 MB."""

MAX_HASHED = 512 << 10
"""Largest file that is hashed, in bytes: about 1 ms. Of larger ones it is unknown whether they are as installed."""

_HASH_BUDGET = 4 << 20
_HASH_PERIOD_S = 10.0
_MAX_DISTS = 4096
_MAX_KEPT = 8192
_KEEP = 4


class Dist:
    """An installed distribution. `since` is when its metadata folder came to be (ctime: nobody can set it back)."""

    __slots__ = ("folder", "name", "since", "version")

    def __init__(self, name: str, version: str, folder: str, since: float) -> None:
        self.name = name
        self.version = version
        self.folder = folder
        self.since = since

    @property
    def entry(self) -> str:
        """As a chain names it."""
        return self.name + "==" + self.version if self.version else self.name


class Site:
    """A folder of packages: its distributions, and who owns which folder below it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.mtime_ns = 0
        self.dists: Dict[str, Dist] = {}
        self.owners: Dict[str, Dist] = {}
        self._tops: Optional[Dict[str, List[Dist]]] = None
        self._records: Dict[str, bytes] = {}
        self.listed = False

    def refresh(self) -> List[Dist]:
        """List the folder again if it changed; what is new since the last time."""
        try:
            mtime = stat_of(self.path).st_mtime_ns
        except (OSError, ValueError):
            return []
        if mtime == self.mtime_ns:
            return []
        self.mtime_ns = mtime
        new = []
        before, self.dists = self.dists, {}
        for folder in _listed(self.path):
            known = before.get(folder)
            if known is None:
                known = _read_name(self.path, folder)
                if known is None:
                    continue
                new.append(known)
            self.dists[folder] = known
        if new or len(before) != len(self.dists):
            self.owners.clear()
            self._records.clear()
            self._tops = None
        first, self.listed = not self.listed, True
        return [] if first else new

    def has_installed(self) -> bool:
        """Whether an installer put a distribution here."""
        return any([folder.endswith(".dist-info") for folder in self.dists])

    def owner(self, path: str) -> Optional[Dist]:
        """The distribution of a file; `path` is relative to this folder. What nobody installed belongs to the package that
        it lies in, where that is somebody's."""
        folder = path.rpartition("/")[0]
        known = self.owners.get(folder) if folder else None
        if known is not None:
            return known
        needle = path.encode("utf-8", "surrogateescape") + b","
        searched = 0
        for dist in self._candidates(path):
            record = self._record(dist)
            searched += len(record)
            place = record.find(needle)
            if place == 0 or (place > 0 and record[place - 1] == 10):
                if folder and _has(record, folder + "/__init__.py"):
                    self._own(folder, dist)
                return dist
            if searched > MAX_SEARCHED:
                break
        return self._inherited(folder)

    def _own(self, folder: str, dist: Dist) -> None:
        if len(self.owners) >= _MAX_KEPT:
            self.owners.clear()
        self.owners[folder] = dist

    def _inherited(self, folder: str) -> Optional[Dist]:
        """Who owns the nearest package around `folder`."""
        while folder:
            known = self.owners.get(folder)
            if known is None:
                init = folder + "/__init__.py"
                for dist in self._likely(init):
                    if _has(self._record(dist), init) or not self._record(dist):
                        known = dist
                        break
            if known is not None:
                self._own(folder, known)
                return known
            folder = folder.rpartition("/")[0]
        return None

    def _candidates(self, path: str) -> Iterable[Dist]:
        """The owner of a folder around it, then who is named alike, then everybody."""
        tried = set()
        folder = path.rpartition("/")[0]
        while folder:
            known = self.owners.get(folder)
            if known is not None:
                tried.add(known.folder)
                yield known
                break
            folder = folder.rpartition("/")[0]
        for dist in self._likely(path):
            if dist.folder not in tried:
                tried.add(dist.folder)
                yield dist
        for dist in list(self.dists.values()):
            if dist.folder not in tried:
                yield dist

    def _likely(self, path: str) -> List[Dist]:
        """Distributions that are named as the file's first folders are, or that say so in `top_level.txt`."""
        parts = path.split("/")
        parts[-1] = parts[-1].partition(".")[0]
        names = [normalised("-".join(parts[:count])) for count in (3, 2, 1) if len(parts) >= count]
        found = [dist for name in names for dist in self.dists.values() if dist.name == name]
        if self._tops is None:
            self._tops = {}
            for dist in self.dists.values():
                for top in (
                    read_small(dist.folder + "/top_level.txt", 4096).decode("utf-8", "replace").split()
                ):
                    self._tops.setdefault(top, []).append(dist)
        return found + [dist for dist in self._tops.get(parts[0], ()) if dist not in found]

    def _record(self, dist: Dist) -> bytes:
        kept = self._records.get(dist.folder)
        if kept is None:
            kept = read_small(dist.folder + "/RECORD", MAX_RECORD)
            if len(self._records) >= _KEEP:
                self._records.clear()
            self._records[dist.folder] = kept
        return kept

    def digest_of(self, dist: Dist, path: str) -> Optional[bytes]:
        """The digest that RECORD has of a file, empty where the file is not in it; None where there is no RECORD or digest."""
        record = self._record(dist)
        if not record:
            return None
        needle = path.encode("utf-8", "surrogateescape") + b","
        place = 0 if record.startswith(needle) else record.find(b"\n" + needle) + 1
        if place == 0 and not record.startswith(needle):
            return b""
        end = record.find(b"\n", place)
        method, _, digest = (
            record[place + len(needle) : end if end >= 0 else len(record)].partition(b",")[0].partition(b"=")
        )
        return digest if method == b"sha256" else None


class Verifier:
    """Compares files with their RECORD: each once, small ones only, and no more than a budget of bytes in any ten seconds."""

    def __init__(self) -> None:
        self._known: Dict[str, Optional[bool]] = {}
        self._left = _HASH_BUDGET
        self._then = 0.0
        self._sha256: Any = None
        self._base64: Any = None

    def matches(self, site: Site, dist: Dist, file: str) -> Optional[bool]:
        """Whether `file` is as it was installed; None where that is not known."""
        if file in self._known:
            return self._known[file]
        now = monotonic()
        if now - self._then > _HASH_PERIOD_S:
            self._then, self._left = now, _HASH_BUDGET
        if self._left <= 0:
            return None
        try:
            known = self._compare(site, dist, file)
        except (OSError, ValueError, ImportError):
            known = None
        if len(self._known) >= _MAX_KEPT:
            self._known.clear()
        self._known[file] = known
        return known

    def _compare(self, site: Site, dist: Dist, file: str) -> Optional[bool]:
        expected = site.digest_of(dist, file[len(site.path) + 1 :])
        if expected is None:
            return None
        if not expected:
            return False
        size = stat_of(file).st_size
        if size > MAX_HASHED:
            return None
        content = read_small(file, MAX_HASHED + 1)
        self._left -= len(content)
        if self._sha256 is None:
            self._load()
        return bool(
            self._base64(self._sha256(content).digest()).rstrip(b"=\n").translate(_URL_SAFE) == expected
        )

    def _load(self) -> None:
        from binascii import b2a_base64

        try:
            from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
        self._sha256, self._base64 = sha256, b2a_base64


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def normalised(name: str) -> str:
    """PEP 503."""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def _has(record: bytes, path: str) -> bool:
    needle = path.encode("utf-8", "surrogateescape") + b","
    return record.startswith(needle) or b"\n" + needle in record


def _listed(folder: str) -> List[str]:
    try:
        names = listdir(folder)
    except (OSError, ValueError):
        return []
    return [name for name in names if name.endswith((".dist-info", ".egg-info"))][:_MAX_DISTS]


def _read_name(site: str, folder: str) -> Optional[Dist]:
    stem = folder[: -len(".dist-info")] if folder.endswith(".dist-info") else folder[: -len(".egg-info")]
    name, _, version = stem.partition("-")
    if folder.endswith(".egg-info"):
        version = version.partition("-py")[0]
    path = site + "/" + folder
    try:
        since = stat_of(path).st_ctime
    except (OSError, ValueError):
        return None
    return Dist(normalised(name), version, path, since) if name else None


def split_site(file: str, others: Tuple[str, ...]) -> Tuple[str, str]:
    """The folder of packages that `file` lies in, and the rest of its path; both empty where it lies in none."""
    place = file.rfind("-packages/")
    if place >= 0:
        return file[: place + 9], file[place + 10 :]
    for folder in others:
        if file.startswith(folder + "/"):
            return folder, file[len(folder) + 1 :]
    return "", ""
