"""`eightysix scan` as a user runs it: exit codes, outputs, policies, the ledger, standard input."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.cli.scan import exit_code
from eightysix.model.finding import FileVerdict, Finding, ScannedFile, ScanReport, Severity

UNKNOWN = b"\x07\x99\x00\x01" * 300
"""Bytes of no format."""


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*arguments: str) -> int:
    try:
        return main(["scan", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run("--format", "json", *arguments)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "empty").write_bytes(b"")
    (folder / "unknown").write_bytes(UNKNOWN)
    return folder


@pytest.mark.parametrize(
    ("verdict", "severity", "code"),
    [
        (FileVerdict.MALICIOUS, Severity.CRITICAL, 14),
        (FileVerdict.SUSPICIOUS, Severity.HIGH, 13),
        (FileVerdict.CLEAN, Severity.LOW, 11),
        (FileVerdict.UNSCANNABLE, Severity.MEDIUM, 10),
        (FileVerdict.MALFORMED, Severity.MEDIUM, 10),
    ],
)
def test_exit_codes(verdict: FileVerdict, severity: Severity, code: int) -> None:
    clean = ScannedFile(path="c", format="f", verdict=FileVerdict.CLEAN)
    file = ScannedFile(path="x", format="f", verdict=verdict)
    finding = Finding(rule="r", severity=severity, path="x", title="t", why="w")
    assert exit_code(ScanReport(findings=(finding,), files=(clean, file, clean))) == code
    assert exit_code(ScanReport(findings=(), files=(clean,))) == 0


def test_something_low_and_something_unread_exit_as_the_higher() -> None:
    files = (
        ScannedFile(path="x", format="f", verdict=FileVerdict.UNSCANNABLE),
        ScannedFile(path="y", format="f", verdict=FileVerdict.CLEAN),
    )
    low = Finding(rule="r", severity=Severity.LOW, path="y", title="t", why="w")
    assert exit_code(ScanReport(findings=(low,), files=files)) == 11


def test_every_file_is_listed(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(capsys, str(models))
    assert [(Path(f["path"]).name, f["verdict"]) for f in report["files"]] == [
        ("empty", "clean"),
        ("unknown", "unscannable"),
    ]


def test_nothing_to_read_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "needs something to read" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_a_result(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(str(tmp_path / "gone")) == 10
    assert "No such file or directory" in capsys.readouterr().out


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"\x07" * size))
    monkeypatch.setattr(sys, "stdin", stream)
    report = told(capsys, "-")
    assert [(f["path"], f["size"]) for f in report["files"]] == [("-", size)]


def test_several_jobs_tell_the_same(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(20):
        (models / f"n{number}").write_bytes(bytes([number]) * number)
    assert told(capsys, str(models), "--jobs", "3") == told(capsys, str(models), "--jobs", "1")


def test_the_output_file_is_private(models: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert run(str(models), "--format", "json", "--output", str(target)) == 10
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(target.read_text())["schema"] == "eightysix/findings/v1"


def test_exit_zero(models: Path) -> None:
    assert run(str(models), "--exit-zero") == 0


def test_list_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-rules") == 0
    assert any(line.startswith("unknown-format ") for line in capsys.readouterr().out.splitlines())


def test_a_policy_of_the_scanned_tree_is_refused(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = models / "policy.yml"
    policy.write_text("accept: []\n")
    assert run(str(models), "--policy", str(policy)) == 2
    assert "lies in" in capsys.readouterr().err


def test_a_policy_is_taken_from_the_users_configuration(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = told(capsys, str(models / "unknown"))["files"][0]["digest"]
    folder = tmp_path / "config" / "eightysix"
    folder.mkdir(parents=True)
    line = f"{{digest: 'blake3:{digest}', rules: [unknown-format], until: 2999-01-01}}"
    (folder / "scan-policy.yml").write_text(f"accept: [{line}]\n")
    report = told(capsys, str(models / "unknown"))
    assert report["findings"] == []
    assert report["files"][0]["accepted"] == ["unknown-format"]


def test_a_policy_that_is_wrong_is_told_with_its_place(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "p.yml"
    policy.write_text("accept:\n  - {names: [a.B]}\n")
    assert run(str(models), "--policy", str(policy)) == 2
    assert f"{policy}:2:5: until is missing" in capsys.readouterr().err


def test_a_baseline_silences_what_was_known(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "known.json"
    run(str(models), "--format", "json", "--output", str(baseline))
    assert run(str(models), "--baseline", str(baseline)) == 0
    (models / "unknown").write_bytes(UNKNOWN + b"!")
    assert run(str(models), "--baseline", str(baseline)) == 10


def test_the_ledger_remembers(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ledger.sqlite"
    first = told(capsys, str(models), "--ledger", str(ledger), "--digest")
    assert told(capsys, str(models), "--ledger", str(ledger), "--jobs", "2") == first
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    rows = sqlite3.connect(ledger)
    told_of = os.stat(models / "empty")
    assert rows.execute("SELECT dev, ino, size FROM file WHERE ino = ?", (told_of.st_ino,)).fetchall() == [
        (told_of.st_dev, told_of.st_ino, 0)
    ]
    assert rows.execute("SELECT verdict FROM verdict").fetchall() == [("clean",)]


def test_what_the_ledger_says_of_the_bytes_is_believed(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    run(str(models), "--ledger", str(ledger))
    (models / "copy").write_bytes(b"")
    report = told(capsys, str(models), "--ledger", str(ledger))
    assert [file["format"] for file in report["files"]] == ["empty", "empty", "unknown"]
    assert [Path(file["path"]).name for file in report["files"]] == ["copy", "empty", "unknown"]


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_ledger_is_told(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    ledger.write_bytes(content)
    assert run(str(models), "--ledger", str(ledger)) == 1
    assert "is damaged or no database of ours" in capsys.readouterr().err


def test_a_ledger_of_another_version_is_told(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sqlite3.connect(ledger) as connection:
        connection.execute("PRAGMA user_version = 9")
    assert run(str(models), "--ledger", str(ledger)) == 1
    assert "has layout 9" in capsys.readouterr().err


def test_low_findings_can_be_left_out(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(capsys, str(models), "--min-severity", "critical")
    assert report["findings"] == []
    assert report["counts"]["unscannable"] == 1


@pytest.mark.parametrize(("name", "text"), [("JOBS", "many"), ("MIN_SEVERITY", "bogus")])
def test_what_the_environment_says_wrong_is_a_usage_error(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    monkeypatch.setenv(f"EIGHTYSIX_{name}", text)
    assert run(str(models)) == 2
    assert text in capsys.readouterr().err
    assert main(["rules", "list"]) == 0  # of another command it is no business
