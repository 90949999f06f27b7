"""Snapshots of postures in a store: whole or not there, the same again, and told apart when something is missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from eightysix.model.errors import StateError, UsageError
from eightysix.model.posture import Edge, Posture
from eightysix.model.timestamps import to_ns
from eightysix.posture import rows
from eightysix.posture.rows import EDGES, REST, head_of, head_row, rows_of, snapshot_id
from eightysix.serve.posturestore import age_word, load, save, snapshots
from eightysix.store.events.hot import Hot
from eightysix.store.events.retention import trim
from eightysix.store.events.sealing import seal
from tests.posture.postures import postures

ROOT = Path(__file__).resolve().parents[2]
EMPTY = Posture("aks", "2026-11-20T00:00:00Z", (), (), (), (), (), (), ())
DAY = 86_400_000_000_000


def large(edges: int = 300, taken_at: str = "2026-11-20T00:00:00Z") -> Posture:
    return Posture(
        "aks",
        taken_at,
        (),
        (),
        (),
        tuple(Edge("HOLDS", f"a{number}", "b") for number in range(edges)),
        (),
        (),
        (),
    )


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=postures(cut=True))
def test_it_is_the_same_again(tmp_path: Path, one: Posture) -> None:
    folder = str(tmp_path / "kept")
    kept = save(folder, one)
    assert load(folder, kept.id).posture == one
    assert save(folder, one) == msgspec.structs.replace(kept, again=True)


def test_sealed_rows_and_rows_of_now_are_one(tmp_path: Path) -> None:
    folder = str(tmp_path)
    save(folder, large())
    with Hot(folder) as hot:
        assert seal(hot, time.time_ns(), everything=True).rows == 0  # they were sealed with their hour
    save(folder, msgspec.structs.replace(large(), taken_at=""))
    newest, oldest = snapshots(folder)
    assert to_ns(newest.taken_at) > to_ns(oldest.taken_at)
    assert load(folder, oldest.id).posture == large()
    assert load(folder).posture.edges == large().edges


def test_snapshots_are_named_by_age_id_and_time(tmp_path: Path) -> None:
    folder = str(tmp_path)
    ids = [save(folder, large(3, f"2026-11-{day:02}T00:00:00Z")).id for day in (3, 1, 2)]
    order = [ids[0], ids[2], ids[1]]
    assert [head.id for head in snapshots(folder)] == order
    assert [load(folder, name).head.id for name in ("last", "last~1", "~2", "")] == [*order, order[0]]
    assert load(folder, "2026-11-02T23:59:59Z").head.id == ids[2]
    assert load(folder, ids[1][:8]).head.id == ids[1]
    for name in ("last~3", "2026-10-31T00:00:00Z", "ffff", "\x1b[31m"):
        with pytest.raises(UsageError):
            load(folder, name)


def test_ages_are_told_in_words() -> None:
    head = head_of(EMPTY, 0)
    at = to_ns(EMPTY.taken_at)
    ages = (0, 59, 60, 3_600, 7_200, 86_400, 40 * 86_400)
    assert [age_word(head, at + seconds * 1_000_000_000) for seconds in ages] == [
        "just taken",
        "just taken",
        "1 minute old",
        "1 hour old",
        "2 hours old",
        "1 day old",
        "40 days old",
    ]
    assert age_word(head, at - DAY) == "just taken"


def test_one_that_was_not_saved_to_its_end_is_not_there_until_it_is(tmp_path: Path) -> None:
    folder = str(tmp_path)
    whole = large(5)
    head = head_of(whole, 1)
    with Hot(folder, create=True) as hot:
        for table, row in list(rows_of(whole, head))[:3]:
            hot.append(table, [row])
    assert snapshots(folder) == []
    with pytest.raises(UsageError, match="no snapshot"):
        load(folder)
    assert save(folder, whole).again is False
    assert load(folder).posture == whole


def test_retention_takes_old_ones_and_what_is_half_gone_says_so(tmp_path: Path) -> None:
    folder = str(tmp_path)
    now = to_ns("2026-11-20T12:00:00Z")
    old = save(folder, large(9, "2026-11-01T00:00:00Z")).id
    new = save(folder, large(9, "2026-11-19T00:00:00Z")).id
    with Hot(folder) as hot:
        hot.settings.retention_days = 10
        assert {one.table for one in trim(hot, now)} == {EDGES, REST}
    assert [head.id for head in snapshots(folder)] == [new]
    with pytest.raises(UsageError):
        load(folder, old)
    # the budget may take the edges of one and leave its head
    with Hot(folder) as hot, hot.transaction() as connection:
        connection.execute("DELETE FROM hot.own.segment WHERE tbl = ?", [EDGES])
        hot.changed()
    with pytest.raises(StateError, match="9 rows of the snapshot"):
        load(folder, new)
    assert save(folder, large(9, "2026-11-19T00:00:00Z")).again is False
    assert load(folder, new).posture.edges == large(9).edges


def test_a_newer_version_is_refused_and_an_older_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path)
    monkeypatch.setattr(rows, "VERSION", 2)
    save(folder, large(2))
    with pytest.raises(StateError, match="newer eightysix"):
        load(folder)
    monkeypatch.undo()
    # of an older release: members that came later are not in its rows
    head = head_of(large(0, "2026-11-21T00:00:00Z"), 1)
    counts: dict[str, int] = {"identity": 1}
    told: dict[str, Any] = {
        "id": "i", "kind": "service-account", "name": "a/b", "ids": [], "last_used": "", "used_by": [], "since": "",
        "pods": 0, "roles": [], "unused": None,
    }  # fmt: skip
    table, row = head_row(msgspec.structs.replace(head, counts=counts))
    common = {name: row[name] for name in ("TimeGenerated", "SnapshotId", "Cluster")}
    with Hot(folder) as hot:
        hot.append(table, [{**common, "Part": "identity", "Number": 0, "Told": told}, row])
    (identity,) = load(folder).posture.identities
    assert (identity.name, identity.reached_by) == ("a/b", ())


def test_rows_that_somebody_else_wrote_are_told_and_pass(tmp_path: Path) -> None:
    folder = str(tmp_path)
    save(folder, large(2))
    with Hot(folder) as hot:
        common = {"TimeGenerated": to_ns("2026-11-21T00:00:00Z"), "Part": "head"}
        hot.append(
            REST, [{**common, "SnapshotId": "x"}, {**common, "SnapshotId": "y", "Told": {"schema": 3}}]
        )
        hot.append(
            REST, [{**common, "Part": "pod", "SnapshotId": snapshot_id(large(2)), "Told": {"no": "pod"}}]
        )
    problems: list[str] = []
    assert len(snapshots(folder, on_problem=lambda one: problems.append(one.reason))) == 1
    assert len(problems) == 2
    with pytest.raises(StateError, match="cannot be read"):
        load(folder)


def test_a_time_that_no_row_can_have_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="could not be kept"):
        save(str(tmp_path), large(2, "1999-01-01T00:00:00Z"))


SAVING = """
import sys
from eightysix.serve.posturestore import save
from tests.serve.test_posture_store import large
print("begin", flush=True)
for number in range(100):
    kept = save(sys.argv[1], large(4_000, f"2026-11-{number % 20 + 1:02}T00:00:{number // 20:02}Z"))
    print(kept.id, flush=True)
"""


def test_a_kill_loses_nothing_that_was_told_and_leaves_no_half(tmp_path: Path) -> None:
    folder = str(tmp_path / "kept")
    acknowledged: set[str] = set()
    chance = random.Random(86)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, folder],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(("src", "."))},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        first = process.stdout.readline().strip()
        time.sleep(chance.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged |= {first, *(line for line in rest.split("\n")[:-1] if line)}
        there = snapshots(folder)
        assert acknowledged <= {head.id for head in there}
        for head in there:
            assert len(load(folder, head.id).posture.edges) == 4_000


def test_saving_does_not_wait_for_another_owner(tmp_path: Path) -> None:
    folder = str(tmp_path)
    save(folder, large(2))
    with Hot(folder, name="watch"):
        with pytest.raises(StateError, match="owned by process"):
            save(folder, large(3))
        # what was sealed is read beside it
        assert len(load(folder).posture.edges) == 2
