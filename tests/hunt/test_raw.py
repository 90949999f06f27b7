"""The raw record of an event, from files and from a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.hunt.raw import raw_of
from eightysix.model.errors import NothingToReadError
from eightysix.model.event import EventId
from eightysix.model.incident import Evidence
from eightysix.store.events.layout import Layout
from eightysix.store.events.view import open_view


def test_files_and_store_show_the_same(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIGHTYSIX_STORE", raising=False)
    store, files = tmp_path / "store", str(root / "examples" / "breach-86s")
    assert main(["store", "ingest", files, "--incidents", "-q", "--store", str(store)]) == 0
    view = open_view(store)
    told = view.execute("SELECT Stages FROM EightySixIncidents_CL").fetchall()
    evidence = [
        Evidence(**each) for (stages,) in told for stage in json.loads(stages) for each in stage["evidence"]
    ]
    assert len({one.source for one in evidence}) == 3
    kept = raw_of(view, evidence)
    assert set(kept) == set(evidence)
    key = bytes.fromhex(Layout(store).read_settings().key)
    again = raw_of([files], evidence, key=key)
    assert {one: json.loads(text) for one, text in again.items()} == {
        one: json.loads(text) for one, text in kept.items()
    }
    ids = [
        EventId(one)
        for (one,) in view.execute("SELECT EventId FROM EightySixRaw_CL WHERE EventId <> ''").fetchall()
    ]
    by_id, by_id_again = raw_of(view, ids), raw_of([files], ids, key=key)
    assert set(by_id) == set(by_id_again) == set(ids)
    assert all(json.loads(by_id[one]) == json.loads(by_id_again[one]) for one in ids)
    view.close()


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    nothing = Evidence("tetragon", str(path), 9), EventId("0" * 32)
    assert raw_of([str(path)], nothing) == {}
    with pytest.raises(NothingToReadError):
        raw_of([str(tmp_path / "nowhere")], nothing)
