"""What scans, detection and the ledger wrote, as rows of our own tables."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.sources.tables import Tabulator, tabulate
from tests.sources.tables.test_tabulate import TABLES, Json, assert_fits, of_table, rows_of
from tests.streams import ATTACKS, FULL

AT = 1_795_512_400


def verdict(digest: str, word: str = "malicious", at: int = AT) -> Json:
    told = {"digest": digest, "size": 7, "verdict": word, "rules_version": "3"}
    return {"schema": "eightysix/ledger/v1", **told, "at": at, "expires": at + 9}


def a_file(digest: str, ino: int, at: int = AT) -> Json:
    about = {"host": "n1", "dev": 1, "ino": ino, "size": 7, "mtime_ns": 5}
    return {"schema": "eightysix/ledger/v1", **about, "digest": digest, "at": at}


BAD, GOOD, LONE = "ab" * 32, "cd" * 32, "ef" * 32


@pytest.mark.parametrize("turned", [False, True])
def test_a_file_has_the_verdict_of_its_bytes_in_any_order(turned: bool) -> None:
    records = [verdict(BAD), a_file(BAD, 1), a_file(GOOD, 2)]
    records += [verdict(GOOD, "clean"), a_file(LONE, 3), a_file(BAD, 4)]
    rows = of_table(rows_of(records[::-1] if turned else records), "EightySixFindings_CL")
    told = sorted((row["Ino"], row["Digest"], row.get("Verdict")) for row in rows if "Host" in row)
    assert told == [(1, BAD, "malicious"), (2, GOOD, "clean"), (3, LONE, None), (4, BAD, "malicious")]
    assert {row["TimeGenerated"] for row in rows} == {AT * 10**9}
    for row in rows:
        assert_fits("EightySixFindings_CL", row)


def test_files_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eightysix.sources.tables.own.MOST_WAITING", 3)
    rows = of_table(rows_of(a_file(LONE, number) for number in range(10)), "EightySixFindings_CL")
    assert sorted(str(row["Ino"]) for row in rows) == [str(number) for number in range(10)]


def test_findings_of_a_scan(tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "good.json").write_text("{}")
    report = tmp_path / "report.json"
    files = [str(tmp_path / "bad.pkl"), str(tmp_path / "good.json")]
    main(["scan", *files, "--format", "json", "--output", str(report)])
    tabulator = Tabulator(TABLES, undated_ns=AT * 10**9)
    rows = of_table(tabulate([str(report)], TABLES, tabulator=tabulator), "EightySixFindings_CL")
    document = json.loads(report.read_text())
    assert len(rows) == len(document["findings"]) + sum(
        file["path"] not in {finding["path"] for finding in document["findings"]}
        for file in document["files"]
    )
    assert {row["Path"]: row["Verdict"] for row in rows} == {
        file["path"]: file["verdict"] for file in document["files"]
    }
    assert any(row["Rule"] == document["findings"][0]["rule"] for row in rows if "Rule" in row)
    for row in rows:
        assert_fits("EightySixFindings_CL", row)


def test_incidents_of_detect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, lines in ATTACKS["breach-86s"](FULL).streams.items():
        (tmp_path / file).write_text("".join(f"{line}\n" for line in lines))
    report = tmp_path / "incidents.json"
    monkeypatch.setattr("sys.stdout", io.StringIO())
    main(["detect", str(tmp_path), "--format", "json", "--output", str(report)])
    rows = of_table(tabulate([str(report)], TABLES), "EightySixIncidents_CL")
    told = json.loads(report.read_text())["incidents"]
    assert [(row["IncidentId"], row["Verdict"], row["Score"]) for row in rows] == [
        (one["id"], one["verdict"], one["score"]) for one in told
    ]
    assert "contain" in [row["Verdict"] for row in rows]
    for row in rows:
        assert_fits("EightySixIncidents_CL", row)
        assert row["FirstSeen"] < row["TimeGenerated"]  # type: ignore[operator]


def test_a_damaged_document_is_told() -> None:
    tabulator = Tabulator(TABLES)
    records = [
        {"schema": "eightysix/incidents/v1", "incidents": [{"id": 7}]},
        {"schema": "eightysix/findings/v1"},
        {"schema": "eightysix/findings/v1", "findings": [], "files": []},
    ]
    assert rows_of(records, tabulator) == []
    assert (tabulator.counts.malformed, tabulator.counts.events) == (2, 1)
