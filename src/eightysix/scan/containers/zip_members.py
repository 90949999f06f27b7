"""One member of a zip archive: what each reader would get for it, from the central record and from the local header.

zipfile and torch take sizes, method and flags from the central record and the place of the content from the local
header; readers of streams know the local header alone. zipfile refuses what the central flags call encrypted, patched or
strongly encrypted (`ZipFile.open`), and a name that differs; older releases of torch read it all the same (CVE-2025-1945).
torch 2.13 refuses those flags in the central record and looks at neither flags, method, name nor sizes of the local header,
nor at a checksum (CVE-2025-10156); of two equal names it takes the first, zipfile the last. So both records are believed in
turn, and no flag is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers import heads, unpack
from eightysix.scan.containers.members import Members, decoded, loadable, shown
from eightysix.scan.containers.paths import parts_of
from eightysix.scan.containers.zip_records import Entry, Local

__all__ = ["ENCRYPTED", "METHODS", "plain", "unlisted", "visit"]

ENCRYPTED = 0x1 | 0x20 | 0x40 | 0x2000
"""Flag bits that say that content is not plain: encrypted, patch data, strong encryption, masked headers (4.4.4)."""

_DESCRIPTOR = 0x8
_LATER = (0, 0xFFFFFFFF)
"""What stands for a size that only the data descriptor tells (4.4.4, bit 3), or the zip64 fields of it."""

STORED = 0
METHODS = {
    1: "shrunk",
    6: "imploded",
    8: "deflate",
    9: "deflate64",
    12: "bzip2",
    14: "lzma",
    20: "zstd",
    93: "zstd",
    95: "xz",
    98: "PPMd",
    99: "AES",
}
"""Names of packing methods (4.4.5). 20 is zstd's number before 93 was given to it."""

_DECODERS: dict[int, Callable[[], unpack.Decoder]] = {
    8: lambda: unpack.deflate(-15),
    12: unpack.bzip2,
    20: unpack.zstandard,
    93: unpack.zstandard,
    95: unpack.lzma_stream,
}

_LEAST_BOMB = 1 << 20
_DENSEST = 200
"""How much a pickle without arrays may shrink, from how many bytes on; ours. Those of real models shrink 3 to 20 times."""

_CHECKED = 1 << 20
"""Bytes of a stored member whose checksum is computed; ours. Larger ones are numbers, and would have to be read whole."""

_LONGEST_NAME = 4096
"""Bytes of a name that is compared part by part: PATH_MAX of Linux; no unpacker could write a longer one."""

_LINK = 0o120000
_KIND = 0o170000
_SPECIAL = {0o020000: "character device", 0o060000: "block device", 0o010000: "pipe", 0o140000: "socket"}
_UNIX = 3


def visit(members: Members, entry: Entry, local: Local, seen: set[tuple[int, int, int]]) -> None:
    """Read the content of `entry` in each way that some reader would. `seen` are the readings of the whole archive."""
    name = decoded(entry.name)
    _compare(members, entry, local, name)
    readings = [(entry.method, entry.packed, entry.size, entry.crc)]
    if not local.flags & _DESCRIPTOR or local.packed not in _LATER:
        readings.append((local.method, local.packed, local.size, local.crc))
    elif local.method != entry.method:
        readings.append((local.method, entry.packed, entry.size, entry.crc))
    for method, packed, size, crc in readings:
        key = (local.data, packed if method else max(packed, size), method)
        if key not in seen:
            seen.add(key)
            reading = _Reading(members, name, local.data, method, packed, size, crc)
            reading.doubted = (entry.flags ^ local.flags) & ENCRYPTED
            reading.read(entry.flags & local.flags, entry.attributes if entry.system == _UNIX else 0)


def plain(members: Members, entry: Entry, local: Local, most: int) -> bytes | None:
    """The content of a member by its directory, for who needs it before its turn: `most` bytes of it and one more; None where it
    does not come out."""
    method, packed = entry.method, entry.packed
    reading = _Reading(members, decoded(entry.name), local.data, method, packed, entry.size, entry.crc)
    if method == STORED:
        return reading.whole.head(most + 1)
    if entry.size > most:
        return None
    unpacked = reading._unpacked()  # noqa: SLF001 - of this module
    return bytes(unpacked.data[: most + 1]) if unpacked is not None and unpacked.whole else None


