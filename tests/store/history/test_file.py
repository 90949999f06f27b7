"""The file: whatever happens to it, what was acknowledged is there, and what is wrong is told."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from eightysix.model.errors import StateError
from eightysix.store.history import GateHistory, file
from eightysix.store.history.layout import VERSION, upgrade
from eightysix.store.sqlite_errors import StoreUnavailableError
from tests.store.history.made import PROD, Clock, digest, event, opened

NAME = "gate.sqlite"


def test_only_we_can_read_it(tmp_path: Path) -> None:
    with opened(tmp_path / "new") as history:
        history.take([event("a")])
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, f"{NAME}-shm": 0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_writes_are_flushed(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        assert history._writer is not None
        assert history._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert history._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE move SET digest = 'x'",
        "DELETE FROM move",
        "INSERT OR REPLACE INTO move SELECT 1, registry, repository, tag, 'x', '', 0, 0, '', '', '', '', '', 1 FROM move",
        "INSERT INTO move SELECT 7, registry, repository, tag, 'x', '', 0, 0, '', '', '', '', '', 1 FROM move",
        "UPDATE seen SET id = 'x'",
        "DELETE FROM stray",
        "UPDATE change SET why = 'x'",
        "INSERT OR REPLACE INTO change SELECT 1, 0, '', '', '', '', CAST('{}' AS BLOB), '', ''",
        "DELETE FROM decision",
        "UPDATE signature SET run = ''",
        "DELETE FROM confirmation",
    ],
)
def test_what_happened_is_not_rewritten(tmp_path: Path, sql: str) -> None:
    from tests.store.history.test_judged import change, decision, signature

    with opened(tmp_path) as history:
        history.take([event("a", told_s=2), event("b", told_s=1)])
        history.record(event("a"), confirmed=True)
        history.append_change(change("approve"))
        history.decide(decision("d"))
        history.sign("s", digest("a"), [(signature("1"), "r")])
    database = sqlite3.connect(tmp_path / NAME)
    with pytest.raises(sqlite3.IntegrityError, match="rows of"):
        database.execute(sql)
    database.close()


def test_another_process_reads_while_we_write(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from eightysix.model.gate import Reference
from eightysix.store.history import GateHistory
with GateHistory.open(Path(sys.argv[1]), time.time_ns, read_only=True) as history:
    print(len(history.history(Reference("registry.acme.example", "ml/llm", "prod"))))
"""
    with opened(tmp_path) as history:
        history.take([event("a"), event("b")])
        with history._write() as database:
            database.execute("INSERT INTO confirmation VALUES (1, 1)")  # a transaction that is open
            done = subprocess.run(
                [sys.executable, "-c", code, tmp_path / NAME], capture_output=True, text=True, check=True
            )
    assert done.stdout == "2\n"


def test_who_only_reads_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        history.take([event("a")])
    (tmp_path / NAME).chmod(0o400)
    with GateHistory.open(tmp_path / NAME, Clock(), read_only=True) as reader:
        assert reader.current(PROD) is not None
        with pytest.raises(StateError, match="opened to be read"):
            reader.take([event("b")])


