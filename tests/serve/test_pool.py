"""`--jobs`: what other processes decode is what this one would have decoded."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.model.incident import Incident
from eightysix.rules.catalog import load_all
from eightysix.serve.live import pool as pools
from eightysix.serve.live.loop import Watch
from eightysix.serve.live.pool import Ahead, PooledTetragon
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.tetragon import Contacts, TetragonDecoder, Trees
from eightysix.store.live import LiveStore
from tests.serve.test_watch import NOW, Clock, Lines, outline, told_by_detect
from tests.streams import ATTACKS

RULES = load_all("").rules


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PooledTetragon]]:
    monkeypatch.setattr(pools, "SMALL_BYTES", 0)
    made: list[PooledTetragon] = []
    yield made
    for pool in made:
        pool.close()


def watched(
    files: dict[str, list[str]], folder: Path, made: list[PooledTetragon], *, dies_at: int = -1
) -> list[Incident]:
    def make(trees: Trees, contacts: Contacts, first_execs: bool) -> TetragonDecoder:
        made.append(PooledTetragon(trees, contacts, first_execs=first_execs, jobs=2))
        return made[-1]

    told: list[Incident] = []
    with LiveStore(folder / "state.sqlite") as store:
        replay = Replay(RULES, ReplayOptions(), make)
        live = Watch(replay, store, told.extend, Clock(), lambda: NOW)
        lines = Lines(files, random.Random(86))
        inputs = Ahead(lines, made[-1])
        turn = 0
        while not (lines.ended and inputs.ended):
            if turn == dies_at:
                for worker in made[-1]._workers:
                    assert worker.process.pid
                    os.kill(worker.process.pid, signal.SIGKILL)
            live.turn(inputs)
            turn += 1
        live.turn(inputs, last=True)
        return [i for i in live.told.latest.values() if not i.title.startswith("Withdrawn")]


@pytest.mark.parametrize("dies_at", [-1, 3])
def test_the_same_incidents_with_workers_and_when_they_die(
    dies_at: int, tmp_path: Path, opened: list[PooledTetragon]
) -> None:
    recording = ATTACKS["breach-86s"]()
    files = {file: list(lines) for file, lines in recording.streams.items()}
    standing = watched(files, tmp_path, opened, dies_at=dies_at)
    assert outline(standing) == outline(told_by_detect(files, tmp_path / "files"))
    if dies_at < 0:
        assert opened[-1].answered > 0
