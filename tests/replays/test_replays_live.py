"""Followed line by line, every documented breach ends where a run over its files ends."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from eightysix.model.incident import Incident
from eightysix.store.live import LiveStore
from tests.replays import REPLAYS
from tests.serve.test_watch import Lines, outline, told_by_detect, watch


@pytest.mark.parametrize("name", sorted(REPLAYS))
def test_live_tells_what_detect_tells(name: str, tmp_path: Path) -> None:
    files = {file: list(lines) for file, lines in REPLAYS[name]().streams.items()}
    told: list[Incident] = []
    with LiveStore(tmp_path / "state.sqlite") as store:
        live = watch(store, told)
        inputs = Lines(files, random.Random(name))
        while not inputs.ended:
            live.turn(inputs)
        live.turn(inputs, last=True)
        standing = [i for i in live.told.latest.values() if not i.title.startswith("Withdrawn")]
    assert standing
    assert outline(standing) == outline(told_by_detect(files, tmp_path / "files"))
