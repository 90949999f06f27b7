"""`eightysix lab` as far as it needs no pod."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from eightysix.cli import lab
from eightysix.lab import recorded
from eightysix.lab.interface import Label
from eightysix.lab.pods import choice
from eightysix.lab.recorded import Recording
from eightysix.model.errors import LabError, UsageError

RECORDING = Recording(
    "attack-fast",
    Label("attack-fast", True, "contain", "how"),
    {"sensor.jsonl": b'{"v":1,"t_ns":1795440001000000000,"event":"import"}\n'},
)


def run(*arguments: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(prog="eightysix")
    lab.add_parser(parser.add_subparsers(dest="command"))
    parsed = parser.parse_args(["lab", *arguments])
    out, err = io.StringIO(), io.StringIO()
    return parsed.run(parsed, out, err), out.getvalue(), err.getvalue()


@pytest.fixture
def one_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "names", lambda: ("attack-fast",))
    monkeypatch.setattr(recorded, "open_recording", lambda name: RECORDING)


def test_the_list_is_one_line_a_scenario_and_the_same_in_json() -> None:
    code, out, _ = run("list")
    document = json.loads(run("list", "--format", "json")[1])
    assert code == 0
    assert document["schema"] == "eightysix/lab-scenarios/v1"
    rows = document["scenarios"]
    assert [line.split()[0] for line in out.splitlines()] == [row["name"] for row in rows]
    assert {"attack-86s", "attack-fast"} <= {row["name"] for row in rows if row["attack"]}
    assert any(not row["attack"] for row in rows)


def test_an_unknown_scenario_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no scenario is called nonsense"):
        run("run", "nonsense")


def test_where_nothing_can_be_run_the_recording_is_taken_and_both_reasons_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_recording: None
) -> None:
    monkeypatch.setattr(choice, "root_refusal", lambda: "not root")
    monkeypatch.setattr(choice, "rootless_refusal", lambda: "no setpriv (util-linux)")
    code, out, err = run("run", "attack-fast", "--output", str(tmp_path / "run"))
    assert code == 0
    assert err.splitlines() == [
        "eightysix: not possible here: root: not root",
        "eightysix: not possible here: rootless: no setpriv (util-linux)",
    ]
    assert out.startswith("attack-fast: ")
    assert "(replay tier)" in out
    assert "detection says: nothing; it was an attack, and contain is right" in out
    with pytest.raises(LabError, match="root: not root"):
        run("run", "attack-fast", "--tier", "root")


def test_a_replay_is_the_recorded_bytes_and_never_overwrites(tmp_path: Path, one_recording: None) -> None:
    folder = tmp_path / "run"
    code, out, _ = run("replay", "attack-fast", "--output", str(folder))
    assert code == 0
    assert out.splitlines()[0] == f"1 records of attack-fast in {folder}"
    assert (folder / "telemetry" / "sensor.jsonl").read_bytes() == RECORDING.files["sensor.jsonl"]
    with pytest.raises(UsageError, match="is not empty"):
        run("replay", "attack-fast", "--output", str(folder))


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_is_a_number_above_0(speed: str, one_recording: None) -> None:
    with pytest.raises(UsageError, match="--speed"):
        run("replay", "attack-fast", f"--speed={speed}")


def test_cleaning_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run("clean") == (0, "nothing was left\n", "")
