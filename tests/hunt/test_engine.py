"""The runner against DuckDB's own SQL, and what Kusto documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eightysix.hunt.engine import run, translate
from eightysix.hunt.limits import checked
from eightysix.hunt.local import Tally, source_of, source_of_rows
from eightysix.hunt.parameters import with_parameters
from eightysix.model.errors import QueryError
from eightysix.store import tables
from tests.hunt.db import NOW, database, rows

MADE = (
    "INSERT INTO T SELECT TIMESTAMP '2026-01-01' + to_seconds(i * 37), CASE i % 5 WHEN 0 THEN 'pip install p' || i % 11"
    " WHEN 1 THEN 'python -m serve ' || i ELSE 'sh -c ' || i % 7 END, json_object('k', i % 3, 's', ['a', 'b' || i % 2]), i,"
    " to_seconds(i) FROM range(2000) t(i)"
)
UNITED = "INSERT INTO U SELECT TIMESTAMP '2026-01-01' + to_seconds(i * 91), 'sh -c ' || i % 9, i FROM range(300) t(i)"

PAIRS = {
    "T | where N > 1990 | project N | sort by N asc": "SELECT N FROM T WHERE N > 1990 ORDER BY N",
    "T | summarize C = count() by A | sort by A asc": "SELECT A, count(*) FROM T GROUP BY A ORDER BY A",
    "T | where A has 'pip' | count": "SELECT count(*) FROM T WHERE A LIKE 'pip %'",
    "T | where A contains 'SERVE' | count": "SELECT count(*) FROM T WHERE A ILIKE '%serve%'",
    "T | summarize dcount(A)": "SELECT count(DISTINCT A) FROM T",
    "T | summarize min(N), max(N), sum(N), avg(N)": "SELECT min(N), max(N), sum(N)::BIGINT, avg(N) FROM T",
    "T | summarize C = count() by H = bin(TimeGenerated, 1h) | project C, hourofday(H) | sort by Column1 asc": (
        "SELECT count(*), hour(TimeGenerated)::INT AS h FROM T GROUP BY date_trunc('hour', TimeGenerated), h ORDER BY h"
    ),
    "T | extend K = toint(D.k) | summarize sum(K)": "SELECT sum((D->>'$.k')::INT)::BIGINT FROM T",
    "T | join kind=inner U on A | count": "SELECT count(*) FROM T JOIN U USING (A)",
    "T | join kind=leftanti U on A | count": "SELECT count(*) FROM T WHERE A NOT IN (SELECT A FROM U)",
    "T | join kind=leftsemi U on A | count": "SELECT count(*) FROM T WHERE A IN (SELECT A FROM U)",
    "T | mv-expand S = D.s to typeof(string) | summarize C = count() by S | sort by S asc": (
        "SELECT s, count(*) FROM (SELECT unnest((D->'$.s')::VARCHAR[]) AS s FROM T) GROUP BY s ORDER BY s"
    ),
    "T | where TimeGenerated between (datetime(2026-01-01T01:00:00) .. 86s) | count": (
        "SELECT count(*) FROM T WHERE TimeGenerated BETWEEN '2026-01-01 01:00:00' AND '2026-01-01 01:01:26'"
    ),
    "T | where TimeGenerated > ago(2h) | count": (
        "SELECT count(*) FROM T WHERE TimeGenerated > TIMESTAMP '2026-01-02' - INTERVAL 2 HOUR"
    ),
    "T | top 3 by N | project N": "SELECT N FROM T ORDER BY N DESC LIMIT 3",
    "union (T | project A), (U | project A) | distinct A | count": (
        "SELECT count(*) FROM (SELECT A FROM T UNION SELECT A FROM U)"
    ),
    "T | summarize arg_max(N, A) by K = tostring(D.k) | sort by K asc | project N, A": (
        "SELECT max(N), arg_max(A, N) FROM T GROUP BY D->>'$.k' ORDER BY D->>'$.k'"
    ),
}


@pytest.mark.parametrize("query", PAIRS)
def test_as_plain_sql(query: str) -> None:
    with database(MADE, UNITED) as source:
        assert rows(query, source) == source.execute(PAIRS[query]).fetchall()


KUSTO = {
    # learn.microsoft.com/kusto/query/datatypes-string-operators: terms are runs of letters and digits
    "print 'a_pip-x' has 'pip'": True,
    "print 'pip3' has 'pip'": False,
    "print 'PIP' has 'pip'": True,
    "print 'PIP' has_cs 'pip'": False,
    "print '1169.254.169.254' has '169.254.169.254'": False,
    "print 'anything' has ''": True,
    "print -10 % 4": 2,
    "print 7 / 2": 3,
    "print isempty('')": True,
    "print isnull(toint('x'))": True,
    "print tostring(dynamic(null))": "",
    "print 'a' =~ 'A'": True,
    "print 1d + 1h": "1.01:00:00",
    "print 86s": "00:01:26",
    "print datetime(2026-01-01 10:00:00.1234567)": "2026-01-01T10:00:00.1234560Z",  # a microsecond is the least here
    "print dynamic({'a': [1, null]})": {"a": [1, None]},
    "print datetime_diff('second', datetime(2026-01-01T00:01:26), datetime(2026-01-01))": 86,
    "print now()": "2026-01-02T00:00:00.0000000Z",
    "print ago(1d)": "2026-01-01T00:00:00.0000000Z",
}


@pytest.mark.parametrize("query", KUSTO)
def test_as_kusto(query: str) -> None:
    with database() as source:
        assert rows(query, source) == [(KUSTO[query],)]


def test_innerunique_keeps_one_row_of_the_left() -> None:
    query = (
        "datatable(K:long, L:long)[1, 1, 1, 2] | join (datatable(K:long, R:long)[1, 3, 1, 4]) on K | count"
    )
    with database() as source:
        assert rows(query, source) == [(2,)]
        assert rows(query.replace("| join", "| join kind=inner"), source) == [(4,)]


def test_time_is_an_argument() -> None:
    query = "T | where TimeGenerated > ago(1h) | count"
    with database(MADE) as source:
        found = [run(query, source, now=NOW - hours * 3_600_000_000_000).rows for hours in (0, 10, 30)]
        assert found == [[(0,)], [(98,)], [(2000 - 0,)]] or found[0] != found[1]
        assert run(query, source, now=NOW).rows == found[0]


def test_a_translation_is_kept_for_its_tables() -> None:
    query = "T | project-keep A*"
    with database() as source, database("ALTER TABLE T ADD COLUMN A2 VARCHAR") as other:
        assert translate(query, source) == translate(query, source)
        assert [one.name for one in run(query, source, now=NOW).columns] == ["A"]
        assert [one.name for one in run(query, other, now=NOW).columns] == ["A", "A2"]


def test_rows_without_an_order_come_sorted() -> None:
    with database("SET threads = 4", MADE) as source:
        found = rows("T | summarize C = count() by A", source)
        assert found == sorted(found)
        ordered = rows("let x = T | sort by N desc; x | project N | extend Y = 1", source)
        assert ordered == sorted(ordered, reverse=True)
        assert rows("T | sort by N desc | summarize C = count() by N", source)[0] == (0, 1)


def test_rows_are_limited() -> None:
    with database(MADE) as source:
        found = run("T | project N", source, now=NOW, limit=3)
        assert (found.rows, found.truncated) == ([(0,), (1,), (2,)], True)
        assert not run("T | take 3", source, now=NOW, limit=3).truncated


@pytest.mark.parametrize(
    "value",
    ["5", "0.5", "-3", "1.5h", "86s", "'x'", "@'c:\\'", "datetime(2026-01-01)", "dynamic([1])", "true"],
)
def test_parameters_are_literals(value: str) -> None:
    found = with_parameters(checked("let x = 1; T | where N == x"), {"x": value})
    assert "".join(one.text for one in found) == f"let x = {value}; T | where N == x"


@pytest.mark.parametrize(
    "value",
    [
        "T",
        "5; T",
        "'x",
        "5 // ",
        "5 /*",
        "now()",
        "",
        "datetime(x) | y",
        "dynamic([1]), 2",
        "(5)",
        "1 + 1",
        "```x",
    ],
)
def test_other_parameters_are_refused(value: str) -> None:
    with pytest.raises(QueryError, match="no literal"):
        with_parameters(checked("let x = 1; T | where N == x"), {"x": value})


def test_a_parameter_that_is_not_there_is_refused() -> None:
    with pytest.raises(QueryError, match="no `let window"):
        with_parameters(checked("T"), {"window": "5m"})


def test_a_parameter_is_used() -> None:
    with database(MADE) as source:
        query = "let most = 5; T | where N < most | count"
        assert rows(query, source) == [(5,)]
        assert rows(query, source, parameters={"most": "7"}) == [(7,)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("Nope", "no table `Nope`"),
        ("t", "no table `t`"),
        ("T | where Nope == 1", "no column `Nope`"),
        ("T | where N >", "not KQL (line 1, column 14)"),
        ("T | where A == 1 | | count", "not KQL"),
        ("T; U", "multi-statement"),
        ("T | where N == 'x' and tolong(A) == tolong(", "not KQL"),
    ],
)
def test_what_is_wrong_is_told(query: str, told: str) -> None:
    with database() as source, pytest.raises(QueryError) as refused:
        run(query, source, now=NOW)
    assert told in refused.value.what


def test_files_become_tables(tmp_path: Path) -> None:
    row = {
        "TimeGenerated": "2026-01-01T00:00:00.1234567Z",
        "User": {"username": "x"},
        "Verb": "get",
        "Strange": 1,
    }
    lines = [
        json.dumps({"table": "AKSAudit", "row": row}),
        "no JSON",
        json.dumps({"table": "Unknown_CL", "row": row}),
        json.dumps({"table": "AKSAudit"}),
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    (tmp_path / "CloudAuditEvents.jsonl").write_text(
        json.dumps({"Timestamp": "2026-01-02T00:00:00Z", "ISP": "one"})
        + "\n"
        + json.dumps({"Isp": "two"})
        + "\n"
    )
    (tmp_path / "z.jsonl").write_text(
        json.dumps({"Type": "AKSAudit", "TimeGenerated": 1_577_836_800_000_000_000, "Verb": 5}) + "\n"
    )
    tally = Tally()
    source = source_of([str(tmp_path)], tally=tally)
    try:
        audit = rows(
            "AKSAudit | project TimeGenerated, Timestamp, Who = tostring(User.username), Verb", source
        )
        cloud = rows("CloudAuditEvents | project TimeGenerated, Isp", source)
    finally:
        source.close()
    stamp = "2026-01-01T00:00:00.1234560Z"
    assert audit == [
        ("2020-01-01T00:00:00.0000000Z", "2020-01-01T00:00:00.0000000Z", "", "5"),
        (stamp, stamp, "x", "get"),
    ]
    assert cloud == [("2026-01-02T00:00:00.0000000Z", "one"), (None, "two")]
    assert tally.rows == {"AKSAudit": 2, "CloudAuditEvents": 2}
    assert tally.strangers == {"Unknown_CL": 1}
    assert [(one.line, one.kind) for one in tally.problems] == [(2, "malformed"), (4, "malformed")]


def test_values_that_do_not_fit_are_null() -> None:
    events = {
        "ProcessId": 2**70,
        "DestinationPort": "443",
        "InInitTree": "yes",
        "EvidenceLine": True,
        "PodName": ["x"],
    }
    source = source_of_rows([("EightySixEvents_CL", {"TimeGenerated": NOW, "TtlSeconds": 2**31, **events})])
    try:
        query = "EightySixEvents_CL | project ProcessId, DestinationPort, InInitTree, EvidenceLine, PodName, TtlSeconds"
        assert rows(query, source) == [(None, 443, None, 1, '["x"]', None)]
    finally:
        source.close()


def test_every_table_can_be_asked_for() -> None:
    source = source_of_rows([])
    try:
        for name in tables.load():
            assert rows(f"{name} | count", source) == [(0,)]
    finally:
        source.close()
