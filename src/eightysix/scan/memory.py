"""What the ledger keeps of a scan, and what a scan takes back from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import structs

from eightysix.model.finding import FileVerdict
from eightysix.scan.scanner import Result
from eightysix.store.ledger import FileRow, Ledger, VerdictRow

__all__ = ["DAYS", "recall", "remember"]

DAYS = 30
"""How long a verdict counts: by then the rules have moved on, and what was unknown may be known (judged)."""

_DECODER = msgspec.msgpack.Decoder(Result)


def recall(ledger: Ledger, rules_version: str, now: int) -> Callable[[str], Result | None]:
    """The function for `Options.recall`: what bytes came to before. What the ledger holds of another shape is not used."""

    def find(digest: str) -> Result | None:
        row = ledger.find(digest, rules_version, now)
        if row is None:
            return None
        try:
            return _DECODER.decode(row.result)
        except msgspec.MsgspecError:
            return None

    return find


def remember(ledger: Ledger, results: Iterable[Result], rules_version: str, host: str, now: int) -> None:
    """Write what files came to. A file that could not be read, or without a digest, has nothing to be remembered by;
    what was recalled keeps its day."""
    verdicts, files = [], []
    for result in results:
        stamp, file = result.stamp, result.file
        if stamp is None or not file.digest:
            continue
        files.append(
            FileRow(
                host=host,
                dev=stamp.dev,
                ino=stamp.ino,
                size=stamp.size,
                mtime_ns=stamp.mtime_ns,
                digest=file.digest,
                at=now,
            )
        )
        if result.recalled or file.verdict is FileVerdict.UNSCANNABLE:
            continue  # what could not be read today may be readable tomorrow
        verdicts.append(
            VerdictRow(
                digest=file.digest,
                rules_version=rules_version,
                size=file.size,
                verdict=file.verdict,
                at=now,
                expires=now + DAYS * 86_400,
                result=msgspec.msgpack.encode(structs.replace(result, stamp=None)),
            )
        )
    ledger.write(verdicts, files)
