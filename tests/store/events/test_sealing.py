"""Sealing, joining, deleting: where rows are changes, which rows there are does not, but for what is told as deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.model.errors import StateError
from eightysix.model.incident import Problem
from eightysix.model.table import ScalarType
from eightysix.store.events import compacting
from eightysix.store.events.accounts import stats, verify, verify_sealed
from eightysix.store.events.compacting import compact, remove_doomed
from eightysix.store.events.hot import Hot
from eightysix.store.events.retention import AGE, BUDGET, deletions, trim
from eightysix.store.events.sealing import LATE_S, seal
from eightysix.store.events.view import open_view
from tests.store.events.rows import HOUR, T0, TABLES, rows, table

DAY = 24 * HOUR


def opened(folder: Path) -> Hot:
    return Hot(folder, create=True, tables=TABLES)


def numbers(hot: Hot) -> list[int]:
    with hot.reading() as cursor:
        return [number for (number,) in cursor.execute("SELECT Number FROM Pods ORDER BY Number").fetchall()]


def read(
    folder: Path, sql: str = "SELECT count(*) FROM Pods"
) -> tuple[list[tuple[object, ...]], list[Problem]]:
    problems: list[Problem] = []
    connection = open_view(folder, tables=TABLES, on_problem=problems.append)
    try:
        return connection.execute(sql).fetchall(), problems
    finally:
        connection.close()


def test_an_hour_is_sealed_when_it_is_over_for_a_while(tmp_path: Path) -> None:
    late = LATE_S * 1_000_000_000
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))  # ten in each of the hours 0, 1, 2
        assert seal(hot, T0 + HOUR + late - 1).rows == 0
        assert seal(hot, T0 + HOUR + late).rows == 10
        assert seal(hot, T0 + 2 * HOUR + late - 1).rows == 0
        assert seal(hot, T0 + 9 * HOUR).rows == 20
        assert sorted(one.path for one in hot.manifest.segments) == [
            f"segments/Pods/day=2026-11-23/hour={hour:02}/{hour + 2}.parquet" for hour in range(3)
        ]
        assert numbers(hot) == list(range(30))


def test_segments_are_sorted_by_namespace_pod_and_time(tmp_path: Path) -> None:
    import duckdb

    with opened(tmp_path) as hot:
        hot.append("Pods", rows(500, hours=1))
        seal(hot, T0, everything=True)
        (one,) = hot.manifest.segments
    connection = duckdb.connect()
    found = connection.execute(
        "SELECT Namespace, PodName, TimeGenerated FROM read_parquet(?)", [str(tmp_path / one.path)]
    ).fetchall()
    connection.close()
    assert len(found) == 500
    assert found == sorted(found)


def test_what_comes_late_is_joined_to_its_hour_and_old_files_stay_a_while(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        for first in (0, 30, 60):
            hot.append("Pods", rows(30, first=first))
            seal(hot, T0, everything=True)
        before = [tmp_path / one.path for one in hot.manifest.segments]
        assert len(before) == 9
        view = open_view(tmp_path, tables=TABLES)
        done = compact(hot, T0 + HOUR)  # the day is not over
        assert (done.before, done.after, done.rows) == (9, 3, 90)
        assert view.execute("SELECT count(*) FROM Pods").fetchall() == [(90,)]
        view.close()
        assert all(path.exists() for path in before)
        assert verify(hot).strange == ()
        assert remove_doomed(hot, at_once=True) == 9
        assert not any(path.exists() for path in before)
        assert numbers(hot) == list(range(90))
        assert (verify(hot).faults, verify(hot).strange) == ((), ())


def test_a_small_day_that_is_over_becomes_one_segment(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
        assert compact(hot, T0 + DAY + HOUR).after == 0
        assert compact(hot, T0 + 2 * DAY).after == 1
        assert [one.path.rpartition("/")[0] for one in hot.manifest.segments] == [
            "segments/Pods/day=2026-11-23"
        ]
        assert compact(hot, T0 + 2 * DAY).after == 0
        assert numbers(hot) == list(range(30))
        assert hot.append("Pods", rows(40)) == 40
        assert numbers(hot) == list(range(40))


def test_segments_of_an_older_schema_stay_readable_alone_mixed_and_joined(tmp_path: Path) -> None:
    old = {"Pods": table("Pods", Number=ScalarType.INT, PodName=ScalarType.LONG, Gone=ScalarType.STRING)}
    with Hot(tmp_path, create=True, tables=old) as hot:
        hot.append("Pods", [{"TimeGenerated": T0, "Number": 1, "PodName": 7, "Gone": "x"}])
        seal(hot, T0, everything=True)
    want: list[tuple[object, ...]] = [(1, "7", None, None)]
    sql = "SELECT Number, PodName, Namespace, Detail FROM Pods ORDER BY Number"
    assert read(tmp_path, sql) == (want, [])
    want.append((2, "pod-2", "ns-2", '{"n":[2]}'))
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(1, first=2, hours=1))
        seal(hot, T0, everything=True)
        with hot.reading() as cursor:
            assert cursor.execute(sql).fetchall() == want
        assert compact(hot, T0 + 3 * DAY).before == 2
        with hot.reading() as cursor:
            assert cursor.execute(sql).fetchall() == want
    assert read(tmp_path, sql) == (want, [])
    with (
        Hot(tmp_path, tables=old) as hot,
        hot.reading() as cursor,
    ):  # what a column held once is not thrown away
        assert cursor.execute("SELECT Number, Gone FROM Pods ORDER BY Number").fetchall() == [
            (1, "x"),
            (2, None),
        ]


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "footer", "link", "folder"])
def test_a_damaged_segment_is_left_out_and_told(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
        bad = hot.manifest.segments[1].path
    path = tmp_path / bad
    data = path.read_bytes()
    if damage == "footer":
        _flip(path, len(data) - 20)
    elif damage in {"empty", "cut"}:
        path.write_bytes(data[: len(data) // 2 if damage == "cut" else 0])
    else:
        path.unlink()
        if damage == "link":
            (tmp_path / "elsewhere").write_bytes(data)
            path.symlink_to(tmp_path / "elsewhere")
        elif damage == "folder":
            path.mkdir()
    found, problems = read(tmp_path)
    assert found == [(20,)]
    assert [(problem.file, problem.kind) for problem in problems] == [(bad, "unreadable")]
    with opened(tmp_path) as hot:
        checked = verify(hot)
        assert [name for name, _ in checked.faults] == [bad]
        assert (checked.segments, checked.rows) == (2, 20)
        assert len(numbers(hot)) == 20
        assert stats(hot).tables[0].faults == 1
    if damage != "folder":
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with opened(tmp_path) as hot:  # it was put back
            assert verify(hot).faults == ()
            assert len(numbers(hot)) == 30


def test_a_flipped_byte_in_the_rows_is_found_by_verify_and_left_out_then(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
        bad = hot.manifest.segments[0].path
        _flip(tmp_path / bad, 40)
        assert verify_sealed(str(tmp_path), 1).faults == (
            (bad, "its bytes have changed since it was sealed"),
        )
        assert verify(hot).faults == ((bad, "its bytes have changed since it was sealed"),)
        assert len(numbers(hot)) == 20
    assert read(tmp_path)[0] == [(20,)]


def test_joining_stops_at_a_damaged_segment_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        for first in (0, 30):
            hot.append("Pods", rows(30, first=first))
            seal(hot, T0, everything=True)
        bad = next(one for one in hot.manifest.segments if "hour=01" in one.path)
        data = bytearray((tmp_path / bad.path).read_bytes())
        data[4:200] = bytes(196)
        (tmp_path / bad.path).write_bytes(data)
        done = compact(hot, T0 + HOUR)
        assert (done.after, done.left) == (2, 2)
        assert [one.path for one in hot.manifest.segments if one.fault] == [bad.path]
        assert len(numbers(hot)) == 50


def test_files_that_are_no_segments_are_neither_read_nor_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
        source = tmp_path / hot.manifest.segments[0].path
        copy = source.with_name("999.parquet")
        copy.write_bytes(source.read_bytes())
    with opened(tmp_path) as hot:
        assert verify(hot).strange == (str(copy.relative_to(tmp_path)),)
        assert len(numbers(hot)) == 30
    assert copy.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version":1,"shapes":{},"segments":[{}]}'])
def test_a_damaged_manifest_is_told_and_written_anew(tmp_path: Path, text: str) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(StateError, match=r"manifest\.json cannot be read"):
            verify_sealed(str(tmp_path), 1)
    assert read(tmp_path) == ([(30,)], [])
    opened(tmp_path).close()
    assert verify_sealed(str(tmp_path), 1).rows == 30


def test_what_is_too_old_goes_hot_or_sealed_and_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0 + 2 * HOUR + 1_800_000_000_000)  # hours 0 and 1
        hot.settings.retention_days = 1
        assert trim(hot, T0 + DAY) == []
        done = trim(hot, T0 + DAY + 2 * HOUR)
        assert [(one.table, one.rows, one.why) for one in done] == [("Pods", 20, AGE)] or [
            one.rows for one in done
        ] == [20]
        assert numbers(hot) == list(range(2, 30, 3))
        done = trim(hot, T0 + 2 * DAY)
        assert [(one.table, one.rows, one.why) for one in done] == [("Pods", 10, AGE)]
        assert numbers(hot) == []
        assert [(one.table, one.rows, one.why) for one in deletions(hot)] == [("Pods", 30, AGE)]


def test_of_too_much_the_oldest_go_first_and_a_greedy_table_before_all(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Other", [{"TimeGenerated": T0 - DAY, "Text": "old"}])
        hot.append("Pods", rows(3000))
        seal(hot, T0, everything=True)
        sizes = {one.path: one.bytes for one in hot.manifest.segments}
        total = sum(sizes.values())
        assert trim(hot, T0) == []
        hot.settings.budget_bytes = total - 1
        hot.settings.shares = {"Pods": 0.5}
        (gone,) = trim(hot, T0)
        assert (gone.table, gone.rows, gone.why) == ("Pods", 1000, BUDGET)
        assert gone.first_us == T0 // 1000
        hot.settings.shares = {}
        hot.settings.budget_bytes = sum(one.bytes for one in hot.manifest.segments) - 1
        assert [one.table for one in trim(hot, T0)] == ["Other"]
        left = {one.path for one in hot.manifest.segments}
        on_disk = {str(path.relative_to(tmp_path)) for path in (tmp_path / "segments").rglob("*.parquet")}
        assert left == on_disk
        assert len(numbers(hot)) == 2000


def test_a_view_of_a_time_leaves_out_what_lies_outside(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
    connection = open_view(tmp_path, tables=TABLES, since_ns=T0 + HOUR, until_ns=T0 + 2 * HOUR - 1)
    assert connection.execute("SELECT count(*) FROM Pods").fetchall() == [(10,)]
    connection.close()


def test_every_table_has_a_view_with_its_columns_before_there_is_a_row(tmp_path: Path) -> None:
    from eightysix.store.columns import local_columns
    from eightysix.store.tables import load

    Hot(tmp_path, create=True).close()
    connection = open_view(tmp_path)
    for known in load().values():
        found = connection.execute(f'DESCRIBE "{known.name}"').fetchall()
        assert [name for name, *_ in found] == [column.name for column in local_columns(known)]
        assert connection.execute(f'SELECT count(*) FROM "{known.name}"').fetchall() == [(0,)]
    connection.close()


def test_a_view_reaches_the_segments_and_nothing_else(tmp_path: Path) -> None:
    import duckdb

    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        seal(hot, T0, everything=True)
    (tmp_path / "secret.csv").write_text("a,b\n")
    connection = open_view(tmp_path, tables=TABLES)
    for statement in (
        f"SELECT * FROM read_text('{tmp_path}/store.json')",
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.duckdb'",
        'DELETE FROM hot."Pods"',
        "INSERT INTO hot.own.number VALUES (9)",
        "SET memory_limit = '64GB'",
        "SET enable_external_access = true",
        "LOAD httpfs",
        f"EXPORT DATABASE '{tmp_path}/export'",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement).fetchall()
    connection.close()
    assert not (tmp_path / "out.csv").exists()


def test_what_a_crash_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eightysix.store.events import sealing

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with opened(tmp_path) as hot:
        hot.append("Pods", rows(30))
        monkeypatch.setattr(sealing, "add_segments", crash)
        with pytest.raises(KeyboardInterrupt):
            seal(hot, T0, everything=True)
        monkeypatch.undo()
        assert len(list((tmp_path / "segments").rglob("*.parquet"))) == 3
        assert numbers(hot) == list(range(30))
    assert read(tmp_path)[0] == [(30,)]
    with opened(tmp_path) as hot:
        assert not list((tmp_path / "segments").rglob("*.parquet"))
        seal(hot, T0, everything=True)
        assert numbers(hot) == list(range(30))
        monkeypatch.setattr(compacting, "add_segments", crash)
        with pytest.raises(KeyboardInterrupt):
            compact(hot, T0 + 3 * DAY)
    monkeypatch.undo()
    with opened(tmp_path) as hot:
        assert verify(hot).strange == ()
        assert numbers(hot) == list(range(30))


def test_every_column_of_every_table_takes_its_type(tmp_path: Path) -> None:
    from eightysix.store.columns import local_columns
    from eightysix.store.tables import load

    values: dict[ScalarType, object] = {
        ScalarType.STRING: "text", ScalarType.GUID: "6f1c", ScalarType.TIMESPAN: "00:00:01", ScalarType.LONG: 1,
        ScalarType.INT: 1, ScalarType.REAL: 0.5, ScalarType.BOOL: True, ScalarType.DATETIME: T0, ScalarType.DYNAMIC: [1],
    }  # fmt: skip
    with Hot(tmp_path, create=True) as hot:
        for known in load().values():
            columns = local_columns(known)
            hot.append(known.name, [{column.name: values[column.type] for column in columns}])
        assert hot.total.misfits == hot.total.refused == 0
        seal(hot, T0, everything=True)
        for known in load().values():
            with hot.reading() as cursor:
                (found,) = cursor.execute(f'SELECT * FROM "{known.name}"').fetchall()
            assert None not in found, known.name
