"""Reads tar archives of every dialect, also as readers see them who believe the other of two sizes.

The content of a member lies in the archive as it is and is read in place; only files with holes are put together.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from eightysix.scan.artifact import LAYER, Artifact
from eightysix.scan.containers import heads
from eightysix.scan.containers.members import Members, loadable, shown
from eightysix.scan.containers.tar_records import (
    BLOCK,
    Header,
    Pax,
    Tar,
    extended,
    header_at,
    long_text,
    up,
)
from eightysix.scan.containers.zip_records import ends_in_zip
from eightysix.scan.interface import Scan

__all__ = ["read"]

_FILES = (b"0", b"\x00", b"7", b"S")
_LINKS = (b"1", b"2")
_SPECIAL = {b"3": "character device", b"4": "block device", b"6": "pipe"}
_FOLDER = b"5"

_ROOT = frozenset(
    "bin boot dev etc home lib lib32 lib64 media mnt opt proc root run sbin srv sys tmp usr var".split()
)
"""Folders of a root file system (FHS 3.0)."""

_MOST_DETOURS = 64
"""Places that only the other of two sizes leads to and that are read too; ours."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Read a tar archive that begins where `artifact` begins."""
    walk = _Walk(artifact, scan)
    members = walk.from_(0)
    end, stopped = walk.end, walk.stopped
    detours = walk.detours()
    visitor = Members(artifact, scan, (one.name for one in (*members, *detours)))
    package = artifact.context == LAYER or _root_file_system(members)
    for one in members:
        _visit(visitor, one, package)
    for one in walk.doubtful[:1]:
        scan.report(
            "tar-two-readings",
            artifact,
            f"{shown(one.name)} has {one.header.size:,} bytes by its header and {one.size:,} by the one before it",
            offset=one.header.offset,
        )
    for one in detours:
        _visit(visitor, one, package)
    if stopped:
        scan.report("tar-broken", artifact, stopped, offset=end)
    _behind(visitor, end, package)


class _Walk:
    """Goes from header to header."""

    def __init__(self, artifact: Artifact, scan: Scan) -> None:
        self.artifact = artifact
        self.scan = scan
        self.seen: set[int] = set()
        self.starts: list[int] = []
        self.doubtful: list[Tar] = []
        self.end = 0
        self.stopped = ""

    def from_(self, place: int) -> list[Tar]:
        """The members from `place` to the end mark, or to where the archive breaks."""
        found: list[Tar] = []
        shared: dict[str, str] = {}
        own = _Said()
        self.stopped = "it ends without an end mark"
        while place < len(self.artifact):
            block = self.artifact.at(place, BLOCK)
            if not any(block):
                self.stopped = ""
                break
            header = None if place in self.seen else header_at(self.artifact, place)
            if header is None:
                self.stopped = "" if place in self.seen else "a header does not add up"
                break
            self.seen.add(place)
            if len(self.seen) > self.scan.budget.limits.members:
                self.scan.report("too-much", self.artifact, f"more than {len(self.seen) - 1:,} headers")
                break
            place = self._one(header, shared, own, found)
        else:
            if place == len(self.artifact) and found:
                self.stopped = ""  # cut after the last content: writers of streams do so
        self.end = min(place, len(self.artifact))
        return found

    def _one(self, header: Header, shared: dict[str, str], own: _Said, found: list[Tar]) -> int:
        """Take in one header; where the next one stands."""
        if header.kind == b"g":
            shared.update(extended(self.artifact, header))
        elif header.kind in (b"x", b"X"):
            own.take_in(extended(self.artifact, header))
        elif header.kind == b"L":
            own.name = long_text(self.artifact, header)
        elif header.kind == b"K":
            own.target = long_text(self.artifact, header)
        else:
            one = own.member(header, shared)
            found.append(one)
            own.clear()
            # Links and folders have no content, whatever their size says; tarfile and GNU tar agree on that.
            empty = header.kind in (*_LINKS, _FOLDER, *_SPECIAL)
            if one.size != header.size:
                self.starts.append(header.data + up(header.size))
                # Files of 8 GiB and more have their size only in the extended header: no header lies within them.
                if header_at(self.artifact, header.data + up(min(one.size, header.size))) is not None:
                    self.doubtful.append(one)
            if empty:
                if one.size:
                    self.starts.append(header.data + up(one.size))
                return header.data
            return header.data + up(one.size)
        return header.data + up(header.size)

    def detours(self) -> list[Tar]:
        """Members that are met only by who believes the other size."""
        found: list[Tar] = []
        for _ in range(_MOST_DETOURS):
            if not self.starts:
                break
            place = self.starts.pop()
            if place not in self.seen and header_at(self.artifact, place) is not None:
                found.extend(self.from_(place))
        return found


