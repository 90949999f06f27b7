"""What programs print is bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.lab.pods import output
from eightysix.lab.pods.output import Log, Tail
from eightysix.model.errors import LabError


def test_the_end_of_long_output_is_kept_and_the_code_is_told() -> None:
    script = "import sys; sys.stdout.write('x' * 1_000_000); print('the end'); sys.exit(3)"
    done = Tail([sys.executable, "-c", script]).wait(60)
    assert done.code == 3
    assert done.output.endswith("xthe end\n")
    assert len(done.output) == output.MAX_TAIL


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(LabError, match="longer than 0 s"):
        Tail([sys.executable, "-c", "import time; time.sleep(60)"]).wait(0.2)


def test_what_a_command_left_running_is_not_waited_for() -> None:
    assert Tail(["sh", "-c", "sleep 3 & echo done"]).wait(20).output == "done\n"


def test_a_log_ends_at_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_LOG", 1000)
    process = subprocess.Popen([sys.executable, "-c", "print('y' * 100_000)"], stdout=subprocess.PIPE)
    log = Log(process, tmp_path / "logs" / "a.log")
    process.wait(60)
    log.close()
    assert (tmp_path / "logs" / "a.log").read_bytes() == b"y" * 1000
