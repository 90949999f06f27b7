"""What is done with each member of an archive, whatever format holds it: its name, its links, its content."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers import heads
from eightysix.scan.containers.paths import Links, escapes, parts_of, rooted
from eightysix.scan.containers.roles import Role, Roles, roles_of
from eightysix.scan.interface import Scan
from eightysix.scan.recognise import recognise

if TYPE_CHECKING:
    from eightysix.scan.containers.wheel import Record

__all__ = ["Members", "decoded", "loadable", "shown"]

_HEAD = 4096
_PICKLES = ("pickle", "torch-legacy")
"""Kinds that the reader of pickles reads."""

_MOST_SHOWN = 120
"""Characters of a member's name that a message repeats; ours. Output escapes what is not printable."""

_MOST_CHECKED = 64 << 20
"""Stored bytes of one archive whose checksums are computed; ours."""

_SOURCE = (".py", ".pyw", ".pth", ".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".js", ".rb", ".pl", ".lua")
"""Names by which interpreters, and Python's site, find programs. `.pth` counts as one only where it is text."""


def decoded(name: bytes) -> str:
    """A member's name as text: UTF-8, else the code page that zip's makers knew; never fails."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")


def shown(name: str) -> str:
    """`name` for a message."""
    return name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}..."


def loadable(part: Artifact) -> str:
    """What a loader could make of `part`: the name of its format where it is more than text or numbers; else empty."""
    plain = heads.plainly_loadable(part.head(_HEAD), len(part))
    if plain:
        return plain
    if _pickled(part):
        return "pickle"
    return ""


def _pickled(part: Artifact) -> bool:
    # NOTE: the family is told from where the reader lives; a pickle of protocol 0 is text to every other look.
    return any(
        kind.reader.startswith("eightysix.scan.pickle.") and kind.name != "pickle-hidden"
        for kind in recognise(part)
    )


class Members:
    """One archive while its members are visited. Tell it all names first: they decide what the archive is for."""

    def __init__(self, artifact: Artifact, scan: Scan, names: Iterable[str]) -> None:
        self.artifact = artifact
        self.scan = scan
        self.roles: Roles = roles_of(names)
        self.record: Record | None = None
        """What a wheel says of its members, for those of its main directory."""
        self._links = Links()
        self._checked = 0
        self._wrong_told = False

    def may_check(self, length: int) -> bool:
        """Whether the checksums of `length` more stored bytes may be computed: members that overlap would cost without end."""
        self._checked += length
        return self._checked <= _MOST_CHECKED

    def first_wrong_checksum(self) -> bool:
        """True once: a writer that computes no checksums computes none of them, and one finding says so."""
        first, self._wrong_told = not self._wrong_told, True
        return first

    def name(self, name: str, *, package: bool = False) -> None:
        """Judge where the member `name` would land. `package` is an image layer, which has its own root."""
        if escapes(name):
            self.scan.report(
                "archive-escape", self.artifact, f"{shown(name)} would be written outside of the folder"
            )
        elif rooted(name) and not package:
            self.scan.report("archive-odd-path", self.artifact, f"{shown(name)} begins at a root")
        elif "\x00" in name:
            self.scan.report(
                "archive-odd-path",
                self.artifact,
                f"{shown(name)} has a NUL, where some readers end the name and others do not",
            )
        link = self._links.through(name)
        if link:
            self.scan.report(
                "archive-escape",
                self.artifact,
                f"{shown(name)} would be written through the link {shown(link)}, which leads out of the folder",
            )

    def link(self, name: str, target: str, *, package: bool = False) -> None:
        """Judge the link `name` to `target`. `package` is an image layer, or looks like one."""
        outward = self._links.add(name, target)
        if outward and not package and self.roles.role is not Role.PACKAGE:
            self.scan.report(
                "archive-odd-path",
                self.artifact,
                f"the link {shown(name)} leads out of the folder, to {shown(target)}",
            )

    def special(self, name: str, what: str) -> None:
        """Judge a member that is no file, folder or link."""
        if self.roles.model:
            self.scan.report("archive-special-file", self.artifact, f"{shown(name)} is a {what}")

    def storage(self, part: Artifact) -> None:
        """A member that torch takes as numbers: its head alone is looked at, and read only if it is plainly more."""
        if heads.plainly_loadable(part.head(64), len(part)):
            self.content(part, "")
        else:
            self.scan.budget.member()

    def content(self, part: Artifact, name: str) -> None:
        """Have the content of the member `name` read."""
        head = part.head(_HEAD)
        native = heads.native_code(head)
        if native:
            self._native(part, native)
            return
        self._compiled(part, name)
        if not heads.is_text(head):
            self.scan.descend(part)
        elif self.roles.torchscript_code(name):
            self.scan.budget.member()
            if _pickled(part):
                self.scan.descend(part)
        elif heads.script(head) or name.lower().endswith(_SOURCE):
            self._source(part)
        else:
            self.scan.descend(part)

    def _compiled(self, part: Artifact, name: str) -> None:
        """Judge what the loader of this archive takes for code or for a recipe, whatever its bytes look like to others."""
        base = parts_of(name.lower())[-1:]
        if self.roles.torchscript_code(name):
            from eightysix.scan.containers.torchscript import judge  # most archives have none

            judge(part, self.scan)
        elif self.roles.scripted and base == ["bytecode.pkl"]:
            from eightysix.scan.containers.torchscript import judge_bytecode

            judge_bytecode(part, self.scan)
        elif base and base[0].endswith("pkl") and self.roles.context(name) in ("torch", "torchscript"):
            # The loader unpickles this record whatever it begins with: what nobody recognises is a broken pickle.
            if len(part) and not any(kind.name.startswith(_PICKLES) for kind in recognise(part)):
                from eightysix.scan.pickle.reader import read

                read(part, self.scan)
        elif self.roles.role is Role.EXPORT and name.lower().endswith(".json"):
            from eightysix.scan.containers.torchscript import judge_export

            judge_export(part, self.scan)
        elif self.roles.role is Role.MAR and name.lower() == "mar-inf/manifest.json":
            from eightysix.scan.containers.torchserve import judge as judge_manifest

            judge_manifest(part, self.scan)
        elif self.roles.role is Role.SKOPS and name.lower() == "schema.json":
            from eightysix.scan.containers.skops import judge as judge_schema

            judge_schema(part, self.scan)

    def _native(self, part: Artifact, native: str) -> None:
        if self.roles.model:
            self.scan.report(
                "archive-native-code", part, f"it is {native} code in a {self.roles.role} archive"
            )
        self.scan.budget.member()
        from eightysix.scan.containers.zip_records import ends_in_zip

        if ends_in_zip(part):  # a launcher with a zip behind it, a llamafile
            self.scan.budget.enter(part.depth)
            from eightysix.scan.containers.zip import read

            read(part, self.scan)

    def _source(self, part: Artifact) -> None:
        if self.roles.model:
            self.scan.report(
                "archive-source", part, f"it is a program's source in a {self.roles.role} archive"
            )
        # In packages programs are the point; elsewhere they are judged as they would be in a folder.
        if self.roles.role is not Role.PACKAGE or _pickled(part):
            self.scan.descend(part)
        else:
            self.scan.budget.member()
