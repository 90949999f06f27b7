"""The same query for the other environment: Log Analytics and Defender call the same columns otherwise.

A query is written with the names that each table has in the Defender portal, where a workspace's tables stand beside
Defender's own: `Timestamp` for CloudProcessEvents, `TimeGenerated` for AKSAudit. Its twin for Log Analytics has
`TimeGenerated` throughout. Only names change, token by token; texts and comments are left as they are. What has no twin
is refused by name. `differs` compares what Microsoft's parser made of the two: a name that now means another table's
column shows there.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.hunt.binder import Bound
from eightysix.hunt.lexer import Token, tokens
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment, Table
from eightysix.store.columns import TIMES
from eightysix.store.tables import load

__all__ = ["differs", "renames", "tables_of", "twin"]

_DEFENDER = Environment.DEFENDER
_LOG_ANALYTICS = Environment.LOG_ANALYTICS


def twin(query: str, environment: Environment) -> str:
    """`query` as it reads in `environment`; the same text where nothing differs. Raises `QueryError` where it has none."""
    found = tokens(query)
    changes = renames(query, environment)
    if not changes:
        return query
    for one in found:
        if one.kind == "text" and one.text.lstrip("@hH").strip("\"'`~") in changes:
            raise QueryError(
                f"the query names the column {one.text} in a text, which has another name in {environment.value}",
                "Write the column without quotes, or leave the environment out.",
                construct=one.text,
            )
    code = [one for one in found if one.kind != "space"]
    inside = {
        one.start for before, dot, one in zip(code, code[1:], code[2:], strict=False) if _inside(before, dot)
    }
    return "".join(
        changes[one.text]
        if one.kind == "word" and one.text in changes and one.start not in inside
        else one.text
        for one in found
    )


def _inside(before: Token, dot: Token) -> bool:
    """Whether a name after these two is a field of a dynamic value, not a column."""
    return dot.text == "." and before.text not in {"$left", "$right"}


def tables_of(query: str, known: Mapping[str, Table] | None = None) -> tuple[Table, ...]:
    """The documented tables that the text names, each once, by name."""
    tables = load() if known is None else known
    named = {one.text for one in tokens(query) if one.kind == "word"}
    return tuple(table for name, table in sorted(tables.items()) if name in named)


def renames(query: str, environment: Environment) -> Mapping[str, str]:
    """Name in `query` -> name in `environment`, for those that differ. Raises `QueryError` where a table is not there."""
    if environment is Environment.LOCAL:
        return {}  # a local table has the names of both
    used = tables_of(query)
    if environment is _LOG_ANALYTICS:
        return _to_log_analytics(used, query)
    return _to_defender(used, query)


def _to_log_analytics(used: tuple[Table, ...], query: str) -> Mapping[str, str]:
    for table in used:
        if _LOG_ANALYTICS not in table.columns:
            raise QueryError(f"Log Analytics has no {table.name}", construct=table.name)
    both = [table for table in used if _DEFENDER in table.columns]
    named = _names(query)
    changes = {theirs: ours for table in both for theirs, ours in table.renamed.items() if theirs in named}
    if both and TIMES[_DEFENDER] in named:
        changes[TIMES[_DEFENDER]] = TIMES[_LOG_ANALYTICS]
    for name in changes:
        if any(name in _columns(table, _LOG_ANALYTICS) for table in used):
            raise _two(name, environment=_LOG_ANALYTICS)
    return changes


def _to_defender(used: tuple[Table, ...], query: str) -> Mapping[str, str]:
    named = _names(query)
    there = [table for table in used if _DEFENDER in table.columns]
    theirs_too = frozenset[str]().union(*(_columns(table, _DEFENDER) for table in there))
    changes = {
        ours: theirs
        for table in there
        for theirs, ours in table.renamed.items()
        if ours in named and theirs not in named and ours not in theirs_too
    }
    time = TIMES[_LOG_ANALYTICS]
    if there and time in named and TIMES[_DEFENDER] not in named:
        changes[time] = TIMES[_DEFENDER]
    for name in changes:
        if any(_DEFENDER not in table.columns and name in _columns(table, _LOG_ANALYTICS) for table in used):
            raise _two(name, environment=_DEFENDER)
    return changes


def _two(name: str, *, environment: Environment) -> QueryError:
    return QueryError(
        f"{name} is a column of two tables of the query, and changes its name for one of them in {environment.value}",
        "Write each table with its names in the Defender portal.",
        construct=name,
    )


def _names(query: str) -> frozenset[str]:
    return frozenset(one.text for one in tokens(query) if one.kind == "word")


def _columns(table: Table, environment: Environment) -> frozenset[str]:
    return frozenset(one.name for one in table.columns.get(environment, ()))


def differs(query: Bound, other: Bound, changes: Mapping[str, str]) -> str:
    """How the twin `other` means something else than `query`, in words; empty where it does not.

    Each use of a column must come from the same tables in both, and the results must have the same columns.
    """

    def called(name: str) -> str:
        return changes.get(name, name)

    if len(query.references) != len(other.references):
        return f"it uses {len(other.references)} columns, not {len(query.references)}"
    for one, same in zip(query.references, other.references, strict=True):
        if called(one.name) != same.name or one.tables != same.tables:
            return f"{same.name} is of {' and '.join(same.tables) or 'no table'}, not {one.name} of {' and '.join(one.tables)}"
    names = [called(one.name) for one in query.columns]
    others = [one.name for one in other.columns]
    if names != others:
        lost = [name for name in names if name not in others]
        return f"its result lacks {', '.join(lost)}" if lost else "its result has other columns"
    return ""
