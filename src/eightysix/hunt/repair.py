"""What is mended in the SQL that the translator wrote, where it gives other rows than Kusto or not the same twice.

Each looks for the exact text that duckdb-kql 1.1.2 writes; tests/hunt/test_repair.py fails where a later one writes another.
"""

from __future__ import annotations

from eightysix.hunt.spans import divided
from eightysix.hunt.sqltext import closing, end_of_quoted, find_code

__all__ = ["repaired"]

_YEAR_ONE_US = 62_135_596_800_000_000
"""Microseconds from 0001-01-01 to 1970. Kusto counts bins from the former: the tutorial's `bin(StartTime, 7d)` gives
Mondays (learn.microsoft.com/kusto/query/tutorials/use-aggregation-functions), and 1970 began on a Thursday."""

_BIN = "to_timestamp(floor(epoch("
_BIN_MIDDLE = " / epoch(INTERVAL '"
_BIN_END = " AT TIME ZONE 'UTC'"
_MEMBER = "CASE WHEN json_type(TRY_CAST("
_ARRAY = "CAST(to_json("
_KEYS = "list_transform(json_keys("
_KEYS_END = ", lambda k: json_object(k, json_extract("
_SET = "list_distinct("
_STEP = "SELECT * FROM _s"
_ORDER = " ORDER BY "


def repaired(sql: str) -> str:
    """`sql` with Kusto's bins and members of sets, sets in one order, and rows that sort alike in one order too."""
    return _sorts(_sets(_objects(_arrays(_members(_bins(divided(sql)))))))


def _arrays(sql: str) -> str:
    """What is no array has no members, instead of ending the query."""
    at = 0
    while True:
        start = find_code(sql, _ARRAY, at)
        if start < 0:
            return sql
        at = start + len(_ARRAY)
        end = closing(sql, start + len("CAST("))
        if end >= 0 and sql[start:end].endswith(" AS JSON[]") and not sql.startswith("TRY_", start - 4):
            sql = f"{sql[:start]}TRY_{sql[start:]}"
            at += len("TRY_")


def _objects(sql: str) -> str:
    """`mv-expand` of a bag, member by member. The translator makes a path of each key, and a key with a quote in it ends
    the query: whoever writes the bag could have done that."""
    at = 0
    while True:
        start = find_code(sql, _KEYS, at)
        if start < 0:
            return sql
        at = first = start + len(_KEYS)
        end = closing(sql, first)
        whole = closing(sql, start + len("list_transform("))
        if end < 0 or whole < 0 or not sql.startswith(_KEYS_END, end + 1):
            continue
        value = sql[first:end]
        pairs = f"list_zip(json_keys({value}), json_extract({value}, '$.*'))"
        made = f"list_transform({pairs}, lambda pair: json_object(pair[1], pair[2]))"
        sql = f"{sql[:start]}{made}{sql[whole + 1 :]}"


def _members(sql: str) -> str:
    """A text is one member of a set or list, also where it reads like an array. The translator takes it for one, and then
    fails over it: whoever may write a command line could have ended the query."""
    at = 0
    while True:
        start = find_code(sql, _MEMBER, at)
        if start < 0:
            return sql
        first = start + len(_MEMBER)
        end = closing(sql, first)
        if end < 0:
            return sql
        value = sql[first:end].removesuffix(" AS JSON")
        guard = f"CASE WHEN typeof({value}) <> 'VARCHAR' AND "
        sql = f"{sql[:start]}{guard}{sql[start + len('CASE WHEN ') :]}"
        at = first + len(guard)


def _bins(sql: str) -> str:
    """`bin(V, span)`: counted from year one, in whole microseconds, and a span stays a span."""
    at = 0
    while True:
        start = find_code(sql, _BIN, at)
        if start < 0:
            return sql
        first = start + len(_BIN)
        end = closing(sql, first)
        whole = closing(sql, start + len("to_timestamp("))
        if end < 0 or whole < 0 or not sql.startswith(_BIN_MIDDLE, end + 1):
            at = first
            continue
        quote = end + 1 + len(_BIN_MIDDLE) - 1
        span = f"INTERVAL {sql[quote : end_of_quoted(sql, quote)]}"
        stop = whole + 1 + (len(_BIN_END) if sql.startswith(_BIN_END, whole + 1) else 0)
        made = _bin(sql[first:end], span)
        sql = sql[:start] + made + sql[stop:]
        at = start + 1  # what is binned may hold another


def _bin(value: str, span: str) -> str:
    size = f"nullif(epoch_us({span}), 0)"
    origin = f"CASE WHEN typeof({value}) = 'INTERVAL' THEN 0 ELSE {_YEAR_ONE_US} END"
    rest = f"(epoch_us({value}) + {origin}) % {size}"
    return f"({value} - to_microseconds(({rest} + {size}) % {size}))"


def _sets(sql: str) -> str:
    """The members of a set in their order: DuckDB gives them as threads finish, Kusto promises none."""
    at = 0
    while True:
        start = find_code(sql, _SET, at)
        if start < 0:
            return sql
        end = closing(sql, start + len(_SET))
        if end < 0:
            return sql
        sql = f"{sql[:start]}list_sort({sql[start : end + 1]}){sql[end + 1 :]}"
        at = start + len("list_sort(") + len(_SET)


def _sorts(sql: str) -> str:
    """Rows that sort alike, by all their columns."""
    at = 0
    while True:
        start = find_code(sql, _STEP, at)
        if start < 0:
            return sql
        at = start + len(_STEP)
        while at < len(sql) and sql[at].isdigit():
            at += 1
        if not sql.startswith(_ORDER, at):
            continue
        end = closing(sql, at)
        if end < 0:
            return sql
        limit = sql.rfind(" LIMIT ", at, end)
        if limit > 0 and sql[limit + len(" LIMIT ") : end].isdigit():
            end = limit
        sql = f"{sql[:end]}, COLUMNS(*){sql[end:]}"
