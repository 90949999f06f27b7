"""Rewrites keep the meaning, checked by running them; what cannot be kept is refused by name and place."""

from __future__ import annotations

import pytest

from eightysix.hunt.engine import run
from eightysix.model.errors import QueryError
from tests.hunt.db import NOW, database, rows

VALUES = [
    ("2026-01-01T10:00:00", "pip install x", '{"k":[1,2]}', 3, "90 seconds"),
    ("2026-01-01T10:00:30", "b", '{"k":[]}', 1, "-90 seconds"),
    ("2026-01-01T11:00:00", "b", None, 2, "1 hour"),
]


def columns(query: str) -> list[str]:
    with database(values=VALUES) as source:
        return [one.name for one in run(query, source, now=NOW).columns]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("T | project-reorder N, A", "N A TimeGenerated D Dur"),
        ("T | project-reorder ['N']", "N TimeGenerated A D Dur"),
        ("T | project-reorder D*", "D Dur TimeGenerated A N"),
        ("T | project-reorder D* desc, * asc", "Dur D A N TimeGenerated"),
        ("T | project-reorder N | extend X = 1", "N TimeGenerated A D Dur X"),
        ("T | project-keep Time*, N", "TimeGenerated N"),
        ("T | project-away D*, N", "TimeGenerated A"),
        ("T | project-away *r", "TimeGenerated A D N"),
        ("T | distinct *", "TimeGenerated A D N Dur"),
        ("T | project A, N | distinct *", "A N"),
        ("let x = T | project-keep A, N; x | project-reorder N", "N A"),
        ("T | join kind=inner (U | project-keep A, M) on A", "TimeGenerated A D N Dur A1 M"),
        ("union T, U | project-reorder M", "M TimeGenerated A D N Dur"),
        ("T | project X = column_ifexists('N', 0), Y = column_ifexists(\"Nope\", 'none')", "X Y"),
        ("T | serialize", "TimeGenerated A D N Dur"),
        ("T | summarize percentiles(N, 50, 95)", "percentile_N_50 percentile_N_95"),
        ("T | summarize make_set(A, 1), make_list(D.k, 2)", "set_A list_D_k"),
        ("T // | project-away *\n| project A", "A"),
    ],
)
def test_columns(query: str, names: str) -> None:
    assert columns(query) == names.split()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T | project X = column_ifexists('N', 0) | where X == 3", [(3,)]),
        ("T | project X = column_ifexists('Nope', 'none') | take 1", [("none",)]),
        ("T | summarize percentiles(N, 50, 100)", [(2, 3)]),
        ("T | summarize X = make_set(A, 1)", [(["b"],)]),
        ("T | sort by N asc | summarize X = make_list(N, 2)", [([1, 2],)]),
        ("let most = 1; T | summarize X = array_length(make_set(A, most))", [(1,)]),
        ("T | summarize X = makeset(A)", [(["b", "pip install x"],)]),
        ("T | where notempty(A) and notnull(N) | count", [(3,)]),
        ("T | project X = array_length(parsejson(tostring(D)).k) | where X == 2", [(2,)]),
        ("T | where N between (1 .. 1 + 1) | count", [(2,)]),
        ("T | where N !between (1 .. 1 + 1) | count", [(1,)]),
        ("T | where TimeGenerated between (ago(1d) .. ago(12h) - 1h) | count", [(3,)]),
        (
            "T | extend Start = datetime(2026-01-01T10:00:00) | where TimeGenerated between (Start .. 86s) | count",
            [(2,)],
        ),
        ("let w = 86s; T | extend S = TimeGenerated | where TimeGenerated between (S .. w) | count", [(3,)]),
        ("T | where Dur between (1s .. 2m) | count", [(1,)]),
        ("T | where A has 'between (a .. b + c)' | count", [(0,)]),
    ],
)
def test_values(query: str, expected: list[tuple[object, ...]]) -> None:
    with database(values=VALUES) as source:
        assert rows(query, source) == expected