def test_a_volume_that_is_mounted_read_only_is_read(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        history.take([event("a")])
    (tmp_path / NAME).chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with GateHistory.open(tmp_path / NAME, Clock(), read_only=True) as reader:
            assert reader.current(PROD) is not None
    finally:
        tmp_path.chmod(0o700)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no history"):
        GateHistory.open(tmp_path / "none.sqlite", Clock(), read_only=True)
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(StateError, match="no history of the gate"):
        GateHistory.open(tmp_path / "empty.sqlite", Clock(), read_only=True)


def test_two_processes_write_and_nothing_is_lost(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:

        def write(history: GateHistory, name: str) -> None:
            for n in range(50):
                history.take([event(f"{name}{n}")])

        threads = [
            threading.Thread(target=write, args=pair) for pair in ((one, "a"), (other, "b"), (one, "c"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [move.sequence for move in one.history(PROD)] == list(range(1, 151))


def test_a_lock_that_nobody_gives_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "BUSY_MS", 50)
    with opened(tmp_path) as history:
        holder = sqlite3.connect(tmp_path / NAME, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="in use by another process") as caught:
            history.take([event("a")])
        assert "sent or asked again" in caught.value.advice
        assert history.current(PROD) is None  # reading goes on
        holder.execute("ROLLBACK")
        holder.close()
        assert history.record(event("a")) is not None


def test_a_full_disk_is_told_and_costs_nothing_that_was_written(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        assert history._writer is not None
        history.take([event("a")])
        pages = history._writer.execute("PRAGMA page_count").fetchone()[0]
        history._writer.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(StoreUnavailableError, match="disk is full"):
            history.take([event(f"x{n}", tag=f"t{n}") for n in range(500)])
        assert [move.digest for move in history.moves()] == [digest("a")]  # all of a delivery or nothing
        history._writer.execute("PRAGMA max_page_count = 1000000")
        assert history.record(event("x0", tag="t0")) is not None  # and the sender may come again


def test_a_file_that_cannot_grow_is_told_and_costs_nothing(tmp_path: Path) -> None:
    code = """
import resource, signal, sys, time
from pathlib import Path
from eightysix.store.history import GateHistory
from eightysix.store.sqlite_errors import StoreUnavailableError
from tests.store.history.made import event
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with GateHistory.open(Path(sys.argv[1]), time.time_ns) as history:
    history.take([event("a")])
    size = Path(sys.argv[1] + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, resource.RLIM_INFINITY))
    try:
        history.take([event(f"x{n}", tag=f"t{n}") for n in range(500)])
    except StoreUnavailableError as error:
        print(error.what)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    history.take([event("b")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / NAME], capture_output=True, text=True, check=True
    )
    assert "cannot be written: the disk" in done.stdout
    with opened(tmp_path) as history:
        assert [move.digest for move in history.moves()] == [digest("a"), digest("b")]


def test_killed_twenty_times_it_has_every_row_that_was_acknowledged(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from eightysix.store.history import GateHistory
from tests.store.history.made import event
with GateHistory.open(Path(sys.argv[1]), time.time_ns) as history:
    for n in range(10**9):
        name = f"{sys.argv[2]}-{n}"
        history.take([event(name, tag="a"), event(name + "x", tag="b")])
        print(name, flush=True)
"""
    chance = random.Random(86)
    acknowledged: list[str] = []
    for turn in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / NAME, str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged.append(child.stdout.readline().strip())
        time.sleep(chance.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        acknowledged += [line for line in child.stdout.read().split("\n")[:-1] if line]
        child.wait()
        child.stdout.close()
    with opened(tmp_path) as history:
        moves = list(history.moves())
        for tag, end in (("a", ""), ("b", "x")):
            there = {move.event_id for move in moves if move.tag == tag}
            assert {name + end for name in acknowledged} <= there
        assert len(moves) % 2 == 0  # no half of a delivery
        assert [move.sequence for move in moves] == list(range(1, len(moves) + 1))
        assert history.record(event("after")) is not None
    assert len(acknowledged) >= 20


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9])
def test_damage_is_told_and_the_file_left_alone(part: float, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with opened(tmp_path) as history:
        history.take([event(str(n), tag=f"t{n}") for n in range(400)])
    data = bytearray(path.read_bytes())
    at = int(len(data) * part) // 4096 * 4096
    data[at : at + 4096] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(StateError, match="damaged") as caught:
        opened(tmp_path)
    assert f"mv {path}" in caught.value.advice
    assert path.read_bytes() == data


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"\0" * 84])
def test_what_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(StateError):
            GateHistory.open(tmp_path / NAME, Clock(), read_only=read_only)
    assert (tmp_path / NAME).read_bytes() == content


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / NAME)
    database.execute("CREATE TABLE mine (x)")
    database.close()
    with pytest.raises(StateError, match="something else"):
        opened(tmp_path)


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    database = sqlite3.connect(tmp_path / NAME)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(StateError, match="newer eightysix"):
        opened(tmp_path)


def test_an_older_layout_is_brought_up_in_place(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        history.take([event("a")])
        (row,) = history.moves()
    old = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    upgrade(old, until=1)
    values = tuple(getattr(row, name) for name in row.__struct_fields__)
    old.execute("INSERT INTO move VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    assert old.execute("SELECT count(*) FROM sqlite_master WHERE name = 'decision'").fetchone() == (0,)
    old.close()
    with pytest.raises(StateError, match="in layout 2"):
        GateHistory.open(tmp_path / "old.sqlite", Clock(), read_only=True)
    with GateHistory.open(tmp_path / "old.sqlite", Clock()) as history:
        assert list(history.moves()) == [row]
        assert history.decisions() == ()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be opened"):
        opened(tmp_path / "file")


def test_an_entry_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    opened(tmp_path).close()
    database = sqlite3.connect(tmp_path / NAME)
    database.execute("INSERT INTO entry VALUES ('1', 's', 'active', CAST('{' AS BLOB))")
    database.commit()
    database.close()
    with opened(tmp_path) as history, pytest.raises(StateError, match="a baseline entry"):
        history.entries(["s"])
