"""Several processes give the same results in the same order, and one that dies costs no more than its file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.scan import pool
from eightysix.scan.pool import scan_all
from eightysix.scan.scanner import Options, Result, scan_file
from eightysix.scan.walk import Found, walk


def files(folder: Path, count: int) -> list[Found]:
    for number in range(count):
        (folder / f"{number:04}").write_bytes(os.urandom(8) * (number % 7))
    return list(walk([str(folder)]))


def test_the_results_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    found = [*files(tmp_path, 40), Found("gone", "not there"), *files(tmp_path, 3)]
    alone = list(scan_all(found, Options, 1))
    assert list(scan_all(found, Options, 3)) == alone
    assert [result.file.path for result in alone] == [file.path for file in found]


def test_more_workers_than_files(tmp_path: Path) -> None:
    found = files(tmp_path, 2)
    assert list(scan_all(found, Options, 50)) == list(scan_all(found, Options, 1))
    assert list(scan_all([], Options, 50)) == []


def test_paths_that_are_no_text_come_back(tmp_path: Path) -> None:
    for name in (b"\xff", b"\xfe"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(b"x")
    results = list(scan_all(list(walk([str(tmp_path)])), Options, 2))
    assert [result.file.path[-6:] for result in results] == ["\\udcfe", "\\udcff"]


def test_a_worker_that_dies_costs_its_file_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = files(tmp_path, 9)

    def deadly(path: str, options: Options) -> Result:
        if path.endswith("0004"):
            os.kill(os.getpid(), signal.SIGKILL)
        if path.endswith("0006"):
            os._exit(3)
        return scan_file(path, options)

    with monkeypatch.context() as patched:
        patched.setattr(pool, "scan_file", deadly)
        results = list(scan_all(found, Options, 2))
    alone = list(scan_all(found, Options, 1))
    for number, (got, wanted) in enumerate(zip(results, alone, strict=True)):
        if number in (4, 6):
            assert [finding.rule for finding in got.findings] == ["reader-died"]
            assert (
                got.findings[0].why
                == f"the process that read it ended by {'SIGKILL' if number == 4 else 'an error'}"
            )
        else:
            assert got == wanted


def test_whoever_stops_asking_leaves_no_process(tmp_path: Path) -> None:
    found = files(tmp_path, 30)
    results = scan_all(found, Options, 3)
    first = next(results)
    results.close()  # type: ignore[attr-defined]
    assert replace(first, stamp=None).file.path == found[0].path
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        left = (0, 0)
    assert left == (0, 0)
