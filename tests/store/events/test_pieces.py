"""An hour of any size is sealed in pieces that fit into memory; together they are the hour."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.store.events.accounts import verify
from eightysix.store.events.compacting import compact
from eightysix.store.events.hot import Hot
from eightysix.store.events.pieces import HOUR_US, PIECES_AT_ONCE, Piece, gathered, pieces
from eightysix.store.events.sealing import seal
from eightysix.store.events.view import open_view
from tests.store.events.rows import HOUR, T0, TABLES, row, rows

IDS = 1 << 64


def opened(folder: Path, memory: str = "1GB") -> Hot:
    return Hot(folder, create=True, tables=TABLES, memory=memory)


def found(hot: Hot) -> tuple[int, int]:
    with hot.reading() as cursor:
        (count, distinct) = cursor.execute(
            "SELECT count(*), count(DISTINCT Number) FROM Pods"
        ).fetchone() or (0, 0)
    return int(count), int(distinct)


def spread(count: int, apart_ns: int, first: int = 0) -> list[dict[str, object]]:
    return [dict(row(first + number, T0 + number * apart_ns)) for number in range(count)]


@given(
    times=st.lists(st.integers(0, HOUR_US - 1).map(lambda us: us - us % 250_000), min_size=1, max_size=60),
    limit=st.integers(1, 20),
)
@settings(max_examples=40, deadline=None)
def test_pieces_are_the_hour_and_nothing_twice(times: list[int], limit: int) -> None:
    import duckdb

    hour = T0 // 1000 // HOUR_US
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (TimeGenerated TIMESTAMP, _RowId BIGINT)")
    for number, us in enumerate(times):
        connection.execute(
            "INSERT INTO t VALUES (make_timestamp(?), ?)",
            [hour * HOUR_US + us, (number * 0x9E3779B97F4A7C15 + (1 << 63)) % IDS - (1 << 63)],
        )
    made = pieces(connection, "t", hour, limit)
    counts = [
        int((connection.execute(f"SELECT count(*) FROM t {one.where}").fetchone() or (0,))[0]) for one in made
    ]
    connection.close()
    assert sum(counts) == len(times)
    assert all(one.rows <= limit for one in made)
    assert (made[0].first_us, made[-1].end_us) == (hour * HOUR_US, (hour + 1) * HOUR_US)
    for one, after in itertools.pairwise(made):
        if one.first_us == after.first_us:
            assert (one.end_us, one.high + 1) == (after.end_us, after.low)
        else:
            assert one.end_us == after.first_us
    groups = list(gathered(made, limit))
    assert [one for group in groups for one in group] == made
    assert all(len(group) <= PIECES_AT_ONCE for group in groups)
    assert all(sum(one.rows for one in group) <= limit for group in groups)


def test_a_whole_hour_is_a_piece_of_its_own() -> None:
    assert "_RowId" not in Piece(5, 5 * HOUR_US, 6 * HOUR_US, 1).where


def test_a_large_hour_becomes_segments_one_after_the_other_and_readers_see_each_row_once(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", spread(1000, HOUR // 1000))
        before = open_view(tmp_path, tables=TABLES, on_problem=lambda problem: None)
        assert seal(hot, T0 + 9 * HOUR, rows=300).rows == 1000
        segments = sorted(hot.manifest.segments, key=lambda one: one.first_us)
        assert [one.rows for one in segments] == [300, 300, 300, 100]
        assert all(one.last_us < after.first_us for one, after in itertools.pairwise(segments))
        assert found(hot) == (1000, 1000)
        assert before.execute("SELECT count(*) FROM Pods").fetchall() == [(0,)]  # the old, wholly
        before.close()
        hot.append("Pods", spread(1000, HOUR // 1000))
        assert found(hot) == (1000, 1000)
        assert (verify(hot).faults, verify(hot).strange) == ((), ())


def test_a_moment_with_too_many_rows_is_cut_by_their_ids(tmp_path: Path) -> None:
    with opened(tmp_path) as hot:
        hot.append("Pods", spread(1000, 0))
        assert seal(hot, T0 + 9 * HOUR, rows=300).segments == 4
        assert found(hot) == (1000, 1000)
        assert {one.first_us for one in hot.manifest.segments} == {T0 // 1000}


def test_what_was_cut_for_its_size_is_not_joined_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eightysix.store.events import compacting

    monkeypatch.setattr(compacting, "PIECE_ROWS", 300)
    with opened(tmp_path) as hot:
        hot.append("Pods", spread(1000, HOUR // 1000))
        seal(hot, T0, everything=True, rows=300)
        assert compact(hot, T0 + HOUR).before == 0
        hot.append("Pods", spread(150, HOUR // 150, first=1000))
        seal(hot, T0, everything=True)
        hot.append("Pods", spread(120, HOUR // 120, first=2000))
        seal(hot, T0, everything=True)
        done = compact(hot, T0 + HOUR)
        assert (done.before, done.after, done.rows) == (2, 1, 270)
        assert compact(hot, T0 + 72 * HOUR).before == 0
        assert found(hot) == (1270, 1270)


LITTLE = "24MB"


def test_where_memory_is_short_half_as_many_are_tried(tmp_path: Path) -> None:
    wide = 200
    with opened(tmp_path) as hot:
        for first in range(0, 60_000, 20_000):
            hot.append(
                "Pods",
                (
                    {**each, "TimeGenerated": T0 + first + n, "Detail": {"text": f"{first + n:06}" * wide}}
                    for n, each in enumerate(rows(20_000, first=first, hours=1))
                ),
            )
    with opened(tmp_path, LITTLE) as hot:
        done = seal(hot, T0, everything=True)
        assert done.rows == 60_000
        assert done.segments > 1
        assert list(hot.layout.work.glob("*.parquet")) == []
        assert found(hot) == (60_000, 60_000)
    with opened(tmp_path) as hot:
        on_disk = {str(path.relative_to(tmp_path)) for path in (tmp_path / "segments").rglob("*.parquet")}
        assert {one.path for one in hot.manifest.segments} == on_disk
        assert (verify(hot).faults, verify(hot).strange) == ((), ())
