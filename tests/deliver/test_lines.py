"""Files of JSON Lines: whole lines or none, private, and never in the way of logrotate."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.model.errors import DeliveryError
from eightysix.serve.deliver.appending import append_lines
from eightysix.serve.deliver.interface import open_sink
from tests.deliver.samples import delivery


def test_each_revision_is_a_line(tmp_path: Path) -> None:
    for kind in ("jsonl", "ocsf"):
        sink = open_sink(f"{kind}:{tmp_path}/{kind}", {})
        sink.send([delivery(1), delivery(2)])
        sink.send([delivery(1, "r2")])
    lines = [json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()]
    assert [(line["incidents"][0]["id"][-1], line["incidents"][0]["revision"]) for line in lines] == [
        ("1", "r1"),
        ("2", "r1"),
        ("1", "r2"),
    ]
    findings = [json.loads(line) for line in (tmp_path / "ocsf").read_text().splitlines()]
    assert [finding["metadata"]["uid"][-4:] for finding in findings] == ["1/r1", "2/r1", "1/r2"]
    assert stat.S_IMODE((tmp_path / "ocsf").stat().st_mode) == 0o600


def test_a_file_that_was_moved_away_is_made_again(tmp_path: Path) -> None:
    sink = open_sink(f"jsonl:{tmp_path}/out", {})
    sink.send([delivery(1)])
    (tmp_path / "out").rename(tmp_path / "out.1")
    sink.send([delivery(2)])
    assert len((tmp_path / "out").read_text().splitlines()) == 1


def test_a_line_that_a_crash_left_torn_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "out").write_text('{"schema": "eighty')
    open_sink(f"jsonl:{tmp_path}/out", {}).send([delivery(1)])
    first, second = (tmp_path / "out").read_text().splitlines()
    assert first == '{"schema": "eighty'
    assert json.loads(second)["incidents"]


@pytest.mark.parametrize("name", ["", "absent/out"])
def test_what_cannot_be_written_is_tried_again(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeliveryError, match="cannot be written") as raised:
        append_lines(str(tmp_path / name), ["x"], "sink")
    assert not raised.value.permanent


def test_a_device_is_refused() -> None:
    with pytest.raises(DeliveryError, match="no regular file"):
        append_lines("/dev/full", ["x"], "sink")


def test_on_a_full_disk_no_half_of_a_line_stays(tmp_path: Path) -> None:
    # A limit on the size of files makes a real write fail half way.
    code = f"""
import resource, signal
from eightysix.model.errors import DeliveryError
from eightysix.serve.deliver.appending import append_lines
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
append_lines({str(tmp_path / "out")!r}, ["first"], "sink")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    append_lines({str(tmp_path / "out")!r}, ["x" * 5000], "sink")
except DeliveryError as error:
    print(error.what)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert (tmp_path / "out").read_text() == "first\n"
