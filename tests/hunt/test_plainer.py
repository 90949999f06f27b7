"""SQL made plainer gives the rows that the translator's own gives, whatever the rows and the texts of the query hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eightysix.hunt import engine
from eightysix.hunt.dispatch import choice, folded, unfolded
from eightysix.hunt.kinds import kind_of
from eightysix.hunt.local import source_of_rows
from eightysix.hunt.pack import load
from eightysix.hunt.plainer import filtered, plain
from eightysix.hunt.repair import repaired
from eightysix.hunt.shapes import _DEPTH, _query, simplified
from tests.hunt.db import database, rows
from tests.hunt.test_prefilter import LETTERS, NEEDLE, TEXT, kql

duckdb = pytest.importorskip("duckdb", reason="needs the extra hunt")
duckdb_kql = pytest.importorskip("duckdb_kql", reason="needs the extra hunt")

TYPES = {
    "T": {"A": "VARCHAR", "B": "VARCHAR", "D": "JSON", "N": "BIGINT", "M": "TIMESTAMP", "F": "BOOLEAN"},
    "U": {"A": "JSON", "B": "VARCHAR", "N": "BIGINT"},
}
MOMENT = datetime.fromisoformat("2026-01-02")
DYNAMIC = st.one_of(
    TEXT,
    st.none(),
    st.integers(-3, 3),
    st.lists(TEXT, max_size=2),
    st.dictionaries(
        st.sampled_from(["k", "a.b", "s"]), st.one_of(TEXT, st.none(), st.lists(TEXT, max_size=2))
    ),
)
ROW = st.tuples(
    st.one_of(st.none(), TEXT, st.just("pip"), st.just("a pip b")),
    st.one_of(st.none(), TEXT, st.just("")),
    DYNAMIC,
    st.one_of(st.none(), st.integers(-2, 2)),
    st.one_of(st.none(), st.datetimes(MOMENT - timedelta(2), MOMENT + timedelta(1))),
    st.one_of(st.none(), st.booleans()),
)

TESTS = (
    "{c} has {n}",
    "{c} !has {n}",
    "{c} has_cs {n}",
    "{c} contains {n}",
    "{c} !contains {n}",
    "{c} contains_cs {n}",
    "{c} startswith {n}",
    "{c} !endswith {n}",
    "{c} endswith_cs {n}",
    "{c} hasprefix {n}",
    "{c} has_any ({n}, 'pip', 'x')",
    "{c} has_any ({n}, 'pip', 'a', 'ss', 'k', '%', '_')",
    "{c} has_all ({n}, 'pip')",
    "{c} == {n}",
    "{c} != {n}",
    "{c} =~ {n}",
    "{c} in ({n}, 'pip')",
    "{c} !in ({n}, 'pip')",
    "{c} in~ ({n}, 'PIP')",
    "{c} in (dynamic(['pip', 's', \"it's\"]))",
    "{c} in~ (dynamic(['pip', 's', '%']))",
    "{c} in ((U | where isnotempty(A) | project B))",
    "A == B",
    "A != B",
    "A == tostring(D.k)",
    "isempty({c})",
    "isnotempty({c})",
    "isnull(N)",
    "isnotempty(N)",
    "isempty(M)",
    "tostring(D['a.b']) == {n}",
    "tostring(D.s[0]) has {n}",
    "strcat(A, {n}, N, M, F) has 'pip'",
    "isempty(iff(isempty(A), B, A))",
    "tolower({c}) == {n}",
    "{c} matches regex '^p'",
    "F",
    "N > 0",
    "M > ago(1d)",
    "M between (ago(1d) .. now())",
)
PIPES = (
    "T | where {t} | project A, B, N",
    "T | where not({t}) | count",
    "T | where {t} and ({u} or not({v})) | project A, N, X = strcat(A, '|', D, '|', B)",
    "T | extend X = {t}, Y = iff({u}, A, B), Z = tostring(D.k) | where isnotempty(Y) or {v} | project X, Y, Z",
    "T | summarize C = countif({t}), S = make_set(B), L = max(A), K = take_any(N) by F | extend H = tostring(S)",
    "let x = T | where {t} | project A, B; x | join kind=inner (x | where isnotempty(B) | summarize by B) on B | project A, B",
    "let x = T | where {t}; x | where {u} | project A, N | union (x | where {v} | project A = tostring(D), N) | where A > ''",
    "union (T | project A, N), (U | project A, N) | where isnotempty(A) and tostring(A) has 'pip' | project N, B = isempty(A)",
    "T | join kind=leftouter (U | where {w} | project B, G = A) on B | where {t} or isempty(G) | project A, B, G = tostring(G)",
    "T | mv-expand E = D | where {t} and tostring(E) != 'q' | project A, E = tostring(E)",
    "T | summarize arg_max(N, A, B) by Day = bin(M, 1d) | where isnotempty(A) or {x} | project Day, N, A",
)


@pytest.fixture(scope="module")
def source() -> Iterator[Any]:
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for table, columns in TYPES.items():
        connection.execute(
            f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        )
    yield connection
    connection.close()


def translated(query: str) -> str:
    names = {table: list(columns) for table, columns in TYPES.items()}
    moment = MOMENT.replace(tzinfo=UTC)
    return str(duckdb_kql.to_sql(query, schema=names, allow_write=False, query_now=moment))


def answer(source: Any, sql: str) -> object:
    moment = {"kqlnow": MOMENT} if "$kqlnow" in sql else None
    try:
        found = source.execute(f"SELECT * FROM ({sql}) ORDER BY ALL", moment).fetchall()  # noqa: S608
    except duckdb.Error as error:
        return type(error).__name__
    return found


def fill(source: Any, rows: list[tuple[object, ...]]) -> None:
    source.execute("DELETE FROM T")
    source.execute("DELETE FROM U")
    written = [(a, b, json.dumps(d), n, m, f) for a, b, d, n, m, f in rows]
    source.executemany("INSERT INTO T VALUES (?, ?, ?, ?, ?, ?)", written)
    source.executemany("INSERT INTO U VALUES (?, ?, ?)", [(d, a, n) for a, _, d, n, _, _ in written])


@st.composite
def queries(draw: st.DrawFn) -> str:
    pipe = draw(st.sampled_from(PIPES))
    made = {}
    for name in "tuvwx":
        if "{" + name + "}" not in pipe:
            continue
        column = {"w": "A", "x": "B"}.get(name) or draw(st.sampled_from("ABD"))
        tests = [one for one in TESTS if name in "tuv" or "{c}" in one]
        if "project A, B;" in pipe or "project A, B " in pipe:
            tests = [one for one in tests if "{c}" in one] if name != "t" else tests
        made[name] = draw(st.sampled_from(tests)).format(c=column, n=kql(draw(NEEDLE)))
    return pipe.format(**made)


@settings(max_examples=40)
@given(queries(), st.lists(ROW, min_size=1, max_size=6))
def test_same_rows(source: Any, query: str, values: list[tuple[object, ...]]) -> None:
    fill(source, values)
    try:
        raw = translated(query)
    except duckdb_kql.KqlError:
        return
    slow = repaired(raw)
    fast = simplified(repaired(folded(raw)), TYPES)
    found, wanted = answer(source, fast), answer(source, slow)
    assert found == wanted, fast


@pytest.mark.parametrize("test", TESTS)
def test_each_test_alone(source: Any, test: str) -> None:
    rows: list[tuple[object, ...]] = [
        (text, other, {"k": text, "a.b": other, "s": [text]}, number, moment, flag)
        for text, other, number, moment, flag in (
            (None, None, None, None, None),
            ("", "pip", 1, MOMENT, True),
            ("pip", "", 0, MOMENT - timedelta(hours=12), False),
            ("a PIP b", "pipeline", -1, MOMENT - timedelta(30), True),
            ("it's 100%_\\", "pa\u017f\u017f", 2, MOMENT, None),
        )
    ]
    fill(source, rows)
    for column in "AD" if "{c}" in test else "A":
        for needle in ("pip", "it's 100%_\\") if "{n}" in test else ("",):
            written = test.format(c=column, n=kql(needle))
            query = f"T | extend X = {written} | where {written} or not({written}) and isnotempty(A) | project A, X"
            raw = translated(query)
            fast = simplified(repaired(folded(raw)), TYPES)
            assert answer(source, fast) == answer(source, repaired(raw)), fast


def steps(sql: str) -> Iterator[str]:
    """Queries that give each step of `sql`, and each step inside of those that are queries of steps."""
    from eightysix.hunt.sqltext import closing

    at, before = len("WITH "), ""
    while sql.startswith("WITH "):
        opening = sql.index("(", at)
        end = closing(sql, opening + 1)
        name, body = sql[at:opening].partition(" AS")[0].strip(), sql[opening + 1 : end]
        if name.startswith('"'):
            for inner in steps(body):
                yield f"WITH {before}{inner.removeprefix('WITH ')}" if inner.startswith("WITH ") else inner
        before += f"{sql[at : end + 1].strip()}, "
        yield f"WITH {before[:-2]}\nSELECT * FROM {name}"
        at = end + 1
        if not sql.startswith(",", at):
            return
        at += 1


DEEP = ("exec-then-credentials", "two-identities-one-pod")


@pytest.mark.parametrize("name", sorted(load()))
def test_types_are_those_of_duckdb(name: str, empty: tuple[Any, dict[str, dict[str, str]]]) -> None:
    connection, schema = empty
    names = {table: list(columns) for table, columns in schema.items()}
    moment = MOMENT.replace(tzinfo=UTC)
    from eightysix.hunt.limits import checked
    from eightysix.hunt.rewrite import rewritten

    text = rewritten(checked(load()[name].text))
    raw = str(duckdb_kql.to_sql(text, schema=names, allow_write=False, query_now=moment))
    sql = repaired(folded(raw))
    claims = 0
    for one in [*(steps(sql) if name in DEEP else ()), sql]:
        plainer, known = _query(folded(one), schema, _DEPTH)
        cursor = connection.execute(
            f"SELECT * FROM ({plainer}) LIMIT 0",  # noqa: S608 - translated
            {"kqlnow": MOMENT} if "$kqlnow" in plainer else None,
        )
        there = {column[0]: str(column[1]) for column in cursor.description}
        assert {column: there.get(column) for column in known or {}} == (known or {}), one
        claims += len(known or {})
    assert claims


@pytest.fixture(scope="module")
def empty() -> Iterator[tuple[Any, dict[str, dict[str, str]]]]:
    connection = source_of_rows([])
    schema: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        schema.setdefault(table, {})[column] = kind
    yield connection, schema
    connection.close()


HOSTILE = (
    "_kql_text(A)",
    "(_kql_query_0_)",
    "' || (_kql_query_0_) || '",
    "coalesce(CASE typeof(",
    choice("A"),
    "CASE WHEN typeof(A) = 'JSON' THEN 1 ELSE 2 END",
    ", FALSE)",
    ") UNION SELECT 1 --",
    " AS MATERIALIZED (",
    'A" AS "B',
    "regexp_matches(A, '(?i)' || regexp_escape('x'))",
    " FROM U WHERE ",
    "ILIKE '%' || replace(replace(replace('",
)


@pytest.mark.parametrize("text", HOSTILE)
@example("' AND '")
@given(st.text(st.sampled_from(LETTERS.replace("\x00", "") + "(),=\"'"), max_size=6))
@settings(max_examples=5)
def test_texts_of_a_query_are_no_code(source: Any, text: str, more: str) -> None:
    fill(source, [(text + more, more, [text], 1, MOMENT, True), (more, text, text, 2, MOMENT, False)])
    said = kql(text + more)
    query = (
        f"let q = U | where B == {said} | project B; T | where A == {said} or B contains {said} or D has {said}"
        f" | where A in (q) or isnotempty(strcat({said}, B)) | project X = strcat(A, {said}), ['B {said[1:-1][:0]}c'] = B"
    )
    raw = translated(query)
    assert answer(source, simplified(repaired(folded(raw)), TYPES)) == answer(source, repaired(raw))


def test_a_query_inside_of_a_test_has_types_of_its_own(source: Any) -> None:
    fill(source, [("", "b", "x", 1, MOMENT, True)])
    raw = translated("T | where B in ((U | where isempty(A) | project B)) or isempty(A) | project N")
    fast = simplified(repaired(folded(raw)), TYPES)
    assert "\"A\" ->> '$'" in fast
    assert fast.count("coalesce(\"A\", '') = ''") == 1
    assert answer(source, fast) == answer(source, repaired(raw)) == [(1,)]


def test_what_is_folded_unfolds() -> None:
    column, text = choice('"A"'), choice(choice("'x'"))
    raw = f"SELECT {column}, ({text} IS NULL), 'coalesce(CASE typeof(A) WHEN'"
    assert unfolded(folded(raw)) == raw
    assert len(folded(raw)) < len(raw) / 2


@pytest.mark.parametrize("broken", ["SELECT (", "DROP TABLE T", "SELECT * FROM secrets"])
def test_what_cannot_be_made_plainer_runs_as_it_was(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setattr(engine, "simplified", lambda *_: broken)
    with database(values=[(MOMENT, "a pip", None, 1, None)]) as source:
        assert rows(f"T | where A has 'pip' and isnotempty(A) | project A, X = '{broken}'", source) == [
            ("a pip", broken)
        ]


def test_a_choice_is_made_where_the_type_is_known() -> None:
    names = {"": {"A": "VARCHAR", "D": "JSON", "N": "BIGINT"}}
    assert plain(folded(choice('"A"')), names) == "coalesce(\"A\", '')"
    assert plain(folded(choice('"D"')), names) == "coalesce(\"D\" ->> '$', '')"
    assert unfolded(plain(folded(choice('"N"')), names)) == choice('"N"')
    assert unfolded(plain(folded(choice('"X"')), names)) == choice('"X"')
    assert plain(
        "CASE WHEN typeof(\"A\") = 'JSON' THEN 1 ELSE CASE WHEN \"A\" = 'ELSE' THEN 2 ELSE 3 END END", names
    ) == ("CASE WHEN \"A\" = 'ELSE' THEN 2 ELSE 3 END")


def test_types_that_are_not_sure_are_none() -> None:
    names = {"": {"A": "VARCHAR", "D": "JSON", "N": "BIGINT", "M": "TIMESTAMP"}}
    for text in (
        '"X"',
        '"A" || "N"',
        'coalesce("A", "D")',
        'CASE WHEN x THEN "A" ELSE "N" END',
        'f("A")',
        '"M" - "M"',
    ):
        assert kind_of(text, names) is None, text
    for text, kind in {
        '("A")': "VARCHAR",
        "'it''s'": "VARCHAR",
        'max("M")': "TIMESTAMP",
        "\"D\" ->> '$.a'": "VARCHAR",
        "(\"M\" + INTERVAL '1d')": "TIMESTAMP",
        "CASE WHEN x THEN 'a' ELSE \"A\" END": "VARCHAR",
        "COALESCE(arg_max({'v': \"N\"}, \"M\"), any_value({'v': \"N\"}))['v']": "BIGINT",
    }.items():
        assert kind_of(text, names) == kind, text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("coalesce((\"A\" = 'x'), FALSE)", "(\"A\" = 'x')"),
        (
            "(coalesce((\"A\" = 'x'), FALSE) AND coalesce((\"A\" = 'AND'), TRUE))",
            "((\"A\" = 'x') AND coalesce((\"A\" = 'AND'), TRUE))",
        ),
        ("(NOT coalesce((\"A\" = 'x'), FALSE))", "(NOT coalesce((\"A\" = 'x'), FALSE))"),
        ('("A" BETWEEN 1 AND 2)', '("A" BETWEEN 1 AND 2)'),
        ("(coalesce(\"A\" ->> '$', '') <> '')", "((\"A\" ->> '$') <> '')"),
        ("coalesce(\"A\", \"B\", '') <> ''", "coalesce(\"A\", \"B\", '') <> ''"),
    ],
)
def test_a_filter_takes_unknown_for_false(text: str, told: str) -> None:
    assert filtered(text) == told
