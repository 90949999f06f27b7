"""Runs KQL over DuckDB: checked, rewritten, translated by duckdb-kql, and executed where nothing can be written.

The translator is a young library behind this one door: pinned, told not to write, and asked for SQL only. What it cannot
translate it refuses, and so do we, by name. Time is an argument: `now()` and `ago()` are those of the caller.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from eightysix.hunt.bounds import held
from eightysix.hunt.dispatch import folded, unfolded
from eightysix.hunt.extra import translator_module
from eightysix.hunt.interface import Result
from eightysix.hunt.lexer import Token, tokens
from eightysix.hunt.limits import checked
from eightysix.hunt.parameters import with_parameters
from eightysix.hunt.pipeline import is_ordered, operators
from eightysix.hunt.prefilter import with_prefilter
from eightysix.hunt.refusals import ELSEWHERE, refuse, refused_at
from eightysix.hunt.repair import repaired
from eightysix.hunt.rewrite import ranged, rewritten, with_columns
from eightysix.hunt.shapes import simplified
from eightysix.hunt.values import column_of, value_of
from eightysix.model.errors import QueryError
from eightysix.model.table import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["TIMEOUT_S", "run", "sealed", "translate"]

TIMEOUT_S = 60.0
"""Seconds after which a running query is interrupted."""

_AGAIN_S = 0.05

_KEPT = 256
"""Translations that are kept: the pack has some thirty queries, and one takes 25 to 80 ms."""

_NS = 1_000_000_000

_SOME_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""Translations do not depend on it: the moment is bound when a query runs."""

_translated: OrderedDict[tuple[str, int], str] = OrderedDict()

_Schema = dict[str, dict[str, str]]
"""Table -> column -> its type in DuckDB."""


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

    At most `limit` rows. `parameters` replace the values of `let` statements. Where the query does not say in which order
    its rows come, they come sorted by all columns: the same input gives the same output. Raises `QueryError`.
    """
    found = with_parameters(checked(text), parameters or {})
    finished = threading.Event()
    watch = threading.Thread(
        target=_interrupt, args=(source, finished, timeout_s), name="hunt-timeout", daemon=True
    )
    watch.start()
    try:
        order = "" if is_ordered(found) else " ORDER BY ALL"
        cursor = _executed(text, found, source, f"{order} LIMIT {limit + 1:d}", now)
        columns = _columns(cursor)
        rows_found = cursor.fetchall()
    except QueryError:
        raise
    except Exception as error:  # noqa: BLE001 - DuckDB's errors share no useful root, and none of them is ours
        raise _refused(error, timeout_s) from None
    finally:
        finished.set()
        watch.join()
    rows = [tuple(map(value_of, row, columns)) for row in rows_found[:limit]]
    return Result(columns, rows, len(rows_found) > limit)


def _interrupt(source: DuckDBPyConnection, finished: threading.Event, timeout_s: float) -> None:
    """Stop what runs after `timeout_s`. More than once: an interrupt that comes between two statements is lost."""
    if finished.wait(timeout_s):
        return
    while not finished.wait(_AGAIN_S):
        source.interrupt()


def _executed(
    text: str, found: Sequence[Token], source: DuckDBPyConnection, tail: str, now: int
) -> DuckDBPyConnection:
    sql = _translated_by(text, found, source)
    # NOTE: what a query can reach is bounded by `sealed` and `held`, not by what its text looks like.
    try:
        return source.execute(f"SELECT * FROM ({sql}){tail}", _moment_for(sql, now))  # noqa: S608
    except Exception as error:
        if "BETWEEN" not in str(error):
            raise
    sql = _translated_by(text, found, source, with_ranges=True)
    return source.execute(f"SELECT * FROM ({sql}){tail}", _moment_for(sql, now))  # noqa: S608


def translate(text: str, source: DuckDBPyConnection, parameters: Mapping[str, str] | None = None) -> str:
    """The SQL of a query over the tables of `source`; the moment is its parameter `$kqlnow`."""
    return _translated_by(text, with_parameters(checked(text), parameters or {}), source)


def _translated_by(
    text: str, found: Sequence[Token], source: DuckDBPyConnection, *, with_ranges: bool = False
) -> str:
    schema = _schema(source)
    query = "".join(one.text for one in found)
    key = (query, hash(tuple((name, *columns.items()) for name, columns in schema.items())))
    kept = None if with_ranges else _translated.get(key)
    if kept is not None:
        _translated.move_to_end(key)
        return kept
    refuse(text, found, operators(found))

    def columns_of(part: str) -> Sequence[Column]:
        sql = _sql(part, source, schema)
        return _columns(source.execute(f"SELECT * FROM ({sql}) LIMIT 0", _moment_for(sql, 0)))  # noqa: S608

    plain = with_columns(rewritten(found), columns_of)
    sql = _sql(ranged(plain, columns_of) if with_ranges else plain, source, schema)
    _translated[key] = sql
    while len(_translated) > _KEPT:
        _translated.popitem(last=False)
    return sql


def _sql(query: str, source: DuckDBPyConnection, schema: _Schema) -> str:
    """The query as SQL, mended and made plainer: one SELECT over tables of `schema`. Raises `QueryError`."""
    sql = repaired(folded(_raw(query, schema)))
    try:
        made = simplified(sql, schema)
        held(made, source, schema)
    except (QueryError, IndexError, ValueError, RecursionError):
        # As the translator wrote it: only slower. What is refused is refused again, and told as it is.
        made = with_prefilter(unfolded(sql))
        held(made, source, schema)
    return made


def _raw(query: str, schema: _Schema) -> str:
    """The query as the translator writes it."""
    kql = translator_module()
    try:
        names = {table: list(columns) for table, columns in schema.items()}
        sql = kql.to_sql(query, schema=names, allow_write=False, query_now=_SOME_MOMENT)
    except kql.KqlUnsupportedError as error:
        raise _unsupported(query, str(error.construct)) from None
    except kql.KqlSyntaxError as error:
        raise QueryError(_not_kql(error)) from None
    except kql.KqlError as error:
        raise _not_run(_first_line(error)) from None
    except RecursionError:
        raise QueryError("the query is nested too deeply", "Use `let` for its parts.") from None
    except (AssertionError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        # The translator's own faults: it is pre-alpha, and whatever breaks it is refused like the rest.
        raise QueryError(
            f"the translator fails over this query ({type(error).__name__})", ELSEWHERE
        ) from None
    if unbound := [name for name in sql.parameters if name != "kqlnow"]:
        raise QueryError(
            f"the query declares parameters ({', '.join(unbound)})", "Use `let` and `--set NAME=VALUE`."
        )
    return str(sql)


def _not_run(line: str) -> QueryError:
    name = line.removeprefix(_NO_TABLE).partition("'")[0] if line.startswith(_NO_TABLE) else ""
    if name and "(unknown table" in line:
        return QueryError(
            f"there is no table `{name}`", "`eightysix hunt tables` lists tables.", construct=name
        )
    return QueryError(f"the query cannot be run here: {line}")


_NO_TABLE = "schema error for '"


def _unsupported(query: str, construct: str) -> QueryError:
    """The translator's refusal, with the place of what it names."""
    if construct in _SHAPES:
        name, advice = _SHAPES[construct]
        return QueryError(f"the local runner does not have {name}", advice, construct=construct)
    name = construct.rpartition(":")[2].removesuffix("Operator")
    for one in tokens(query):
        if one.kind == "word" and one.text.lower() == name.lower():
            call = "()" if "function" in construct or "aggregate" in construct else ""
            return refused_at(query, one, f"`{one.text}{call}`")
    return QueryError(f"the local runner does not have {construct}", ELSEWHERE, construct=construct)


