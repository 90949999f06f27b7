"""Runs KQL over DuckDB: checked, rewritten, translated by duckdb-kql, and executed where nothing can be written.

The translator is a young library behind this one door: pinned, told not to write, and asked for SQL only. What it cannot
translate it refuses, and so do we, by name. Time is an argument: `now()` and `ago()` are those of the caller.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING

from eightysix.hunt.interface import Result
from eightysix.hunt.prefilter import with_prefilter
from eightysix.hunt.rewrite import checked, rewritten, with_parameters
from eightysix.hunt.values import column_of, value_of
from eightysix.model.errors import MissingExtraError, QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["TIMEOUT_S", "run", "sealed", "translate"]

TIMEOUT_S = 60.0
"""Seconds after which a running query is interrupted."""

_KEPT = 256
"""Translations that are kept: the pack has some thirty queries, and one takes 25 to 80 ms."""

_SECONDS_A_TICK = 1_000_000_000

_translated: OrderedDict[tuple[str, int], str] = OrderedDict()

_Schema = dict[str, list[str]]


def sealed(source: DuckDBPyConnection) -> None:
    """Close a connection to the world: no file, network, extension, Python variable or setting is in reach of a query.

    Views over files must be made before, and their folders allowed by `allowed_directories`.
    """
    for statement in (
        "SET TimeZone = 'UTC'",
        "SET python_enable_replacements = false",
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        source.execute(statement)


def run(
    text: str,
    source: DuckDBPyConnection,
    *,
    now: int,
    limit: int = 10_000,
    parameters: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """The rows of the query `text` over the tables of `source` (see `sealed`), as of `now` (ns since 1970).

    At most `limit` rows. `parameters` replace the values of `let` statements. Raises `QueryError`.
    """
    sql = translate(text, _schema(source), parameters or {})
    moment = datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(
        seconds=now // _SECONDS_A_TICK, microseconds=now % _SECONDS_A_TICK // 1000
    )
    asked = {"kqlnow": moment} if "$kqlnow" in sql else None
    timer = threading.Timer(timeout_s, source.interrupt)
    timer.daemon = True
    timer.start()
    try:
        # NOTE: what a query can reach is bounded by `sealed`, not by what its text looks like.
        cursor = source.execute(f"SELECT * FROM ({sql}) LIMIT {limit + 1:d}", asked)  # noqa: S608
        columns = tuple(column_of(str(one[0]), str(one[1])) for one in cursor.description or ())
        found = cursor.fetchall()
    except Exception as error:  # noqa: BLE001 - DuckDB's errors share no useful root, and none of them is ours
        raise _refused(error, timeout_s) from None
    finally:
        timer.cancel()
    rows = [tuple(map(value_of, row, columns)) for row in found[:limit]]
    return Result(columns, rows, len(found) > limit)


def translate(text: str, schema: _Schema, parameters: Mapping[str, str]) -> str:
    """The SQL of a query; the moment is its parameter `$kqlnow`. Translations are kept by text and schema."""
    query = rewritten(with_parameters(checked(text), parameters))
    key = (query, hash(tuple((name, *columns) for name, columns in sorted(schema.items()))))
    kept = _translated.get(key)
    if kept is not None:
        _translated.move_to_end(key)
        return kept
    kql = _library()
    try:
        sql = kql.to_sql(query, schema=schema, allow_write=False, query_now=datetime(1970, 1, 1, tzinfo=UTC))
    except kql.KqlUnsupportedError as error:
        raise QueryError(
            f"the local runner does not have {error.construct}",
            "It may run in Sentinel or Defender all the same; docs/hunt.md lists what runs here.",
            construct=str(error.construct),
        ) from None
    except kql.KqlSyntaxError as error:
        raise QueryError(f"the query is not KQL: {_first_line(error)}") from None
    except kql.KqlError as error:
        raise QueryError(f"the query cannot be run here: {_first_line(error)}") from None
    except (
        RecursionError,
        AssertionError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        # The translator's own faults: it is pre-alpha, and whatever breaks it is refused like the rest.
        raise QueryError(f"the translator fails over this query ({type(error).__name__})") from None
    if unbound := [name for name in sql.parameters if name != "kqlnow"]:
        raise QueryError(
            f"the query declares parameters ({', '.join(unbound)})", "Use `let` and `--set NAME=VALUE`."
        )
    done = with_prefilter(str(sql))
    _translated[key] = done
    while len(_translated) > _KEPT:
        _translated.popitem(last=False)
    return done


def _library() -> ModuleType:
    try:
        import duckdb_kql
    except ImportError:
        raise MissingExtraError(
            "running KQL here needs DuckDB and a translator", "Install them: pip install 'eightysix[hunt]'"
        ) from None
    return duckdb_kql


def _schema(source: DuckDBPyConnection) -> _Schema:
    found: _Schema = {}
    for table, column in source.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()"
        " ORDER BY table_name, column_index"
    ).fetchall():
        found.setdefault(str(table), []).append(str(column))
    return found


def _refused(error: Exception, timeout_s: float) -> QueryError:
    kind = type(error).__name__
    if kind == "InterruptException":
        return QueryError(
            f"the query took longer than {timeout_s:g} s", "Narrow its time range, or give --timeout."
        )
    if kind == "CatalogException":
        return QueryError(
            f"the query names what is not there: {_first_line(error)}",
            "`eightysix hunt tables` lists tables.",
        )
    if kind == "OutOfMemoryException":
        return QueryError(
            "the query needs more memory than it may take", "Narrow its time range, or give --memory."
        )
    return QueryError(f"the query cannot be run here: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