def unlisted(members: Members, local: Local, length: int, seen: set[tuple[int, int, int]]) -> None:
    """Read a member that no directory lists: `length` packed bytes. It is a finding where it is something to load."""
    key = (local.data, length, local.method)
    if key in seen:
        return
    seen.add(key)
    name = decoded(local.name)
    reading = _Reading(members, name, local.data, local.method, length, local.size, local.crc)
    reading.listed = False
    reading.read(local.flags, 0)


def _compare(members: Members, entry: Entry, local: Local, name: str) -> None:
    """Report what the two records of one member say differently, where no writer does so by habit.

    Habits that pass: sizes and checksum 0 or all ones with a data descriptor (and all ones for zip64), the UTF-8 flag in
    one of them only, a checksum of 0, and slashes of the other kind.
    """
    told: list[str] = []
    if entry.name != local.name and (
        len(local.name) > _LONGEST_NAME or parts_of(name) != parts_of(decoded(local.name))
    ):
        other = decoded(local.name[:_LONGEST_NAME])
        told.append(f"its name ({shown(other)} before the content)")
    if entry.method != local.method:
        told.append(f"its method ({entry.method} and {local.method})")
    later = bool(local.flags & _DESCRIPTOR)
    for what, central, before in (
        ("packed size", entry.packed, local.packed),
        ("size", entry.size, local.size),
    ):
        if central != before and not (later and before in _LATER):
            told.append(f"its {what} ({central:,} and {before:,})")
    if (entry.flags ^ local.flags) & ENCRYPTED:
        told.append("whether it is encrypted")
    if told:
        members.scan.report(
            "zip-headers-differ",
            members.artifact,
            f"{shown(name)}: the directory and the header before the content differ in {', '.join(told)}",
            offset=local.offset,
        )