def _columns(cursor: DuckDBPyConnection) -> tuple[Column, ...]:
    return tuple(column_of(str(one[0]), str(one[1])) for one in cursor.description or ())


def _moment_for(sql: str, now: int) -> dict[str, datetime] | None:
    if "$kqlnow" not in sql:
        return None
    seconds, rest = divmod(now, _NS)
    moment = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
    return {"kqlnow": moment + timedelta(seconds=seconds, microseconds=rest // 1000)}


def _schema(source: DuckDBPyConnection) -> _Schema:
    found: _Schema = {}
    for table, column, kind in source.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() ORDER BY table_name, column_index"
    ).fetchall():
        found.setdefault(str(table), {})[str(column)] = str(kind)
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
    line = _first_line(error)
    if line.startswith(_MISSING):
        name = line.removeprefix(_MISSING).partition('"')[0]
        return QueryError(
            f"there is no column `{name}` where it is used", "`eightysix hunt tables NAME` lists columns."
        )
    if "(INTERVAL" in line or "'epoch(" in line:
        return QueryError(
            "a span of time is divided, or its rest taken, in a form that does not run here",
            "Divide by a written number (5m / 2) or by a span; else compute with seconds: datetime_diff('second', a, b)",
            construct="timespan arithmetic",
        )
    return QueryError(f"the query cannot be run here: {line}")


_SHAPES = {
    "expression:Wildcard": ("`*` as an argument here", "Name the columns: take_any(A, B)"),
    "expression:TypeLiteralExpression": ("`typeof()` here", "Convert the result: tolong(...)"),
    "expression:StringStarOperatorExpression": ("a search of all columns (`* has`)", "Name the column."),
}
"""What the translator names by its grammar, for people."""

_MISSING = 'Binder Error: Referenced column "'


def _not_kql(error: Exception) -> str:
    """The first complaint of the grammar, without the hundred words that it would have taken."""
    first = next(iter(getattr(error, "diagnostics", ())), None)
    if first is None:
        return f"the query is not KQL: {_first_line(error)}"
    place = f"line {first.span.line}, column {first.span.column + 1}"
    return f"the query is not KQL ({place}): {first.message.partition(' expecting ')[0][:200]}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
