"""The run-time choices by type that the translator writes, as calls of one word: short to read, and decided later.

duckdb-kql knows names of columns and not their types, so `tostring(x)` becomes 1.2 kB of `CASE typeof(x) ...`, twice for
`isempty`, and twice as much for each function around it. `folded` turns each into `_text(x)` and the like, `unfolded` into
what it was. Where the type is known (`plainer`), it becomes a word or two: a query of the pack shrinks to a fifth, and DuckDB
plans it in a fifth of the time.
"""

from __future__ import annotations

from eightysix.hunt.sqltext import closing, find_code

__all__ = ["EMPTY", "SOME", "TEXT", "folded", "unfolded"]

TEXT = "_kql_text("
"""`tostring`: never null."""
EMPTY = "_kql_empty("
"""`isempty`."""
SOME = "_kql_some("
"""`isnotempty`."""

_CHOICE = "coalesce(CASE typeof("


def _span(value: str) -> str:
    return (
        f"list_transform([epoch_us({value})], lambda _us: CASE WHEN _us < 0 THEN '-' ELSE '' END"
        " || CASE WHEN abs(_us) >= 86400000000 THEN CAST(abs(_us) // 86400000000 AS VARCHAR) || '.' ELSE '' END"
        " || lpad(CAST(abs(_us) // 3600000000 % 24 AS VARCHAR), 2, '0')"
        " || ':' || lpad(CAST(abs(_us) // 60000000 % 60 AS VARCHAR), 2, '0')"
        " || ':' || lpad(CAST(abs(_us) // 1000000 % 60 AS VARCHAR), 2, '0')"
        " || CASE WHEN abs(_us) % 1000000 <> 0 THEN '.' || lpad(CAST(abs(_us) % 1000000 AS VARCHAR), 6, '0') || '0'"
        " ELSE '' END)[1]"
    )


def choice(value: str) -> str:
    """What duckdb-kql 1.1.2 writes for `tostring(value)` where it does not know the type (`render_kql_tostring`)."""
    return (
        f"coalesce(CASE typeof({value}) WHEN 'JSON' THEN {value} ->> '$' WHEN 'BOOLEAN' THEN CASE CAST({value} AS VARCHAR)"
        " WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' END"
        f" WHEN 'TIMESTAMP' THEN (strftime(CAST({value} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f') || '0Z')"
        f" WHEN 'INTERVAL' THEN {_span(f'CAST({value} AS INTERVAL)')}"
        f" WHEN 'DOUBLE' THEN CASE CAST({value} AS VARCHAR) WHEN 'nan' THEN 'NaN' WHEN '-nan' THEN 'NaN'"
        f" ELSE CAST({value} AS VARCHAR) END ELSE CAST({value} AS VARCHAR) END, '')"
    )


def folded(sql: str) -> str:
    """`sql` with a call for each choice; what is written otherwise stays."""
    out: list[str] = []
    at = 0
    while True:
        start = find_code(sql, _CHOICE, at)
        if start < 0:
            out.append(sql[at:])
            return _emptiness("".join(out))
        first = start + len(_CHOICE)
        end = closing(sql, first)
        value = sql[first:end] if end >= 0 else ""
        whole = choice(value)
        if value and sql.startswith(whole, start):
            out += [sql[at:start], TEXT, folded(value), ")"]
            at = start + len(whole)
        else:
            out.append(sql[at:first])
            at = first


def _emptiness(sql: str) -> str:
    """`isempty` and `isnotempty` of a text, which name it twice."""
    out: list[str] = []
    at = 0
    while True:
        start = find_code(sql, f"({TEXT}", at)
        if start < 0:
            out.append(sql[at:])
            return "".join(out)
        first = start + 1 + len(TEXT)
        end = closing(sql, first)
        text = sql[start + 1 : end + 1]
        for call, (told, joined, compared) in _EMPTY.items():
            whole = f"({text} IS {told} {joined} CAST({text} AS VARCHAR) {compared} '')"
            if end >= 0 and sql.startswith(whole, start):
                out += [sql[at:start], call, sql[first:end], ")"]
                at = start + len(whole)
                break
        else:
            out.append(sql[at:first])
            at = first


_EMPTY = {EMPTY: ("NULL", "OR", "="), SOME: ("NOT NULL", "AND", "<>")}


def unfolded(sql: str) -> str:
    """`sql` as it was before `folded`."""
    for call in (EMPTY, SOME, TEXT):
        at = 0
        while True:
            start = find_code(sql, call, at)
            if start < 0:
                break
            first = start + len(call)
            end = closing(sql, first)
            sql = f"{sql[:start]}{_whole(call, sql[first:end])}{sql[end + 1 :]}"
            at = start
    return sql


def _whole(call: str, value: str) -> str:
    if call == TEXT:
        return choice(value)
    told, joined, compared = _EMPTY[call]
    text = f"{TEXT}{value})"
    return f"({text} IS {told} {joined} CAST({text} AS VARCHAR) {compared} '')"
