"""The state database of `watch`: whole or not at all, and clear words for every kind of damage."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from eightysix.model.errors import StateError
from eightysix.store.live import VERSION, Commit, LiveStore, OutboxRow, SourceRow
from eightysix.store.sqlite_errors import StoreUnavailableError

AT = {"a.log": SourceRow(1, 2, "head", 300, b"rest")}


def test_what_is_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        store.commit(
            Commit(
                AT, [("pod", b"1"), ("pod", b"2")], {"other": b"whole"}, outbox=[OutboxRow("i", "r", b"{}")]
            )
        )
    with LiveStore(tmp_path / "s") as store:
        assert store.sources() == AT
        assert store.journal() == [("pod", b"1"), ("pod", b"2")]
        assert store.pods() == [("other", b"whole")]
        assert store.unsent() == store.told() == [OutboxRow("i", "r", b"{}")]


def test_a_snapshot_takes_the_place_of_the_journal(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        store.commit(Commit(None, [("pod", b"1")]))
        store.commit(Commit(None, [("pod", b"2")], {"pod": b"whole"}))
        assert (store.pods(), store.journal()) == ([("pod", b"whole")], [])
        store.commit(Commit(None, forgotten=["pod"]))
        assert store.pods() == []


def test_a_revision_is_sent_when_all_receivers_have_it(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        store.commit(Commit(None, outbox=[OutboxRow("i", "1", b"{}"), OutboxRow("i", "2", b"{}")]))
        store.mark([("a", "i", "1"), ("a", "i", "2")], ["a", "b"])
        assert [row.revision for row in store.unsent()] == ["1", "2"]
        assert store.delivered() == {("a", "i", "1"), ("a", "i", "2")}
        store.mark([("b", "i", "1")], ["a", "b"])
        assert [row.revision for row in store.unsent()] == ["2"]
        store.mark([("b", "i", "2")], ["a", "b"])
        assert store.unsent() == []
        assert store.delivered() == set()
        assert [(row.revision, row.sent) for row in store.told()] == [("2", True)]
        store.commit(Commit(None, ended=["i"]))
        assert store.told() == []


def test_a_story_that_comes_back_is_sent_again(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        for revision in ("1", "2", "1"):
            store.commit(Commit(None, outbox=[OutboxRow("i", revision, b"{}")]))
            store.mark([("a", "i", revision)] if revision == "2" else [], ["a"])
        assert [row.revision for row in store.unsent()] == ["1"]
        assert store.told()[0].revision == "1"


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "folder" / "s"):
        files = [tmp_path / "folder", *(tmp_path / "folder").iterdir()]
        assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files} == {0}


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s"), pytest.raises(StateError, match="in use by another process"):
        LiveStore(tmp_path / "s")
    with LiveStore(tmp_path / "s"):
        pass


def test_another_version_is_told(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s"):
        pass
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(
        StateError, match=f"has version {VERSION + 1}, and this release reads {VERSION}"
    ) as error:
        LiveStore(tmp_path / "s")
    assert "mv " in error.value.advice


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"This is no database.\n" * 500)
    with pytest.raises(StateError, match="is damaged") as error:
        LiveStore(tmp_path / "s")
    assert "move it away" in error.value.advice


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_damage_in_the_middle_is_told_at_the_start(part: float, tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        store.commit(Commit(AT, snapshots={f"pod {n}": os.urandom(2_000) for n in range(200)}))
    data = bytearray((tmp_path / "s").read_bytes())
    at = int(len(data) * part)
    data[at : at + 8_192] = b"\xff" * 8_192
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(StateError, match="is damaged"):
        LiveStore(tmp_path / "s")


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        store.commit(Commit(AT, snapshots={"pod": b"before"}))
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        large = Commit({}, snapshots={"pod": b"x" * 100_000})
        with pytest.raises(StoreUnavailableError, match="cannot be written") as error:
            store.commit(large)
        assert "make room" in error.value.advice
        assert (store.sources(), store.pods()) == (AT, [("pod", b"before")])
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.commit(large)
        assert store.pods() == [("pod", b"x" * 100_000)]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        LiveStore(tmp_path / "file" / "s")
