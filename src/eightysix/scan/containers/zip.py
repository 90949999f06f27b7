"""Reads zip archives: every central directory that some reader would use, and what lies outside of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers import heads
from eightysix.scan.containers.members import Members, decoded, shown
from eightysix.scan.containers.roles import Role
from eightysix.scan.containers.zip_members import METHODS, plain, unlisted, visit
from eightysix.scan.containers.zip_records import (
    LOCAL,
    Directory,
    Entry,
    Local,
    directories,
    local_at,
    search,
)
from eightysix.scan.interface import Scan
from eightysix.scan.recognise import recognise

if TYPE_CHECKING:
    from eightysix.scan.containers.wheel import Record

__all__ = ["read"]

_MOST_HIDDEN = 1_000
"""Local headers outside of the directory that are tried; ours. The budget bounds what is read of them."""

_STEPS = 1_000
"""Steps of the budget for a place that looks like a header: each costs some 10 microseconds."""

_MOST_TRIES = 100_000
"""Places that look like the end of content whose length nobody says; ours."""

_LEAST_GAP = 31
"""Bytes of a local header with a name of one letter (4.3.7)."""

_DESCRIPTOR = 0x8
_DESCRIPTOR_LENGTH = 16
"""A data descriptor with its signature (4.3.9)."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Read a zip archive, or what is left of one; it may begin anywhere in `artifact`."""
    found = directories(artifact, scan.budget.limits.members + 1)
    if not found:
        _without_directory(artifact, scan)
        return
    if any(one.disks for one in found[:1]):
        scan.report("no-reader", artifact, "it is one part of a zip archive in several files")
    _Zip(artifact, scan, found).read()


