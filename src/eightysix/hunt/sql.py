"""Runs SQL over a store, for who prefers it: one statement that only reads, on a connection that can do no more.

The text is the user's own, and DuckDB reads it. What it may reach is bounded by the connection (`hunt.engine.sealed`,
`store.events.view`); this keeps out statements that are not questions.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from eightysix.hunt.engine import TIMEOUT_S
from eightysix.hunt.interface import Result
from eightysix.hunt.values import column_of, value_of
from eightysix.model.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAX_TEXT", "run_sql"]

MAX_TEXT = 1 << 18
"""Characters of a statement."""

MAX_DEPTH = 200
"""Brackets inside brackets: DuckDB's parser has a stack."""


def run_sql(
    text: str, source: DuckDBPyConnection, *, limit: int = 10_000, timeout_s: float = TIMEOUT_S
) -> Result:
    """The rows of one SELECT; at most `limit`. Raises `QueryError`."""
    import duckdb

    _check(text)
    timer = threading.Timer(timeout_s, source.interrupt)
    timer.daemon = True
    timer.start()
    try:
        statements = source.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("only one SELECT is run", "Write one statement that reads.")
        cursor = source.execute(statements[0])
        columns = tuple(column_of(str(one[0]), str(one[1])) for one in cursor.description or ())
        found = cursor.fetchmany(limit + 1)
    except duckdb.InterruptException:
        raise QueryError(
            f"the query took longer than {timeout_s:g} s", "Narrow its time range, or give --timeout."
        ) from None
    except duckdb.Error as error:
        first = str(error).partition("\n")[0][:300]
        raise QueryError(f"the query cannot be run here: {first}") from None
    finally:
        timer.cancel()
    rows = [tuple(map(value_of, row, columns)) for row in found[:limit]]
    return Result(columns, rows, len(found) > limit)


def _check(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has more than {MAX_TEXT:,} characters", "Split it.")
    depth = 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if depth > MAX_DEPTH:
            raise QueryError("the query is nested too deeply", "Use WITH for its parts.")
