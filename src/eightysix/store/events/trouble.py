"""What DuckDB says in the words of an operator: what happened to which store, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from eightysix.model.errors import EightysixError, MissingExtraError, StateError
from eightysix.store.sqlite_errors import StoreUnavailableError

__all__ = ["library", "literal", "short_of_memory", "told"]

_FULL = ("No space left on device", "File too large", "Disk quota exceeded")
_DAMAGED = (
    "corrupt",
    "checksum",
    "not a valid DuckDB database",
    "Failed to load metadata",
    "Invalid Input Error: ",
)


def library() -> ModuleType:
    """DuckDB; raises `MissingExtraError` where it is not installed."""
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError(
            "a store of events needs DuckDB", "Install it: pip install 'eightysix[store]'"
        ) from None
    return duckdb


def literal(text: str) -> str:
    """`text` as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn errors of DuckDB and of files about `what` into `StateError`; what may be over the next time is a
    `StoreUnavailableError`."""
    duckdb = library()
    try:
        yield
    except EightysixError:
        raise
    except duckdb.Error as error:
        raise _ours(what, str(error)) from error
    except OSError as error:
        raise _ours(what, str(error.strerror)) from error


def short_of_memory(error: StateError) -> bool:
    """Whether something was told that may go well with fewer rows."""
    return isinstance(error.__cause__, library().OutOfMemoryException)


def _ours(what: str, said: str) -> StateError:
    first = said.partition("\n")[0][:300]
    if any(word in said for word in _FULL):
        return StoreUnavailableError(
            f"{what} cannot be written: the disk is full",
            "make room, or give it a smaller budget; nothing acknowledged is lost, and the rest stays readable",
        )
    if "newer version" in said or "storage version" in said:
        return StateError(
            f"{what} was written by a newer DuckDB: {first}", "install that one; nothing was changed"
        )
    if any(word in said for word in _DAMAGED):
        return StateError(
            f"{what} is damaged: {first}", "eightysix store verify tells what; sealed hours stay readable"
        )
    if "Out of Memory" in said:
        return StoreUnavailableError(
            f"{what} needs more memory than it may take: {first}", "try again with fewer rows"
        )
    return StoreUnavailableError(f"{what} cannot be used: {first}", "nothing acknowledged is lost; try again")