class _Zip:
    def __init__(self, artifact: Artifact, scan: Scan, found: list[Directory]) -> None:
        self.artifact = artifact
        self.scan = scan
        self.found = found
        self.seen: set[tuple[int, int, int]] = set()
        self.extents: list[tuple[int, int]] = []
        self.members = Members(
            artifact, scan, (decoded(entry.name) for one in found for entry in one.entries)
        )

    def read(self) -> None:
        main = self.found[0]
        self.members.record = self._record(main)
        self._directory(main)
        self._agrees()
        self._overlap()
        for one in self.found[1:]:
            if not self._inside(one):
                self._other(one)
        self._outside()
        self._polyglot(main)

    def _directory(self, one: Directory) -> None:
        if (
            one.declared & 0xFFFF != len(one.entries) & 0xFFFF
            and len(one.entries) <= self.scan.budget.limits.members
        ):
            self.scan.report(
                "zip-two-directories",
                self.artifact,
                f"the end record counts {one.declared:,} members, and the directory lists {len(one.entries):,}",
                offset=one.record,
            )
        names: dict[str, Entry] = {}
        needed: list[tuple[str, str, int]] = []
        for entry in one.entries:
            name = decoded(entry.name)
            self.scan.storages.clear()
            self.members.name(name)
            self._twice(names, name, entry)
            local = local_at(self.artifact, entry.offset)
            if local is None:
                self.scan.report(
                    "zip-broken", self.artifact, f"no header stands where the one of {shown(name)} should"
                )
                self.scan.budget.member()
                continue
            packed = entry.packed if entry.method else max(entry.packed, entry.size)
            self.extents.append((local.offset, local.data + packed))
            visit(self.members, entry, local, self.seen)
            needed.extend((name, key, length) for key, length in self.scan.storages.items())
        self.extents.append((one.start, one.tail))
        self._short(names, needed)

    def _record(self, one: Directory) -> Record | None:
        """The list that a wheel carries of itself; it is read first, so that each member is unpacked once."""
        if self.members.roles.role is not Role.PACKAGE:
            return None
        from eightysix.scan.containers.wheel import MAX_RECORD, Record, is_record

        for entry in one.entries:
            name = decoded(entry.name)
            local = local_at(self.artifact, entry.offset) if is_record(name) else None
            if local is not None:
                data = plain(self.members, entry, local, MAX_RECORD)
                return None if data is None else Record(data, name)
        return None

    def _agrees(self) -> None:
        record, self.members.record = self.members.record, None
        told = record.told() if record is not None else ""
        if told:
            self.scan.report("wheel-record", self.artifact, told)

    def _short(self, names: dict[str, Entry], needed: list[tuple[str, str, int]]) -> None:
        """Report a storage whose record is shorter than its pickle says: torch believes the pickle, and reads on behind
        (`PyTorchFileReader.get_storage_from_record` makes a storage of the size that it was told)."""
        for name, key, length in needed:
            root = name.lower().rpartition("/")[0]
            entry = names.get(f"{root}/data/{key}" if root else f"data/{key}")
            if entry is not None and entry.size < length:
                why = f"the pickle says that storage {shown(key)} has {length:,} bytes, and its record has {entry.size:,}"
                self.scan.report("pickle-broken", self.artifact, why)
                return

    def _twice(self, names: dict[str, Entry], name: str, entry: Entry) -> None:
        """Report a name that stands for two contents: torch's reader compares without regard to case."""
        before = names.setdefault(name.lower() if self.members.roles.model else name, entry)
        if before is entry or name.endswith("/"):
            return
        if (before.crc, before.size) != (entry.crc, entry.size) and self.members.roles.model:
            self.scan.report(
                "archive-duplicate",
                self.artifact,
                f"{shown(name)} is there more than once, with different content",
            )

    def _overlap(self) -> None:
        """Report members that share bytes: each reader would unpack them several times, or take one for another."""
        reach = -1
        for start, end in sorted(self.extents):
            if start < reach:
                self.scan.report(
                    "zip-overlap",
                    self.artifact,
                    "members, or a member and the directory, lie over each other",
                    offset=start,
                )
                return
            reach = max(reach, end)

    def _inside(self, one: Directory) -> bool:
        """Whether this end record belongs to a zip that is stored as a member: that one is read as a member."""
        return any(
            start <= one.record < end and one.record >= end - 0xFFFF - 22 and start != self.found[0].start
            for start, end in self.extents
        )

    def _other(self, one: Directory) -> None:
        main = self.found[0]
        if [entry.offset for entry in one.entries] == [entry.offset for entry in main.entries] and (
            one.entries == main.entries
        ):
            return
        self.scan.report(
            "zip-two-directories",
            self.artifact,
            f"another directory, of {len(one.entries):,} members, is there for readers that look elsewhere",
            offset=one.start,
        )
        self._directory(one)

    def _outside(self) -> None:
        """Look for members in the bytes that belong to nothing in the directories.

        Where another format stands in front, what surrounds the zip is its content, and its reader's business.
        """
        end = len(self.artifact)
        reach, hidden = 0, 0
        if self.front is not None and recognise(self.front):
            reach = len(self.front)
            end = max((stop for _, stop in self.extents), default=reach)
        for start, stop in [*sorted(self.extents), (end, end)]:
            if start > reach:
                hidden = self._gap(reach, start, hidden)
            reach = max(reach, stop)

    @property
    def front(self) -> Artifact | None:
        """What stands before the first member where the file does not begin as a zip."""
        first = min((start for start, _ in self.extents), default=0)
        if not first or self.artifact.head(4) == LOCAL:
            return None
        return self.artifact.window("", 0, first)

    def _gap(self, start: int, end: int, hidden: int) -> int:
        if start:  # what stands in front of all is the file's own beginning, and recognised as such
            self._bare(start, end)
        place = search(self.artifact, LOCAL, start, end) if end - start >= _LEAST_GAP else -1
        while place >= 0:
            hidden += 1
            self.scan.budget.step(_STEPS)
            if hidden > _MOST_HIDDEN:
                self.scan.report("too-much", self.artifact, "too many headers lie outside of the directory")
                return hidden
            local = _plausible(local_at(self.artifact, place), end)
            if local is None:
                place = search(self.artifact, LOCAL, place + 4, end)
                continue
            length = _length(self.artifact, local, end)
            self.members.name(decoded(local.name))
            unlisted(self.members, local, length, self.seen)
            place = search(self.artifact, LOCAL, local.data + max(length, 1), end)
        return hidden

    def _bare(self, start: int, end: int) -> None:
        """Report something to load that lies in a gap without a header: at its beginning, or behind padding."""
        for place in (start, start + _DESCRIPTOR_LENGTH):
            data = self.artifact.at(place, min(end - place, 4096))
            place += len(data) - len(data.lstrip(b"\x00"))
            part = self.artifact.window("", place, end - place)
            head = part.head(64)
            what = "" if head.startswith(LOCAL) else heads.plainly_loadable(head, len(part))
            if what:
                self.scan.report(
                    "zip-hidden-member", self.artifact, f"between its members lies a {what}", offset=place
                )
                self.scan.descend(part)
                return

    def _polyglot(self, main: Directory) -> None:
        """Report a file that is whole as something else in front, and whole as a zip behind."""
        front = self.front
        if front is None or main.tail != len(self.artifact):
            return
        head = front.head(4096)
        if heads.native_code(head) or heads.is_text(head) or heads.archive_of(head):
            return
        kinds = recognise(front)
        if kinds:
            self.scan.report(
                "polyglot",
                self.artifact,
                f"one reader takes it for {kinds[0].name}, another for zip",
                offset=len(front),
            )


