"""Rows that are appended: durable, once, as their columns say, whatever they hold."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.errors import StateError, UsageError
from eightysix.model.table import Columns, Row
from eightysix.store.events.hot import Hot
from eightysix.store.events.ownership import StoreOwnedError
from eightysix.store.events.sealing import seal
from tests.store.events.rows import EVENTS, HOUR, T0, TABLES, row, rows, table


def opened(folder: Path, **more: object) -> Hot:
    return Hot(folder / "store", create=True, tables=TABLES, **more)  # type: ignore[arg-type]


def select(hot: Hot, sql: str) -> list[tuple[object, ...]]:
    with hot.reading() as cursor:
        return cursor.execute(sql).fetchall()


def test_what_was_appended_is_there_after_closing(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        assert hot.append("Pods", rows(100)) == 100
    with opened(tmp_path) as hot:
        assert select(hot, "SELECT count(*), count(DISTINCT Number), sum(Number) FROM Pods") == [
            (100, 100, 4950)
        ]


def test_values_come_out_as_they_went_in(tmp_path: Path) -> None:
    full = {
        "TimeGenerated": T0 + 1_500, "Namespace": "a\0b\"'é\U0001f600", "PodName": "", "Number": -(1 << 63), "Small": 7,
        "Share": 0.25, "Good": False, "Seen": T0, "Took": "1 day 00:00:01.5", "Id": "6f1c", "Detail": {"a": [1, None, "x"]},
    }  # fmt: skip
    with opened(tmp_path) as hot:
        hot.append("Pods", [full])
        moment = datetime(2026, 11, 23, 0, 0, 0, 1)
        assert select(hot, "SELECT * FROM Pods") == [
            (
                moment, moment, full["Namespace"], "", -(1 << 63), 7, 0.25, False, datetime(2026, 11, 23),
                timedelta(days=1, seconds=1.5), "6f1c", '{"a":[1,null,"x"]}',
            )
        ]  # fmt: skip


def test_the_same_rows_again_change_nothing_hot_sealed_or_in_one_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", [*rows(50), *rows(50)])
        hot.append("Pods", rows(60))
        seal(hot, T0, everything=True)
        assert hot.append("Pods", rows(70)) == 70
        assert select(hot, "SELECT count(*), count(DISTINCT Number) FROM Pods") == [(70, 70)]
        assert (hot.total.kept, hot.total.again) == (70, 50 + 50 + 60)


def test_rows_that_say_the_same_are_one_whatever_the_order_of_their_columns(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        one = row(1)
        hot.append(
            "Pods", [one, dict(reversed(list(one.items()))), {**one, "Good": None}, {**one, "Unknown": 1}]
        )
        named = {name: value for name, value in one.items() if name != "TimeGenerated"}
        hot.append("Pods", [{**named, "Timestamp": T0}])
        assert hot.total.kept == 1


def test_a_native_id_makes_a_row_the_same_wherever_it_was_read(tmp_path: Path) -> None:
    with Hot(tmp_path, create=True) as hot:
        one = {"TimeGenerated": T0, "EventId": "e1", "EvidenceFile": "tetragon.log", "EvidenceLine": 5}
        hot.append(
            "EightySixEvents_CL", [one, {**one, "EvidenceFile": "tetragon-2.log"}, {**one, "EventId": "e2"}]
        )
        assert hot.total.kept == 2


@pytest.mark.parametrize(
    ("odd", "kept", "misfits"),
    [
        ({"Number": "many"}, 1, 1),
        ({"Number": "12"}, 1, 0),
        ({"Number": 1 << 70}, 1, 1),
        ({"Small": 1 << 40}, 1, 1),
        ({"Good": "perhaps", "Share": []}, 1, 2),
        ({"Namespace": {"not": "text"}}, 1, 0),
        ({"Namespace": "lone \udc80"}, 1, 0),
        ({"Detail": {"\udc80": "\udc80"}}, 1, 0),
        ({"Seen": "2026-11-23T00:00:00Z"}, 1, 0),
        ({"Seen": "yesterday"}, 1, 1),
        ({"Took": "a while"}, 1, 0),
        ({"TimeGenerated": "2026-11-23T00:00:00Z"}, 1, 0),
        ({"TimeGenerated": "soon"}, 0, 0),
        ({"TimeGenerated": None}, 0, 0),
        ({"TimeGenerated": 1.5}, 0, 0),
        ({"TimeGenerated": True}, 0, 0),
        ({"TimeGenerated": 1}, 0, 0),
        ({"TimeGenerated": 1 << 63}, 0, 0),
        ({"Namespace": "x" * (5 << 20)}, 0, 0),
        ({"Detail": float("nan")}, 1, 0),
    ],
)  # fmt: skip
def test_an_odd_value_costs_itself_and_an_unusable_row_itself_alone(
    tmp_path: Path, odd: Row, kept: int, misfits: int
) -> None:
    with opened(tmp_path) as hot:
        assert hot.append("Pods", [row(1), {**row(2), **odd}, row(3)]) == 3
        assert (hot.total.kept, hot.total.refused, hot.total.misfits) == (2 + kept, 1 - kept, misfits)
        assert select(hot, "SELECT count(*) FROM Pods") == [(2 + kept,)]


def test_a_row_that_is_nested_too_deeply_is_left_out(tmp_path: Path) -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    with opened(tmp_path) as hot:
        hot.append("Pods", [{**row(1), "Detail": deep}, row(2)])
        assert (hot.total.kept, hot.total.refused) == (1, 1)


_TEXT = st.text("ab\0\udc80\"'{é", max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_NAMES = st.sampled_from(
    ["TimeGenerated", "Namespace", "Number", "Small", "Share", "Good", "Seen", "Took", "Id", "Detail"]
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hot]:
    with opened(tmp_path_factory.mktemp("store")) as hot:
        yield hot


@settings(max_examples=25)
@given(odd=st.lists(st.dictionaries(_NAMES, _VALUES, max_size=4), max_size=6))
def test_no_row_costs_another(shared: Hot, odd: list[Row]) -> None:
    before = shared.total.kept + shared.total.again + shared.total.refused
    offered = [row(1), *({**row(2), **one} for one in odd), row(3)]
    assert shared.append("Pods", offered) == len(offered)
    total = shared.total
    assert total.kept + total.again + total.refused == before + len(offered)
    assert select(shared, "SELECT count(*) FROM Pods") == [(total.kept,)]
    assert select(shared, "SELECT count(*) FROM Pods WHERE PodName IN ('pod-1', 'pod-3')") == [(2,)]
    kept = total.kept
    shared.append("Pods", offered)
    assert total.kept == kept


def test_a_table_that_nobody_described_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as hot, pytest.raises(UsageError, match="no table is called 'Nope'"):
        hot.append("Nope", [])


def test_a_table_that_got_columns_has_them(tmp_path: Path) -> None:
    from eightysix.model.table import ScalarType

    old = {"Pods": table("Pods", Number=ScalarType.INT, Gone=ScalarType.STRING)}
    with Hot(tmp_path, create=True, tables=old) as hot:
        hot.append("Pods", [{"TimeGenerated": T0, "Number": 1, "Gone": "x"}])
        seal(hot, T0, everything=True)
        hot.append("Pods", [{"TimeGenerated": T0, "Number": 2, "Gone": "y"}])
    with Hot(tmp_path, tables=TABLES) as hot:
        hot.append("Pods", [row(3)])
        assert select(hot, "SELECT Number, PodName FROM Pods ORDER BY Number") == [
            (1, None),
            (2, None),
            (3, "pod-3"),
        ]
        seal(hot, T0, everything=True)
        assert select(hot, "SELECT Number, PodName FROM Pods ORDER BY Number") == [
            (1, None),
            (2, None),
            (3, "pod-3"),
        ]
        with hot.reading() as cursor:
            cursor.execute("SELECT typeof(Number) FROM Pods")
            assert {kind for (kind,) in cursor.fetchall()} == {"BIGINT"}


def test_two_owners(tmp_path: Path) -> None:
    with opened(tmp_path, name="eightysix watch"), pytest.raises(StoreOwnedError) as caught:
        opened(tmp_path)
    assert caught.value.pid == os.getpid()
    assert (
        caught.value.what == f"the store {tmp_path}/store is owned by process {os.getpid()} (eightysix watch)"
    )
    assert "eightysix hunt run QUERY --store" in caught.value.advice
    opened(tmp_path).close()


def test_another_process_is_refused_too_and_a_killed_one_owns_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from eightysix.store.events.hot import Hot; hot = Hot(sys.argv[1], create=True); print('mine', flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(StoreOwnedError, match=f"process {other.pid}"):
            Hot(tmp_path)
        other.kill()
    Hot(tmp_path).close()


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(3))
    path = tmp_path / "store" / "store.json"
    newer = json.dumps({**json.loads(path.read_text()), "version": 2, "something": "new"})
    path.write_text(newer)
    with pytest.raises(StateError, match="is from a newer eightysix"):
        opened(tmp_path)
    assert path.read_text() == newer


@pytest.mark.parametrize("text", ["", "{", '{"version": 0, "key": ""}', '{"version": 1, "key": "zz"}', "[1]"])
def test_a_damaged_store_json_is_told(tmp_path: Path, text: str) -> None:
    opened(tmp_path).close()
    (tmp_path / "store" / "store.json").write_text(text)
    with pytest.raises(StateError, match=r"store\.json"):
        opened(tmp_path)


def test_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no store in"):
        Hot(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["a*", "a[1]", "what?"])
def test_a_path_that_stands_for_others_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="stands for other paths"):
        Hot(tmp_path / name, create=True)


def test_a_quote_in_the_path_is_a_letter_like_others(tmp_path: Path) -> None:
    with Hot(tmp_path / "it's; DROP", create=True, tables=TABLES) as hot:
        hot.append("Pods", rows(5))
        seal(hot, T0, everything=True)
        assert select(hot, "SELECT count(*) FROM Pods") == [(5,)]


def test_nobody_else_can_read_a_store(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with opened(tmp_path) as hot:
            hot.append("Pods", rows(50))
            seal(hot, T0, everything=True)
            hot.append("Pods", rows(50, first=100))
            for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_link_in_the_place_of_the_hot_file_is_not_followed(tmp_path: Path) -> None:
    opened(tmp_path).close()
    hot = tmp_path / "store" / "hot.duckdb"
    hot.rename(tmp_path / "elsewhere")
    hot.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is a link"):
        opened(tmp_path)


def test_a_damaged_hot_file_is_told_and_sealed_hours_outlive_it(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
    path = tmp_path / "store" / "hot.duckdb"
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(StateError, match=r"hot\.duckdb"):
        opened(tmp_path)
    path.unlink()
    with opened(tmp_path) as hot:
        assert select(hot, "SELECT count(*) FROM Pods") == [(30,)]
        hot.append("Pods", rows(40))
        seal(hot, T0 + 100 * HOUR)
        assert select(hot, "SELECT count(*), count(DISTINCT Number) FROM Pods") == [(40, 40)]


def test_readers_see_whole_batches_while_a_thread_appends_and_seals(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        stopped = threading.Event()
        seen: list[int] = []

        def read() -> None:
            while not stopped.is_set():
                seen.append(select(hot, "SELECT count(*) FROM Pods")[0][0])  # type: ignore[arg-type]

        reader = threading.Thread(target=read)
        reader.start()
        for start in range(0, 1000, 100):
            hot.append("Pods", rows(100, first=start))
            seal(hot, T0, everything=True)
        stopped.set()
        reader.join()
    assert all(count % 100 == 0 for count in seen)
    assert seen == sorted(seen)


def test_a_cursor_for_questions_writes_nothing(tmp_path: Path) -> None:
    import duckdb

    with opened(tmp_path) as hot:
        hot.append("Pods", rows(10))
        for statement in (
            'DELETE FROM hot."Pods"',
            'INSERT INTO hot."Pods" SELECT * FROM hot."Pods"',
            "DROP VIEW Pods",
            "CREATE TABLE t (a INT)",
            "ATTACH '/tmp/x.duckdb'",
            "SET enable_external_access = true",
            "SELECT * FROM read_text('/etc/passwd')",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "INSTALL httpfs",
        ):
            with hot.reading() as cursor, pytest.raises(duckdb.Error):
                cursor.execute(statement).fetchall()
        assert select(hot, "SELECT count(*) FROM Pods") == [(10,)]


def test_batches_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Hot(tmp_path, create=True, tables=TABLES) as hot:
        one, other = hot.batch("Pods"), hot.batch("Other")
        for each in rows(10):
            one.add(each)
        other.add({"TimeGenerated": T0, "Text": "x"})
        other.names.add("Nothing")  # no such column: its part of the transaction fails
        before = other.shape.json_columns
        other.shape.json_columns = lambda names: before(names)[:-1]  # type: ignore[method-assign]
        with pytest.raises(StateError):
            hot.commit(one, other)
        with hot.reading() as cursor:
            assert cursor.execute("SELECT count(*) FROM Pods").fetchall() == [(0,)]
        other.shape.json_columns = before  # type: ignore[method-assign]
        assert hot.commit(one, other) == 11
        assert hot.total.kept == 11
        with hot.reading() as cursor:
            assert cursor.execute("SELECT count(*) FROM Pods").fetchall() == [(10,)]


def test_columns_are_kept_as_rows_are(tmp_path: Path) -> None:
    """Whatever is in them: what does not fit, what is there twice, what has no id and what is too old."""
    offered: list[dict[str, object]] = [
        {"TimeGenerated": T0, "EventId": "a" * 32, "ProcessId": 1, "Chain": ["x"], "InInitTree": False},
        {"TimeGenerated": T0 + 1, "EventId": "b" * 32, "ProcessId": 2},
        {"TimeGenerated": T0 + 2, "EventId": "c" * 32, "ProcessId": "no number"},
        {"TimeGenerated": T0 + 1, "EventId": "b" * 32, "ProcessId": 2},
        {"TimeGenerated": 5, "EventId": "d" * 32},
        {"TimeGenerated": T0 + 3, "Namespace": "no id"},
        {"TimeGenerated": T0 + 4, "EventId": "e" * 32, "Namespace": "\ud800"},
    ]
    found = []
    for number, parts in enumerate(([offered[:2]], [offered[:2], offered[1:4]], [offered])):
        names = {name for part in parts for row in part for name in row}
        packed = [
            Columns(EVENTS, len(part), {name: [row.get(name) for row in part] for name in names})
            for part in parts
        ]
        with (
            Hot(tmp_path / f"rows-{number}", create=True) as one,
            Hot(tmp_path / f"columns-{number}", create=True) as other,
        ):
            one.append(EVENTS, [row for part in parts for row in part])
            batch = other.batch(EVENTS)
            for columns in packed:
                batch.add_columns(columns)
            other.commit(batch)
            assert other.total == one.total
            for hot in (one, other):
                with hot.reading() as cursor:
                    found.append(cursor.execute(f"SELECT * FROM {EVENTS} ORDER BY ALL").fetchall())
        assert found[-1] == found[-2]
    assert len(found[-1]) == 5
