"""What scans know of files: which bytes a file of a host held, and what those bytes came to.

A load is joined by the file's identity as stat(2) tells it on both sides, never by its name: the sensor hashes nothing.
Who wrote the ledger is the operator's host; who told of the load is the pod. So a verdict may raise a score, and a clean
one lowers none.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from eightysix.model.event import Event
from eightysix.model.words import Kind

__all__ = ["MAX_FILES", "Fact", "Scanned", "Scans", "file_id"]

MAX_FILES = 50_000
"""Files, and digests, that are kept, those scanned latest: 33 MB, measured. A folder of models has hundreds of
files."""

_BITS = 1 << 64
_SECOND = 1_000_000_000
_UNSCANNED = "unscanned"
_RANK = ("clean", "malformed", "unscannable", "suspicious", "malicious")
"""Of two verdicts of one second the worse one counts, in whatever order they came."""

Fact = tuple[str, str, str, int, int, str, int]
"""`file` or `verdict`; the file (`host|id`) or the digest; the digest or the verdict; when it was scanned (ns) and until
when that counts (ns; of a file 0); where that is written (file, line)."""


def file_id(dev: int, ino: int, size: int, mtime_ns: int) -> str:
    """One text for what tells a file from others on its host, and from itself after a change; empty for numbers that no
    stat(2) tells."""
    if not (0 <= dev < _BITS and 0 <= ino < _BITS and 0 <= size < _BITS and abs(mtime_ns) < _BITS):
        return ""
    return f"{dev}:{ino}:{size}:{mtime_ns}"


class Scanned(Struct, frozen=True):
    """What the ledger says of a file: a verdict, or `unscanned`; `digest`, `file` and `line` are empty where none is known."""

    verdict: str
    digest: str = ""
    file: str = ""
    line: int = 0


class Scans:
    """All ledgers that were read, as one. What was scanned latest counts, so order and repetition do not matter.

    `version` grows with what is known; `full` when old entries had to go; `news` takes what is new, for who keeps it
    (None: nobody does).
    """

    def __init__(self) -> None:
        self.version = 0
        self.full = False
        self.news: list[Fact] | None = None
        self._files: dict[str, Fact] = {}
        self._verdicts: dict[str, Fact] = {}
        self._hosts: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._files)

    def note(self, event: Event) -> None:
        """Take an event of a ledger."""
        if event.kind is not Kind.SCAN:
            return
        at, place = event.time_ns, (event.file, event.line)
        if event.file_id:
            self._note(("file", f"{_host(event.node)}|{event.file_id}", event.digest, at, 0, *place))
        else:
            until = at + event.ttl_s * _SECOND
            self._note(("verdict", event.digest, event.activity, at, until, *place))

    def add(self, facts: Iterable[Fact]) -> None:
        """Take what another one knew."""
        for fact in facts:
            self._note(fact)

    def facts(self) -> list[Fact]:
        """All that is known, as `add` takes it."""
        return [*sorted(self._files.values()), *sorted(self._verdicts.values())]

    def knows_host(self, host: str) -> bool:
        """Whether any file of this host was scanned."""
        return _host(host) in self._hosts

    def find(self, host: str, identity: str, time_ns: int) -> Scanned | None:
        """What is known of a file that was loaded at `time_ns`; None where no ledger speaks of the host, or not for sure.

        A scan after the load counts too: the same identity means the same bytes.
        """
        host = _host(host)
        if not host or not identity or host not in self._hosts:
            return None
        held = self._files.get(f"{host}|{identity}")
        fact = self._verdicts.get(held[2]) if held is not None else None
        if held is None or fact is None or fact[4] <= time_ns:
            return None if self.full else Scanned(_UNSCANNED, held[2] if held is not None else "")
        return Scanned(fact[2], held[2], fact[5], fact[6])

    def _note(self, fact: Fact) -> None:
        known = self._files if fact[0] == "file" else self._verdicts
        before = known.get(fact[1])
        if before is not None and not _counts_more(fact, before):
            return
        known[fact[1]] = fact
        if fact[0] == "file":
            self._hosts.add(fact[1].partition("|")[0])
        if before is None or before[2:5] != fact[2:5]:
            self.version += 1
        if self.news is not None:
            self.news.append(fact)
        if len(known) > MAX_FILES:
            self._let_go(known)

    def _let_go(self, known: dict[str, Fact]) -> None:
        """Of too many, an eighth goes: what was scanned longest ago."""
        for name in sorted(known, key=lambda name: (known[name][3], name))[: MAX_FILES // 8]:
            del known[name]
        self.full = True


def _host(name: str) -> str:
    """Host names have no case, names of nodes are in small letters."""
    return name.rstrip(".").lower()


def _counts_more(fact: Fact, known: Fact) -> bool:
    """Whether `fact` counts in the place of `known`. Of the same in two places, the first place is told."""
    mine, theirs = _weight(fact), _weight(known)
    return mine > theirs or (mine == theirs and fact[5:] < known[5:])


def _weight(fact: Fact) -> tuple[int, int, int, str]:
    rank = _RANK.index(fact[2]) if fact[2] in _RANK else -1
    return fact[3], rank, fact[4], fact[2]
