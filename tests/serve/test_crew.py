"""Processes that make batches beside the owner of a store: the store is the same, and one that ends is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.hunt.rows import packed_of
from eightysix.model.errors import StateError
from eightysix.serve.crew import Crew
from eightysix.serve.ingest import Writer, fill_from, ingest
from eightysix.sources.lines import Block
from eightysix.store.columns import quoted
from eightysix.store.events.hot import Hot
from tests.streams import ATTACKS, FULL

LISTED_AGAIN = "KubePodInventory"
"""Pods are listed again and again, by each process once."""


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    place = tmp_path / "telemetry"
    place.mkdir()
    for name, lines in ATTACKS["breach-86s"](FULL).streams.items():
        (place / name).write_text("".join(f"{line}\n" for line in lines))
    with (place / "tetragon.jsonl").open("a") as file:
        file.write('{"process_exec":{"process":{"pid":-1}}}\n')
    return place


def contents(hot: Hot) -> dict[str, list[tuple[object, ...]]]:
    with hot.reading() as cursor:
        return {
            table: sorted(
                cursor.execute(f"SELECT * FROM {quoted(table)}").fetchall(),  # noqa: S608
                key=repr,
            )
            for table in hot.tables
        }


def test_the_store_is_the_same(tmp_path: Path, telemetry: Path) -> None:
    told: list[object] = []
    with Hot(tmp_path / "alone", create=True) as hot:
        ingest(hot, packed_of([str(telemetry)], None, told.append), seal_rows=1 << 60)
        alone, kept = contents(hot), hot.total.kept
    assert len(told) == 1
    with (
        Hot(tmp_path / "together", create=True) as hot,
        Writer(hot, seal_rows=1 << 60) as writer,
        Crew(hot, writer, 2, 0) as crew,
    ):
        fill_from(hot, packed_of([str(telemetry)], None, told.append, taken=crew.take), writer)
        crew.finish()
        writer.wait()
        together = contents(hot)
        assert crew.problems == told
        assert not list(hot.layout.work.iterdir())
        again = hot.total.kept
    for listed in (alone, together):
        assert listed.pop(LISTED_AGAIN)
    assert together == alone
    assert again >= kept > 80


def test_what_is_no_format_of_theirs_or_little_is_left_to_the_caller(tmp_path: Path) -> None:
    with Hot(tmp_path, create=True) as hot, Writer(hot) as writer, Crew(hot, writer, 2, 100) as crew:
        assert not crew.take(Block("sensor.jsonl", 1, b'{"v":1}\n' * 100))
        assert not crew.take(Block("tetragon.jsonl", 1, b'{"process_exit":{}}\n'))
        crew.finish()
    with Hot(tmp_path) as hot, Writer(hot) as writer, Crew(hot, writer, 1, 0) as crew:
        assert not crew.take(Block("tetragon.jsonl", 1, b'{"process_exit":{}}\n'))


def test_one_that_is_killed_is_told(tmp_path: Path, telemetry: Path) -> None:
    block = Block("tetragon.jsonl", 1, (telemetry / "tetragon.jsonl").read_bytes())

    def work(crew: Crew) -> None:
        assert crew.take(block)
        crew.processes[0].kill()
        while True:
            assert crew.take(block)

    with Hot(tmp_path / "store", create=True) as hot, Writer(hot) as writer:
        with Crew(hot, writer, 2, 0) as crew, pytest.raises(StateError, match="ended"):
            work(crew)
        assert not list(hot.layout.work.iterdir())
