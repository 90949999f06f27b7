"""Rows in CSV: what portals export, and what somebody puts into a cell."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.hunt.csvrows import MAX_RECORD, CsvRows, header_of
from eightysix.hunt.engine import run
from eightysix.hunt.local import Tally, source_of
from eightysix.model.incident import Problem
from eightysix.model.table import Row
from eightysix.sources.lines import Block
from eightysix.store import tables

LOG_ANALYTICS = (
    '"TimeGenerated [UTC]",Verb,ObjectRef,AuditId,Type\r\n'
    '"11/24/2026, 9:00:00.123 AM",create,"{""resource"":""pods"",""namespace"":""ml""}",a-1,AKSAudit\r\n'
    '"11/24/2026, 12:05:00.000 PM",get,,a-2,AKSAudit\r\n'
    '2026-11-24T13:00:00.5Z,list,"{""resource"":""secrets""}","two\nlines, and a ""quote""",AKSAudit\r\n'
)
DEFENDER = (
    "\ufeffTimestamp,KubernetesPodName,ProcessCommandLine,ProcessId,AdditionalFields\n"
    "2026-11-24T09:00:00.1234567Z,inference-0,pip install x,42,{}\n"
)


def hunted(path: Path, query: str) -> tuple[list[list[object]], Tally]:
    tally = Tally()
    source = source_of([str(path)], tally=tally)
    try:
        return [list(row) for row in run(query, source, now=tally.now or 1).rows], tally
    finally:
        source.close()


def test_an_export_of_log_analytics(tmp_path: Path) -> None:
    (tmp_path / "query_data.csv").write_text(LOG_ANALYTICS, newline="")
    query = "AKSAudit | sort by TimeGenerated asc | project TimeGenerated, Verb, tostring(ObjectRef.resource), AuditId"
    found, tally = hunted(tmp_path / "query_data.csv", query)
    assert found == [
        ["2026-11-24T09:00:00.1230000Z", "create", "pods", "a-1"],
        ["2026-11-24T12:05:00.0000000Z", "get", "", "a-2"],
        ["2026-11-24T13:00:00.5000000Z", "list", "secrets", 'two\nlines, and a "quote"'],
    ]
    assert tally.problems == []


@pytest.mark.parametrize("name", ["CloudProcessEvents.csv", "CloudProcessEvents.csv.gz"])
def test_an_export_of_defender_by_the_name_of_its_file(tmp_path: Path, name: str) -> None:
    data = DEFENDER.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    query = "CloudProcessEvents | project Timestamp, KubernetesPodName, ProcessCommandLine, ProcessId"
    found, tally = hunted(tmp_path, query)
    assert found == [["2026-11-24T09:00:00.1234560Z", "inference-0", "pip install x", 42]]
    assert tally.problems == []


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    lines = (
        "TimeGenerated,Verb,ResponseStatus",
        "2026-11-24T09:00:00Z,get,{not json",
        "24.11.2026 09:00,list,",
        "2026-11-24T09:00:00Z,too,many,cells",
        '2026-11-24T09:00:00Z,"broken"quote,',
        "",
        '2026-11-24T09:00:00Z,watch,"without end',
    )
    (tmp_path / "AKSAudit.csv").write_text("\n".join(lines))
    found, tally = hunted(tmp_path / "AKSAudit.csv", "AKSAudit | project Verb, tostring(ResponseStatus)")
    assert found == [["get", ""], ["list", ""]]
    assert [(one.line, one.reason) for one in tally.problems] == [
        (3, "TimeGenerated is no datetime"),
        (4, "4 cells instead of 3"),
        (5, "',' expected after '\"'"),
        (7, "the file ends within quotes"),
    ]


def test_times_of_a_zone_that_nobody_knows_are_not_taken_for_utc(tmp_path: Path) -> None:
    text = "TimeGenerated [Local Time],Verb\n2026-11-24T09:00:00,get\n" + "2026-11-24T09:00:00,get\n" * 3
    (tmp_path / "AKSAudit.csv").write_text(text)
    found, tally = hunted(tmp_path / "AKSAudit.csv", "AKSAudit | count")
    assert found == [[0]]
    assert [one.reason for one in tally.problems] == [
        "the times of TimeGenerated [Local Time] are in a zone of their own: export them in UTC"
    ]


def test_a_file_that_names_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text("TimeGenerated,Verb\n2026-11-24T09:00:00Z,get\n")
    _, tally = hunted(tmp_path / "export.csv", "AKSAudit | count")
    assert "name the file after it" in tally.problems[0].reason


def test_a_quote_without_end_costs_no_more_than_a_record() -> None:
    problems: list[Problem] = []
    rows = CsvRows(("TimeGenerated", "Verb"), "AKSAudit", tables.load(), problems.append)
    good = b"2026-11-24T09:00:00Z,get\n"
    found: list[Row] = []
    first = 1
    for data in (b"TimeGenerated,Verb\n" + b'"' + good, *[good * 50_000] * 2):
        found += [row for _, row in rows.read(Block("f.csv", first, data))]
        first += data.count(b"\n")
    assert [one.kind for one in problems] == ["oversized"]
    assert 100_000 - MAX_RECORD // len(good) - 2 <= len(found) < 100_000


@pytest.mark.parametrize(
    "line",
    [b"", b"a,b", b"TimeGenerated", b'{"TimeGenerated": 1}', b'"TimeGenerated', b"\xff\xfe,TimeGenerated"],
)
def test_other_files_are_no_csv(line: bytes) -> None:
    assert header_of(line) == ()


def _told(problem: Problem) -> None:
    pytest.fail(problem.reason)


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.integers(1, 40))
def test_what_a_writer_quotes_comes_back_however_it_is_cut(cells: list[tuple[str, str]], size: int) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows(
        [("TimeGenerated", "Verb", "UserAgent"), *(("2026-11-24T09:00:00Z", *each) for each in cells)]
    )
    lines = [line + b"\n" for line in text.getvalue().encode().split(b"\n")[:-1]]
    rows = CsvRows(("TimeGenerated", "Verb", "UserAgent"), "AKSAudit", tables.load(), _told)
    found = [
        row
        for start in range(0, len(lines), size)
        for _, row in rows.read(Block("f.csv", start + 1, b"".join(lines[start : start + size])))
    ]
    assert [(row.get("Verb", ""), row.get("UserAgent", "")) for row in found] == cells


def test_what_hunt_run_writes_as_csv_it_reads_again(tmp_path: Path) -> None:
    from eightysix.hunt.output import rendered

    row = {
        "TimeGenerated": "2026-11-24T09:00:00Z",
        "Verb": "get",
        "ObjectRef": {"resource": "pods", "name": "a,b"},
    }
    (tmp_path / "AKSAudit.jsonl").write_text(json.dumps(row))
    source = source_of([str(tmp_path / "AKSAudit.jsonl")])
    (tmp_path / "again").mkdir()
    out = tmp_path / "again" / "AKSAudit.csv"
    query = "AKSAudit | project TimeGenerated, Verb, ObjectRef"
    out.write_bytes(rendered(run(query, source, now=1), "csv"))
    first = [list(row) for row in run(query, source, now=1).rows]
    source.close()
    assert hunted(out, query)[0] == first
