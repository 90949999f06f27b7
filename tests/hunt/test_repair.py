"""What is mended in translated SQL: as Kusto documents it, and the translator still writes what is looked for."""

from __future__ import annotations

import pytest

from eightysix.hunt.engine import translate
from eightysix.hunt.repair import repaired
from tests.hunt.db import database, rows


@pytest.mark.parametrize(
    ("moment", "span", "expected"),
    [
        # learn.microsoft.com/kusto/query/tutorials/use-aggregation-functions: weeks of 2007 begin on Mondays
        ("2007-01-07T10:00:00", "7d", "2007-01-01T00:00:00.0000000Z"),
        ("2007-01-08T00:00:00", "7d", "2007-01-08T00:00:00.0000000Z"),
        ("1970-05-11T13:45:07", "1d", "1970-05-11T00:00:00.0000000Z"),  # .../bin-function
        ("2026-01-01T10:01:59.999999", "1m", "2026-01-01T10:01:00.0000000Z"),
        ("1960-01-01T10:30:00", "1h", "1960-01-01T10:00:00.0000000Z"),
    ],
)
def test_bins_of_moments(moment: str, span: str, expected: str) -> None:
    with database(values=[(moment, "", None, 1, None)]) as source:
        assert rows(f"T | summarize by X = bin(TimeGenerated, {span})", source) == [(expected,)]


def test_bins_of_spans() -> None:
    values = [
        ("2026-01-01", "", None, number, span) for number, span in enumerate(("16 days", "-90 seconds"))
    ]
    with database(values=values) as source:
        found = rows("T | project N, W = bin(Dur, 7d), M = bin(Dur, 1m) | sort by N asc", source)
    assert found == [(0, "14.00:00:00", "16.00:00:00"), (1, "-7.00:00:00", "-00:02:00")]


def test_bins_of_numbers_are_left_alone() -> None:
    with database(values=[("2026-01-01", "", None, 7, None)]) as source:
        assert rows("T | project X = bin(N, 5)", source) == [(5,)]


def test_a_text_that_reads_like_an_array_is_one_member() -> None:
    values = [("2026-01-01", '["a"]', '["b"]', 1, None), ("2026-01-01", "c", '"[1]"', 2, None)]
    with database(values=values) as source:
        assert rows("T | summarize A = make_set(A), D = make_set(D)", source) == [
            (['["a"]', "c"], ["[1]", "b"])
        ]


def test_a_bag_expands_whatever_its_keys_are() -> None:
    with database(values=[("2026-01-01", "", '{"a\\"b": 1, "": 2, "c.d": [3], "$": {}}', 1, None)]) as source:
        found = rows("T | mv-expand X = D | project X", source)
    assert found == [({"": 2},), ({"$": {}},), ({'a"b': 1},), ({"c.d": [3]},)]


def test_what_is_no_array_has_no_members() -> None:
    values = [("2026-01-01", "", text, n, None) for n, text in enumerate(('["x"]', '"x"', "5", "{}", None))]
    with database(values=values) as source:
        assert rows("T | where set_has_element(D, 'x') | project N", source) == [(0,)]


def test_rows_that_sort_alike_come_in_one_order() -> None:
    values = [("2026-01-01", str(number % 7), None, number, None) for number in range(2_000)]
    with database("SET threads = 4", values=values) as source:
        found = [row[1] for row in rows("T | sort by A asc | project A, N", source)]
        first = rows("T | top 3 by A desc | project N", source)
    assert found == [number for rest in range(7) for number in range(rest, 2_000, 7)]
    assert first == [(6,), (13,), (20,)]


@pytest.mark.parametrize(
    ("query", "trace"),
    [
        ("T | summarize by bin(TimeGenerated, 7d)", "62135596800000000"),
        ("T | summarize make_set(A)", "list_sort(list_distinct("),
        ("T | summarize make_set(N)", "<> 'VARCHAR' AND json_type(TRY_CAST("),
        ("T | where set_has_element(D, 'x')", "TRY_CAST(to_json("),
        ("T | mv-expand D", "list_zip(json_keys("),
        ("T | sort by N asc", ", COLUMNS(*)"),
        ("T | top 3 by N", ", COLUMNS(*) LIMIT 3"),
    ],
)
def test_the_translator_writes_what_is_looked_for(query: str, trace: str) -> None:
    with database() as source:
        assert trace in translate(query, source)


@pytest.mark.parametrize("text", ["'to_timestamp(floor(epoch('", "'list_distinct('", '"CAST(to_json("'])
def test_literals_are_no_code(text: str) -> None:
    assert repaired(f"SELECT {text}") == f"SELECT {text}"
