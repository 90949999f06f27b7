"""What the receiver of sensor records tells of gaps, as `watch` judges it: of that pod a sign, of no other, and never a proof."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.model.incident import Incident
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Source, Verdict
from eightysix.rules.catalog import load_all
from eightysix.serve.live.hearing import DROP_POINTS, SILENCE_POINTS, Hearing, with_gaps
from eightysix.serve.live.loop import Watch
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.lines import Block, find_newlines
from eightysix.sources.sensor import SensorDecoder
from eightysix.store.live import LiveStore, SourceRow
from tests.streams import ATTACKS, KERNEL_ONLY

SECOND = 1_000_000_000
LINES = list(ATTACKS["breach-86s"](KERNEL_ONLY).streams["tetragon.jsonl"])
NOW_NS = to_ns("2026-11-24T09:27:10Z")
SPOOL = "state/spool-sensors"


class World:
    """A clock of one's own, and blocks that are there when they are put there."""

    def __init__(self, folder: Path) -> None:
        self.now_ns = NOW_NS
        self.told: list[Incident] = []
        self.store = LiveStore(folder / "state.sqlite")
        self.blocks: list[Block] = []
        self.begin()

    def begin(self) -> None:
        self.watch = Watch(
            Replay(load_all("").rules, ReplayOptions()),
            self.store,
            self.told.extend,
            lambda: self.now_ns / SECOND,
            lambda: self.now_ns,
        )
        self.watch.sensors = (SPOOL,)
        self.watch.received = ("state/spool",)

    def poll(self, budget_bytes: int) -> list[Block]:
        found, self.blocks = self.blocks, []
        return found

    def sources(self) -> dict[str, SourceRow]:
        return {}

    def after(self, seconds: float, file: str = "tetragon.log", *lines: str) -> list[Incident]:
        self.now_ns += int(seconds * SECOND)
        if lines:
            data = ("\n".join(lines) + "\n").encode()
            self.blocks = [Block(file, 1, data, find_newlines(data))]
        before = len(self.told)
        self.watch.turn(self)
        return self.told[before:]

    def gap(self, uid: str, gap: str, seconds: float = 5.0, number: int = 1) -> list[Incident]:
        record = {
            "v": 1,
            "t_ns": self.now_ns + int(seconds * SECOND),
            "event": "gap",
            "gap": gap,
            "number": number,
        }
        line = json.dumps(record | {"pod": {"uid": uid}})
        return self.after(seconds, f"{SPOOL}/000000000001.jsonl", line)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def uid_of(incident: Incident) -> str:
    assert incident.pod is not None
    return incident.pod.uid


@pytest.mark.parametrize(
    ("gap", "points", "text"),
    [
        ("sequence", DROP_POINTS, "dropped records: sensors of pod"),
        ("flood", DROP_POINTS, "dropped records: sensors of pod"),
        ("endpoint", DROP_POINTS, "was tampered with from inside of the pod: sensors of pod"),
    ],
)
def test_a_gap_after_a_chain_began_counts_for_its_pod(world: World, gap: str, points: int, text: str) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    (second,) = world.gap(uid_of(first), gap)
    assert second.id == first.id
    assert second.score == first.score + points
    assert text in second.why[-1].text
    assert world.gap(uid_of(first), gap) == []


def test_kinds_that_are_one_loss_count_once(world: World) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    for gap in ("sequence", "flood", "dropped", "endpoint", "conflict"):
        world.gap(uid_of(first), gap)
    assert world.told[-1].score == first.score + 2 * DROP_POINTS


def test_the_gap_of_another_pod_says_nothing(world: World) -> None:
    world.after(0, "tetragon.log", *LINES)
    assert world.gap("another", "endpoint") == []


def test_a_gap_before_the_chain_says_nothing(world: World) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    world.now_ns = to_ns(first.t0) - 60 * SECOND
    assert world.gap(uid_of(first), "endpoint", 0) == []


