"""SQLite databases: every stored value is looked at, and nothing of the file is executed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.scan.agent import sqlite
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.scanner import Options, scan_bytes, scan_file
from tests.scan.told import Recorder, found, rules, verdict

FIXTURES = Path(__file__).parent / "fixtures"
EVIL = msgspec.msgpack.encode({"x": msgspec.msgpack.Ext(0, msgspec.msgpack.encode(["os", "system", "x"]))})


def database(*statements: str, rows: dict[str, list[tuple[object, ...]]] | None = None) -> bytes:
    made = sqlite3.connect(":memory:", isolation_level=None)
    for statement in statements:
        made.execute(statement)
    for insert, values in (rows or {}).items():
        made.executemany(insert, values)
    return made.serialize()


def test_what_langgraph_itself_wrote_is_clean() -> None:
    result = scan_file(str(FIXTURES / "checkpoints.langgraph"))
    assert (result.file.format, result.file.verdict) == ("sqlite", "clean")


def test_one_bad_row_in_a_real_database(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes((FIXTURES / "checkpoints.langgraph").read_bytes())
    with sqlite3.connect(path) as changed:
        changed.execute("UPDATE writes SET value = ?", (EVIL,))
    changed.close()
    result = scan_file(str(path))
    assert [(one.rule, one.member) for one in result.findings] == [("checkpoint-gadget", "writes.value")]


@pytest.mark.parametrize("kind", ["msgpack", "json", "other", None])
def test_the_type_beside_a_value_does_not_hide_it(kind: str | None) -> None:
    value = (
        json.dumps({"lc": 2, "type": "constructor", "id": ["os", "system"]}).encode()
        if kind == "json"
        else EVIL
    )
    data = database(
        "CREATE TABLE t (type TEXT, v BLOB)", rows={"INSERT INTO t VALUES (?, ?)": [(kind, value)]}
    )
    assert rules(data) == {"checkpoint-gadget"}


def test_pickles_in_any_column_are_handed_on() -> None:
    pickle = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R."
    data = database(
        "CREATE TABLE 'a\"b' (x, y)",
        rows={"INSERT INTO 'a\"b' VALUES (?, ?)": [(1, b"PK\5\6" + b"\0" * 18), (2, EVIL)]},
    )
    scan = Recorder()
    scan.read(Artifact(data, "file"))
    assert [member for member, _data in scan.parts][-1] == 'a"b.y'
    assert pickle[:2] == b"\x80\x04"


def test_everyday_values_are_clean() -> None:
    rows: list[tuple[object, ...]] = [("a text", b"\x01\x02\x03\x04\x05", '{"a": 1}', None, 1.5)] * 50
    data = database("CREATE TABLE t (a, b, c, d, e)", rows={"INSERT INTO t VALUES (?, ?, ?, ?, ?)": rows})
    assert verdict(data) == "clean"


def test_views_triggers_and_generated_columns_are_not_run() -> None:
    data = database(
        "CREATE TABLE t (a TEXT, b TEXT GENERATED ALWAYS AS (upper(a)) VIRTUAL)",
        "INSERT INTO t (a) VALUES ('x')",
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",
        "CREATE VIRTUAL TABLE f USING fts5(x)",
    )
    assert verdict(data) == "clean"


def test_a_header_that_asks_for_a_log_is_read_all_the_same() -> None:
    data = bytearray(database("CREATE TABLE t (v BLOB)", rows={"INSERT INTO t VALUES (?)": [(EVIL,)]}))
    data[18:20] = b"\x02\x02"
    assert rules(bytes(data)) == {"checkpoint-gadget"}


def test_a_log_of_changes_is_told() -> None:
    assert rules(b"\x37\x7f\x06\x82\x00\x2d\xe2\x18" + b"\0" * 24) == {"database-unmerged"}


def test_a_large_database_is_read_in_place_and_one_inside_of_something_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "COPIED", 1000)
    path = tmp_path / "a?b#c%20.db"
    path.write_bytes(database("CREATE TABLE t (v BLOB)", rows={"INSERT INTO t VALUES (?)": [(EVIL,)]}))
    assert [one.rule for one in scan_file(str(path)).findings] == ["checkpoint-gadget"]
    scan = Recorder()
    scan.descend(Artifact(b"", "file").unpacked("inner.db", path.read_bytes()))
    assert [one.rule for one in scan.findings] == ["too-much"]


def test_work_is_bounded() -> None:
    rows: list[tuple[object, ...]] = [(number,) for number in range(20_000)]
    data = database("CREATE TABLE t (v)", rows={"INSERT INTO t VALUES (?)": rows})
    result = scan_bytes(data, "file", Options(limits=Limits(steps=50_000)))
    assert [one.rule for one in result.findings] == ["too-much"]


REAL = database(
    "CREATE TABLE t (type TEXT, v BLOB)", rows={"INSERT INTO t VALUES (?, ?)": [("msgpack", EVIL)] * 20}
)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(16, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=30))
def test_damaged_pages_never_end_in_a_crash_of_the_reader(changes: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for place, value in changes:
        data[place] = value
    assert "reader-failed" not in {one.rule for one in found(bytes(data)).findings}
