"""Names of destinations survive the death of the process, as everything that a verdict rests on."""

from __future__ import annotations

from pathlib import Path

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Event
from eightysix.model.words import Kind, Source
from eightysix.serve.live.keeper import Keeper
from eightysix.store.live import LiveStore
from tests.detect.events import event
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


def restarted(path: Path) -> Engine:
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        Keeper(engine, store).load()
    return engine


def named_only(at: float) -> Event:
    """What the audit log tells of the pod that the answers were for: its name and no uid."""
    return event(
        Kind.API, at, source=Source.KUBERNETES_AUDIT, pod_uid="", container_id="", exec_id="", verb="get"
    )


def test_a_whole_snapshot_holds_the_names_too(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        keeper = Keeper(engine, store)
        batch = [answer(1.0, STAMP, OURS), named_only(2.0)]
        engine.feed(batch)
        keeper.note(batch)
        keeper.write_whole("n:ml/inference-0")
        store.commit(keeper.change({}, []))
    after = restarted(path)
    assert after.states.keys() == {"n:ml/inference-0"}
    assert after.names == engine.names != {}


def test_a_pod_that_is_let_go_does_not_come_back_with_its_names(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        keeper = Keeper(engine, store)
        batch = [answer(1.0, STAMP, OURS), named_only(2.0)]
        engine.feed(batch)
        keeper.note(batch)
        store.commit(keeper.change({}, []))
        for kept in (engine.states, engine.trees, engine.contacts):
            kept.pop("n:ml/inference-0")
        keeper.end("n:ml/inference-0", [])
        keeper.look_at_all()
        change = keeper.change({}, [])
        store.commit(change)
        keeper.committed(change)
    after = restarted(path)
    assert after.states == {}
    assert after.names == engine.names != {}


def test_what_a_failed_commit_should_have_forgotten_is_forgotten_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = Engine((), Knowledge())
    with LiveStore(path) as store:
        keeper = Keeper(engine, store)
        engine.feed([named_only(2.0)])
        keeper.note([named_only(2.0)])
        change = keeper.change({}, [])
        store.commit(change)
        keeper.committed(change)
        for kept in (engine.states, engine.trees, engine.contacts):
            kept.pop("n:ml/inference-0")
        keeper.end("n:ml/inference-0", [])
        keeper.look_at_all()
        keeper.failed(keeper.change({}, []))
        store.commit(keeper.change({}, []))
    assert restarted(path).states == {}
