"""What SQLite says in the words of an operator: what happened to which file, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from eightysix.model.errors import StateError

__all__ = ["told"]

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_RIGHTS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


@contextmanager
def told(path: str, rescue: str) -> Iterator[None]:
    """Turn errors of SQLite about `path` into `StateError`; `rescue` says what is lost when a damaged file is moved away."""
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(*_sentence(path, rescue, error)) from error


def _sentence(path: str, rescue: str, error: sqlite3.Error) -> tuple[str, str]:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return (
            f"{path} is damaged or no database of ours ({error})",
            f"move it away and start again: {rescue}",
        )
    if code in _BUSY:
        return f"{path} is in use by another process", "wait until it is done, or stop it"
    if code == sqlite3.SQLITE_FULL:
        return f"{path} cannot grow: the disk is full", "make room; nothing that was written is lost"
    if code in _RIGHTS:
        return f"{path} cannot be opened or written", "check the folder, its rights and its owner"
    if code == sqlite3.SQLITE_IOERR:
        return f"{path}: the disk fails ({error})", "check the disk and its room"
    return f"{path} cannot be used: {error}", "move it away and start again: " + rescue
