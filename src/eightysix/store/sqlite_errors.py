"""What SQLite says in the words of an operator: what happened to which file, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from eightysix.model.errors import StateError

__all__ = ["StoreUnavailableError", "told"]

_DAMAGED = frozenset({0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""0 is an error without a code: what we found ourselves when we looked."""
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_RIGHTS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


class StoreUnavailableError(StateError):
    """A file could not be written now: the disk is full or fails, or somebody else holds the file. Nothing was lost, and
    writing may be tried again."""


@contextmanager
def told(path: str, rescue: str, kept: str = "nothing that was written is lost") -> Iterator[None]:
    """Turn errors of SQLite about `path` into `StateError`; what may be over the next time is a `StoreUnavailableError`.
    `rescue` says what becomes of a damaged file's content, `kept` of what cannot be written now."""
    try:
        yield
    except sqlite3.Error as error:
        raise _ours(path, rescue, kept, error) from error
    except UnicodeDecodeError as error:
        # Python reads SQLite's message about a damaged schema as UTF-8, with the damaged bytes in it.
        raise _ours(path, rescue, kept, sqlite3.DatabaseError("it holds text that is none")) from error


def _ours(path: str, rescue: str, kept: str, error: sqlite3.Error) -> StateError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    passing = _passing(code)
    if passing:
        why, advice = passing
        return StoreUnavailableError(f"{path} cannot be written: {why} ({error})", f"{advice}; {kept}")
    advice = f"move it away (mv {path} {path}.damaged) and start again: {rescue}"
    if code in _DAMAGED:
        return StateError(f"{path} is damaged or no database of ours ({error})", advice)
    return StateError(f"{path} cannot be used: {error}", advice)


def _passing(code: int) -> tuple[str, str] | None:
    """Why nothing can be written now, and what helps; None where it is not only now."""
    if code in _BUSY:
        return "it is in use by another process", "wait, or end who else holds the file"
    if code == sqlite3.SQLITE_FULL:
        return "the disk is full", "make room"
    if code in _RIGHTS:
        return "its rights do not allow it", "check the folder, its rights and its owner"
    if code == sqlite3.SQLITE_IOERR:
        return "the disk fails", "check the disk and its room"
    return None
