"""The scan ledger as detection opens it: read, never written, wherever it lies."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from eightysix.model.errors import StateError
from eightysix.store.ledger import FileRow, Ledger, LedgerView, VerdictRow

VERDICT = VerdictRow(
    digest="ba" * 32, rules_version="7", size=9, verdict="malicious", at=100, expires=200, result=b"long"
)
FILE = FileRow(host="n", dev=1, ino=2, size=9, mtime_ns=-5, digest="ba" * 32, at=100)


def test_what_a_scan_wrote_is_read_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "l ?#%.sqlite"
    with Ledger(path) as ledger:
        ledger.write([VERDICT], [FILE])
        with LedgerView(path) as view:
            (told,) = view.verdicts(0)
            assert (told.verdict, told.digest, told.at, told.expires) == (
                "malicious",
                VERDICT.digest,
                100,
                200,
            )
            assert told.result == b""
            assert list(view.files(100)) == [FILE]
            assert list(view.files(101)) == []
            assert list(view.verdicts(101)) == []


def test_reading_leaves_nothing_behind_on_a_volume_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.write([VERDICT], [FILE])
    path.chmod(0o400)
    folder.chmod(0o500)
    try:
        with LedgerView(path) as view:
            assert list(view.files(0)) == [FILE]
        assert os.listdir(folder) == ["ledger.sqlite"] or os.geteuid() == 0
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_ledger_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(StateError, match="scan ledger"):
        LedgerView(path)
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be read"):
        LedgerView(tmp_path / "ledger.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_another_layout_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
        connection.execute("CREATE TABLE verdict (x)")
    with pytest.raises(StateError, match="no scan ledger of layout 1"):
        LedgerView(path)


def test_tables_that_are_not_there_are_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE other (x)")
    with LedgerView(path) as view, pytest.raises(StateError, match="cannot be read"):
        list(view.verdicts(0))


def test_inodes_of_64_bits_come_back(tmp_path: Path) -> None:
    row = FileRow(host="n", dev=2**64 - 1, ino=2**63, size=1, mtime_ns=0, digest="ba" * 32, at=1)
    with Ledger(tmp_path / "l") as ledger:
        ledger.write([], [row])
    with LedgerView(tmp_path / "l") as view:
        assert list(view.files(0)) == [row]