class _Said(Struct):
    """What extended headers said about the next member."""

    values: dict[str, str] = {}
    name: str = ""
    target: str = ""

    def take_in(self, records: Iterable[tuple[str, str]]) -> None:
        """Add `records`. GNU tar's first way to tell holes repeats two keys for each: together they are the later map."""
        pieces: list[str] = []
        for key, value in records:
            if key in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
                pieces.append(value)
            else:
                self.values[key] = value
        if pieces:
            self.values["GNU.sparse.map"] = ",".join(pieces)

    def clear(self) -> None:
        self.values, self.name, self.target = {}, "", ""

    def member(self, header: Header, shared: dict[str, str]) -> Tar:
        pax = Pax({**shared, **self.values})
        name = pax.values.get("GNU.sparse.name") or pax.values.get("path") or self.name or header.name
        target = pax.values.get("linkpath") or self.target or header.target
        size = header.size if pax.size is None else pax.size
        return Tar(header, name, target, size, pax)


def _visit(members: Members, one: Tar, package: bool) -> None:
    scan, header = members.scan, one.header
    members.name(one.name, package=members.artifact.context == LAYER)
    if header.kind in _LINKS:
        members.link(one.name, one.target, package=package)
        scan.budget.member()
        return
    if header.kind in _SPECIAL:
        members.special(one.name, _SPECIAL[header.kind])
    if header.kind == _FOLDER or header.kind in _SPECIAL:
        scan.budget.member()
        return
    # Kinds that nobody knows count as files (POSIX), and so they are read.
    context = members.roles.context(one.name) or members.artifact.context.removesuffix(LAYER)
    part = members.artifact.window(one.name, header.data, one.size, context=context)
    if len(part) < one.size:
        scan.report("tar-broken", part, f"{one.size - len(part):,} bytes of it are missing")
    if header.kind == b"S" or one.pax.sparse:
        from eightysix.scan.containers.tar_sparse import put_together

        whole = put_together(one, part, scan)
        if whole is not None:
            part = whole
    members.content(part, one.name)


def _behind(members: Members, end: int, package: bool) -> None:
    """Look at what lies behind the end mark: another archive, or something to load."""
    artifact, scan = members.artifact, members.scan
    place = _first_not_zero(artifact, end)
    if place < 0 or place >= len(artifact):
        return
    if ends_in_zip(artifact, place):
        from eightysix.scan.containers.zip import read as read_zip

        scan.report("polyglot", artifact, "one reader takes it for tar, another for zip", offset=place)
        read_zip(artifact, scan)
    start = place // BLOCK * BLOCK
    if header_at(artifact, start) is not None:
        part = artifact.window("", start, len(artifact) - start, context=artifact.context)
        # `tar --ignore-zeros` and `cat a.tar b.tar` are honest, too: what it holds decides.
        for one in _Walk(part, scan).from_(0):
            what = loadable(part.window("", one.header.data, one.size)) if one.header.kind in _FILES else ""
            if what:
                scan.report(
                    "stream-trailing",
                    part,
                    f"behind the end mark follows {shown(one.name)}, a {what}",
                    offset=0,
                )
            _visit(Members(part, scan, ()), one, package)
        return
    rest = artifact.window("", place, len(artifact) - place)
    what = heads.plainly_loadable(rest.head(64), len(rest))
    if what:
        scan.report("stream-trailing", artifact, f"behind its end lies a {what}", offset=place)
        scan.descend(rest)


def _first_not_zero(artifact: Artifact, place: int) -> int:
    block = 1 << 20
    while place < len(artifact):
        data = artifact.at(place, block)
        rest = data.lstrip(b"\x00")
        if rest:
            return place + len(data) - len(rest)
        place += len(data)
    return -1


def _root_file_system(members: list[Tar]) -> bool:
    """Whether this is a layer of an image: a folder of a root file system lies at its root."""
    tops = {one.name.lstrip("./").partition("/")[0] for one in members if "/" in one.name.lstrip("./")}
    return bool(tops & _ROOT)
