"""A generated cluster: the shapes of the written streams, delivery as asked for, true labels, and what detection makes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.generated import judge
from eightysix.lab.generate.bounds import bounds_of, setting_of
from eightysix.lab.generate.clock import SECOND, epoch_ns
from eightysix.lab.generate.delivery import REPEAT_S, Courier
from eightysix.lab.generate.label import ATTACKS, LOOK_ALIKES, VERDICTS
from eightysix.lab.generate.plan import Plan
from eightysix.lab.generate.planting import plantable, planted_scenarios
from eightysix.lab.generate.world import World
from eightysix.model.errors import UsageError
from eightysix.model.timestamps import to_ns
from eightysix.report.interface import RenderOptions, get_format
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.streams.test_builder import by_kind, shape, union

Json = dict[str, Any]

SMALL = Plan(pods=60, nodes=4, hours=0.5, attacks=4, look_alikes=8, rate=3.0)
HOUR = Plan(
    pods=300,
    nodes=10,
    hours=1.0,
    attacks=48,
    look_alikes=66,
    rate=5.0,
    lateness_s=120.0,
    duplicates=0.05,
    sensor_namespaces=("ml", "serving"),
    audit_hours=0.75,
    blind_nodes=1,
)


@cache
def played(plan: Plan) -> tuple[dict[str, list[bytes]], Json]:
    """Lines by file, and the labels."""
    world = World(plan)
    files: dict[str, list[bytes]] = {}
    for file, line in world.chunks():
        files.setdefault(file, []).append(line)
    return files, world.labels()


def time_of(file: str, line: bytes) -> int:
    record = json.loads(line)
    if file.endswith("sensor.jsonl"):
        return int(record["t_ns"])
    return to_ns(record["time"] if "time" in record else record["requestReceivedTimestamp"])


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Json]:
    """Labels of a generated hour, and what `detect` reports about it."""
    files, labels = played(HOUR)
    folder = tmp_path_factory.mktemp("hour")
    for name, lines in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\n".join(lines) + b"\n")
    report = Replay(load_packaged(), ReplayOptions()).read([str(folder)], None)
    return labels, json.loads("".join(get_format("json").write(report, RenderOptions())))


def test_every_attack_that_telemetry_shows_is_found_and_nothing_else(hour: tuple[Json, Json]) -> None:
    labels, report = hour
    told = judge(labels, report)
    assert told["evaluable"] > 20
    assert told["found"] == told["evaluable"], told["missed"]
    assert told["below_their_label"] == {}
    assert told["look_alikes_raised"] == {}
    assert told["other_pods_raised"] == 0
    assert told["not_evaluable"] > 0
    assert told["attacks"] == sum(
        told[name] for name in ("evaluable", "refused_attempts", "not_evaluable", "no_rule")
    )


def test_every_record_is_understood(hour: tuple[Json, Json]) -> None:
    labels, report = hour
    counts = report["counts"]
    assert counts["records"] == sum(labels["records"].values()) + sum(labels["duplicates"].values())
    assert counts["malformed"] == counts["oversized"] == counts["unrecognised"] == 0


def test_an_attack_that_is_labelled_wrongly_is_told(hour: tuple[Json, Json]) -> None:
    labels, report = hour
    attacks = [told | {"pod": told["pod"] | {"uid": "another"}} for told in labels["attacks"]]
    look_alikes = [
        told | {"pod": attack["pod"], "telemetry": []}
        for told, attack in zip(labels["look_alikes"], labels["attacks"], strict=False)
    ]
    told = judge(labels | {"attacks": attacks, "look_alikes": look_alikes}, report)
    assert told["found"] == 0
    assert sum(told["missed"].values()) == told["evaluable"]
    assert told["look_alikes_raised"]


def test_same_seed_same_bytes() -> None:
    first, labels = played(SMALL)
    assert (first, labels) == played.__wrapped__(SMALL)
    other, other_labels = played(replace(SMALL, seed=87))
    assert other != first
    assert {told["pod"]["uid"] for told in labels["attacks"]}.isdisjoint(
        told["pod"]["uid"] for told in other_labels["attacks"]
    )


def test_lateness_changes_the_order_and_nothing_else() -> None:
    on_time, labels = played(SMALL)
    late, late_labels = played(replace(SMALL, lateness_s=300.0))
    assert {file: sorted(lines) for file, lines in late.items()} == {
        file: sorted(lines) for file, lines in on_time.items()
    }
    assert late != on_time
    assert late_labels["attacks"] == labels["attacks"]
    for file, lines in on_time.items():
        times = [time_of(file, line) for line in lines]
        assert times == sorted(times)


def test_records_have_the_shapes_of_the_written_streams() -> None:
    files, _ = played(replace(SMALL, attacks=0, look_alikes=0))
    written = [
        ATTACKS["breach-86s"]().streams,
        LOOK_ALIKES["notebook-rebuild"]().streams,
        LOOK_ALIKES["ray-head"]().streams,
    ]
    for source in ("tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl"):
        shapes = by_kind(streams[source] for streams in written)
        lines = (line.decode() for file, told in files.items() if file.endswith(source) for line in told[::3])
        for kind, found in by_kind([lines]).items():
            extra = {path for path, _ in union(map(shape, found)) - union(map(shape, shapes[kind]))}
            assert not extra, kind


def test_sources_are_where_the_plan_has_them() -> None:
    files, labels = played(HOUR)
    blind = f"aks-gpu-31337-vmss{HOUR.nodes - 1:06d}"
    assert f"{blind}/tetragon.jsonl" not in files
    namespaces = {
        json.loads(line)["pod"]["namespace"]
        for file, lines in files.items()
        if file.endswith("sensor.jsonl")
        for line in lines
    }
    assert namespaces == {"ml", "serving"}
    last = max(time_of("audit", line) for line in files["control-plane/kubernetes-audit.jsonl"])
    assert epoch_ns(0.6 * 3_600) < last < epoch_ns(0.75 * 3_600)
    for told in labels["attacks"]:
        assert ("tetragon" in told["telemetry"]) is (told["pod"]["node"] != blind)
        assert ("sensor" in told["telemetry"]) is (told["pod"]["namespace"] in ("ml", "serving"))


def test_formats_that_are_off_are_not_there() -> None:
    files, labels = played(replace(SMALL, formats=("tetragon",)))
    assert {file.rpartition("/")[2] for file in files} == {"tetragon.jsonl"}
    assert labels["records"].keys() == {"tetragon"}


def test_falco_tells_beside_tetragon(tmp_path: Path) -> None:
    plan = replace(SMALL, formats=("tetragon", "audit", "falco"))
    files, labels = played(plan)
    assert labels["records"]["falco"] > 0.3 * labels["records"]["tetragon"]
    for name, lines in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n")
    report = Replay(load_packaged(), ReplayOptions()).read([str(tmp_path)], None)
    told = judge(labels, json.loads("".join(get_format("json").write(report, RenderOptions()))))
    assert told["found"] == told["evaluable"] > 0
    assert told["look_alikes_raised"] == {}
    assert report.counts.malformed == report.counts.unrecognised == 0


def test_what_is_lost_is_told_by_tetragon_and_by_the_labels() -> None:
    files, labels = played(replace(SMALL, drops=0.05))
    told: Counter[str] = Counter()
    for file, lines in files.items():
        for line in lines:
            if b"rate_limit_info" in line:
                told[file] += int(json.loads(line)["rate_limit_info"]["number_of_dropped_process_events"])
    dropped = labels["dropped"]["tetragon"]
    # The last minute's are told after the end.
    assert 0.8 * dropped <= sum(told.values()) <= dropped
    assert 0.03 < dropped / labels["records"]["tetragon"] < 0.07
    touched = [attack for attack in labels["attacks"] if attack["dropped"]]
    assert touched
    assert not any(attack["evaluable"] for attack in touched)


def test_labels_tell_the_stages_in_order_and_inside_the_time() -> None:
    _, labels = played(HOUR)
    staged = [attack for attack in labels["attacks"] if attack["stages"]]
    assert staged
    for attack in staged:
        times = [to_ns(stage["at"]) for stage in attack["stages"]]
        assert attack["stages"][0]["stage"] == "land"
        assert times == sorted(times)
        assert attack["why_not"].startswith("it landed before") or to_ns(labels["from"]) <= times[0]
        assert times[-1] <= to_ns(labels["to"])


def test_what_is_longer_than_the_telemetry_ends_in_it() -> None:
    plan = replace(
        SMALL,
        pods=60,
        attacks=len([name for name in ATTACKS if plantable(name, malicious=True)]),
        look_alikes=0,
    )
    _, labels = played(plan)
    day = next(told for told in labels["attacks"] if told["kind"] == "sleeper-day")
    assert day["why_not"] == "it landed before the telemetry begins"
    assert (
        to_ns(day["stages"][0]["at"])
        < to_ns(labels["from"])
        < to_ns(day["stages"][-1]["at"])
        < to_ns(labels["to"])
    )


def test_a_chunk_comes_before_later_pods_are_made() -> None:
    """What is handed out first is told of the first minutes: nothing waits for the end."""
    world = World(replace(SMALL, hours=8.0, pods=400))
    early = list(islice(world.chunks(), 1_000))
    latest = max(time_of(file, line) for file, line in early)
    assert latest < epoch_ns(0.5 * 3_600)
    assert world.pods.total() < 200


def test_every_kind_is_planted_in_turn() -> None:
    plan = replace(SMALL, pods=500, attacks=120, look_alikes=120, hours=30.0)
    kinds = Counter(one.scenario.name for one in planted_scenarios(plan, Random(1)))
    left_out = (ATTACKS.keys() | LOOK_ALIKES.keys()) - kinds.keys()
    assert {"rollback", "rollout-200", "release-takes-credential"} <= left_out
    assert all(not plantable(name, malicious=name in ATTACKS) for name in left_out)
    assert min(kinds.values()) >= 2


def test_bounds_never_ask_for_more_than_a_tested_label() -> None:
    for name, scenario in {**ATTACKS, **LOOK_ALIKES}.items():
        for covered in scenario.settings:
            if (
                not plantable(name, malicious=name in ATTACKS)
                or covered.sensor == "prototype"
                or not covered.name
            ):
                continue
            setting = setting_of(
                kernel=covered.kernel is not None,
                audit=bool(covered.audit),
                sensor=covered.sensor is not None,
            )
            label = scenario(setting).label
            bounds = bounds_of(scenario, label, setting)
            assert VERDICTS.index(bounds.at_least) <= VERDICTS.index(label.at_least), (name, setting.name)
            assert bool(bounds.gap) is bool(bounds.why_not)


@given(
    st.lists(st.integers(0, 3_600 * SECOND), max_size=200),
    st.floats(0, 600),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_courier_loses_and_repeats_what_it_says_and_keeps_its_time(
    times: list[int], late_s: float, twice: float, lost: float, random: Random
) -> None:
    courier = Courier(random, late_s=late_s, twice=twice, lost=lost)
    sent = {}
    delivered: list[tuple[int, bytes]] = []

    def take(lines: Iterator[tuple[str, bytes]], now: int) -> None:
        delivered.extend((now, line) for _, line in lines)

    for serial, time_ns in enumerate(sorted(times)):
        take(courier.until(time_ns), time_ns)
        line = b"%d" % serial
        if courier.send("a", time_ns, line):
            sent[line] = time_ns
    take(courier.rest(), -1)
    counts = Counter(line for _, line in delivered)
    assert counts.keys() == sent.keys()
    assert len(sent) == courier.records["a"]
    assert courier.records["a"] + courier.dropped["a"] == len(times)
    assert sum(count - 1 for count in counts.values()) == courier.repeated["a"]
    assert max(counts.values(), default=0) <= 2
    most = int((late_s + max(late_s, REPEAT_S)) * SECOND)
    for now, line in delivered:
        # Delivered no earlier than it happened; what came while others were sent was due by then.
        assert now == -1 or sent[line] <= now
    # What is still held at the end could not have been due before.
    assert all(sent[line] + most >= max(times) for now, line in delivered if now == -1)


@pytest.mark.parametrize(
    "asked",
    [
        {"pods": 3, "attacks": 2, "look_alikes": 2},
        {"nodes": 0},
        {"hours": float("nan")},
        {"hours": 10_000.0},
        {"drops": 1.0},
        {"duplicates": -0.1},
        {"lateness_s": float("inf")},
        {"rate": 0.0},
        {"formats": ("tetragon", "strace")},
        {"formats": ()},
        {"formats": ("falco",)},
        {"blind_nodes": 11},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Plan(**asked)


def test_nothing_in_it_is_a_real_place() -> None:
    """Addresses are of documentation, private and link-local ranges."""
    files, _ = played(SMALL)
    allowed = ("10.", "127.", "169.254.169.254", "172.31.", "192.0.2.", "198.51.100.", "203.0.113.")
    for file, lines in files.items():
        for line in lines if file.endswith("tetragon.jsonl") else []:
            probe = json.loads(line).get("process_kprobe", {})
            for argument in probe.get("args", []):
                address = argument.get("sock_arg", {}).get("daddr", "")
                assert any(address.startswith(prefix) for prefix in allowed) or not address, address