def test_of_a_kind_that_is_not_known_nothing_is_made(world: World) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    assert world.gap(uid_of(first), "anything") == []


def test_a_gap_outlives_a_restart(world: World) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    (second,) = world.gap(uid_of(first), "endpoint")
    world.begin()
    world.after(1)
    assert world.after(5, "tetragon.log", *LINES[-3:]) == []
    assert world.watch.told.latest[first.id].score == second.score
    (third,) = world.gap(uid_of(first), "sequence")
    assert third.score == second.score + DROP_POINTS


def test_that_sensors_have_nothing_to_tell_is_no_silence(world: World) -> None:
    record = {"v": 1, "t_ns": NOW_NS, "event": "heartbeat", "pid": 1, "seq": 1}
    world.after(0, "tetragon.log", *LINES)
    world.after(1, f"{SPOOL}/000000000001.jsonl", json.dumps(record | {"pod": {"uid": "u"}}))
    world.after(1000)
    assert not any("spool" in name for name in world.watch.silent)


def test_gaps_never_contain(world: World) -> None:
    (incident,) = world.after(0, "tetragon.log", *LINES)
    hearing = Hearing(SECOND)
    for gap in ("sequence", "conflict", "endpoint"):
        hearing.lost(uid_of(incident), gap, world.now_ns)
    for verdict in Verdict:
        changed = with_gaps(replace(incident, verdict=verdict, score=1000), hearing.gaps_of(incident), 60)
        assert changed.verdict is (Verdict.SUSPECT if verdict is Verdict.WATCH else verdict)


def test_gaps_of_one_pod_are_bounded_and_the_first_stays(world: World) -> None:
    (incident,) = world.after(0, "tetragon.log", *LINES)
    hearing = Hearing(SECOND)
    for number in range(100):
        hearing.lost(uid_of(incident), "sequence", NOW_NS + number)
    gaps = hearing.gaps_of(incident)
    assert len(gaps) < 10
    assert gaps[0][1].since_ns == NOW_NS
    assert gaps[-1][1].since_ns == NOW_NS + 99


def test_gaps_of_recorded_files_are_told_in_the_coverage(tmp_path: Path) -> None:
    file = tmp_path / "sensor.jsonl"
    gap = {"v": 1, "t_ns": NOW_NS, "event": "gap", "gap": "sequence", "number": 3, "pod": {"uid": "u-1"}}
    file.write_text(f"{json.dumps(gap)}\n{json.dumps(gap)}\n")
    report = Replay(load_all("").rules, ReplayOptions()).read([str(file)], None)
    assert "u-1: gaps in the sensor's records: sequence 6" in report.coverage.flooded
    assert report.coverage.sources[0].kinds == {"gap": 2}


# --- what a sensor says of its own absence


def absent(world: World, uid: str, event: str = "withdrawn", at_ns: int = 0) -> list[Incident]:
    record = {
        "v": 1,
        "t_ns": at_ns or world.now_ns,
        "event": event,
        "pid": 9,
        "ns_pid": 9,
        "pod": {"uid": uid},
    }
    return world.after(1, f"{SPOOL}/000000000001.jsonl", json.dumps(record))


@pytest.mark.parametrize("event", ["withdrawn", "start_failed"])
def test_a_sensor_that_goes_after_a_chain_began_fell_silent(world: World, event: str) -> None:
    """Told once: each start after the first says the same again."""
    (first,) = world.after(0, "tetragon.log", *LINES)
    (second,) = absent(world, uid_of(first), event)
    assert second.score == first.score + SILENCE_POINTS
    assert "was withdrawn from new processes: sensors of pod" in second.why[-1].text
    assert any("by its own word" in gap for gap in world.watch.replay.account([second]).incidents[0].gaps)
    assert absent(world, uid_of(first), event) == []


