"""Small databases to query, closed as a hunter's is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eightysix.hunt.engine import run, sealed
from tests.tiers import require_tier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["NOW", "database", "rows"]

NOW = 1_767_312_000_000_000_000
"""2026-01-02T00:00:00Z."""

TABLE = "CREATE TABLE T (TimeGenerated TIMESTAMP, A VARCHAR, D JSON, N BIGINT, Dur INTERVAL)"
OTHER = "CREATE TABLE U (TimeGenerated TIMESTAMP, A VARCHAR, M BIGINT)"


@contextmanager
def database(*statements: str, values: Sequence[Sequence[object]] = ()) -> Iterator[DuckDBPyConnection]:
    """A closed connection with the tables T and U; `values` are rows of T."""
    try:
        import duckdb
        import duckdb_kql  # noqa: F401
    except ImportError:
        require_tier("hunt", "duckdb and duckdb-kql are not installed")
    source = duckdb.connect(":memory:")
    try:
        source.execute(TABLE)
        source.execute(OTHER)
        for statement in statements:
            source.execute(statement)
        if values:
            source.executemany("INSERT INTO T VALUES (?, ?, ?, ?, ?)", values)
        sealed(source)
        yield source
    finally:
        source.close()


def rows(query: str, source: DuckDBPyConnection, **options: object) -> list[tuple[object, ...]]:
    """The rows of a query as tuples."""
    return [tuple(row) for row in run(query, source, now=NOW, **options).rows]  # type: ignore[arg-type]
