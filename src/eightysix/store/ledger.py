"""The scan ledger: what was scanned, what it came to, and until when that counts. One SQLite file.

Detection reads it as a source, to join a load that it sees to the digest and verdict of the file; and a scan with the
same rules takes the result of bytes that it has seen from here. The layout is the contract of the design:
`(digest, size, verdict, rules_version, at, expires)` and `(host, dev, ino, size, mtime_ns) -> digest`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct

from eightysix.model.errors import StateError
from eightysix.store.sqlite_errors import told

__all__ = ["VERSION", "FileRow", "Ledger", "LedgerView", "VerdictRow"]

VERSION = 1
"""`PRAGMA user_version` of the layout below."""

_BUSY_MS = 10_000
"""How long a writer waits for another: a host may scan several things at once into one ledger."""

_LAYOUT = """
CREATE TABLE verdict (digest TEXT, rules_version TEXT, size INTEGER, verdict TEXT, at INTEGER, expires INTEGER, result BLOB,
                      PRIMARY KEY (digest, rules_version)) WITHOUT ROWID;
CREATE TABLE file (host TEXT, dev INTEGER, ino INTEGER, size INTEGER, mtime_ns INTEGER, digest TEXT, at INTEGER,
                   PRIMARY KEY (host, dev, ino, size, mtime_ns)) WITHOUT ROWID;
"""

_RESCUE = "files are scanned anew, nothing else is lost"


class VerdictRow(Struct, frozen=True, kw_only=True):
    """What bytes came to. `digest` is BLAKE3 in hex, `size` in bytes, `at` and `expires` seconds since 1970; `result` is
    whatever the scan wants back."""

    digest: str
    rules_version: str
    size: int
    verdict: str
    at: int
    expires: int
    result: bytes = b""


class FileRow(Struct, frozen=True, kw_only=True):
    """Which bytes a file held when it was scanned. `host` is the name of the machine that `dev` and `ino` belong to."""

    host: str
    dev: int
    ino: int
    size: int
    mtime_ns: int
    digest: str
    at: int


class Ledger:
    """An open ledger; a context manager. Raises `StateError` for what cannot be used, and says what to do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(str(path), _RESCUE):
            _private(path)
            self._connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._connection.close()

    def find(self, digest: str, rules_version: str, now: int) -> VerdictRow | None:
        """What these bytes came to by the same rules, unless that has expired at `now` (seconds since 1970)."""
        with told(str(self.path), _RESCUE):
            row = self._connection.execute(
                "SELECT digest, rules_version, size, verdict, at, expires, result FROM verdict"
                " WHERE digest = ? AND rules_version = ? AND expires > ?",
                (digest, rules_version, now),
            ).fetchone()
        if row is None:
            return None
        digest, version, size, verdict, at, expires, result = row
        return VerdictRow(
            digest=digest,
            rules_version=version,
            size=size,
            verdict=verdict,
            at=at,
            expires=expires,
            result=bytes(result or b""),
        )

    def write(self, verdicts: list[VerdictRow], files: list[FileRow]) -> None:
        """Add rows, in one transaction; a row with the same key is replaced."""
        with told(str(self.path), _RESCUE):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (
                            row.digest,
                            row.rules_version,
                            row.size,
                            row.verdict,
                            row.at,
                            row.expires,
                            row.result,
                        )
                        for row in verdicts
                    ],
                )
                self._connection.executemany(
                    "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (
                            row.host,
                            _signed(row.dev),
                            _signed(row.ino),
                            row.size,
                            row.mtime_ns,
                            row.digest,
                            row.at,
                        )
                        for row in files
                    ],
                )
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            run("BEGIN IMMEDIATE")
            if run("PRAGMA user_version").fetchone()[0] == 0:  # nobody else made it while we waited
                for statement in _LAYOUT.split(";"):
                    run(statement)
                run(f"PRAGMA user_version = {VERSION}")
            run("COMMIT")
        elif version != VERSION:
            raise StateError(
                f"the ledger {self.path} has layout {version}, and this version reads {VERSION}",
                "move it away: " + _RESCUE,
            )


class LedgerView:
    """A ledger that somebody else writes, opened to be read; a context manager. Nothing of it is changed, so it may lie on a
    volume that is mounted read-only. Raises `StateError` for what cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = _opened(path)

    def __enter__(self) -> LedgerView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def verdicts(self, since: int) -> Iterator[VerdictRow]:
        """What was written since then (seconds since 1970), without the results."""
        query = "SELECT digest, rules_version, size, verdict, at, expires FROM verdict WHERE at >= ?"
        for digest, version, size, verdict, at, expires in self._rows(query, since):
            yield VerdictRow(
                digest=str(digest), rules_version=str(version), size=size, verdict=str(verdict), at=at, expires=expires
            )  # fmt: skip

    def files(self, since: int) -> Iterator[FileRow]:
        """Files that were scanned since then (seconds since 1970)."""
        query = "SELECT host, dev, ino, size, mtime_ns, digest, at FROM file WHERE at >= ?"
        for host, dev, ino, size, mtime_ns, digest, at in self._rows(query, since):
            yield FileRow(
                host=str(host),
                dev=_unsigned(dev),
                ino=_unsigned(ino),
                size=size,
                mtime_ns=mtime_ns,
                digest=str(digest),
                at=at,
            )

    def _rows(self, query: str, since: int) -> Iterator[tuple[Any, ...]]:
        with _told_of_reading(self.path):
            yield from self._connection.execute(query, (since,))


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that only reads. Where the file's own lock cannot be made, because the volume is mounted read-only and no
    writer is there, it is read as a file that nobody writes."""
    address = path.absolute().as_uri()
    with _told_of_reading(path):
        for how in ("mode=ro", "mode=ro&immutable=1"):
            connection = sqlite3.connect(f"{address}?{how}", uri=True, timeout=_BUSY_MS / 1000)
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                connection.close()
                unlockable = error.sqlite_errorcode & 0xFF in _UNLOCKABLE and path.is_file()
                if how == "mode=ro" and unlockable and not Path(f"{path}-wal").exists():
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            if version == VERSION:
                return connection
            connection.close()
            break
    raise StateError(
        f"{path} is no scan ledger of layout {VERSION}", "name the file that eightysix scan --ledger writes"
    )


_UNLOCKABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})


@contextmanager
def _told_of_reading(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(
            f"the scan ledger {path} cannot be read: {error}",
            "name the file that eightysix scan --ledger writes, and check its rights",
        ) from error


_HALF = 1 << 63


def _signed(number: int) -> int:
    """Numbers of stat(2) have no sign, those of SQLite have one, and both have 64 bits."""
    return number - 2 * _HALF if number >= _HALF else number


def _unsigned(number: Any) -> Any:
    """The number; what is none in a damaged file stays what it is, and the source tells it as malformed."""
    return number + 2 * _HALF if isinstance(number, int) and number < 0 else number


def _private(path: Path) -> None:
    """Make the file with mode 0600 before SQLite does; raises what SQLite would, so that it is told the same way."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(
            f"the ledger {path} cannot be opened: {error.strerror}",
            "check the folder, its rights and its owner",
        ) from error
