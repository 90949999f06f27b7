"""What a scan found: findings, the verdict about each file, and the report that carries both (findings/v1)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = ["SCHEMA", "FileVerdict", "Finding", "ScanReport", "ScannedFile", "Severity"]

SCHEMA = "eightysix/findings/v1"
"""Name and version of the machine output; the fields of version 1 keep their meaning, new ones may be added."""


class Severity(StrEnum):
    """How much one finding matters. `LOW` informs and changes no verdict."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Order of severity, from 1."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK: dict[str, int] = {"low": 1, "medium": 2, "high": 3, "critical": 4}


class FileVerdict(StrEnum):
    """What a file amounts to.

    `CLEAN` says that all of it was read and nothing in it could do anything but build data; `MALFORMED`, that it breaks
    its own format; `UNSCANNABLE`, that something in it could not be read; `SUSPICIOUS`, that it would use names which
    nobody vouches for; `MALICIOUS`, that loading it would do what no data needs.
    """

    CLEAN = "clean"
    MALFORMED = "malformed"
    UNSCANNABLE = "unscannable"
    SUSPICIOUS = "suspicious"
    MALICIOUS = "malicious"

    @property
    def rank(self) -> int:
        """Order in which they win over each other, from 0."""
        return _VERDICT_RANK[self]


_VERDICT_RANK: dict[str, int] = {
    "clean": 0,
    "malformed": 1,
    "unscannable": 2,
    "suspicious": 3,
    "malicious": 4,
}


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found in one file.

    `path` is as it was given; `member` leads to the part inside of it (`!` between the levels of nested archives), empty
    for the file itself; `offset` counts bytes from the start of that part, None where no place is meant. `title` is the
    rule's, `why` says what is there, in words and with the names that matter. `names` are the unknown names that a
    policy would have to accept, as `module.qualname`; empty where no policy can.
    """

    rule: str
    severity: Severity
    path: str
    member: str = ""
    offset: int | None = None
    title: str
    why: str
    names: tuple[str, ...] = ()


class ScannedFile(Struct, frozen=True, kw_only=True):
    """One file that was given, whatever became of it.

    `format` is what its content was recognised as (`torch-zip`, `pickle`, `unknown`). `size` in bytes. `digest` is
    BLAKE3 in hex, empty unless it was asked for or needed. `second` says what the second engine did: `agreed`,
    `disagreed`, `not needed` (no pickle inside), or `not run: ` and why. `accepted` are the names that the operator's
    policy accepted in it.
    """

    path: str
    format: str
    verdict: FileVerdict
    size: int = 0
    digest: str = ""
    second: str = "not needed"
    accepted: tuple[str, ...] = ()


class ScanReport(Struct, frozen=True, kw_only=True):
    """All that one scan has to say, in the order of the paths given; every file is listed once."""

    findings: tuple[Finding, ...]
    files: tuple[ScannedFile, ...]
