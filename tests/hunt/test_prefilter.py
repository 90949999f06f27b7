"""`has` and its kin give the same rows with and without the prefilter, whatever the texts hold."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import duckdb_kql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eightysix.hunt.prefilter import with_prefilter
from tests.hunt.db import database

OPERATORS = (
    "has",
    "!has",
    "has_cs",
    "!has_cs",
    "hasprefix",
    "hassuffix",
    "hasprefix_cs",
    "hassuffix_cs",
    "has_any",
    "has_all",
)
LETTERS = "pPsSkKiI1_%\\'\" .-/\u017f\u212a\u0130\u0131\u00e9\u00df\ufb01\x00\n\ud7ff\U0001f600\u0301"
TEXT = st.text(st.sampled_from(LETTERS), max_size=8)
NEEDLE = st.text(st.sampled_from(LETTERS.replace("\x00", "")), max_size=4)


def kql(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@pytest.fixture(scope="module")
def plain() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def both(
    plain: duckdb.DuckDBPyConnection, operator: str, needles: list[str], texts: list[str | None]
) -> tuple[object, object, bool]:
    plain.execute("CREATE OR REPLACE TABLE T (I BIGINT, A VARCHAR, D JSON)")
    plain.executemany(
        "INSERT INTO T VALUES (?, ?, to_json(?::VARCHAR))", [(i, t, t) for i, t in enumerate(texts)]
    )
    asked = f"({', '.join(map(kql, needles))})" if operator in ("has_any", "has_all") else kql(needles[0])
    query = f"T | where A {operator} {asked} | project I, W = 1 | union (T | where D {operator} {asked} | project I, W = 2)"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    sql = str(duckdb_kql.to_sql(query, schema={"T": ["I", "A", "D"]}, allow_write=False, query_now=moment))
    faster = with_prefilter(sql)
    return (
        sorted(plain.execute(sql).fetchall()),
        sorted(plain.execute(faster).fetchall()),
        faster != sql,
    )


@settings(max_examples=60)
@given(
    st.sampled_from(OPERATORS),
    st.lists(NEEDLE, min_size=1, max_size=3),
    st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=6),
)
@example("has", ["pass"], ["pa\u017f\u017f", "PASS", "passe", None])
@example("has", ["kube"], ["\u212aube", "kube_x", "kubes"])
@example("has", ["a_b%"], ["a_b%", "axb%", "a_bx"])
@example("has", ["it's"], ["it's", "its"])
@example("has_any", ["pip", "ss"], ["\u017fs", "x pip", "pipx"])
@example("has", ["pip"], ["a\x00pip", "pip\x00"])
def test_same_rows(
    plain: duckdb.DuckDBPyConnection, operator: str, needles: list[str], texts: list[str | None]
) -> None:
    slow, fast, _ = both(plain, operator, needles, texts)
    assert fast == slow


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_test_for_a_plain_word_is_guarded(plain: duckdb.DuckDBPyConnection, operator: str) -> None:
    slow, fast, changed = both(plain, operator, ["pip"], ["pip install", "pipx", "apip", "PIP", None, ""])
    assert changed
    assert fast == slow


def test_a_needle_that_is_computed_is_left_alone() -> None:
    with database() as source:
        source.execute("SELECT 1")
    sql = str(duckdb_kql.to_sql("T | where A has strcat('p', 'ip')", schema={"T": ["A"]}))
    assert with_prefilter(sql) == sql


def test_literals_are_no_code() -> None:
    sql = "SELECT 'regexp_matches(a, ''(?i)x'')' AS \"regexp_matches(\" FROM T"
    assert with_prefilter(sql) == sql
