"""`eightysix coverage` as a user runs it: exit codes, outputs, and that no secret comes out of it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from tests.reconstruct.coverage.records import everything, write

CANARY = "zqcanaryqz"
BASELINE = '{"schema": "eightysix/baseline/v1"}'


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "BASELINE", "LEDGER", "RULES", "FORMAT", "OUTPUT", "SOURCE", "EXIT_ZERO"):
        monkeypatch.delenv(f"EIGHTYSIX_{name}", raising=False)


def run(*arguments: str) -> int:
    try:
        return main(["coverage", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def baseline(folder: Path, telemetry: str) -> str:
    path = folder / "baseline.json"
    assert main(["baseline", "build", telemetry, "--output", str(path)]) == 0
    return str(path)


def test_a_gap_exits_10_and_none_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = write(tmp_path / "telemetry", everything())
    known = baseline(tmp_path, telemetry)
    assert run(telemetry, "--baseline", known) == 0
    assert "1 gap · 1 note" in capsys.readouterr().out  # no ledger: it takes nothing from any stage
    assert run(telemetry) == 10
    assert run(telemetry, "--exit-zero") == 0


def test_usage_and_nothing_to_read(tmp_path: Path) -> None:
    assert run() == 2
    assert run("--store", str(tmp_path), str(tmp_path)) == 2
    assert run(str(tmp_path / "missing")) == 3
    assert run(str(tmp_path), "--format", "pdf") == 2


def test_the_output_file_is_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = write(tmp_path / "telemetry", everything())
    path = tmp_path / "coverage.json"
    assert run(telemetry, "--format", "json", "--output", str(path)) == 10
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["schema"] == "eightysix/coverage/v1"


def test_unreadable_input_is_a_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = write(tmp_path / "telemetry", everything())
    (tmp_path / "telemetry" / "broken.jsonl").write_text('{"process_exec": {"process"\n' * 3)
    assert run(telemetry, "--baseline", baseline(tmp_path, telemetry)) == 10
    told = capsys.readouterr()
    assert "part[unread]" in told.out
    assert "broken.jsonl:1: malformed" in told.err


@pytest.mark.parametrize("form", ["plain", "json", "markdown"])
def test_no_secret_comes_out(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = frozenset(
        "arguments binary path requestURI userAgent requestObject OperationName CorrelationId query dst module auditID"
        " function_name policy_name".split()
    )

    def planted(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: planted(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [planted(item, name) for item in value]
        if name == "log":
            return json.dumps(planted(json.loads(value)))
        return f"{value}{CANARY}" if name in places and isinstance(value, str) else value

    files = {name: planted(records) for name, records in everything().items()}
    telemetry = write(tmp_path / "telemetry", files)
    capsys.readouterr()
    assert run(telemetry, "-v", "--format", form) == 10
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
    assert "tetragon" in told.out


def test_a_store_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    assert run("--store", str(tmp_path / "none")) in (1, 2)
