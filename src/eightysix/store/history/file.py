"""The file of the gate's history: opened for one writer in a process and any number of readers, and what fails is told.

Declared failures. Full disk, failing disk, a lock that is not given back within `BUSY_MS`, rights that do not allow it: the write
raises `StoreUnavailableError`, nothing of it is there, everything before it is. Damage: `StateError` at opening (or when
the damaged page is read), the file is left as it is. A layout of a newer release: `StateError`; of an older one: brought up
in place.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eightysix.model.errors import StateError
from eightysix.store.history.layout import VERSION, is_ours, upgrade
from eightysix.store.sqlite_errors import told

__all__ = ["BUSY_MS", "HistoryFile"]

BUSY_MS = 5_000
"""How long a writer waits for another: `gate watch` writes each delivery, `gate approve` and `gate check` a row now and then."""

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables; Debian 12 has 3.40."""

_CACHE_KB = 2_048
"""Pages that a connection keeps; it is what holds the memory flat."""
_RESCUE = (
    "where tags point is learned anew from the registry; what they pointed to before, what was learned of signers and what was"
    " approved is lost, so restore a copy if there is one"
)
_KEPT = "what was acknowledged is there, what was not is sent or asked again"


class HistoryFile:
    """An open history; a context manager, for any threads. `clock` gives nanoseconds since 1970. Methods may raise
    `StateError`."""

    def __init__(self, path: Path, clock: Callable[[], int], *, read_only: bool = False) -> None:
        """Open the file at `path`, and make it and its folder if it is to be written."""
        self.path = path
        self.read_only = read_only
        self._clock = clock
        self._lock = threading.RLock()
        self._reading = threading.RLock()
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StateError(
                f"the gate's history needs SQLite {'.'.join(map(str, OLDEST_SQLITE))}, here is {sqlite3.sqlite_version}",
                "run it with a Python that has a newer SQLite",
            )
        if read_only and not path.exists():
            raise StateError(
                f"there is no history of the gate at {path}", "name the file that eightysix gate watch keeps"
            )
        with self._told():
            self._writer = self._opened() if not read_only else None
            try:
                self._reader = _reader(path)
            except BaseException:
                if self._writer is not None:
                    self._writer.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written is on the disk."""
        with self._lock, self._reading:
            self._reader.close()
            if self._writer is not None:
                self._writer.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: it takes the lock at its start, and is on the disk when the block ends, or nothing of it is."""
        if self._writer is None:
            raise StateError(f"{self.path} was opened to be read", "open it to be written")
        with self._lock, self._told():
            database = self._writer
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    with suppress(sqlite3.Error):
                        database.execute("ROLLBACK")

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query finds in what is committed; it waits for no writer."""
        with self._reading, self._told():
            return self._reader.execute(query, values).fetchall()

    def _told(self) -> Any:
        return told(str(self.path), _RESCUE, _KEPT)

    def _opened(self) -> sqlite3.Connection:
        _make_private(self.path)
        database = sqlite3.connect(
            self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            self._check(database)
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "trusted_schema = OFF",
                "recursive_triggers = ON",
                f"cache_size = -{_CACHE_KB}",
            ):
                database.execute(f"PRAGMA {pragma}")
            if database.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                database.execute("BEGIN IMMEDIATE")
                upgrade(database)  # another process may have done it while this one waited for the lock
                database.execute("COMMIT")
        except BaseException:
            database.close()
            raise
        return database

    def _check(self, database: sqlite3.Connection) -> None:
        if not is_ours(database):
            raise StateError(
                f"{self.path} is a database of something else", "name another file for the gate's history"
            )
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StateError(
                f"{self.path} is from a newer eightysix (version {version}, this one knows {VERSION})",
                f"use that one, or move the file away: {_RESCUE}",
            )
        (damage,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. On a volume that is mounted read-only, where its lock cannot be made, the file is
    read as one that nobody writes."""
    address = path.absolute().as_uri()
    for how in ("mode=ro", "mode=ro&immutable=1"):
        database = sqlite3.connect(
            f"{address}?{how}",
            uri=True,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            ours = is_ours(database)
        except sqlite3.OperationalError as error:
            database.close()
            if (
                how == "mode=ro"
                and _unlockable(error)
                and path.is_file()
                and not Path(f"{path}-wal").exists()
            ):
                continue
            raise
        except BaseException:
            database.close()
            raise
        if ours and version == VERSION:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            return database
        database.close()
        break
    raise StateError(
        f"{path} is no history of the gate in layout {VERSION}",
        "name the file that eightysix gate watch keeps; one of an older release is brought up by whoever writes it next",
    )


def _unlockable(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
    }


def _make_private(path: Path) -> None:
    """SQLite gives its -wal and -shm files the mode of the database."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(
            f"the gate's history {path} cannot be opened: {error.strerror}",
            "check the folder, its rights, its owner and its room",
        ) from error
