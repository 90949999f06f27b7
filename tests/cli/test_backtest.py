"""`eightysix backtest` as a user runs it: the text, the JSON, the files that it writes, and what it refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from tests.serve.days import write_days


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(tmp_path_factory.mktemp("backtest") / "days")


def run(*arguments: str) -> int:
    try:
        return main(["backtest", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def report(capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    main([command, "--format", "json", *arguments])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_pages_of_days_gone_by_are_no_alarm(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(days)) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 pages on 5 days, 1 with the proposals")


def test_the_same_bytes_twice(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(days), "--format", "json") == 0
    first = capsys.readouterr().out
    assert run(str(days), "--format", "json") == 0
    assert capsys.readouterr().out == first
    assert json.loads(first)["schema"] == "eightysix/backtest/v1"


def test_what_was_written_works_as_was_told(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "proposals"
    assert run(str(days), "--write-proposals", str(folder)) == 0
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [path.name for path in files] == [
        "baseline.json",
        "credential-sweep-ml-inference.exception.yml",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    options = ("--baseline", str(folder / "baseline.json"), "--rules", str(folder / "rules.d"))
    told = report(capsys, "detect", str(days), *options)
    left = [i for i in told["incidents"] if i["verdict"] != "watch" and not i["suppressed_by"]]
    after = report(capsys, "backtest", str(days))["after"]["pages"]
    pages = [p for p in after if p["verdict"] != "watch" and not p["silenced_by"]]
    assert [i["id"] for i in left] == [p["incident"] for p in pages]


def test_nothing_that_is_there_is_written_over(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "baseline.json"
    mine.symlink_to(tmp_path / "elsewhere")  # a link that leads nowhere is there, too
    assert run(str(days), "--write-proposals", str(tmp_path)) == 2
    assert "is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["baseline.json"]


def test_a_folder_that_cannot_be_made_is_told(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.d").write_text("no folder")
    assert run(str(days), "--write-proposals", str(tmp_path)) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rules.d"]


def test_standard_input_cannot_be_read_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-") == 2
    assert "twice" in capsys.readouterr().err


@pytest.mark.parametrize("days_told", ["0", "366", "-1"])
def test_exceptions_last_a_year_at_most(days: Path, days_told: str) -> None:
    assert run(str(days), "--exception-days", days_told) == 2


def test_nothing_to_read_exits_3(tmp_path: Path) -> None:
    assert run(str(tmp_path / "absent")) == 3


def test_what_could_not_be_read_exits_10(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_days(tmp_path / "days")
    (tmp_path / "days" / "broken.jsonl").write_text('{"process_exec":{"process":{"pid":\n')
    assert run(str(tmp_path / "days")) == 10
    assert capsys.readouterr().err.count("broken.jsonl:1: malformed") == 1  # told once, though read twice
    assert run(str(tmp_path / "days"), "--exit-zero") == 0


def test_what_could_not_be_judged_exits_10(tmp_path: Path) -> None:
    write_days(tmp_path / "days")
    for path in (tmp_path / "days").rglob("tetragon.jsonl"):
        path.unlink()
    for path in (tmp_path / "days").rglob("sensor.jsonl"):
        path.unlink()
    assert run(str(tmp_path / "days")) == 10


def test_the_output_file_is_private(days: Path, tmp_path: Path) -> None:
    target = tmp_path / "backtest.txt"
    assert run(str(days), "--output", str(target)) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "proposed exceptions" in target.read_text()