class _Reading:
    """One way to read one member."""

    def __init__(
        self, members: Members, name: str, data: int, method: int, packed: int, size: int, crc: int
    ) -> None:
        self.members = members
        self.name = name
        self.data = data
        self.method = method
        # Readers of stored content go by either size.
        self.packed = packed if method != STORED else max(packed, size)
        self.size = size
        self.crc = crc
        self.scan = members.scan
        self.context = members.roles.context(name) or members.artifact.context
        self.listed = True
        self.doubted = 0
        self.whole = members.artifact.window(name, data, self.packed, context=self.context)

    def read(self, flags: int, attributes: int) -> None:
        """Read it, plainly or unpacked, and have its content judged."""
        if self.name.endswith("/") and not self.packed:
            return
        if len(self.whole) < self.packed:
            self.scan.report(
                "zip-broken", self.whole, f"{self.packed - len(self.whole):,} bytes of it are missing"
            )
        kind = (attributes >> 16) & _KIND
        if kind in _SPECIAL:
            self.members.special(self.name, _SPECIAL[kind])
        if flags & ENCRYPTED:
            self._secret(flags)
        elif self.method == STORED:
            self._stored(kind == _LINK)
        else:
            self._packed(kind == _LINK)

    def _stored(self, link: bool) -> None:
        part = self.whole
        if link and len(part) < 4096:
            self.members.link(self.name, decoded(part.head(4096)))
        if self.members.roles.storage(self.name):
            self.members.storage(part)
            return
        if len(part) <= _CHECKED and self.members.may_check(len(part)):
            self._check(zlib.crc32(part.head(_CHECKED)))
        self._content(part)

    def _packed(self, link: bool) -> None:
        unpacked = self._unpacked()
        if unpacked is None:
            what = METHODS.get(self.method, "unknown")
            if not self._disguised(f"its packing method is {self.method} ({what})"):
                self.scan.report(
                    "packing-unknown", self.whole, f"its packing method is {self.method} ({what})"
                )
            return
        part = self.whole.unpacked("", unpacked.data, context=self.context)
        part.depth = self.whole.depth
        if unpacked.stopped in ("damaged", "truncated"):
            if self._disguised("its packed content cannot be unpacked"):
                return
            self.scan.report("zip-broken", self.whole, f"its packed content is {unpacked.stopped}")
        elif unpacked.whole:
            self._ends(unpacked)
        if self.context in ("torch", "torchscript") and len(part) > max(
            _LEAST_BOMB, _DENSEST * unpacked.taken
        ):
            # torch never packs its records, and what others pack again has names and numbers in it, not the same
            # opcodes a million times.
            self.scan.report("bomb", self.whole, f"a pickle of {len(part):,} bytes from {unpacked.taken:,}")
        if link and len(part) < 4096:
            self.members.link(self.name, decoded(part.head(4096)))
        if self.members.roles.storage(self.name):
            self.members.storage(part)
        else:
            self._content(part)

    def _content(self, part: Artifact) -> None:
        what = "" if self.listed else loadable(part)
        if what:
            self.scan.report(
                "zip-hidden-member",
                part,
                f"no directory lists it, and it is a {what}: readers of streams see it, others never do",
            )
        if self.doubted:
            self._tell_disguise(part, _claim(self.doubted))
        if self.listed and self.members.record is not None:
            self.members.record.hold(self.name, part)
        self.members.content(part, self.name)

    def _ends(self, unpacked: unpack.Unpacked) -> None:
        """What lies behind the end of the packed stream, and whether the sizes and the checksum told the truth."""
        data = unpacked.data
        if self.size not in (len(data), 0) and len(data) != self.size & 0xFFFFFFFF:
            self.scan.report(
                "zip-headers-differ",
                self.whole,
                f"{shown(self.name)} is said to have {self.size:,} bytes and has {len(data):,}",
            )
        self._check(unpacked.crc)
        rest = self.whole.window("", unpacked.taken, len(self.whole) - unpacked.taken)
        if heads.plainly_loadable(rest.head(64), len(rest)):
            self.scan.report(
                "zip-hidden-member", rest, f"behind the end of the packed content lies a {loadable(rest)}"
            )
            self.scan.descend(rest)

    def _check(self, crc: int) -> None:
        # A checksum of 0 is what writers put that compute none.
        if self.crc not in (0, crc) and self.members.first_wrong_checksum():
            self.scan.report("zip-checksum", self.whole, "its checksum is not the one of its content")

    def _secret(self, flags: int) -> None:
        """The flags say that the content is not plain. What is plain all the same was meant to be overlooked."""
        why = _claim(flags)
        if self._disguised(why):
            return
        if self.method != STORED:
            unpacked = self._unpacked()
            if unpacked is not None and unpacked.whole and len(unpacked.data):
                part = self.whole.unpacked("", unpacked.data, context=self.context)
                part.depth = self.whole.depth
                if not self._tell_disguise(part, why):
                    self.scan.report("zip-headers-differ", part, f"{why}, and it is not")
                self._content(part)
                return
        elif heads.is_text(self.whole.head(512)) and len(self.whole) > 12:
            # Encrypted content begins with 12 random bytes (6.1.3): no text does by chance.
            self.scan.report("zip-headers-differ", self.whole, f"{why}, and it is not")
            self._content(self.whole)
            return
        self.scan.report("encrypted-member", self.whole, why)

    def _disguised(self, why: str) -> bool:
        """Whether the bytes as they lie there are something to load, although the header denies it."""
        part = self.whole
        text = heads.is_text(part.head(64))
        plain = heads.plainly_loadable(part.head(4096), len(part))
        if not plain and not (text and loadable(part)):
            return False
        self._tell_disguise(part, why)
        self._content(part)
        return True

    def _tell_disguise(self, part: Artifact, why: str) -> bool:
        what = loadable(part)
        if what:
            self.scan.report("zip-disguised-member", part, f"{why}, and it is a plain {what}")
        return bool(what)

    def _unpacked(self) -> unpack.Unpacked | None:
        """The unpacked content; None where the method is not known here."""
        if self.method == 14:
            return self._lzma()
        make = _DECODERS.get(self.method)
        return unpack.unpack(make, self.whole, self.scan) if make else None

    def _lzma(self) -> unpack.Unpacked:
        """LZMA in zip (5.8.8): 2 bytes of version, 2 of length, then 5 of properties; the end mark is a flag."""
        head = self.whole.head(9)
        properties = head[4:9]
        if len(properties) < 5 or head[2:4] != b"\x05\x00" or properties[0] >= 225:
            return unpack.Unpacked(data=b"", taken=0, stopped="damaged")
        filters = [unpack.lzma_filter(properties, self.size)]
        return unpack.unpack(
            lambda: unpack.lzma_raw(filters),
            self.whole,
            self.scan,
            offset=9,
            expected=self.size or None,
        )


def _claim(flags: int) -> str:
    return f"its flags (0x{flags & ENCRYPTED:x}) say that it is encrypted"
