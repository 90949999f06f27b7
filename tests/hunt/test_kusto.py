"""Each construct that hunting queries use is right here, or refused by its name: never something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eightysix.hunt.binder import Binder
from eightysix.hunt.calls import respelled
from eightysix.hunt.engine import _raw, run
from eightysix.hunt.functions import ADDED, MAX_EXPRESSION
from eightysix.hunt.local import source_of_rows
from eightysix.model.errors import QueryError
from eightysix.model.table import Column, Environment, ScalarType
from tests.hunt.db import NOW, database, rows
from tests.hunt.kusto import CASES, Case, text_of
from tools.language_page import page

NAMES = [f"{one.group}: {one.name}" for one in CASES]


@pytest.fixture(scope="module")
def source() -> Iterator[object]:
    made = source_of_rows([])
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_it_is_right_or_refused_by_name(case: Case, source: object) -> None:
    if case.rows is None:
        with pytest.raises(QueryError) as refusal:
            run(text_of(case), source, now=NOW)  # type: ignore[arg-type]
        told = refusal.value
        assert told.construct, told.what
        assert "translator fails" not in told.what
        return
    found = run(text_of(case), source, now=NOW)  # type: ignore[arg-type]
    assert [list(row) for row in found.rows] == [list(row) for row in case.rows]


def test_every_case_is_kusto_and_has_its_columns_here(binder: Binder, source: object) -> None:
    wrong = []
    for case in CASES:
        bound = binder.bind(text_of(case), Environment.LOG_ANALYTICS)
        if not bound.ok:
            wrong.append((case.name, [one.message for one in bound.problems]))
        elif case.rows is not None:
            here = run(text_of(case), source, now=NOW)  # type: ignore[arg-type]
            columns = [(one.name, _kind(one)) for one in here.columns]
            if columns != [(one.name, _kind(one)) for one in bound.columns]:
                wrong.append((case.name, [str(columns), str(bound.columns)]))
    assert not wrong, "\n".join(map(str, wrong))


def _kind(column: Column) -> str:
    """Of whole numbers there is one kind: a function that gives `int` there gives `long` here, or the other way."""
    return "whole" if column.type in (ScalarType.INT, ScalarType.LONG) else column.type.value


def test_the_page_has_every_case(root: Path) -> None:
    kept = (root / "docs" / "hunt-language.md").read_text(encoding="utf-8")
    assert kept == page(), "run python -m tools.language_page"


def test_what_is_added_stands_in_the_table() -> None:
    told = " ".join(one.query for one in CASES)
    aliases = {"base64_decodestring", "variancep", "stdevp", "unixtime_microseconds_todatetime"}
    assert [name for name in ADDED if f"{name}(" not in told and name not in aliases] == []


@pytest.mark.parametrize(
    "call",
    [
        "parse_json(@)",
        "bag_keys(@)",
        "url_decode(@)",
        "base64_decode_tostring(@)",
        "split(@, ',', 0)",
        "set_union(@, @@)",
        "ipv4_is_match('1.2.3.4', '1.2.3.4', @)",
        "ipv4_is_in_any_range('1.2.3.4', @)",
        "bin_at(@, 5, 1)",
    ],
)
def test_a_call_within_calls_grows_by_its_length_alone(call: str, source: object) -> None:
    before, _, after = call.replace("@@", "'y'").partition("@")
    sizes = [
        len(_raw(respelled(f"print X = {before * deep}1{after * deep}"), {"T": {"A": "VARCHAR"}}))
        for deep in (5, 10, 20)
    ]
    assert sizes[2] - sizes[1] < 3 * (sizes[1] - sizes[0]) + 10_000


@pytest.mark.parametrize(
    "name", ["tostring", "todatetime", "isempty", "tolong", "strcat_array", "reverse", "hash_sha256"]
)
@pytest.mark.parametrize("deep", [10, 50])
def test_calls_within_calls_end_in_rows_or_in_a_refusal(name: str, deep: int, source: object) -> None:
    text = f"print X = {f'{name}(' * deep}'x'{')' * deep}"
    with suppress(QueryError):  # for its size, or because Kusto takes no such argument
        assert len(_raw(respelled(text), {"T": {"A": "VARCHAR"}})) < 4 * MAX_EXPRESSION


@pytest.mark.parametrize(
    "hostile",
    ["!", "%ff", "\x00", "S3V", "\ud800".encode("utf-8", "replace").decode(), "{", "[" * 5_000, "9" * 400],
)
def test_no_value_ends_a_query(hostile: str, source: object) -> None:
    with database(values=[(None, hostile, None, 1, None)]) as made:
        found = rows(
            "T | project base64_decode_tostring(A), url_decode(A), parse_json(A).x, ipv4_is_private(A),"
            " ipv4_is_in_range(A, A), ipv4_is_in_any_range(A, A), ipv4_is_match(A, A), bag_keys(parse_json(A)),"
            " set_union(parse_json(A), A), unixtime_seconds_todatetime(tolong(A)), split(A, A, 0),"
            " extract('x', 0, A, typeof(long)), bin_at(tolong(A), 5, 1)",
            made,
        )
        assert len(found) == 1
        told = rows("T | summarize make_set_if(A, N > 0), make_list_if(A, N > 0, 1), maxif(A, N > 0)", made)
        assert told[0][2] == hostile


def test_no_case_stands_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)
