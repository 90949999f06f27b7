"""What a wheel says that it holds, against what it holds.

A wheel lists every file of it with a digest in `*.dist-info/RECORD` (binary distribution format,
packaging.python.org/en/latest/specifications/binary-distribution-format; recording installed projects for the columns).
No installer compares the digests while it installs, and whoever lists a wheel by its RECORD never sees a file that was put
in afterwards: PyPI refuses wheels whose list differs from the archive since 2026 (blog.pypi.org, 7 August 2025), other
indexes and folders do not.
"""

from __future__ import annotations

import csv
import io
from base64 import urlsafe_b64encode
from collections.abc import Iterable

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers.members import shown

__all__ = ["MAX_RECORD", "Record", "is_record"]

MAX_RECORD = 16 << 20
"""Bytes of a RECORD; ours. That of torch, with 12,000 files, has 1.3 MB."""

_MOST_HASHED = 256 << 20
_LARGEST_HASHED = 64 << 20
"""Bytes of a wheel, and of one file of it, whose digests are computed; ours."""

_MOST_LINES = 100_000
_TOLD = 3
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
"""The format asks for sha256 or better."""

_OF_ITSELF = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of the folder that RECORD cannot list, as they are made from it (binary distribution format, signed wheels)."""


def is_record(name: str) -> bool:
    """Whether a member is the list of the wheel: not that of a package which it carries within."""
    folder, slash, base = name.partition("/")
    return bool(slash) and base == "RECORD" and folder.endswith(".dist-info")


class Record:
    """The lines of a RECORD, and what did not agree with them so far. `problem` says why it could not be read."""

    def __init__(self, data: bytes, name: str) -> None:
        folder = name.partition("/")[0]
        self._exempt = frozenset(f"{folder}/{base}" for base in _OF_ITSELF)
        self._lines: dict[str, tuple[str, str]] = {}
        self._met: set[str] = set()
        self._left = _MOST_HASHED
        self._faults: dict[str, list[str]] = {}
        self.problem = "it is larger than any" if len(data) > MAX_RECORD else self._parse(data)

    def hold(self, name: str, part: Artifact) -> None:
        """Hold a member's content against its line."""
        if self.problem or name.endswith("/") or name in self._exempt:
            return
        self._met.add(name)
        line = self._lines.get(name)
        if line is None:
            self._fault("not listed", name)
        elif line[1] and line[1] != str(len(part)):
            self._fault("of another size", name)
        elif not line[0]:
            self._fault("listed without a digest", name)
        elif len(part) <= min(self._left, _LARGEST_HASHED):
            self._left -= len(part)
            algorithm, _, wanted = line[0].partition("=")
            if _digest(algorithm, part) != wanted.rstrip("="):
                self._fault("of another digest", name)

    def told(self) -> str:
        """What does not agree, as a sentence's end; empty where all does. Ask when all members were held against it."""
        if self.problem:
            return f"RECORD cannot be read: {self.problem}"
        missing = self._lines.keys() - self._met - self._exempt
        faults = {**self._faults, **({"listed and not there": sorted(missing)} if missing else {})}
        parts = []
        for what, names in faults.items():
            some = ", ".join(map(shown, names[:_TOLD]))
            more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
            parts.append(f"{what}: {some}{more}")
        return "; ".join(parts)

    def _fault(self, what: str, name: str) -> None:
        self._faults.setdefault(what, []).append(name)

    def _parse(self, data: bytes) -> str:
        try:
            for row in _rows(data):
                name, digest, size = (*row, "", "")[:3]
                line = (digest if digest.partition("=")[0] in _ALGORITHMS else "", size.strip())
                if self._lines.setdefault(name, line) != line:
                    self._fault("listed twice", name)
                if len(self._lines) > _MOST_LINES:
                    return f"it has more than {_MOST_LINES:,} lines"
        except UnicodeDecodeError:
            return "it is not UTF-8"
        except csv.Error as error:
            return f"it is no list of values ({error})"
        return ""


def _rows(data: bytes) -> Iterable[list[str]]:
    return (row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row)


def _digest(algorithm: str, part: Artifact) -> str:
    import hashlib  # OpenSSL behind it is loaded where somebody asks

    return urlsafe_b64encode(hashlib.new(algorithm, part.view()).digest()).rstrip(b"=").decode()
