"""Records of the sensors on the injected clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eightysix.lab.pods.leaps import Leap, Leaps, finish_file

SECOND = 1_000_000_000
T0 = 1_795_440_000 * SECOND  # 2026-11-23T13:20:00Z
LEAPS = Leaps([Leap(T0 + 20 * SECOND, 60), Leap(T0 + 10 * SECOND, 3600)])


def exported(second: float, started: float) -> dict[str, Any]:
    def stamp(at: float) -> str:
        return f"2026-11-23T13:20:{at:012.9f}Z"

    return {
        "process_exec": {
            "process": {
                "pid": 7,
                "start_time": stamp(second),
                "pod": {"name": "a", "container": {"start_time": stamp(started)}},
            },
            "parent": {"pid": 1, "start_time": stamp(started)},
        },
        "time": stamp(second),
    }


def test_each_time_moves_by_the_leaps_before_it() -> None:
    record = exported(15.5, 5.25)
    LEAPS.tetragon(record)
    process = record["process_exec"]["process"]
    assert record["time"] == "2026-11-23T14:20:15.500000000Z"
    assert process["start_time"] == record["time"]
    assert process["pod"]["container"]["start_time"] == "2026-11-23T13:20:05.250000000Z"
    assert record["process_exec"]["parent"]["start_time"] == "2026-11-23T13:20:05.250000000Z"
    later = exported(25, 15)
    LEAPS.tetragon(later)
    assert later["time"] == "2026-11-23T14:21:25.000000000Z"
    assert later["process_exec"]["parent"]["start_time"] == "2026-11-23T14:20:15.000000000Z"


def test_what_was_installed_before_a_leap_is_older_after_it() -> None:
    record: dict[str, Any] = {
        "t_ns": T0 + 15 * SECOND,
        "dists": [{"name": "old", "age_s": 12.5}, {"name": "new", "age_s": 2.0}, {"name": "unknown"}],
    }
    LEAPS.sensor(record)
    assert record["t_ns"] == T0 + 3615 * SECOND
    assert [dist.get("age_s") for dist in record["dists"]] == [3612.5, 2.0, None]


def test_a_file_moves_whole_and_keeps_what_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "sensor.jsonl"
    file.write_bytes(b'{"t_ns":%d}\nhalf a li\n[1]\n' % (T0 + 11 * SECOND))
    assert finish_file(file, LEAPS) == 0
    assert file.read_bytes() == b'{"t_ns":%d}\nhalf a li\n[1]\n' % (T0 + 3611 * SECOND)
    assert list(tmp_path.iterdir()) == [file]


def test_without_leaps_not_a_byte_changes(tmp_path: Path) -> None:
    file = tmp_path / "tetragon.jsonl"
    text = json.dumps(exported(15, 5), indent=None).encode() + b"\n"
    file.write_bytes(text)
    assert finish_file(file, Leaps([]), "--root /x ") == 0
    assert file.read_bytes() == text


def test_what_the_runtime_itself_did_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "tetragon.jsonl"
    ours, its = exported(15, 5), exported(16, 5)
    ours["process_exec"]["process"]["arguments"] = "/app/server.py --root /run/lab/1/runtime exec"
    its["process_exec"]["process"]["arguments"] = "--root /run/lab/1/runtime exec c python"
    file.write_text(json.dumps(ours) + "\n" + json.dumps(its) + "\n")
    assert finish_file(file, Leaps([]), "--root /run/lab/1/runtime ") == 1
    assert file.read_text() == json.dumps(ours) + "\n"
