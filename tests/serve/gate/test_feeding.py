"""The feed goes on where its last whole line ends, and a line that was cut off spoils no other."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from eightysix.gate.feed import line, of_move
from eightysix.model.errors import StateError
from eightysix.model.gate import Channel, TagMove
from eightysix.serve.gate.feeding import FeedFile, last_told


def told(sequence: int) -> bytes:
    move = TagMove(
        sequence=sequence,
        registry="a.example",
        repository="ml/llm",
        tag="prod",
        digest=f"sha256:{sequence:064x}",
        previous="",
        seen_ns=sequence,
        told_ns=0,
        channel=Channel.RECONCILER,
        event_id="",
    )
    return line(of_move(move, ()))


def test_nothing_was_told_where_there_is_no_file(tmp_path: Path) -> None:
    assert last_told(tmp_path / "feed") == 0


def test_a_torn_last_line_is_told_again_and_is_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.write_bytes(told(1) + told(2) + told(3)[:40])
    assert last_told(path) == 2
    file = FeedFile(path)
    file.write(told(3))
    file.close()
    assert last_told(path) == 3
    assert path.read_bytes().splitlines(keepends=True)[-1] == told(3)


def test_a_full_disk_glues_no_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    file = FeedFile(path)
    file.write(told(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
        with pytest.raises(StateError, match="File too large"):
            file.write(told(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert last_told(path) == 1
    file.write(told(2))
    file.close()
    assert last_told(path) == 2
    assert path.read_bytes().splitlines(keepends=True)[-1] == told(2)
    assert os.stat(path).st_mode & 0o777 == 0o600
