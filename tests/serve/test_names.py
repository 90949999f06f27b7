"""Names of destinations survive the death of the process, as everything that a verdict rests on."""

from __future__ import annotations

from pathlib import Path

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Event
from eightysix.serve.live.keeper import Keeper
from eightysix.store.live import LiveStore
from tests.detect.test_names import OURS, STAMP, THEIRS, answer


def written(path: Path, batches: list[list[Event]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Feed and commit each batch; what the engine knows at the end."""
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        keeper = Keeper(engine, store)
        keeper.load()
        for events in batches:
            engine.feed(events)
            keeper.note(events)
            change = keeper.change({}, [])
            store.commit(change)
            keeper.committed(change)
    return engine.names


def test_names_are_there_again_after_a_restart(tmp_path: Path) -> None:
    first = written(
        tmp_path / "state.db",
        [[answer(1.0, STAMP, OURS)], [answer(2.0, STAMP, THEIRS), answer(3.0, STAMP, OURS)]],
    )
    assert written(tmp_path / "state.db", []) == first
    after = written(tmp_path / "state.db", [[answer(9.0, STAMP, OURS)]])
    ((key, names),) = after.items()
    assert key == "n:ml/inference-0"
    assert names[f"{STAMP}|{OURS}"] == (
        first[key][f"{STAMP}|{OURS}"][0],
        answer(9.0, STAMP, OURS).time_ns + 300 * 10**9,
    )


def test_names_that_ran_out_leave_the_store(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    written(path, [[answer(1.0, STAMP, OURS)]])
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        keeper = Keeper(engine, store)
        keeper.load()
        engine.forget_names(answer(1_000.0, STAMP, OURS).time_ns)
        store.commit(keeper.change({}, []))
    assert written(path, []) == {}