def _without_directory(artifact: Artifact, scan: Scan) -> None:
    """Read what the local headers alone say: readers of streams need no directory."""
    found: list[tuple[Local, int]] = []
    end = len(artifact)
    place = search(artifact, LOCAL, 0, end)
    while place >= 0 and len(found) < _MOST_HIDDEN:
        scan.budget.step(_STEPS)
        local = _plausible(local_at(artifact, place), end)
        if local is None:
            place = search(artifact, LOCAL, place + 4, end)
            continue
        length = _length(artifact, local, end)
        found.append((local, length))
        place = search(artifact, LOCAL, local.data + max(length, 1), end)
    scan.report("zip-no-directory", artifact, f"it has no directory, and {len(found):,} headers of members")
    members = Members(artifact, scan, (decoded(local.name) for local, _ in found))
    seen: set[tuple[int, int, int]] = set()
    for local, length in found:
        members.name(decoded(local.name))
        entry = Entry(
            0, local.name, local.flags, local.method, local.crc, length, local.size, local.offset, 0, 0
        )
        visit(members, entry, local, seen)
    if place >= 0:
        scan.report("too-much", artifact, f"more than {_MOST_HIDDEN:,} headers, and no directory")


def _plausible(local: Local | None, end: int) -> Local | None:
    """`local` if it can be a member's header and not four bytes that look like one."""
    if local is None or not local.name or local.data > end:
        return None
    known = local.method == 0 or local.method in METHODS
    return local if known and all(byte >= 32 for byte in local.name) else None


def _length(artifact: Artifact, local: Local, end: int) -> int:
    """How long the packed content is: as said, or up to the next signature where a descriptor says it afterwards."""
    if local.packed or not local.flags & _DESCRIPTOR:
        return min(local.packed if local.method else max(local.packed, local.size), end - local.data)
    place = search(artifact, b"PK", local.data, end)
    tries = 0
    while (
        place >= 0
        and tries < _MOST_TRIES
        and artifact.at(place + 2, 2)
        not in (
            b"\x03\x04",
            b"\x01\x02",
            b"\x07\x08",
            b"\x05\x06",
        )
    ):
        tries += 1
        place = search(artifact, b"PK", place + 2, end)
    return (place if place >= 0 else end) - local.data
