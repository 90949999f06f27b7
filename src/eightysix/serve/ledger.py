"""The scan ledger for detection: what scans wrote into the SQLite file since the last look, as the lines that a source reads.

Store and sources know nothing of each other, so they meet here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.sources.ledger import SCHEMA
from eightysix.sources.lines import Block

__all__ = ["LedgerReader", "lines_of"]

BLOCK_LINES = 2_000
"""Lines that are decoded at once: some 500 KB."""

OVERLAP_S = 3_600
"""What was written up to an hour before the latest row is looked at again: of two scans that end together, the one that is
written later may be the older one."""

_encode = msgspec.json.Encoder(order="sorted").encode


class LedgerReader:
    """Reads a ledger that scans go on writing; each look gives what is new since the one before."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: tuple[_Stat, ...] = ()
        self._since = 0
        self._recent: frozenset[bytes] = frozenset()

    def news(self) -> Iterator[Block]:
        """What was written since the last look; raises `StateError` where the file cannot be read."""
        seen = _signature(self.path)
        if seen and seen == self._seen:
            return
        if [told.file for told in seen[:1]] != [
            told.file for told in self._seen[:1]
        ]:  # another took its place
            self._since, self._recent = 0, frozenset()
        written = max((told.mtime_ns for told in seen), default=0) // 1_000_000_000
        latest = self._since
        recent: set[bytes] = set()
        number = 1
        rows = lines_of(Path(self.path), self._since)
        while lines := list(islice(rows, BLOCK_LINES)):
            # A row that says it is of tomorrow must not hide those of today.
            latest = max(latest, *(min(at, written) for at, _ in lines))
            new = [line for _, line in lines if line not in self._recent]
            recent.update(line for at, line in lines if at >= latest - OVERLAP_S)
            if new:
                yield Block(self.path, number, b"\n".join(new) + b"\n")
                number += len(new)
        self._since, self._recent, self._seen = max(0, latest - OVERLAP_S), frozenset(recent), seen


def lines_of(path: Path, since: int) -> Iterator[tuple[int, bytes]]:
    """The rows that were written since then (seconds since 1970) as lines of `eightysix/ledger/v1`, with their time."""
    from eightysix.store.ledger import LedgerView

    with LedgerView(path) as view:
        rows: tuple[Iterable[Struct], ...] = (view.verdicts(since), view.files(since))
        for table in rows:
            for row in table:
                fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "result"}
                at = fields["at"]  # of a damaged row it may be anything: the source tells it as malformed
                yield at if isinstance(at, int) else since, _encode({"schema": SCHEMA, **fields})


class _Stat(Struct, frozen=True):
    file: tuple[int, int]
    size: int
    mtime_ns: int


def _signature(path: str) -> tuple[_Stat, ...]:
    """What changes when somebody writes: of the file, and of its log of writes. Empty where there is no file."""
    found: list[_Stat] = []
    for name in (path, f"{path}-wal"):
        try:
            told = os.stat(name)
        except OSError:
            continue
        found.append(_Stat((told.st_dev, told.st_ino), told.st_size, told.st_mtime_ns))
    return tuple(found)
