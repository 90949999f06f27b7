"""What translated SQL may touch: one SELECT over tables that are there. The connection is closed to the world besides.

DuckDB's own parser says what a statement reads, so no spelling of a name hides anything from this.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from eightysix.model.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["held"]

_ROWS = frozenset({"generate_series", "range", "unnest"})
"""Functions that may stand where a table does."""

_SECRET = frozenset(
    "current_setting getenv getvariable query query_table sql_auto_complete write_log parse_duckdb_log_message".split()
)
"""Functions that tell of the process, or run text. The translator writes none; nothing else may either."""

_HOLDERS = (dict, list)

_MAX_NODES = 2_000_000


def held(sql: str, source: DuckDBPyConnection, tables: Collection[str]) -> None:
    """Raise `QueryError` where `sql` is not one SELECT over `tables`. Kusto's names are exact: case counts."""
    found = source.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree: dict[str, Any] = msgspec.json.decode(found[0]) if found else {"error": True}
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise QueryError("the query gives no single statement", "Write one query; `let` names its parts.")
    steps: set[str] = set()
    named: set[str] = set()
    _walk(tree, steps, named)
    for name in sorted(named - steps):
        if name not in tables:
            near = next((one for one in tables if one.casefold() == name.casefold()), "")
            raise QueryError(
                f"there is no table `{name}`",
                f"Did you mean {near}?" if near else "`eightysix hunt tables` lists tables.",
                construct=name,
            )


def _walk(tree: object, steps: set[str], named: set[str]) -> None:
    """Collect the names of steps (CTEs) and of tables; raise for what is neither."""
    waiting, seen = [tree], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > _MAX_NODES:
            raise QueryError("the query is too large", "Split it, or move lists into a table.")
        if type(node) is list:
            waiting.extend([one for one in node if type(one) in _HOLDERS])
            continue
        if type(node) is not dict:
            continue
        waiting.extend([one for one in node.values() if type(one) in _HOLDERS])
        kind = node.get("type")
        if kind == "BASE_TABLE":
            if node.get("schema_name") or node.get("catalog_name"):
                whole = [node.get("catalog_name"), node.get("schema_name"), node.get("table_name")]
                name = ".".join(str(one) for one in whole if one)
                raise QueryError(f"there is no table `{name}`", "`eightysix hunt tables` lists tables.")
            named.add(str(node.get("table_name")))
        elif kind == "TABLE_FUNCTION":
            function = node.get("function")
            called = str(function.get("function_name")) if isinstance(function, dict) else "?"
            if called not in _ROWS:
                raise QueryError(f"the query calls {called}(), which gives no table here")
        if "function_name" in node and str(node["function_name"]).lower() in _SECRET:
            raise QueryError(f"the query calls {node['function_name']}(), which is not a function of Kusto")
        if isinstance(node.get("cte_map"), dict):
            steps.update(str(one["key"]) for one in node["cte_map"].get("map", ()) if isinstance(one, dict))
