"""What is refused by name before anything is translated, and what to write instead.

A refusal tells the construct, where it stands, and a way around it where there is one. What is not listed here and not
translated is refused as well, by the translator's own word.
"""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.hunt.lexer import Token
from eightysix.hunt.pipeline import Operator, place_of, statements
from eightysix.model.errors import QueryError

__all__ = ["ELSEWHERE", "KNOWN_OPERATORS", "refuse", "refused_at"]

ELSEWHERE = "It may run in Sentinel or Defender all the same; docs/hunt.md lists what runs here."

_JOIN = "Join the steps and compare times: join kind=inner (...) on Key | where T2 between (T1 .. (T1 + 86s))"
_ROWS = "Use arg_min(), arg_max(), or a join of the table with itself."

_OPERATORS = {
    "as": "Use `let NAME = ...;` instead.",
    "assert-schema": "",
    "consume": "",
    "evaluate": "Name the members: extend X = tostring(Bag.x)",
    "facet": "",
    "find": "Use union of the tables that you mean.",
    "fork": "Run the queries one by one.",
    "invoke": "Write the function's body in its place.",
    "macro-expand": "",
    "make-series": "Use summarize ... by bin(TimeGenerated, 1h).",
    "mv-apply": "Use mv-expand, then where and summarize.",
    "parse-kv": "Use parse, or extract().",
    "partition": "Use summarize ... by, or arg_max().",
    "project-by-names": "Use project.",
    "project-smart": "Use project.",
    "reduce": "",
    "sample": "Use take.",
    "sample-distinct": "Use distinct, then take.",
    "scan": _JOIN,
    "search": "Name the table and the column: T | where Column has 'term'",
    "top-hitters": "Use summarize count() by, then top.",
    "top-nested": "Use summarize count() by, then top.",
}

KNOWN_OPERATORS = frozenset(_OPERATORS) | frozenset(
    "count distinct extend filter getschema graph-mark-components graph-match graph-shortest-paths graph-to-table join"
    " limit lookup make-graph mv-expand mvexpand order parse parse-where print project project-away project-keep"
    " project-rename project-reorder range render serialize sort summarize take top union where".split()
)
"""Operators of Kusto (learn.microsoft.com/kusto/query/tabular-operators)."""

_FUNCTIONS = {
    "app": "Queries read the tables that are here.",
    "cluster": "Queries read the tables that are here.",
    "database": "Queries read the tables that are here.",
    "externaldata": "Put the rows into a file, or write a datatable.",
    "external_table": "Queries read the tables that are here.",
    "ingestion_time": "Use TimeGenerated: rows here carry no time of arrival.",
    "materialized_view": "Queries read the tables that are here.",
    "next": _ROWS,
    "plugin": "",
    "prev": _ROWS,
    "resource": "Queries read the tables that are here.",
    "row_cumsum": _ROWS,
    "row_number": _ROWS,
    "row_rank_dense": _ROWS,
    "row_rank_min": _ROWS,
    "row_window_session": _ROWS,
    "table": "Write the table's name.",
    "workspace": "Queries read the tables that are here.",
    "_GetWatchlist": "Write the list as a datatable.",
}

_STATEMENTS = {
    "alias": "",
    "declare": "Use `let` and --set NAME=VALUE.",
    "pattern": "",
    "restrict": "",
    "set": "Leave it out: --now, --limit and --timeout say it here.",
}

_SOURCES = {
    "externaldata": _FUNCTIONS["externaldata"],
    "evaluate": _OPERATORS["evaluate"],
    "find": _OPERATORS["find"],
    "macro-expand": "",
    "search": _OPERATORS["search"],
}


def refuse(query: str, found: Sequence[Token], chain: Sequence[Operator]) -> None:
    """Raise `QueryError` for the first construct of the query that does not run here."""
    worst: tuple[int, str, str] | None = None

    def note(place: int, name: str, advice: str) -> None:
        nonlocal worst
        if worst is None or place < worst[0]:
            worst = (place, name, advice)

    for places in statements(found):
        first = found[places[0]]
        bare = len(places) > 1 and found[places[1]].text in ("=", "|")
        if first.kind == "word" and first.text in _STATEMENTS and not bare:
            note(places[0], f"the statement `{first.text}`", _STATEMENTS[first.text])
        elif first.text in _SOURCES and not bare:
            note(places[0], f"`{first.text}`", _SOURCES[first.text])
        if (tabular := _tabular_parameter(found, places)) >= 0:
            note(tabular, "a function that takes a table", "Write the function's body in its place.")
    for step in chain:
        if step.name in _OPERATORS:
            note(step.place, f"the operator `{step.name}`", _OPERATORS[step.name])
        elif step.name not in KNOWN_OPERATORS:
            raise QueryError(
                f"there is no operator `{step.name}` ({place_of(query, found[step.place].start)})",
                "learn.microsoft.com/kusto/query lists them.",
                construct=step.name,
            )
    for place, one in enumerate(found):
        if one.kind == "word" and one.text in _FUNCTIONS and _is_call(found, place):
            note(place, f"`{one.text}()`", _FUNCTIONS[one.text])
    if worst is not None:
        place, name, advice = worst
        raise refused_at(query, found[place], name, advice)


def refused_at(query: str, token: Token, name: str, advice: str = "") -> QueryError:
    """The refusal of a construct, by its name and place."""
    return QueryError(
        f"the local runner does not have {name} ({place_of(query, token.start)})",
        advice or ELSEWHERE,
        construct=name.replace("`", "").removeprefix("the operator ").removeprefix("the statement "),
    )


def _tabular_parameter(found: Sequence[Token], places: Sequence[int]) -> int:
    """Where a `let` declares a function of a table, `let f = (X: (V: long)) {`; -1 where it does not."""
    words = [found[place].text for place in places]
    if words[:1] != ["let"] or words[2:4] != ["=", "("]:
        return -1
    body = words.index("{") if "{" in words else 0
    return next((places[at] for at in range(4, body - 1) if words[at : at + 2] == [":", "("]), -1)


def _is_call(found: Sequence[Token], place: int) -> bool:
    if place and found[place - 1].text == ".":  # a member of a bag
        return False
    return place + 1 < len(found) and found[place + 1].text == "("
