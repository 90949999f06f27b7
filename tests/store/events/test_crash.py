"""A store's owner that is killed, or that finds no room: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.store_crash import PHASES, Life, faults_of
from eightysix.store.events.accounts import verify
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.sqlite_errors import StoreUnavailableError
from tests.store.events.rows import T0, TABLES, rows
from tests.tiers import require_tier

KILLS = 3
SIZE = 500


@pytest.mark.parametrize("phase", PHASES)
def test_killed_at_any_moment(tmp_path: Path, phase: str) -> None:
    acknowledged = 0
    for number in range(KILLS):
        life = Life(str(tmp_path), acknowledged, SIZE)
        life.kill_in(phase, number % 2, 0.004 * number)
        acknowledged = life.acknowledged
        assert faults_of(str(tmp_path), acknowledged, SIZE) == []
    assert acknowledged > 0


_LIMITED = """
import resource, signal, sys
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.sqlite_errors import StoreUnavailableError
from tests.store.events.rows import T0, TABLES, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Hot(sys.argv[1], create=True, tables=TABLES) as hot:
    hot.append("Pods", rows(2000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    there = 2000
    try:
        while there < 22000:
            hot.append("Pods", rows(int(sys.argv[2]), first=there))
            there += int(sys.argv[2])
        print("kept")
    except StoreUnavailableError as error:
        print(error.what)
    with hot.reading() as cursor:
        print(cursor.execute("SELECT count(*) FROM Pods").fetchall() == [(there,)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    hot.append("Pods", rows(20000, first=2000))
    with hot.reading() as cursor:
        print(cursor.execute("SELECT count(*), count(DISTINCT Number) FROM Pods").fetchall())
"""


@pytest.mark.parametrize("batch", [20_000, 100])  # too large for the lines; for DuckDB's log alone
def test_a_file_that_may_not_grow_is_told_and_writing_goes_on_when_it_may(tmp_path: Path, batch: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path), str(batch)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"the store {tmp_path} cannot be written: the disk is full",
        "True",
        "[(22000, 22000)]",
    ]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tempfile.mkdtemp(prefix="eightysix-disk-")
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], capture_output=True, check=False
        ).returncode
        == 0
    )  # fmt: skip
    if not mounted:
        os.rmdir(folder)
        require_tier("root", "mounting a small disk needs root")
    yield Path(folder)
    subprocess.run(["umount", folder], check=True)
    os.rmdir(folder)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))


@pytest.mark.tier("root")
def test_a_full_disk_is_told_the_rest_stays_readable_and_room_is_used(small_disk: Path) -> None:
    with Hot(small_disk / "store", create=True, tables=TABLES) as hot:
        hot.append("Pods", rows(3000))
        seal(hot, T0, everything=True)
        acknowledged = hot.append("Pods", rows(3000, first=3000)) + 3000
        ballast = small_disk / "ballast"
        fill(ballast)
        with pytest.raises(StoreUnavailableError, match="the disk is full"):
            hot.append("Pods", rows(30_000, first=6000))
        with pytest.raises(StoreUnavailableError):
            seal(hot, T0, everything=True)
        with hot.reading() as cursor:
            assert cursor.execute("SELECT count(*), count(DISTINCT Number) FROM Pods").fetchall() == [
                (acknowledged, acknowledged)
            ]
        ballast.unlink()
        hot.append("Pods", rows(30_000, first=6000))
        seal(hot, T0, everything=True)
        with hot.reading() as cursor:
            assert cursor.execute("SELECT count(*), count(DISTINCT Number) FROM Pods").fetchall() == [
                (36_000, 36_000)
            ]
    with Hot(small_disk / "store", tables=TABLES) as hot:
        assert (verify(hot).faults, verify(hot).strange) == ((), ())
