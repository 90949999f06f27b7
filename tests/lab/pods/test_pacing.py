"""A recording is written out again."""

from __future__ import annotations

from pathlib import Path

from eightysix.lab.interface import Label
from eightysix.lab.pods.pacing import moment, write_out

FILES = {
    "sensor.jsonl": b'{"t_ns":1795440001000000000}\n{"no":"time"}\n{"t_ns":1795440004000000000}\n',
    "kubernetes-audit.jsonl": b'{"stageTimestamp":"2026-11-23T13:20:03.000000Z"}\n',
}
LABEL = Label("a", True, "contain", "how")


def test_all_at_once_is_the_same_bytes(tmp_path: Path) -> None:
    assert write_out(FILES, LABEL, tmp_path, 0.0) == 4
    assert {name: (tmp_path / "telemetry" / name).read_bytes() for name in FILES} == FILES
    assert b'"contain"' in (tmp_path / "label.json").read_bytes()


def test_paced_lines_come_in_the_order_of_their_times_and_as_far_apart(tmp_path: Path) -> None:
    now = [100.0]
    came: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        came.append(
            (now[0] - 100.0, sum(len((tmp_path / "telemetry" / name).read_bytes()) for name in FILES))
        )

    write_out(FILES, LABEL, tmp_path, 2.0, clock=lambda: now[0], sleep=sleep)
    first = len(FILES["sensor.jsonl"].split(b'{"t_ns":1795440004')[0])
    assert came == [(1.0, first), (1.5, first + len(FILES["kubernetes-audit.jsonl"]))]
    assert {name: (tmp_path / "telemetry" / name).read_bytes() for name in FILES} == FILES


def test_moments_of_every_kind_of_record() -> None:
    at = 1_795_440_003_123_456_000
    assert moment(b'{"time":"2026-11-23T13:20:03.123456789Z"}') == at
    assert moment(b'{"TimeGenerated":"2026-11-23T13:20:03.123456Z"}') == at
    assert moment(b'{"t_ns":5}') == 5
    for line in (b"{}", b"[]", b"no", b'{"time":"yesterday"}', b'{"t_ns":-1}'):
        assert moment(line) == 0