REFUSED = {
    "T\n| scan with (step s: true;)": ("`scan` (line 2, column 3)", "join kind=inner"),
    "T | mv-apply D on (take 1)": ("`mv-apply` (line 1, column 5)", "mv-expand"),
    "T | make-series count() on TimeGenerated step 1h": ("`make-series`", "bin("),
    "T | evaluate bag_unpack(D)": ("`evaluate`", "Name the members"),
    "T | partition by A (take 1)": ("`partition`", "summarize"),
    "T | top-nested 3 of A by count()": ("`top-nested`", "top"),
    "T | sample 3": ("`sample`", "take"),
    "T | as X": ("`as`", "let"),
    "T | serialize N = row_number()": ("`row_number()` (line 1, column 19)", "arg_min"),
    "T | serialize | extend P = prev(N)": ("`prev()`", "arg_min"),
    "T | summarize take_any(*)": ("`*` as an argument here", "Name the columns"),
    "let f = (X: (N: long)) { X }; f(T)": ("a function that takes a table", "body in its place"),
    "T | extend X = Dur % 3m": ("a span of time is divided", "datetime_diff"),
    "T | where ingestion_time() > ago(1d)": ("`ingestion_time()`", "TimeGenerated"),
    "T | extend X = hash(A)": ("`hash()` (line 1, column 16)", "docs/hunt.md"),
    "T | summarize X = percentiles(N, 50)": ("`percentiles()` of this form", "percentile(X, 50)"),
    "T | summarize percentiles(N + 1, 50)": ("`percentiles()` of this form", "percentile(X, 50)"),
    "T | extend X = column_ifexists(A, 1)": ("`column_ifexists()` of a computed name", "text"),
    "let x = column_ifexists('A', 1); T": ("`column_ifexists()` outside", "Name the column"),
    "T | project-reorder * granny-asc": ("`granny` order", "asc"),
    "T | project-keep Nope*": ("`project-keep` that leaves no column", "Name a column"),
    "search 'x'": ("`search` (line 1, column 1)", "where Column has"),
    "find where A has 'x'": ("`find`", "union"),
    "externaldata(x:string)['https://example.com/x']": ("`externaldata`", "datatable"),
    "set query_now = datetime(2020-01-01); T": ("the statement `set`", "--now"),
    "declare query_parameters(x:string = 'a'); T": ("the statement `declare`", "--set"),
    "database('other').T": ("`database()`", "tables that are here"),
    "cluster('x').database('y').T": ("`cluster()`", "tables that are here"),
    "workspace('x').T": ("`workspace()`", "tables that are here"),
    "T | where A in (_GetWatchlist('x') | project y)": ("`_GetWatchlist()`", "datatable"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_and_place(query: str) -> None:
    name, advice = REFUSED[query]
    with database() as source, pytest.raises(QueryError) as refused:
        run(query, source, now=NOW)
    assert name in refused.value.what
    assert advice in refused.value.advice
    assert refused.value.construct


def test_an_unknown_operator_is_told_so() -> None:
    with database() as source, pytest.raises(QueryError, match=r"no operator `fetch` \(line 2, column 4\)"):
        run("T\n | fetch 3", source, now=NOW)


def test_names_in_texts_and_comments_are_not_refused() -> None:
    query = (
        "T // | scan\n| where A != '| evaluate x' and A != \"search 'x'\" | extend scan = 1, prev = 2 | count"
    )
    with database(values=VALUES) as source:
        assert rows(query, source) == [(3,)]


@pytest.mark.parametrize(("before", "after"), [("T", "T | where true"), ("let x = T; x", "T")])
def test_reordering_loses_no_row(before: str, after: str) -> None:
    with database(values=VALUES) as source:
        one = rows(f"{before} | project-reorder N | summarize count(), max(N)", source)
        assert one == rows(f"{after} | summarize count(), max(N)", source)
