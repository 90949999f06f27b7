"""Hunting from Python: rows, incidents of rows, and what a hostile row may do to a page (nothing)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix import notebook
from eightysix.model.errors import MissingExtraError, NothingToReadError, QueryError, UsageError
from eightysix.model.table import ScalarType

BREACH = Path(__file__).parent.parent / "examples" / "breach-86s"


@pytest.fixture(scope="module")
def breach() -> Iterator[notebook.Telemetry]:
    with notebook.load(BREACH) as day:
        yield day


def test_a_row_leads_to_the_incident_of_its_pod(breach: notebook.Telemetry) -> None:
    (row,) = breach.hunt("chain-86-seconds")
    incident = breach.incident_of(row)
    assert incident is not None
    assert incident.pod is not None
    assert (incident.verdict, incident.pod.name) == ("contain", row["PodName"])
    story = notebook.stages(incident)
    assert [one["Seconds"] for one in story] == [one.offset_s for one in incident.stages]
    assert story[0]["Stage"] == "land"
    assert breach.incident_of({"PodName": row["PodName"], "Namespace": "elsewhere"}) is None
    assert breach.incident_of({"KubernetesPodName": row["PodName"]}) == incident


def test_rows_are_a_sequence_of_mappings(breach: notebook.Telemetry) -> None:
    rows = breach.hunt("range N from 1 to 5 step 1 | extend T = now() | sort by N asc", limit=4)
    assert (len(rows), rows.truncated) == (4, True)
    assert [one.type for one in rows.columns] == [ScalarType.LONG, ScalarType.DATETIME]
    assert rows.values("N") == [1, 2, 3, 4]
    assert [one["N"] for one in rows[1:3]] == [2, 3]
    assert rows[-1]["N"] == 4
    assert repr(rows).endswith("4 rows, and there are more: see limit")
    with pytest.raises(UsageError, match="no column 'X'"):
        rows.values("X")
    with pytest.raises(IndexError):
        rows[4]


def test_what_is_asked_may_be_an_id_a_text_or_a_file(breach: notebook.Telemetry, tmp_path: Path) -> None:
    (tmp_path / "mine.kql").write_text("let most = 3;\nrange N from 1 to most step 1")
    assert len(breach.hunt(tmp_path / "mine.kql")) == 3
    assert len(breach.hunt(tmp_path / "mine.kql", most="7")) == 7
    assert len(breach.hunt("chain-86-seconds", window="1s")) == 0
    assert breach.hunt("print N = now()", now="2026-01-02T03:04:05Z").values("N") == [
        "2026-01-02T03:04:05.0000000Z"
    ]
    for wrong, told in (
        ("mine.kql", "in the pack"),
        (tmp_path / "none.kql", "cannot be read"),
        ("T | scan", "scan"),
    ):
        with pytest.raises(QueryError, match=told):
            breach.hunt(wrong)
    with pytest.raises(QueryError, match="no literal"):
        breach.hunt("chain-86-seconds", window="86s; AKSAudit")


def test_tables_and_problems_are_told(breach: notebook.Telemetry, tmp_path: Path) -> None:
    told = {one["Table"]: one["Rows"] for one in breach.tables}
    assert told["EightySixEvents_CL"]
    assert all(told.values())
    assert breach.problems == ()
    assert repr(breach).endswith("no problems")
    good = {"table": "AKSAudit", "row": {"Verb": "get"}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(good) + "\n{\n")
    with notebook.load(tmp_path) as broken:
        assert repr(broken) == "1 rows in 1 tables, 1 problems"
        assert broken.problems[0].line == 2


def test_nothing_to_load_is_told(tmp_path: Path) -> None:
    for paths in ((), ("-",)):
        with pytest.raises(UsageError):
            notebook.load(*paths)
    with pytest.raises(NothingToReadError):
        notebook.load(tmp_path / "none")


def test_a_hostile_value_is_text_in_every_form(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)> \x1b]0;x\x07 \u202eevil"
    row = {"table": "AKSAudit", "row": {"Verb": hostile, "User": {hostile: hostile}}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    with notebook.load(tmp_path) as day:
        rows = day.hunt("AKSAudit | project Verb, User, ['<b>x</b>'] = 1")
        page, text = rows._repr_html_(), repr(rows)
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img" in page
    for one in ("\x1b", "\x07", "\u202e"):
        assert one not in page
        assert one not in text
    assert rows[0]["Verb"] == hostile  # whoever computes with it gets it as it is


def test_no_more_rows_are_shown_than_a_person_reads(breach: notebook.Telemetry) -> None:
    rows = breach.hunt("range N from 1 to 500 step 1")
    assert rows._repr_html_().count("<tr>") == 51
    assert repr(rows).endswith("500 rows, 50 shown")


def test_a_store_is_hunted_but_not_detected_in(tmp_path: Path) -> None:
    ingest = [
        sys.executable,
        "-m",
        "eightysix",
        "store",
        "ingest",
        "--store",
        str(tmp_path / "store"),
        str(BREACH),
    ]
    subprocess.run(ingest, check=True, capture_output=True)
    with notebook.open_store(tmp_path / "store") as store:
        assert len(store.hunt("chain-86-seconds", now="2026-11-24T12:00:00Z", lookback="3650d")) == 1
        with pytest.raises(UsageError, match="no records"):
            store.detect()


def test_a_frame_without_pandas_says_what_to_install(
    breach: notebook.Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pandas"):
        breach.hunt("print 1").frame()
