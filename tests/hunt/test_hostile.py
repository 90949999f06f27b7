"""Hostile query text and hostile rows: nothing is written, reached or brought down, and every failure is a refusal."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.hunt.bounds import held
from eightysix.hunt.engine import run
from eightysix.hunt.limits import MAX_BYTES, MAX_DEPTH
from eightysix.hunt.local import source_of_rows
from eightysix.model.errors import QueryError
from eightysix.model.table import ScalarType
from eightysix.store import tables
from eightysix.store.columns import local_columns
from tests.hunt.db import NOW, database, rows

VALUES = [("2026-01-01", "a", '{"k": 1}', 1, None)]

COMMANDS = (
    ".drop table T",
    ".set-or-replace T <| T | take 0",
    ".show tables",
    "// harmless\n  .drop table T",
    "T | count; .drop table T",
    ";.drop table T",
    ".ingest inline into table T <| 1",
    ".create database X persist (@'/tmp/x')",
    "\ufeff.drop table T",
    "print 1 <| .drop table T",
)


@pytest.mark.parametrize("query", COMMANDS)
def test_commands_change_nothing(query: str) -> None:
    with database(values=VALUES) as source:
        with pytest.raises(QueryError):
            run(query, source, now=NOW)
        assert rows("T | count", source) == [(1,)]


@pytest.mark.parametrize(
    "query",
    [
        "['{file}']",
        '["{file}"]',
        "['{file}'] | take 1",
        "union T, ['{file}']",
        "T | join (['{file}']) on A",
        "T | where A in (['{file}'])",
        "['https://example.com/rows.parquet']",
        "['s3://bucket/rows.parquet']",
        "['duckdb_settings']",
        "['duckdb_settings()']",
        "['pg_catalog.pg_class']",
        "['sqlite_master']",
        "['information_schema.tables']",
        "['secret']",  # a Python variable of the caller
        "secret",
        "union *, ['sqlite_master']",
        "read_text('{file}')",
        "read_csv('{file}')",
        "T | extend X = read_text('{file}')",
        "T | extend X = getenv('HOME')",
        "T | extend X = current_setting('memory_limit')",
        "T | where A == (SELECT content FROM read_text('{file}'))",
        "externaldata(x:string)[@'{file}']",
        "external_table('x')",
        "database('system').duckdb_settings",
        "cluster('x').database('y').T",
        "T\" UNION SELECT content FROM read_text('{file}') --",
        "['T\" UNION SELECT content FROM read_text(''{file}'') --']",
        "T | project ['A\", (SELECT content FROM read_text(''{file}'')) AS \"B']",
        "invoke load_extension('x')",
        "evaluate sql_request('x', 'y')",
        "evaluate python(typeof(*), 'print(1)')",
        "T | evaluate http_request('https://example.com')",
    ],
)
def test_nothing_else_is_reached(query: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("x\ncanary-4711\n")
    secret = duckdb.connect(":memory:").execute("SELECT 'canary-4711' AS x")
    assert secret is not None
    with database(values=VALUES) as source, pytest.raises(QueryError) as refused:
        run(query.replace("{file}", str(file)), source, now=NOW)
    assert "canary" not in refused.value.what + refused.value.advice


@given(st.text(alphabet=st.sampled_from("'\"\\;-/*)(][{}|. \n\tTAx0\x00\u2028%$@`~h,=")))
@settings(max_examples=60)
def test_texts_of_the_query_stay_texts(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    with database(values=VALUES) as source:
        try:
            found = rows(f'T | project X = "{escaped}"', source)
        except QueryError:
            found = [(text,)]  # refused is as good; another value would not be
        assert found == [(text,)]
        assert rows("T | count", source) == [(1,)]


@given(st.text(st.sampled_from("T|where projecttake(){}[];.'\"/=<> \n0129.,-`~@$!*:A"), max_size=40))
@settings(max_examples=80)
def test_any_text_is_answered_or_refused(text: str) -> None:
    with database(values=VALUES) as source:
        with suppress(QueryError):
            run(text, source, now=NOW, timeout_s=5)
        assert rows("T | count", source) == [(1,)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1; DROP TABLE T", "single"),
        ("SELECT * FROM main.T", "main.T"),
        ("SELECT * FROM memory.main.T", "memory.main.T"),
        ("SELECT * FROM query('SELECT 1')", "query"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings"),
        ("SELECT getenv('HOME')", "getenv"),
        ("SELECT current_setting('threads')", "current_setting"),
        ("WITH x AS (SELECT * FROM other) SELECT * FROM x", "other"),
        ("SELECT * FROM t", "Did you mean T"),
        ("COPY T TO 'x'", "single"),
        ("SET threads = 9", "single"),
    ],
)
def test_translated_sql_is_bounded(sql: str, told: str) -> None:
    with database() as source, pytest.raises(QueryError) as refused:
        held(sql, source, {"T"})
    assert told in f"{refused.value.what} {refused.value.advice}"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("T | where A == '" + "x" * MAX_BYTES + "'", "longer than"),
        ("T | where " + "(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1), "nested deeper"),
        ("T | where " + " or ".join("N == 1" for _ in range(3_000)), "more than"),
        ("", "empty"),
        ("  // only a comment", "empty"),
    ],
)
def test_size_is_bounded(query: str, told: str) -> None:
    with database() as source, pytest.raises(QueryError, match=told):
        run(query, source, now=NOW)


def test_a_deep_query_within_the_bounds_is_answered_or_refused() -> None:
    with database(values=VALUES) as source:
        for query in (
            "T | where " + "(" * MAX_DEPTH + "true" + ")" * MAX_DEPTH,
            "T | where " + "not(" * 50 + "true" + ")" * 50,
            "T | extend X = " + "+".join("1" for _ in range(1_500)),
            "T " + "| where N == 1 " * 200,
        ):
            with suppress(QueryError):
                run(query, source, now=NOW)
        assert rows("T | count", source) == [(1,)]


def test_time_is_bounded() -> None:
    cross = (
        "range I from 1 to 3000000 step 1 | extend K = 1 | join kind=inner (range J from 1 to 3000000 step 1"
    )
    with database() as source:
        began = time.monotonic()
        with pytest.raises(QueryError, match=r"longer than 0\.3 s"):
            run(f"{cross} | extend K = 1) on K | summarize count()", source, now=NOW, timeout_s=0.3)
        assert time.monotonic() - began < 60
        assert rows("print 1", source) == [(1,)]
    assert not [one for one in threading.enumerate() if one.name == "hunt-timeout"]


def test_time_is_bounded_where_it_ends_before_the_query_runs() -> None:
    cross = (
        "range I from 1 to 3000000 step 1 | extend K = 1 | join kind=inner (range J from 1 to 3000000 step 1"
    )
    with database() as source, pytest.raises(QueryError, match="longer than"):
        run(f"{cross} | extend K = 1) on K | summarize count()", source, now=NOW, timeout_s=0.0001)


def test_memory_is_bounded() -> None:
    with (
        database("SET memory_limit = '64MB'", "SET temp_directory = ''") as source,
        pytest.raises(QueryError, match="memory"),
    ):
        run("range I from 1 to 20000000 step 1 | summarize make_list(strcat('x', I))", source, now=NOW)


TEXTS = (
    "",
    "[",
    "[1]",
    '["a"]',
    "{}",
    "null",
    "NaN",
    "'",
    '"',
    "\\",
    "%",
    "\x00",
    "\u017f",
    "\u212a",
    "\U0001f600",
)
VALUES_OF_BAGS: tuple[object, ...] = (
    *TEXTS,
    [],
    [1],
    ["a"],
    {},
    {"a": None},
    {'"': 1, "": 2, "$.a": 3},
    1.5,
    True,
    None,
    10**25,
)

READING = """
AKSAudit
| extend Who = tostring(User.username), Code = toint(ResponseStatus.code), Ip = tostring(SourceIps[0]), At = todatetime(AuditId)
| mv-expand Member = ObjectRef
| where UserAgent has_any ('curl', 'pass') or Who !startswith 'system:' or set_has_element(SourceIps, Ip)
| summarize Rows = count(), Texts = make_set(UserAgent, 5), Bags = make_set(ObjectRef), Last = max(TimeGenerated)
    by Who, bin(TimeGenerated, 7d), Verb
| sort by Rows desc
"""


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(VALUES_OF_BAGS)), min_size=1, max_size=6))
@settings(max_examples=12)
def test_no_row_ends_a_query(pairs: list[tuple[str, object]]) -> None:
    columns = local_columns(tables.load()["AKSAudit"])
    made = [
        {
            one.name: bag if one.type is ScalarType.DYNAMIC else text
            for one in columns
            if one.type in (ScalarType.DYNAMIC, ScalarType.STRING)
        }
        | {"TimeGenerated": NOW}
        for text, bag in pairs
    ]
    source = source_of_rows(("AKSAudit", row) for row in made)
    try:
        found = run(READING, source, now=NOW)
    finally:
        source.close()
    assert found.columns[-1].name == "Last"
