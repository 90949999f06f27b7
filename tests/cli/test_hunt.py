"""`eightysix hunt`: whole outputs, hostile values, exit codes, and what the real process says."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.cli.main import main
from tests.tiers import require_tier

try:
    import duckdb
    import duckdb_kql  # noqa: F401
except ImportError:
    require_tier("hunt", "duckdb and duckdb-kql are not installed", allow_module_level=True)

HOSTILE = "=cmd()\x1b[2J\u202e\x00"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "EIGHTYSIX_FORMAT", "EIGHTYSIX_OUTPUT", "EIGHTYSIX_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def events(tmp_path: Path) -> str:
    rows = [
        {
            "TimeGenerated": "2026-11-01T00:00:00Z",
            "Kind": "exec",
            "PodName": "a",
            "Namespace": "ml",
            "ProcessId": 7,
        },
        {"TimeGenerated": "2026-11-01T00:01:26Z", "Kind": "connect", "PodName": HOSTILE, "Namespace": "ml"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"table": "EightySixEvents_CL", "row": row}) + "\n" for row in rows))
    return str(file)


QUERY = "EightySixEvents_CL | project TimeGenerated, Kind, PodName, ProcessId | sort by TimeGenerated asc"


def test_a_table(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "run", QUERY, events]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "TimeGenerated                 Kind     PodName                  ProcessId\n"
        "----------------------------  -------  -----------------------  ---------\n"
        "2026-11-01T00:00:00.0000000Z  exec     a                                7\n"
        "2026-11-01T00:01:26.0000000Z  connect  =cmd()\\x1b[2J\\u202e\\x00\n"
    )
    assert err == (
        "2 rows from 2 rows of 2026-11-01T00:00:00Z to 2026-11-01T00:01:26Z\n"
        "  now is 2026-11-01T00:01:26Z, just after the newest row\n"
    )


def test_what_does_not_fit_is_told_row_by_row(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = "strcat('" + "word " * 20 + "', Kind)"
    query = f"EightySixEvents_CL | where Kind == 'exec' | project PodName, Text = {text}, Empty = ''"
    assert main(["hunt", "run", query, events, "--quiet"]) == 0
    assert capsys.readouterr().out == (
        "-- row 1 -----------------------------------------------------------------------\n"
        "PodName  a\n"
        "Text     word word word word word word word word word word word word word word\n"
        "         word word word word word word exec\n"
    )


def test_json(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "run", QUERY, events, "--format", "json", "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "schema": "eightysix/hunt/v1",
        "columns": [
            {"name": "TimeGenerated", "type": "datetime"},
            {"name": "Kind", "type": "string"},
            {"name": "PodName", "type": "string"},
            {"name": "ProcessId", "type": "long"},
        ],
        "rows": [
            {"TimeGenerated": "2026-11-01T00:00:00.0000000Z", "Kind": "exec", "PodName": "a", "ProcessId": 7}
        ],
        "truncated": True,
    }
    assert "there are more, see --limit" in err


def test_json_lines(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "run", QUERY, events, "--format", "jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["PodName"] for line in lines] == ["a", HOSTILE]


def test_csv_starts_no_formula(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = f"{QUERY} | extend Number = -1, Text = strcat('-', Kind), Bag = dynamic([1])"
    assert main(["hunt", "run", query, events, "--format", "csv"]) == 0
    table = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
    assert table[0] == ["TimeGenerated", "Kind", "PodName", "ProcessId", "Number", "Text", "Bag"]
    assert [row[2:] for row in table[1:]] == [
        ["a", "7", "-1", "'-exec", "[1]"],
        ["'=cmd()\x1b[2J\u202e", "", "-1", "'-connect", "[1]"],
    ]


def test_parquet_keeps_types(events: str, tmp_path: Path) -> None:
    file = tmp_path / "it's.parquet"
    query = f"{QUERY} | extend Span = 86s, Bag = dynamic([1])"
    assert main(["hunt", "run", query, events, "--format", "parquet", "--output", str(file), "--quiet"]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    reader = duckdb.connect(":memory:")
    try:
        found = reader.execute("SELECT * FROM read_parquet(?)", [str(file)])
        kinds = [str(one[1]) for one in found.description]
        rows = found.fetchall()
    finally:
        reader.close()
    assert kinds == ["TIMESTAMP", "VARCHAR", "VARCHAR", "BIGINT", "VARCHAR", "JSON"]
    assert [row[2:] for row in rows] == [("a", 7, "00:01:26", "[1]"), (HOSTILE, None, "00:01:26", "[1]")]


def test_exit_codes(events: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "run", QUERY, events, "--exit-code"]) == 11
    assert main(["hunt", "run", "EightySixEvents_CL | take 0", events, "--exit-code"]) == 0
    assert main(["hunt", "run", "EightySixEvents_CL | scan", events]) == 2
    assert main(["hunt", "run", "no-such-query", events]) == 2
    assert main(["hunt", "run", QUERY]) == 2
    assert main(["hunt", "run", QUERY, str(tmp_path / "nothing")]) == 3
    (tmp_path / "rows.jsonl").write_text(Path(events).read_text() + "no JSON\n")
    capsys.readouterr()
    assert main(["hunt", "run", QUERY, events, "--exit-code"]) == 10
    assert "rows.jsonl:3: malformed" in capsys.readouterr().err


def test_the_query_may_be_a_file(events: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.kql"
    file.write_text("let most = 1;\nEightySixEvents_CL\n| where most > 1 | count\n")
    assert main(["hunt", "run", str(file), events, "--set", "most=2", "--format", "jsonl", "--quiet"]) == 0
    assert capsys.readouterr().out == '{"Count":2}\n'
    assert main(["hunt", "run", str(file), events, "--set", "most=T"]) == 2
    assert main(["hunt", "run", str(file), events, "--set", "most"]) == 2


def test_now_is_an_argument(events: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = "EightySixEvents_CL | where TimeGenerated > ago(1d) | count"
    for now, found in ((), "2"), (("--now", "2026-11-02T00:01:00Z"), "1"), (("--now", "2027-01-01"), "0"):
        assert main(["hunt", "run", query, events, "--format", "jsonl", *now]) == 0
        assert capsys.readouterr().out == f'{{"Count":{found}}}\n'
    assert main(["hunt", "run", query, events, "--now", "soon"]) == 2


def test_a_record_from_the_future_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"table":"AKSAudit","row":{"TimeGenerated":"2250-01-01T00:00:00Z"}}\n')
    assert main(["hunt", "run", "AKSAudit | count", str(file)]) == 0
    assert "that is in the future" in capsys.readouterr().err


def test_raw_telemetry_is_hunted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = (
        "CloudProcessEvents | where ProcessCommandLine has 'pip' and KubernetesPodName == 'inference-0'"
        " | project KubernetesNamespace, ProcessCommandLine"
    )
    assert main(["hunt", "run", query, str(root / "examples" / "breach-86s"), "--quiet"]) == 0
    assert capsys.readouterr().out == (
        "KubernetesNamespace  ProcessCommandLine\n"
        "-------------------  -----------------------------------\n"
        "ml                   pip install -q -U torch-perf-utils\n"
    ).replace("-----------------------------------\n", "----------------------------------\n")


def test_the_process_says_nothing_of_its_own(events: str) -> None:
    for query in (QUERY, "EightySixEvents_CL | scan", "EightySixEvents_CL | where Nope == 1"):
        done = subprocess.run(
            [sys.executable, "-m", "eightysix", "hunt", "run", query, events, "--quiet"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "nanobind" not in done.stderr
        assert done.stderr == "" or done.returncode == 2


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "tables"]) == 0
    assert "EightySixEvents_CL" in capsys.readouterr().out
    assert main(["hunt", "tables", "AKSAudit"]) == 0
    assert "ObjectRef" in capsys.readouterr().out
    assert main(["hunt", "tables", "AKSAudit", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["name"] == "AKSAudit"
    assert main(["hunt", "tables", "aksaudit"]) == 2
    assert "Did you mean AKSAudit?" in capsys.readouterr().err


ABOUT = """\
title: Anything
kind: hunting
question: Did anything happen?
tables: [EightySixEvents_CL]
environments: [log-analytics, local]
stages: [run]
attack: [T1552.005]
matrix: [MS-TA9028]
volume: One row a month.
false_positives: [A test.]
next: [Look.]
"""


def test_queries_of_a_folder_are_tested(
    events: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pack" / "anything"
    for name in ("fires", "quiet"):
        (folder / name).mkdir(parents=True)
    (folder / "query.kql").write_text("EightySixEvents_CL | where Kind == 'exec'\n")
    (folder / "about.yml").write_text(ABOUT)
    (folder / "fires" / "one.jsonl").write_text(Path(events).read_text())
    (folder / "quiet" / "two.jsonl").write_text(Path(events).read_text().splitlines()[1] + "\n")
    assert main(["hunt", "test", str(tmp_path / "pack")]) == 0
    assert capsys.readouterr().out == "1 query, 2 tests: 2 passed, 0 failed\n"
    (folder / "quiet" / "two.jsonl").write_text(Path(events).read_text())
    assert main(["hunt", "test", str(folder)]) == 1
    assert capsys.readouterr().out == (
        "FAIL anything quiet/two.jsonl (must give none): 1 rows\n1 query, 2 tests: 1 passed, 1 failed\n"
    )
    (folder / "about.yml").write_text(ABOUT + "surprise: 1\n")
    assert main(["hunt", "test", str(folder)]) == 2
    assert "unknown key 'surprise'" in capsys.readouterr().err