def test_a_sensor_that_was_withdrawn_before_says_nothing_new(world: World) -> None:
    early, late = LINES[: len(LINES) // 8], LINES[len(LINES) // 8 :]
    uid = json.loads(LINES[0])["process_exec"]["process"]["pod"]["uid"]
    world.after(0, "tetragon.log", *early)
    assert world.told == []
    world.now_ns = to_ns(json.loads(early[-1])["time"])
    absent(world, uid)
    (first,) = world.after(1, "tetragon.log", *late)
    before = first.score
    assert absent(world, uid, at_ns=NOW_NS) == []
    assert world.watch.told.latest[first.id].score == before


def test_the_sensors_own_time_makes_its_going_no_older(world: World) -> None:
    """Code in the pod claims, after the chain began, that the sensor went a day before."""
    (first,) = world.after(0, "tetragon.log", *LINES)
    (second,) = absent(world, uid_of(first), at_ns=NOW_NS - 86_400 * SECOND)
    assert second.score == first.score + SILENCE_POINTS


def test_of_recorded_files_it_is_a_gap_of_the_incident(tmp_path: Path) -> None:
    kernel, sensor = tmp_path / "tetragon.jsonl", tmp_path / "sensor.jsonl"
    kernel.write_text("\n".join(LINES) + "\n")
    report = Replay(load_all("").rules, ReplayOptions()).read([str(kernel)], None)
    (before,) = report.incidents
    record = {
        "v": 1,
        "t_ns": NOW_NS,
        "event": "withdrawn",
        "pid": 9,
        "died": 3,
        "pod": {"uid": uid_of(before)},
    }
    sensor.write_text(f"{json.dumps(record)}\n{json.dumps(record | {'pid': 10})}\n")
    report = Replay(load_all("").rules, ReplayOptions()).read([str(kernel), str(sensor)], None)
    (after,) = report.incidents
    assert (after.verdict, after.score) == (before.verdict, before.score)
    assert any("withdrawn from this pod" in gap and "2 starts" in gap for gap in after.gaps)
    assert any("withdrawn 2" in flooded for flooded in report.coverage.flooded)
    assert not report.counts.unrecognised


# --- what came over HTTP came from nobody knows whom


def sensor_line(**fields: object) -> str:
    record = {
        "v": 1, "t_ns": NOW_NS, "event": "connect", "dst": "169.254.169.254", "port": 80, "pid": 5, "ns_pid": 7,
        "pod": {"namespace": "ml", "name": "victim", "uid": "u-1"}, "node": "n", "host_pid": 4711,
    }  # fmt: skip
    return json.dumps(record | fields)


def test_records_over_http_do_not_say_whose_they_are(world: World) -> None:
    world.after(0, "state/spool/000000000001.jsonl", sensor_line())
    (state,) = world.watch.replay.engine.states.values()
    (event,) = state.events()
    assert (event.source, event.pod_uid, event.pod, event.node) == (Source.SENSOR, "", "", "")
    assert (event.pid, event.ns_pid) == (0, 7)


def test_a_gap_over_http_is_nobodys(world: World) -> None:
    (first,) = world.after(0, "tetragon.log", *LINES)
    line = sensor_line(event="gap", gap="endpoint", number=1, pod={"uid": uid_of(first)})
    assert world.after(1, "state/spool/000000000001.jsonl", line) == []
    assert absent(world, uid_of(first)) != []
    line = sensor_line(event="withdrawn", pod={"uid": uid_of(first)})
    assert world.after(1, "state/spool/000000000001.jsonl", line) == []
    assert world.watch.replay.sensor.lost == {uid_of(first): {"withdrawn": 1}}


def test_files_that_are_named_are_believed() -> None:
    (event,) = SensorDecoder().decode(sensor_line().encode(), "sensor.jsonl", 1).events
    assert (event.pod_uid, event.pid) == ("u-1", 4711)


def test_nothing_but_sensor_records_is_read_from_the_sensors_spool(world: World) -> None:
    world.after(0, f"{SPOOL}/000000000001.jsonl", *LINES)
    assert world.told == []
    assert not world.watch.replay.engine.states
