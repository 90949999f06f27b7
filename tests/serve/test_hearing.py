"""Silence after a chain began: when it counts, and when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.model.incident import Incident
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Verdict
from eightysix.rules.catalog import load_all
from eightysix.serve.live.hearing import DROP_POINTS, SILENCE_POINTS, Gap, Hearing, with_gaps
from eightysix.serve.live.loop import Watch
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.lines import Block, find_newlines
from eightysix.store.live import LiveStore, SourceRow
from tests.streams import ATTACKS, KERNEL_ONLY

SECOND = 1_000_000_000
LINES = list(ATTACKS["breach-86s"](KERNEL_ONLY).streams["tetragon.jsonl"])
DROP = '{"rate_limit_info":{"number_of_dropped_process_events":"9"},"node_name":"n","time":"2026-11-24T09:30:00.000Z"}'


class World:
    """A clock of one's own, and lines that are there when they are put there."""

    def __init__(self, folder: Path) -> None:
        self.now_ns = to_ns("2026-11-24T09:27:10Z")
        self.told: list[Incident] = []
        self.store = LiveStore(folder / "state.sqlite")
        replay = Replay(load_all("").rules, ReplayOptions())
        self.watch = Watch(
            replay, self.store, self.told.extend, lambda: self.now_ns / SECOND, lambda: self.now_ns
        )
        self._lines: list[str] = []
        self._at = 0

    def poll(self, budget_bytes: int) -> list[Block]:
        if not self._lines:
            return []
        data = ("\n".join(self._lines) + "\n").encode()
        block = Block("tetragon.log", self._at + 1, data, find_newlines(data))
        self._at += len(self._lines)
        self._lines = []
        return [block]

    def sources(self) -> dict[str, SourceRow]:
        return {}

    def after(self, seconds: float, *lines: str) -> list[Incident]:
        self.now_ns += int(seconds * SECOND)
        self._lines = list(lines)
        before = len(self.told)
        self.watch.turn(self)
        return self.told[before:]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def why(incidents: list[Incident]) -> list[tuple[int, str]]:
    return [(reason.points, reason.text) for incident in incidents for reason in incident.why]


def test_silence_after_a_chain_began_is_told_once_and_counts(world: World) -> None:
    (first,) = world.after(0, *LINES)
    assert world.after(60) == []
    (second,) = world.after(70)
    assert second.score == first.score + SILENCE_POINTS
    assert "fell silent: nothing from tetragon.log since 2026-11-24T09:27:10.000000Z" in second.why[-1].text
    assert (second.id, second.verdict) == (
        first.id,
        first.verdict if first.verdict is not Verdict.WATCH else second.verdict,
    )
    assert world.after(600) == []


def test_an_input_that_pauses_often_is_silent_later() -> None:
    hearing = Hearing(120 * SECOND)
    for at in (0, 100, 200):
        hearing.heard("f", at * SECOND)
    assert hearing.listen(599 * SECOND) == []
    assert hearing.listen(601 * SECOND) == ["f"]


def test_that_old_records_end_is_no_silence(world: World) -> None:
    world.after(0)
    world.now_ns += 3600 * SECOND
    assert world.after(0, *LINES)
    assert world.after(600) == []


def test_dropped_records_after_a_chain_began_count(world: World) -> None:
    (first,) = world.after(0, *LINES)
    (second,) = world.after(1, DROP, LINES[-1])
    assert second.score == first.score + DROP_POINTS
    assert "dropped records" in second.why[-1].text


def test_an_input_that_ends_counts_as_silent(world: World) -> None:
    (first,) = world.after(0, *LINES)
    world.watch.source_ended("tetragon.log")
    world.watch.turn(world, last=True)
    assert world.told[-1].score == first.score + SILENCE_POINTS
    assert "its source ended" in world.told[-1].why[-1].text


def test_a_silence_outlives_a_restart_until_something_comes(world: World) -> None:
    world.after(0, *LINES)
    (silent,) = world.after(200)
    replay = Replay(load_all("").rules, ReplayOptions())
    told: list[Incident] = []
    again = Watch(replay, world.store, told.extend, lambda: world.now_ns / SECOND, lambda: world.now_ns)
    world.watch = again
    world.after(1)
    again.turn(world, last=True)
    assert told == []
    assert again.told.latest[silent.id].score == silent.score


def test_gaps_are_bounded_and_the_next_one_still_counts() -> None:
    hearing = Hearing(10 * SECOND)
    for at in range(40):
        hearing.heard("f", at * SECOND)
        hearing.dropped("f", at * SECOND)
    assert hearing.listen(1000 * SECOND) == ["f"]
    assert hearing.silent == {"f"}


def test_the_next_segment_of_an_input_is_the_same_input() -> None:
    hearing = Hearing(10 * SECOND)
    for number in range(1, 200):
        hearing.heard(f"spool/{number:012}.jsonl", number * SECOND)
    assert hearing.listen(200 * SECOND) == []
    assert hearing.listen(300 * SECOND) == ["spool/.jsonl"]


def test_silence_before_a_chain_is_none_of_it() -> None:
    hearing = Hearing(10 * SECOND)
    hearing.heard("f", 0)
    hearing.dropped("f", 5)
    assert hearing.listen(20 * SECOND) == ["f"]
    assert hearing.listen(30 * SECOND) == []
    hearing.heard("f", 40 * SECOND)
    assert hearing.silent == frozenset()


def test_silence_never_contains(world: World) -> None:
    (incident,) = world.after(0, *LINES)
    for verdict in Verdict:
        from msgspec.structs import replace

        changed = with_gaps(replace(incident, verdict=verdict, score=1000), [("f", Gap("silent", 1))], 60)
        assert changed.verdict is (Verdict.SUSPECT if verdict is Verdict.WATCH else verdict)
