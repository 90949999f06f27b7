"""Outputs: private, whole or not at all, and never in the place of something that is no file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from eightysix.cli.files import write_private
from eightysix.model.errors import UsageError


def test_a_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    write_private(str(target), "after")
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("after", 0o600)
    assert os.listdir(tmp_path) == ["out"]


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    """A device in whose place a file is put is gone for everybody: `--output /dev/null`, as root."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    write_private(str(pipe), b"x" * 200_000)
    reader.join(10)
    assert heard == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_private(str(tmp_path / "link"), "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "x"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_private(str(tmp_path / "gone" / "out"), "x")
    with pytest.raises(UsageError, match="cannot be written"):
        write_private(str(tmp_path), "x")
